"""Rows for secrets: names that no config has, acts that never meet, reviews that nobody can hold."""

import pytest

from toolcrib.bench._known_tools import KnownTool
from toolcrib.bench.diff import diff_everywhere
from toolcrib.bench.lint import lint
from toolcrib.bench.tools import tools_of_rows
from toolcrib.errors import PolicyError
from toolcrib.policy import MODEL, Policy

HEAD = "p, *, acme, crm.get, read, True, allow\n"
TOOLS = [KnownTool("crm.get", "read")]


@pytest.fixture
def found(tmp_path):
    def look(row, secrets=("crm.salesforce", "mail.smtp")):
        (tmp_path / "model.conf").write_text(MODEL)
        (tmp_path / "policy.csv").write_text(HEAD + row + "\n")
        return {one.id: one for one in lint(tmp_path, TOOLS, secrets) if one.id.startswith("TC6")}

    return look


@pytest.mark.parametrize(
    "row",
    [
        "p, *, acme, secret:crm.salesforce, use, True, allow",
        "p, *, acme, secret:crm.*, *, True, deny",
        "p, *, acme, *, use, True, allow",
    ],
)
def test_a_row_for_a_secret_that_is_there_is_quiet(found, row):
    assert found(row) == {}


def test_a_name_that_no_config_has_is_told_the_nearest(found):
    one = found("p, *, acme, secret:crm.salesfroce, use, True, allow")["TC607"]
    assert one.severity == "warning"
    assert "no pack's config names a secret crm.salesfroce" in one.what
    assert "Did you mean 'crm.salesforce'?" in one.remedy
    assert "[packs.zzz.secrets]" in found("p, *, acme, secret:zzz.q, use, True, allow")["TC607"].remedy


def test_without_a_config_names_are_not_judged(found):
    assert found("p, *, acme, secret:zzz.q, use, True, allow", None) == {}
    assert set(found("p, *, acme, secret:zzz.q, use, True, allow", ())) == {"TC607"}


@pytest.mark.parametrize(
    "row", ["p, *, acme, secret:crm.salesforce, read, True, deny", "p, *, acme, crm.get, use, True, deny"]
)
def test_an_act_that_never_meets_its_object_is_told(found, row):
    assert set(found(row)) == {"TC602"}


@pytest.mark.parametrize(
    "row",
    [
        "p2, *, acme, secret:crm.salesforce, use, True, lead",
        "p2, *, acme, *, use, True, lead",
        "p3, *, acme, secret:crm.*, 5/day per user",
    ],
)
def test_a_review_or_quota_of_a_secret_alone_is_an_error(found, row):
    may = "p, *, acme, secret:crm.*, use, True, allow\n"
    assert found(may + row)["TC608"].severity == "error"


@pytest.mark.parametrize(
    ("name", "says"),
    [("secret:*", "secret:pack.*"), ("secret:crm", "secret:pack.name"), ("secret:crm.*.x", "keyMatch")],
)
def test_what_is_no_secret_does_not_load(name, says):
    with pytest.raises(PolicyError, match=says.replace("*", r"\*")):
        Policy.of(MODEL, f"p, *, acme, {name}, use, True, allow")


def test_the_difference_of_two_policies_tells_of_secrets():
    old = Policy.of(MODEL, HEAD)
    new = Policy.of(MODEL, HEAD + "p, user:alice, acme, secret:crm.salesforce, use, True, allow")
    tools = [*TOOLS, *tools_of_rows([old, new], TOOLS)]
    changes = diff_everywhere(old, new, tools)
    assert {(one.tool, one.effect, one.subject) for one in changes} == {
        ("secret:crm.salesforce", "use", "user:alice")
    }
