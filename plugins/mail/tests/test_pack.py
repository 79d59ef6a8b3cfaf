"""The pack as the crib sees it: settings, faces of the tools, and what is refused before anything runs."""

import importlib.metadata
import json

import pytest

import toolcrib_mail
from toolcrib.errors import ConfigError, InvalidArguments
from toolcrib.hookspecs import PACK_API, PackConfig
from toolcrib.tools import tools_of

GOOD = {"to": ["bob@customer.example"], "subject": "s", "body": "b"}


def toolkit(tmp_path, **settings):
    config = PackConfig(pack="mail", settings=settings, folder=tmp_path, tenant="acme")
    (kit,) = toolcrib_mail.toolcrib_toolkits(config)
    return kit


@pytest.fixture
def tools(tmp_path):
    return {tool.name: tool for tool in tools_of(toolkit(tmp_path), pack="mail")}


def freeze(tools, name, **arguments):
    return tools[name].arguments.freeze(name, json.dumps(arguments).encode()).plain


def test_it_is_found_by_its_entry_point_and_says_its_api():
    (entry,) = importlib.metadata.entry_points(group="toolcrib.packs", name="mail")
    assert entry.load() is toolcrib_mail
    assert toolcrib_mail.PACK_API == PACK_API


def test_effects_and_targets(tools):
    faces = {name: (tool.effect, tool.idempotent, tool.targets) for name, tool in tools.items()}
    assert faces == {
        "mail.draft": ("write", True, ("to", "cc")),
        "mail.get_draft": ("read", False, ()),
        "mail.send": ("send", False, ("to", "cc")),
    }
    assert tools["mail.send"].preview.arguments({**GOOD, "draft_id": "draft-1"}) == {"draft_id": "draft-1"}


def test_sound_arguments_pass_with_defaults_filled_in(tools):
    assert freeze(tools, "mail.draft", **GOOD) == {**GOOD, "cc": []}
    assert freeze(tools, "mail.send", **GOOD) == {**GOOD, "cc": [], "draft_id": None}


@pytest.mark.parametrize(
    "address",
    ["a@b.example", "first.last+tag@sub.domain.example", "x_y-z'q@b.example", "a@localhost", "A@B.EXAMPLE"],
)
def test_plain_addresses_pass(tools, address):
    assert freeze(tools, "mail.send", **{**GOOD, "to": [address]})["to"] == [address]


@pytest.mark.parametrize("name", ["mail.send", "mail.draft"])
@pytest.mark.parametrize(
    "address",
    [
        "",
        "bob",
        "@b.example",
        "bob@",
        "bob@@b.example",
        "bob@b.example\r\nBcc: eve@evil.example",
        "bob@b.example\n",
        "bob@b.example, eve@evil.example",
        "bob@b.example;eve@evil.example",
        "Bob <bob@b.example>",
        '"bob"@b.example',
        "bob@[127.0.0.1]",
        ".bob@b.example",
        "b..ob@b.example",
        "bob@b..example",
        "bob@-b.example",
        "bob@b.example.",
        "bob @b.example",
        "bob@b\u2028.example",
        "böb@b.example",
        "bob@bücher.example",
        "x" * 65 + "@b.example",
        "bob@" + "x" * 64 + ".example",
        "bob@" + ".".join(["x" * 60] * 5),
        7,
        None,
    ],
)
def test_other_addresses_are_refused_in_to_and_cc(tools, name, address):
    for arguments in ({**GOOD, "to": [address]}, {**GOOD, "cc": [address]}):
        with pytest.raises(InvalidArguments):
            freeze(tools, name, **arguments)


@pytest.mark.parametrize("name", ["mail.send", "mail.draft"])
@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "x\r\nBcc: eve@evil.example"},
        {"subject": "x\ny"},
        {"subject": "x\u2028y"},
        {"subject": "x\x85y"},
        {"subject": "x\0y"},
        {"subject": ""},
        {"subject": "x" * 201},
        {"body": ""},
        {"body": "x\0y"},
        {"body": "x\x1b[2Jy"},
        {"body": "x" * 100_001},
        {"body": ["x"]},
        {"to": []},
        {"to": "bob@customer.example"},
        {"bcc": ["eve@evil.example"]},
    ],
)
def test_other_texts_are_refused(tools, name, changes):
    with pytest.raises(InvalidArguments):
        freeze(tools, name, **{**GOOD, **changes})


def test_umlauts_signs_and_line_breaks_in_a_body_pass(tools):
    body = "Grüße ✓\r\n\ttab\n"
    assert freeze(tools, "mail.send", **{**GOOD, "body": body, "subject": "Grüße ✓"})["body"] == body


@pytest.mark.parametrize("draft_id", ["", "x", "draft-", "../x", "draft-" + "g" * 24, "draft-" + "0" * 25])
def test_crooked_draft_ids_are_refused(tools, draft_id):
    with pytest.raises(InvalidArguments):
        freeze(tools, "mail.get_draft", draft_id=draft_id)


@pytest.mark.parametrize(
    "settings",
    [
        {"sender": "not an address"},
        {"sender": "Sales <sales@acme.example>"},
        {"sender": "a@b.example\r\nBcc: x@y.example"},
        {"max_recipients": 0},
        {"max_recipients": "many"},
        {"outbx": "x"},
    ],
)
def test_wrong_settings_are_refused(tmp_path, settings):
    with pytest.raises(ConfigError):
        toolkit(tmp_path, **settings)


def test_settings_are_taken(tmp_path):
    kit = toolkit(tmp_path, sender="a@b.example", outbox="spool", max_recipients=1)
    assert (kit._settings.sender, kit._outbox) == ("a@b.example", tmp_path / "spool")
