"""The properties file, read strictly: a misspelt key would check nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolcrib.bench._properties import AlwaysReviewed, NeverBoth, Only, UntrustedNeverSends, read_properties
from toolcrib.errors import PolicyError

NAME = '[[property]]\nname = "it"\n'


def write(folder: Path, text: str) -> Path:
    file = folder / "properties.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('never_both = ["a.b", "a.c"]', NeverBoth(["a.b", "a.c"])),
        ('never_both = { tools = ["a.b", "a.c"], of = ["users"] }', NeverBoth(["a.b", "a.c"], ["users"])),
        ("always_reviewed = true", AlwaysReviewed()),
        ('always_reviewed = { by = ["lead"] }', AlwaysReviewed(by=["lead"])),
        ("untrusted_never_sends_unreviewed = true", UntrustedNeverSends()),
        ('only = { to = ["lead"] }', Only(["lead"])),
    ],
)
def test_each_form(tmp_path: Path, line: str, rule: object) -> None:
    (found,) = read_properties(write(tmp_path, NAME + line)).properties
    assert (found.name, found.rule, found.tenants) == ("it", rule, None)


def test_tenants_and_tools(tmp_path: Path) -> None:
    text = (
        NAME
        + 'always_reviewed = true\ntenants = ["acme"]\n[tools]\n"a.b" = { effect = "read", labels = ["x"] }'
    )
    found = read_properties(write(tmp_path, text))
    assert found.properties[0].tenants == ["acme"]
    assert [(one.name, one.effect, one.labels) for one in found.tools] == [("a.b", "read", {"x"})]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no property"),
        ("[[property]]\n", "property 1 has no name"),
        (NAME, "'it' has 0 of them"),
        (NAME + "always_reviewed = true\nonly = {to = ['a']}", "'it' has 2 of them"),
        (NAME + "always_reviewd = true", "Did you mean 'always_reviewed'"),
        (NAME + "always_reviewed = { effect = ['send'] }", "Did you mean 'effects'"),
        (NAME + "always_reviewed = { effects = ['sent'] }", "effects"),
        (NAME + "always_reviewed = { by = 'lead' }", "by"),
        (NAME + "never_both = ['a.b']", "names one tool"),
        (NAME + "never_both = { tools = ['a.b', 'a.c'], of = ['user'] }", "of"),
        (NAME + "only = {}", "to"),
        (NAME + "only = { to = [] }", "to is empty"),
        (NAME + "never_allowed = { tools = [] }", "tools is empty"),
        (NAME + "never_allowed = { effects = [] }", "effects is empty"),
        (NAME + "always_reviewed = { by = [] }", "by is empty"),
        (NAME + "untrusted_never_sends_unreviewed = { labels = [] }", "labels is empty"),
        (NAME + "never_both = { tools = ['a.b', 'a.c'], of = [] }", "of is empty"),
        (NAME + "always_reviewed = true\ntenants = []", "tenants is empty"),
        (NAME + "always_reviewed = true\ntenants = ['*']", "Leave it out for all tenants"),
        (NAME + "never_allowed = 5", "not a table"),
        (NAME + "always_reviewed = false", "not a table"),
        (NAME + "always_reviewed = true\ntenants = 'acme'", "tenants is no list"),
        ((NAME + "always_reviewed = true\n") * 2, "two properties are named 'it'"),
        (NAME + "always_reviewed = true\n[tols]", "Did you mean 'tools'"),
        (NAME + "always_reviewed = true\n[tools]\n'a.b' = {}", "'a.b' has no effect"),
        (NAME + "always_reviewed = true\n[tools]\n'a.b' = {effect = 'raed'}", "'a.b' has no effect"),
        (NAME + "always_reviewed = true\n[tools]\n'a.b' = {effect = 'read', label = ['x']}", "'labels'"),
        (NAME + "always_reviewed = true\n[tools]\n'a.b' = {effect = 'read', labels = 'x'}", "no list"),
        ("property = 5\n", "there is no property"),
        (NAME + "= ", "does not parse"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PolicyError) as raised:
        read_properties(write(tmp_path, text))
    assert says in str(raised.value)
    assert "properties.toml" in str(raised.value)


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        read_properties(tmp_path / "nowhere.toml")
    (tmp_path / "properties.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError):
        read_properties(tmp_path / "properties.toml")
