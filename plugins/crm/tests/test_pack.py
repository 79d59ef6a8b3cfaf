"""The pack as the crib sees it: its tools, its settings, its place behind policy, approval and audit."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from toolcrib.errors import ConfigError
from toolcrib.hookspecs import PackConfig
from toolcrib.tools import tools_of
from toolcrib_crm import CRM, CRMSettings, toolcrib_toolkits
from toolcrib_crm.embedded import EmbeddedBackend
from toolcrib_crm.salesforce import SalesforceBackend
from toolcrib_crm.schema import OBJECTS

README = (Path(__file__).parents[1] / "README.md").read_text()

EFFECTS = {
    "search_accounts": "read",
    "get_account_overview": "read",
    "search_contacts": "read",
    "list_opportunities": "read",
    "get_record": "read",
    "run_query": "read",
    "describe_object": "read",
    "create_lead": "write",
    "create_contact": "write",
    "update_record": "write",
    "set_opportunity_stage": "write",
    "log_activity": "write",
    "convert_lead": "destructive",
    "delete_record": "destructive",
}


@pytest.fixture
def tools(tmp_path):
    return {tool.name: tool for tool in tools_of(CRM(EmbeddedBackend(tmp_path)), pack="crm")}


def test_the_tools_and_their_effects(tools):
    assert {name: tool.effect for name, tool in tools.items()} == {f"crm.{n}": e for n, e in EFFECTS.items()}


def test_every_tool_and_parameter_is_explained(tools):
    for tool in tools.values():
        assert len(tool.description) > 30, tool.name
        for name, schema in tool.schema["properties"].items():
            assert schema.get("description"), (tool.name, name)


def test_what_outsiders_wrote_is_untrusted_and_customers_are_confidential(tools):
    outside = {name for name, tool in tools.items() if "untrusted" in tool.labels}
    assert outside == {"crm.get_account_overview", "crm.get_record", "crm.run_query"}
    confidential = {name for name, tool in tools.items() if "confidential" in tool.labels}
    assert confidential == outside | {
        "crm.search_accounts",
        "crm.search_contacts",
        "crm.list_opportunities",
        "crm.set_opportunity_stage",
    }


def test_arguments_that_say_where_it_goes_are_targets(tools):
    assert {name: tool.targets for name, tool in tools.items() if tool.targets} == {
        "crm.create_contact": ("account_id",),
        "crm.update_record": ("record_id",),
        "crm.set_opportunity_stage": ("opportunity_id",),
        "crm.log_activity": ("about_id",),
        "crm.convert_lead": ("lead_id", "account_id"),
        "crm.delete_record": ("record_id",),
    }


def test_previews_ask_get_record_for_what_will_change(tools):
    expected = {
        "crm.update_record": (
            {"object_type": "Lead", "record_id": "x"},
            {"object_type": "Lead", "record_id": "x"},
        ),
        "crm.delete_record": (
            {"object_type": "Lead", "record_id": "x"},
            {"object_type": "Lead", "record_id": "x"},
        ),
        "crm.convert_lead": ({"lead_id": "x"}, {"object_type": "Lead", "record_id": "x"}),
        "crm.set_opportunity_stage": (
            {"opportunity_id": "x"},
            {"object_type": "Opportunity", "record_id": "x"},
        ),
    }
    assert {name for name, tool in tools.items() if tool.preview} == set(expected)
    for name, (call, arguments) in expected.items():
        assert tools[name].preview.tool == "get_record"
        assert tools[name].preview.arguments(call) == arguments


def test_only_what_may_be_repeated_says_so(tools):
    writes = {name for name, tool in tools.items() if tool.idempotent}
    assert writes == {"crm.update_record", "crm.set_opportunity_stage"}


@pytest.mark.parametrize(
    ("tool", "raw"),
    [
        ("set_opportunity_stage", b'{"opportunity_id": "006TC0000000001YAA", "stage": "Won"}'),
        ("set_opportunity_stage", b'{"opportunity_id": "006\' OR", "stage": "Closed Won"}'),
        ("get_record", b'{"object_type": "User", "record_id": "006TC0000000001YAA"}'),
        ("search_accounts", b'{"limit": 0}'),
        ("search_accounts", b'{"limit": 1000000}'),
        (
            "update_record",
            b'{"object_type": "Lead", "record_id": "00QTC0000000001YAA", "changes": {"a": [1]}}',
        ),
        ("update_record", b'{"object_type": "Lead", "record_id": "00QTC0000000001YAA", "changes": {}}'),
        ("log_activity", b'{"about_id": "00QTC0000000001YAA", "kind": "Party", "subject": "x"}'),
    ],
)
def test_arguments_are_checked_before_policy_sees_them(tools, tool, raw):
    from toolcrib.errors import InvalidArguments

    with pytest.raises(InvalidArguments):
        tools[f"crm.{tool}"].arguments.freeze(f"crm.{tool}", raw)


def config(tmp_path, **settings):
    return PackConfig(pack="crm", settings=settings, folder=tmp_path, tenant="acme")


def test_the_backend_is_a_setting(tmp_path):
    (embedded,) = toolcrib_toolkits(config(tmp_path))
    assert isinstance(embedded._backend, EmbeddedBackend)
    (salesforce,) = toolcrib_toolkits(config(tmp_path, backend="salesforce", login="jwt", domain="acme.my"))
    assert isinstance(salesforce._backend, SalesforceBackend)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"backnd": "embedded"}, "Did you mean .backend."),
        ({"backend": "hubspot"}, "backend"),
        ({"row_cap": 0}, "row_cap"),
        ({"row_cap": 5000}, "row_cap"),
        ({"row_cap": "many"}, "row_cap"),
        ({"timeout": -1.0}, "timeout"),
        ({"login": "client_credentials"}, "own domain"),
        ({"domain": "evil.example/#"}, "domain"),
        ({"api_version": "v59"}, "api_version"),
        ({"updatable": {"Lead": ["nope"]}}, "no field 'nope'"),
        ({"updatable": {"Lead": ["Rating"]}}, "Rating"),
        ({"updatable": {"Opportunity": ["stage"]}}, "stage"),
        ({"updatable": {"User": ["name"]}}, "updatable"),
        ({"password": "hunter2"}, "unknown key"),
    ],
)
def test_settings_that_are_not_right_are_refused(tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words) as refused:
        toolcrib_toolkits(config(tmp_path, **settings))
    assert "hunter2" not in str(refused.value)


def test_everything_that_may_change_is_updatable_unless_narrowed():
    default = CRMSettings().updatable
    assert set(default) == set(OBJECTS)
    assert "stage" not in default["Opportunity"]
    assert "amount" in default["Opportunity"]


def test_the_salesforce_client_is_imported_only_where_it_is_used():
    program = (
        "import sys; from pathlib import Path; from toolcrib_crm import toolcrib_toolkits; "
        "from toolcrib.hookspecs import PackConfig; "
        "toolcrib_toolkits(PackConfig('crm', {}, Path('.'), 'acme')); "
        "print([m for m in ('simple_salesforce', 'requests', 'zeep') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readme_lists_every_tool_with_its_effect_and_every_setting():
    rows = dict(re.findall(r"^\| `crm\.(\w+)` \| (\w+)", README, re.MULTILINE))
    assert rows == EFFECTS
    for name in CRMSettings.__dataclass_fields__:
        assert f"| `{name}`" in README, name
