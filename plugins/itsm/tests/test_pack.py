"""The pack as the crib sees it: its tools, its settings, its README."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from toolcrib.errors import ConfigError, InvalidArguments
from toolcrib.hookspecs import PackConfig
from toolcrib.tools import tools_of
from toolcrib_itsm import ITSM, ITSMSettings, toolcrib_toolkits
from toolcrib_itsm.embedded import EmbeddedBackend
from toolcrib_itsm.roundup import RoundupBackend
from toolcrib_itsm.servicenow import ServiceNowBackend

README = (Path(__file__).parents[1] / "README.md").read_text()

EFFECTS = {
    "search_tickets": "read",
    "get_ticket": "read",
    "list_journal": "read",
    "search_knowledge": "read",
    "get_ci": "read",
    "find_user": "read",
    "create_incident": "write",
    "update_incident": "write",
    "assign": "write",
    "add_work_note": "write",
    "create_change": "write",
    "resolve": "write",
    "add_public_comment": "send",
    "submit_catalog_request": "send",
    "decide_change_approval": "destructive",
}
OUTSIDE = {"search_tickets", "get_ticket", "list_journal"}


@pytest.fixture
def tools(tmp_path):
    made = tools_of(ITSM(EmbeddedBackend(tmp_path)), pack="itsm")
    return {tool.name.removeprefix("itsm."): tool for tool in made}


def test_the_tools_and_their_effects(tools):
    assert {name: tool.effect for name, tool in tools.items()} == EFFECTS


def test_every_tool_and_parameter_is_explained(tools):
    for tool in tools.values():
        assert len(tool.description) > 30, tool.name
        for name, schema in tool.schema["properties"].items():
            assert schema.get("description"), (tool.name, name)


def test_what_outsiders_wrote_is_untrusted_and_all_that_is_read_is_confidential(tools):
    assert {name for name, tool in tools.items() if "untrusted" in tool.labels} == OUTSIDE
    read = {name for name, effect in EFFECTS.items() if effect == "read"}
    assert {name for name, tool in tools.items() if "confidential" in tool.labels} == read


def test_arguments_that_say_where_it_goes_are_targets(tools):
    assert {name: tool.targets for name, tool in tools.items() if tool.targets} == {
        "create_incident": ("requester_id", "parent_id"),
        "create_change": ("parent_id",),
        "update_incident": ("ticket_id",),
        "assign": ("ticket_id", "assignee_id", "group"),
        "add_work_note": ("ticket_id",),
        "resolve": ("ticket_id",),
        "add_public_comment": ("ticket_id",),
        "submit_catalog_request": ("item",),
        "decide_change_approval": ("change_id",),
    }


def test_previews_show_the_ticket_as_it_stands(tools):
    previewed = {name for name, tool in tools.items() if tool.preview}
    assert previewed == {
        "update_incident", "assign", "add_work_note", "resolve", "add_public_comment",
        "decide_change_approval",
    }  # fmt: skip
    for name in previewed:
        key = "change_id" if name == "decide_change_approval" else "ticket_id"
        assert tools[name].preview.tool == "get_ticket"
        assert tools[name].preview.arguments({key: "x"}) == {"ticket_id": "x"}


def test_only_what_may_be_repeated_says_so(tools):
    assert {name for name, tool in tools.items() if tool.idempotent} == {"update_incident", "assign"}


@pytest.mark.parametrize(
    ("tool", "raw"),
    [
        ("get_ticket", b'{"ticket_id": "1^state=7"}'),
        ("get_ticket", b'{"ticket_id": ""}'),
        ("search_tickets", b'{"limit": 0}'),
        ("search_tickets", b'{"limit": 1000000}'),
        ("search_tickets", b'{"page": 0}'),
        ("search_tickets", b'{"state": "open"}'),
        ("search_tickets", b'{"text": "a\\u0000b"}'),
        ("create_incident", b'{"title": "a\\r\\nX-Evil: 1", "description": "x"}'),
        ("create_incident", b'{"title": "a", "description": "x\\u0000"}'),
        ("add_work_note", b'{"ticket_id": "1", "text": ""}'),
        ("add_public_comment", b'{"ticket_id": "1", "text": "\\u0000"}'),
        ("resolve", b'{"ticket_id": "1", "code": "because", "notes": "x"}'),
        ("assign", b'{"ticket_id": "1", "group": "a\\nb"}'),
        ("submit_catalog_request", b'{"item": "Second screen", "quantity": 10000}'),
        ("decide_change_approval", b'{"change_id": "1", "decision": "perhaps", "reason": "x"}'),
        ("update_incident", b'{"ticket_id": "1", "changes": {}}'),
    ],
)
def test_arguments_are_checked_before_policy_sees_them(tools, tool, raw):
    with pytest.raises(InvalidArguments):
        tools[tool].arguments.freeze(f"itsm.{tool}", raw)


def config(tmp_path, **settings):
    return PackConfig(pack="itsm", settings=settings, folder=tmp_path, tenant="acme")


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, EmbeddedBackend),
        ({"backend": "servicenow", "instance": "dev1"}, ServiceNowBackend),
        ({"backend": "roundup", "url": "https://desk.acme.example/t"}, RoundupBackend),
        ({"backend": "roundup", "url": "http://127.0.0.1:8080/t/"}, RoundupBackend),
    ],
)
def test_the_backend_is_a_setting_and_opens_nothing(tmp_path, settings, kind):
    (toolkit,) = toolcrib_toolkits(config(tmp_path, **settings))
    assert isinstance(toolkit._backend, kind)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"backnd": "embedded"}, "Did you mean .backend."),
        ({"backend": "jira"}, "backend"),
        ({"row_cap": 0}, "row_cap"),
        ({"row_cap": 5000}, "row_cap"),
        ({"timeout": 0.0}, "timeout"),
        ({"updatable": ["work_notes"]}, "update_incident may change at most"),
        ({"backend": "servicenow"}, "before .service-now.com"),
        ({"backend": "servicenow", "instance": "evil.example/#"}, "before .service-now.com"),
        ({"backend": "servicenow", "instance": "d1", "close_codes": {"solution": "x"}}, "close_codes lacks"),
        ({"backend": "roundup"}, "address of the tracker"),
        ({"backend": "roundup", "url": "http://desk.acme.example/"}, "over https"),
        ({"backend": "roundup", "url": "http://127.0.0.1.evil.example/"}, "over https"),
        ({"backend": "roundup", "url": "https://user:pw@desk.example/"}, "address of the tracker"),
        ({"password": "hunter2"}, "unknown key"),
    ],
)
def test_settings_that_are_not_right_are_refused(tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words) as refused:
        toolcrib_toolkits(config(tmp_path, **settings))
    assert "hunter2" not in str(refused.value)


def test_the_clients_are_imported_only_where_they_are_used():
    program = (
        "import sys; from pathlib import Path; from toolcrib_itsm import toolcrib_toolkits; "
        "from toolcrib.hookspecs import PackConfig; "
        "toolcrib_toolkits(PackConfig('itsm', {}, Path('.'), 'acme')); "
        "print([m for m in ('pysnc', 'httpx', 'requests', 'roundup') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readme_lists_every_tool_with_its_effect_and_every_setting():
    rows = dict(re.findall(r"^\| `itsm\.(\w+)` \| (\w+)", README, re.MULTILINE))
    assert rows == EFFECTS
    for name in ITSMSettings.__dataclass_fields__:
        assert f"| `{name}`" in README, name


def test_the_readmes_policy_loads():
    from toolcrib.policy import MODEL, Policy

    Policy.of(MODEL, README.split("```csv\n")[1].split("```")[0])
