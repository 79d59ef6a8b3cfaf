"""What pycasbin 2.8 really does with a policy that holds a trap, and that Toolcrib refuses each.

Every case is put to pycasbin as it comes first: the test's name says what it did, and the test fails when
a later pycasbin does something else. Then the same text must be refused with file, line, rule and remedy.
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import casbin
import pytest
from casbin import util
from casbin.core_enforcer import EnforceContext

from toolcrib.errors import PolicyError
from toolcrib.policy import Policy
from toolcrib.policy._casbin import rewrite
from toolcrib.policy._model import MODEL

ROW = "p, user:alice, acme, crm.*, read, True, allow"
DENY = "p, *, *, *, *, {}, deny"
CTX = SimpleNamespace(args=SimpleNamespace(name="a!b", amount=5, text="r.x"), labels=frozenset({"untrusted"}))


class Asked:
    """pycasbin as it comes, with a policy file."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        (folder / "model.conf").write_text(MODEL)

    def enforcer(self, text: str | bytes) -> Any:
        data = text if isinstance(text, bytes) else text.encode()
        (self.folder / "policy.csv").write_bytes(data)
        enforcer = casbin.Enforcer(str(self.folder / "model.conf"), str(self.folder / "policy.csv"))
        enforcer.add_named_domain_matching_func("g", util.key_match)
        enforcer.build_role_links()
        return enforcer

    def __call__(self, text: str | bytes, name: str = "crm.get_record") -> bool:
        return bool(self.enforcer(text).enforce("user:alice", "acme", name, "read", CTX))


@pytest.fixture
def asked(tmp_path: Any) -> Asked:
    return Asked(tmp_path)


def refusal(asked: Asked) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        Policy.load(asked.folder)
    assert caught.value.rule, "an error names the rule"
    assert caught.value.remedy, "and the remedy"
    return caught.value


def test_the_plain_row_is_allowed_by_both(asked: Asked) -> None:
    assert asked(ROW)
    assert Policy.load(asked.folder).rows[0].place == "policy.csv:1"


# --- rows that vanish ---------------------------------------------------------------------------------


def test_pycasbin_drops_an_unknown_row_type_silently_so_a_misspelt_deny_never_fires(asked: Asked) -> None:
    assert asked(f"{ROW}\nP, *, *, *, *, True, deny")
    error = refusal(asked)
    assert "policy.csv:2" in str(error)
    assert "Did you mean 'p'?" in error.remedy


@pytest.mark.parametrize("kind", ["p4", "g2", "policy", "p 2"])
def test_pycasbin_drops_row_types_that_the_model_does_not_define(asked: Asked, kind: str) -> None:
    assert asked(f"{ROW}\n{kind}, *, *, *, *, True, deny")
    assert f"unknown row type '{kind}'" in str(refusal(asked))


def test_pycasbin_drops_the_first_row_behind_a_byte_order_mark_and_we_keep_it(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match="make sure rule exists"):
        asked(b"\xef\xbb\xbf" + ROW.encode())
    assert [row.line for row in Policy.load(asked.folder).rows] == [1]


def test_pycasbin_ignores_a_deny_behind_a_byte_order_mark_and_we_do_not(asked: Asked) -> None:
    assert asked(b"\xef\xbb\xbf" + DENY.format("True").encode() + b"\n" + ROW.encode())
    assert len(Policy.load(asked.folder).rows) == 2


def test_pycasbin_takes_crlf_and_so_do_we(asked: Asked) -> None:
    assert asked(ROW + "\r\n" + DENY.format("False") + "\r\n")
    assert Policy.load(asked.folder).rows[1].values[-1] == "deny"


def test_pycasbin_raises_on_every_decision_when_lines_end_with_cr_only(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match="invalid policy size"):
        asked(ROW + "\r" + ROW)
    assert "U+000D" in str(refusal(asked))


# --- rows that never match ----------------------------------------------------------------------------


def test_pycasbin_ignores_a_row_whose_effect_is_capitalised(asked: Asked) -> None:
    assert asked(f"{ROW}\n{DENY.format('True').replace('deny', 'Deny')}")
    assert "Did you mean 'deny'?" in refusal(asked).remedy


def test_pycasbin_never_matches_a_value_in_quotes_because_they_stay_literal(asked: Asked) -> None:
    assert asked(ROW + '\np, *, *, "crm.*", *, True, deny')
    assert "quotes" in str(refusal(asked))


def test_pycasbin_takes_a_remark_behind_a_row_for_part_of_its_effect(asked: Asked) -> None:
    assert asked(f"{ROW}\n{DENY.format('True')} # nobody")
    assert "deny # nobody" in str(refusal(asked))


def test_pycasbin_has_no_notion_of_effects_so_a_misspelt_one_never_matches(asked: Asked) -> None:
    assert asked(ROW + "\np, *, *, *, reads, True, deny")
    assert "Did you mean 'read'?" in refusal(asked).remedy


def test_pycasbin_has_no_notion_of_subjects_so_a_misspelt_kind_never_matches(asked: Asked) -> None:
    assert asked(ROW + "\np, usr:alice, *, *, *, True, deny")
    assert "Did you mean 'user'?" in refusal(asked).remedy


# --- rows that match too much -------------------------------------------------------------------------


def test_keymatch_ignores_all_after_the_first_star_so_a_read_grant_deletes(asked: Asked) -> None:
    assert asked(ROW.replace("crm.*", "crm.*.read"), "crm.delete_record")
    assert "keyMatch ignores" in refusal(asked).rule


def test_keymatch_takes_a_star_without_a_dot_for_other_packs_too(asked: Asked) -> None:
    assert asked(ROW.replace("crm.*", "crm*"), "crmtools.get")
    assert "'crm*'" in str(refusal(asked))


# --- rows that break every decision -------------------------------------------------------------------


@pytest.mark.parametrize("row", ["p, user:bob, acme", ROW + ", more"], ids=["short", "long"])
def test_pycasbin_raises_on_every_decision_because_of_one_misshapen_row(asked: Asked, row: str) -> None:
    with pytest.raises(RuntimeError, match="invalid policy size"):
        asked(f"{row}\n{ROW}")
    assert "policy.csv:1" in str(refusal(asked))


def test_pycasbin_raises_on_every_decision_because_of_a_lower_case_true(asked: Asked) -> None:
    with pytest.raises(Exception, match="'true' is not defined"):
        asked(f"{ROW.replace('True', 'true')}\n{ROW}")
    assert "Write True" in refusal(asked).remedy


def test_pycasbin_raises_on_every_decision_because_of_a_condition_in_quotes(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match="matcher result"):
        asked(ROW.replace("True", '"True"'))
    assert "Remove the quotes" in refusal(asked).remedy


def test_pycasbin_raises_on_every_decision_because_of_an_empty_condition(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match="matcher result"):
        asked(ROW.replace("True", ""))
    assert "Always true is True" in refusal(asked).remedy


def test_pycasbin_raises_on_every_decision_because_of_a_remark_in_a_condition(asked: Asked) -> None:
    with pytest.raises(SyntaxError):
        asked(ROW.replace("True", "True # always"))
    assert "pycasbin would rewrite" in str(refusal(asked))


def test_pycasbin_raises_on_every_decision_when_there_is_no_p_row_and_we_deny(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match="make sure rule exists"):
        asked("# nothing yet\n")
    assert "every call is denied" in Policy.load(asked.folder).warnings[0]


def test_pycasbin_raises_on_p2_when_there_is_no_p2_row_and_we_need_no_review(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match="make sure rule exists"):
        asked.enforcer(ROW).enforce(
            EnforceContext("r", "p2", "e2", "m2"), "user:alice", "acme", "crm.x", "read", CTX
        )
    assert Policy.load(asked.folder).rows


def test_pycasbin_reports_only_the_last_matching_p2_row(asked: Asked) -> None:
    rows = f"{ROW}\np2, *, *, *, *, True, lead\np2, *, *, *, *, True, requester"
    which = EnforceContext("r", "p2", "e2", "m2")
    _, row = asked.enforcer(rows).enforce_ex(which, "user:alice", "acme", "crm.x", "read", CTX)
    assert row[-1] == "requester"


# --- files that pycasbin cannot load at all -----------------------------------------------------------


@pytest.mark.parametrize(
    "row", [", p, *", ROW.replace("True", 'r.ctx.args.name == ")"')], ids=["comma", "bracket"]
)
def test_pycasbin_fails_with_an_index_error_that_names_nothing(asked: Asked, row: str) -> None:
    with pytest.raises(IndexError):
        asked(f"{ROW}\n{row}")
    assert "policy.csv:2" in str(refusal(asked))


def test_pycasbin_swallows_the_rest_of_a_row_behind_an_open_bracket(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match="invalid policy size"):
        asked(ROW.replace("True", 'r.ctx.args.name == "("'))
    assert "without its partner" in str(refusal(asked))


def test_pycasbin_splits_at_a_comma_inside_quotes(asked: Asked) -> None:
    with pytest.raises(RuntimeError, match="invalid policy size"):
        asked(ROW.replace("True", 'r.ctx.args.name == "a, b"'))
    assert "needs brackets around it" in refusal(asked).remedy
    asked(ROW.replace("True", '(r.ctx.args.name == "a, b")'))
    assert Policy.load(asked.folder).rows


def test_pycasbin_fails_on_bytes_that_are_not_utf_8(asked: Asked) -> None:
    with pytest.raises(UnicodeDecodeError):
        asked(ROW.encode() + b"\n# \xff\n")
    assert "policy.csv:2" in str(refusal(asked))


def test_pycasbin_reads_past_a_nul_byte(asked: Asked) -> None:
    assert asked(ROW.encode() + b"\n\x00, x")
    assert "NUL" in str(refusal(asked))


# --- conditions that do not say what is written -------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        'r.ctx.args.name == "a!b"',
        'r.ctx.args.text == "r.x"',
        'not r.ctx.args.name == "a!b" or r.ctx.args.name == "a!b"',
    ],
)
def test_pycasbin_rewrites_text_constants_so_the_deny_never_fires(asked: Asked, condition: str) -> None:
    rows = f"{ROW}\n{DENY.format(condition)}"
    if " or " in condition:  # written, this is always true
        assert not asked(rows)
    else:
        assert asked(rows)
    assert "would silently never fire" in refusal(asked).rule


@pytest.mark.parametrize("constant", ["a&&b", "a||b", "p.x", "p2.x", "r2.x", "wow! really"])
def test_every_constant_that_pycasbin_rewrites_is_refused(asked: Asked, constant: str) -> None:
    condition = f'"{constant}" == r.ctx.args.name'
    assert rewrite(condition) != condition.replace("r.ctx", "r_ctx")
    (asked.folder / "policy.csv").write_text(ROW.replace("True", condition))
    assert "pycasbin would rewrite" in str(refusal(asked))


@pytest.mark.parametrize("constant", ["mr.smith", "e.p", "a != b", "a & b", "50%", "ä", "xr.y"])
def test_constants_that_only_look_alike_are_kept(asked: Asked, constant: str) -> None:
    (asked.folder / "policy.csv").write_text(
        ROW.replace("True", f'r.ctx.args.name != "{constant}"'), encoding="utf-8"
    )
    assert Policy.load(asked.folder).rows


def test_pycasbin_rewrites_the_name_of_an_argument_called_p(asked: Asked) -> None:
    with pytest.raises(Exception, match="p_x"):
        asked(ROW.replace("True", "r.ctx.args.p.x == 1"))
    assert "pycasbin would rewrite" in str(refusal(asked))


def test_simpleeval_compares_a_method_silently(asked: Asked) -> None:
    asked(f"{ROW}\n{DENY.format('r.ctx.args.name.upper != 1')}")
    assert not asked(f"{ROW}\n{DENY.format('r.ctx.args.name.upper != 1')}")  # a bound method is not 1


def test_simpleeval_never_reads_an_attribute_called_format(asked: Asked) -> None:
    with pytest.raises(Exception, match="not available"):
        asked(ROW.replace("True", 'r.ctx.args.format == "pdf"'))
    assert "cannot be read" in str(refusal(asked))


def test_a_condition_is_pasted_as_text_and_could_close_the_matchers_bracket(asked: Asked) -> None:
    with pytest.raises(IndexError):  # only because pycasbin counts brackets when it reads the row
        asked(ROW.replace("True", "False) or (True").replace("user:alice", "user:bob"))
    enforcer = asked.enforcer(ROW)
    enforcer.add_policy("user:bob", "acme", "crm.*", "read", "False) or (True", "allow")
    assert enforcer.enforce("user:stranger", "acme", "crm.x", "read", CTX), "from a database it would work"
    (asked.folder / "policy.csv").write_text(ROW.replace("True", "False) or (True"))
    assert "without its partner" in str(refusal(asked))


# --- roles --------------------------------------------------------------------------------------------


def chain(links: int) -> str:
    names = ["user:alice", *(f"role{number}" for number in range(links))]
    rows = [f"g, {low}, {high}, acme" for low, high in pairwise(names)]
    return "\n".join([ROW.replace("user:alice", names[-1]), *rows])


def test_pycasbin_follows_nine_links_and_so_do_we(asked: Asked) -> None:
    assert asked(chain(9))
    assert Policy.load(asked.folder).roles("user:alice", "acme")[-1] == "role8"


def test_pycasbin_stops_silently_after_nine_links(asked: Asked) -> None:
    assert not asked(chain(10))
    assert "a chain of 10 g rows" in str(refusal(asked))


def test_pycasbin_follows_a_cycle_of_roles_without_a_word(asked: Asked) -> None:
    rows = f"{ROW.replace('user:alice', 'b')}\ng, user:alice, a, acme\ng, a, b, acme\ng, b, a, acme"
    assert asked(rows)
    assert "a cycle of roles" in str(refusal(asked))


def test_pycasbin_ignores_a_role_for_every_tenant_without_a_domain_matching_function(asked: Asked) -> None:
    rows = f"{ROW.replace('user:alice', 'sales')}\ng, user:alice, sales, *"
    assert asked(rows)
    without = casbin.Enforcer(str(asked.folder / "model.conf"), str(asked.folder / "policy.csv"))
    assert not without.enforce("user:alice", "acme", "crm.x", "read", CTX)
    assert Policy.load(asked.folder).roles("user:alice", "acme") == ("sales",)


def test_pycasbin_follows_chains_across_tenant_patterns_and_so_do_we(asked: Asked) -> None:
    rows = [ROW.replace("user:alice", "top"), "g, user:alice, low, *", "g, low, mid, acme", "g, mid, top, *"]
    assert asked("\n".join(rows))
    policy = Policy.load(asked.folder)
    assert policy.roles("user:alice", "acme") == ("low", "mid", "top")
    assert policy.roles("user:alice", "globex") == ("low",)


# --- the switch ---------------------------------------------------------------------------------------


def test_a_disabled_pycasbin_allows_everything_and_ours_cannot_be_disabled(asked: Asked) -> None:
    enforcer = asked.enforcer(ROW)
    enforcer.enable_enforce(False)
    assert enforcer.enforce("nobody", "nowhere", "crm.delete_record", "destructive", None)

    from toolcrib.policy._casbin import Enforcer

    ours = Enforcer(Enforcer.new_model(text=MODEL))
    assert ours.enabled
    with pytest.raises(PolicyError, match="cannot be switched off"):
        ours.enable_enforce(False)
    with pytest.raises(PolicyError, match="cannot be switched off"):
        ours.enabled = 0
    assert ours.enabled
