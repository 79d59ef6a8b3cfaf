"""Properties over everybody: each kind with a violation that is planted, and its twin that holds."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from toolcrib.bench.check import Checked, Witness, check, check_folder, read_properties
from toolcrib.bench.tools import NamedTool
from toolcrib.errors import PolicyError
from toolcrib.policy import Facts, Policy
from toolcrib.policy._model import MODEL
from toolcrib.principal import Principal

TOOLS = [
    NamedTool("erp.create_invoice", "write"),
    NamedTool("erp.post_invoice", "write"),
    NamedTool("crm.get", "read"),
    NamedTool("crm.delete", "destructive"),
    NamedTool("web.fetch", "read", frozenset({"untrusted"})),
    NamedTool("mail.send", "send"),
]
EVERYBODY = "p, *, acme, *, *, True, allow\n"


@pytest.fixture
def look(tmp_path: Path) -> Any:
    """Checks one property (the right side of `kind = …`) of a policy with these rows."""

    def run(kind: str, rows: str, more: str = "", tools: Any = TOOLS) -> Checked:
        file = tmp_path / "properties.toml"
        file.write_text(f'[[property]]\nname = "it"\n{kind}\n{more}')
        return check(Policy.of(MODEL, rows), read_properties(file), tools)

    return run


def first(found: Checked) -> Witness:
    return found.findings[0].witnesses[0]


# --- never_both -------------------------------------------------------------------------------------------

BOTH = 'never_both = ["erp.create_invoice", "erp.post_invoice"]'
SEPARATE = """
p, clerk, acme, erp.create_invoice, write, True, allow
p, accountant, acme, erp.post_invoice, write, True, allow
p, agent:books, acme, erp.create_invoice, write, True, allow
g, user:ann, clerk, acme
g, user:bob, accountant, acme
"""


def test_separate_roles_keep_create_and_post_apart(look: Any) -> None:
    assert look(BOTH, SEPARATE).holds


@pytest.mark.parametrize(
    ("row", "who"),
    [
        ("p, clerk, acme, erp.post_invoice, write, True, allow", "user:ann"),
        ("p, clerk, acme, erp.*, write, True, allow", "user:ann"),
        ("p, clerk, *, *, *, True, allow", "user:ann"),
        ("p, user:ann, acme, erp.post_invoice, *, True, allow", "user:ann"),
        ("p, agent:books, acme, erp.post_invoice, write, True, allow", "agent:books"),
        ("g, user:ann, accountant, acme", "user:ann"),
        ("g, clerk, accountant, acme", "user:ann"),
        ("p, nobody-yet, acme, erp.*, write, True, allow", "role nobody-yet"),
        ("p, clerk, acme, erp.post_invoice, write, r.ctx.args.amount < 5, allow", "user:ann"),
    ],
)
def test_whoever_may_both_is_found(look: Any, row: str, who: str) -> None:
    found = look(BOTH, SEPARATE + row)
    assert not found.holds
    assert who in first(found).says
    assert "erp.create_invoice" in first(found).says and "erp.post_invoice" in first(found).says


def test_an_unconditional_deny_keeps_them_apart_and_a_conditional_one_does_not(look: Any) -> None:
    rows = (
        SEPARATE + "p, clerk, acme, erp.*, write, True, allow\np, clerk, acme, erp.post_invoice, *, {}, deny"
    )
    assert look(BOTH, rows.format("True")).holds
    found = look(BOTH, rows.format('r.ctx.user == "ann"'))
    assert not found.holds
    assert 'unless r.ctx.user == "ann" (policy.csv:8)' in first(found).conditions


def test_overlapping_names_are_two_tools(look: Any) -> None:
    rows = "p, clerk, acme, erp.*, write, True, allow"
    assert not look('never_both = ["erp.*", "erp.post_invoice"]', rows).holds
    assert look('never_both = ["erp.*", "erp.post_invoice"]', SEPARATE).holds


def test_only_those_who_are_asked_about(look: Any) -> None:
    rows = SEPARATE + "p, agent:books, acme, erp.post_invoice, write, True, allow"
    of = 'never_both = {{ tools = ["erp.create_invoice", "erp.post_invoice"], of = [{}] }}'
    assert look(of.format('"users", "roles"'), rows).holds
    assert not look(of.format('"agents"'), rows).holds


def test_a_row_for_everybody_reaches_those_whom_no_row_names(look: Any) -> None:
    found = look(BOTH, EVERYBODY)
    assert {one.user or one.agent for one in found.findings[0].witnesses} >= {"user:none"}


# --- always_reviewed --------------------------------------------------------------------------------------

REVIEWED = 'always_reviewed = { effects = ["destructive"], by = "other" }'


@pytest.mark.parametrize(
    ("by", "review", "holds"),
    [
        ('"other"', "True, lead", True),
        ('"other"', "True, user:bob", True),
        ('"other"', "True, requester", False),
        ('"other"', "True, lead|requester", False),
        ('"other"', "r.ctx.args.big == True, lead", False),
        ('"other"', "", False),
        ('"anyone"', "True, requester", True),
        ('"anyone"', "r.ctx.args.big == True, requester", False),
        ('["lead", "user:bob"]', "True, user:bob|lead", True),
        ('["lead"]', "True, lead|sales", False),
        ('["lead"]', "True, lead|requester", False),
    ],
)
def test_who_must_review(look: Any, by: str, review: str, holds: bool) -> None:
    rows = EVERYBODY + (f"p2, *, acme, crm.*, destructive, {review}" if review else "")
    found = look(f"always_reviewed = {{ by = {by} }}", rows)
    assert found.holds is holds
    if not holds:
        assert first(found).tools == ("crm.delete",)
        assert "toolcrib policy explain crm.delete --effect destructive" in first(found).command


def test_one_of_several_rows_is_enough_and_says_which_are_not(look: Any) -> None:
    rows = EVERYBODY + "p2, *, acme, *, *, True, requester\n"
    assert "its review asks only for requester" in first(look(REVIEWED, rows)).says
    assert look(REVIEWED, rows + "p2, *, acme, crm.delete, *, True, lead").holds


@pytest.mark.parametrize("subject", ["user:alice", "agent:writer"])
def test_a_review_for_some_leaves_the_others(look: Any, subject: str) -> None:
    rows = EVERYBODY + f"p2, {subject}, acme, *, *, True, lead\np, user:alice, acme, *, *, True, allow"
    found = look(REVIEWED, rows)
    assert not found.holds
    assert all(subject not in (one.user, one.agent) for one in found.findings[0].witnesses)


def test_what_nobody_may_call_needs_no_review(look: Any) -> None:
    assert look(REVIEWED, EVERYBODY + "p, *, acme, *, destructive, True, deny").holds
    assert look(REVIEWED, "p, user:alice, acme, *, *, True, allow").holds
    assert not look(REVIEWED, EVERYBODY + "p, *, acme, *, destructive, r.ctx.args.x == 1, deny").holds


def test_rows_for_every_tenant_reach_one_that_no_row_names(look: Any) -> None:
    rows = "p, *, *, *, *, True, allow\np2, *, acme, *, *, True, lead\np2, *, globex, *, *, True, lead"
    found = look(REVIEWED, rows)
    assert {one.tenant for one in found.findings[0].witnesses} == {"some-other-tenant"}
    assert look(REVIEWED, rows, 'tenants = ["acme", "globex"]').holds


# --- untrusted_never_sends_unreviewed ---------------------------------------------------------------------

LEAK = "untrusted_never_sends_unreviewed = true"
TEAM = """
p, user:alice, acme, *, *, True, allow
p, agent:reader, acme, web.fetch, read, True, allow
p, agent:sender, acme, mail.send, send, True, allow
"""


def test_reader_and_sender_apart_do_not_leak(look: Any) -> None:
    assert look(LEAK, TEAM).holds


def test_reader_and_sender_of_one_user_leak_across_agents(look: Any) -> None:
    across = "untrusted_never_sends_unreviewed = { across_agents = true }"
    found = look(across, TEAM)
    assert (first(found).user, first(found).agent) == ("user:alice", "agent:sender")
    assert "agent:reader reads web.fetch" in first(found).says
    other = (
        TEAM.replace("user:alice, acme, *", "user:alice, acme, web.*")
        + "p, user:bob, acme, *, send, True, allow"
    )
    assert look(across, other).holds


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        ("", False),
        ("p2, *, acme, mail.send, send, True, requester", True),
        ('p2, *, acme, mail.send, send, "untrusted" in r.ctx.labels, lead', True),
        ('p2, *, acme, mail.send, send, r.ctx.args.x == 1 or "untrusted" in r.ctx.labels, lead', True),
        ('p2, *, acme, mail.send, send, "untrusted" in r.ctx.labels and True, lead', True),
        ('p2, *, acme, mail.send, send, "untrusted" in r.ctx.labels and r.ctx.args.x == 1, lead', False),
        ('p2, *, acme, mail.send, send, not "untrusted" in r.ctx.labels, lead', False),
        ('p2, *, acme, mail.send, send, "untrusted" not in r.ctx.labels, lead', False),
        ('p2, *, acme, mail.send, send, "confidential" in r.ctx.labels, lead', False),
        ('p, *, acme, mail.send, send, "untrusted" in r.ctx.labels, deny', True),
        ('p, *, acme, mail.send, send, "confidential" in r.ctx.labels, deny', False),
        ("p, *, acme, mail.send, send, True, deny", True),
        ("p2, agent:other, acme, mail.send, send, True, lead", False),
    ],
)
def test_what_keeps_one_who_reads_from_sending(look: Any, row: str, holds: bool) -> None:
    rows = TEAM + "p, agent:reader, acme, mail.send, send, True, allow\n" + row
    found = look(LEAK, rows)
    assert found.holds is holds
    if not holds:
        assert first(found).command.endswith("--label untrusted")


def test_a_property_about_labels_that_no_tool_has_says_so(look: Any) -> None:
    found = look(LEAK, EVERYBODY, tools=[NamedTool("mail.send", "send")])
    assert found.holds
    assert found.findings[0].notes == ("no tool is known to return untrusted",)


# --- never_allowed and only -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ('{ effects = ["destructive"] }', False),
        ('{ tools = ["crm.delete"], to = ["agent:books"] }', True),
        ('{ tools = ["crm.delete"], to = ["agent:janitor"] }', False),
        ('{ tools = ["crm.delete"], to = ["cleaning"] }', False),
        ('{ tools = ["crm.delete"], to = ["user:none"] }', True),
        ('{ tools = ["crm.delete"], to = ["user:stranger", "agent:stranger"] }', True),
        ('{ tools = ["web.*"] }', True),
    ],
)
def test_never_allowed(look: Any, rule: str, holds: bool) -> None:
    rows = (
        SEPARATE
        + "p, cleaning, acme, crm.delete, destructive, True, allow\ng, agent:janitor, cleaning, acme\n"
    )
    rows += "p, user:ann, acme, crm.*, *, r.ctx.args.x == 1, allow\np2, *, acme, *, *, True, lead"
    found = look(f"never_allowed = {rule}", rows)
    assert found.holds is holds
    if not holds:
        assert (first(found).user, first(found).agent) == ("user:ann", "agent:janitor")
        assert first(found).conditions == ("if r.ctx.args.x == 1 (policy.csv:9)",)


def test_a_named_stranger_is_found_where_everybody_may(look: Any) -> None:
    found = look('never_allowed = { to = ["agent:stranger"], tools = ["crm.get"] }', EVERYBODY)
    assert first(found).agent == "agent:stranger"


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ('{ to = ["clerk"], tools = ["erp.create_invoice"] }', True),
        ('{ to = ["accountant"], tools = ["erp.create_invoice"] }', False),
        ('{ to = ["user:ann"], tools = ["erp.*"] }', True),
        ('{ to = ["agent:books"], tools = ["erp.*"], side = "agent" }', True),
        ('{ to = ["agent:books"], tools = ["erp.*"] }', False),
        ('{ to = ["agent:books"], tools = ["erp.*"], side = "either" }', True),
        ('{ to = ["*"] }', True),
    ],
)
def test_only(look: Any, rule: str, holds: bool) -> None:
    assert look(f"only = {rule}", SEPARATE).holds is holds


# --- what is looked at ------------------------------------------------------------------------------------


def test_a_tool_that_nobody_knows_may_have_any_effect(look: Any) -> None:
    rows = "p, *, acme, crm.purge, destructive, True, allow"
    found = look('never_allowed = { tools = ["crm.purge"] }', rows)
    assert not found.holds
    assert found.findings[0].notes == (
        "crm.purge is neither installed nor in [tools]; it is taken to have any effect",
    )
    assert look('never_allowed = { tools = ["xyz.*"] }', rows).findings[0].notes == (
        "xyz.* is neither installed nor in [tools]",
    )


def test_tools_of_the_file_count_where_none_is_installed(look: Any) -> None:
    more = '[tools]\n"crm.purge" = { effect = "destructive", labels = ["untrusted"] }'
    assert not look(REVIEWED, EVERYBODY, more, tools=[]).holds
    installed = [NamedTool("crm.purge", "read")]
    found = look(REVIEWED, EVERYBODY, more, tools=installed)
    assert found.holds
    assert (
        "[tools] says destructive, untrusted of crm.purge, which is installed as read"
        in found.findings[0].notes
    )


WITH_APPROVERS = SEPARATE + "p2, *, acme, erp.*, write, True, accountant|user:ida\n"


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ('only = { to = ["clrek"] }', "no row names the role clrek; did you mean clerk?"),
        ('only = { to = ["zzz"] }', "no row names the role zzz"),
        ('only = { to = ["ann"] }', "no row names the role ann; did you mean user:ann?"),
        ('only = { to = ["user:anne"] }', "no row names user:anne; did you mean user:ann?"),
        ('only = { to = ["user:books"] }', "no row names user:books; did you mean agent:books?"),
        ('never_allowed = { to = ["agent:boks"] }', "no row names agent:boks; did you mean agent:books?"),
        ('always_reviewed = { by = ["chief"] }', "no row names the role chief"),
        ('always_reviewed = { by = ["user:idda"] }', "no row names user:idda; did you mean user:ida?"),
        ('always_reviewed = true\ntenants = ["nix"]', "no row names the tenant nix"),
        ('always_reviewed = true\ntenants = ["acne"]', "no row names the tenant acne; did you mean acme?"),
        ('only = { to = ["clerk"] }\ntenants = ["nix"]', "no row names the role clerk"),
        (
            'untrusted_never_sends_unreviewed = { labels = ["untrusted", "secert"] }',
            "no tool is known to return secert",
        ),
    ],
)
def test_a_name_that_no_row_knows_is_noted(look: Any, kind: str, note: str) -> None:
    assert note in look(kind, WITH_APPROVERS).findings[0].notes


@pytest.mark.parametrize(
    "kind",
    [
        'only = { to = ["clerk", "user:ann", "agent:books", "user:none", "*"] }',
        'always_reviewed = { by = ["accountant", "user:ida"] }',
        'always_reviewed = { by = "anyone" }',
        'always_reviewed = { by = "other" }',
        'always_reviewed = true\ntenants = ["acme"]',
    ],
)
def test_a_name_that_a_row_knows_is_not(look: Any, kind: str) -> None:
    assert look(kind, WITH_APPROVERS).findings[0].notes == ()


def test_the_tenants_are_those_that_were_looked_at(look: Any) -> None:
    elsewhere = WITH_APPROVERS + "p, clerk, globex, crm.*, read, True, allow\n"
    assert look("always_reviewed = true", elsewhere).tenants == ("acme", "globex")
    assert look('always_reviewed = true\ntenants = ["nix"]', elsewhere).tenants == ("nix",)
    both = '\n[[property]]\nname = "all"\nalways_reviewed = true\ntenants = ["globex"]'
    assert look('always_reviewed = true\ntenants = ["nix"]', elsewhere, both).tenants == ("nix", "globex")


def test_the_tenant_of_the_crib_needs_no_row(tmp_path: Path) -> None:
    file = tmp_path / "properties.toml"
    file.write_text('[[property]]\nname = "it"\nalways_reviewed = true\ntenants = ["home"]')
    policy = Policy.of(MODEL, WITH_APPROVERS)
    assert check(policy, read_properties(file), TOOLS, "home").findings[0].notes == ()
    assert check(policy, read_properties(file), TOOLS, "other").findings[0].notes != ()


def test_users_alike_are_one_witness(look: Any) -> None:
    rows = "p, staff, acme, *, *, True, allow\np, agent:a, acme, *, *, True, allow\n"
    rows += "".join(f"g, user:u{number}, staff, acme\n" for number in range(50))
    (witness,) = look(REVIEWED, rows).findings[0].witnesses
    assert (witness.user, witness.agent, witness.like) == ("user:u0", "agent:a", 50)


def test_the_plainest_witness_comes_first(look: Any) -> None:
    rows = "p, user:ann, acme, crm.delete, *, r.ctx.args.x == 1, allow\np, agent:a, acme, *, *, True, allow\n"
    rows += "p, user:bob, acme, crm.delete, *, True, allow"
    assert first(look(REVIEWED, rows)).user == "user:bob"


def test_a_witness_without_conditions_is_what_policy_decides(look: Any) -> None:
    found = look(REVIEWED, EVERYBODY + "p2, *, acme, crm.*, *, True, requester")
    witness, policy = first(found), Policy.of(MODEL, EVERYBODY + "p2, *, acme, crm.*, *, True, requester")
    user = None if witness.user == "user:none" else witness.user.removeprefix("user:")
    principal = Principal(witness.agent.removeprefix("agent:"), user, witness.tenant)
    decision = policy.decide(policy.candidates(principal, TOOLS[3]), Facts({}, before=None))
    assert decision.verdict == "review"


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
def test_a_custom_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.conf").write_text(MODEL.replace('(p.act == "*" || r.act == p.act)', "r.act == p.act"))
    (tmp_path / "policy.csv").write_text(EVERYBODY)
    (tmp_path / "properties.toml").write_text(f'[[property]]\nname = "it"\n{REVIEWED}\n')
    with pytest.raises(PolicyError, match="not the shipped model"):
        check_folder(tmp_path, TOOLS)


# --- soundness: what is said to hold does hold, tried on random policies ----------------------------------

WHEN = [
    "True",
    "r.ctx.args.x == 1",
    '"untrusted" in r.ctx.labels',
    'r.ctx.user == "u1"',
    "r.ctx.args.absent == 1",
]
WHO = ["*", "r1", "r2", "user:u1", "user:u2", "agent:a1", "agent:a2"]
NAMES = ["*", "crm.*", "crm.delete", "mail.send", "web.fetch", "erp.post_invoice", "erp.*"]


def rows_of(draw: random.Random) -> str:
    rows = [f"g, {draw.choice(WHO[3:])}, {draw.choice(WHO[1:3])}, acme" for _ in range(draw.randint(0, 4))]
    if draw.random() < 0.3:
        rows.append("g, r1, r2, acme")
    for _ in range(draw.randint(2, 6)):
        eft = "deny" if draw.random() < 0.25 else "allow"
        who, where, what = draw.choice(WHO), draw.choice(["acme", "*"]), draw.choice(NAMES)
        rows.append(f"p, {who}, {where}, {what}, *, {draw.choice(WHEN)}, {eft}")
    for _ in range(draw.randint(0, 3)):
        by = draw.choice(["requester", "lead", "lead|requester"])
        rows.append(f"p2, {draw.choice(WHO)}, acme, {draw.choice(NAMES)}, *, {draw.choice(WHEN)}, {by}")
    return "\n".join(rows)


PROPERTIES = f"""
[[property]]
name = "reviewed"
{REVIEWED}
[[property]]
name = "leak"
{LEAK}
[[property]]
name = "never"
never_allowed = {{ tools = ["erp.post_invoice"], to = ["r1"] }}
[[property]]
name = "only"
only = {{ to = ["r2", "user:u2"], tools = ["crm.delete"] }}
[[property]]
name = "both"
never_both = {{ tools = ["crm.delete", "erp.post_invoice"], of = ["users"] }}
"""


def test_what_is_said_to_hold_holds_for_every_call(tmp_path: Path) -> None:
    (tmp_path / "properties.toml").write_text(PROPERTIES)
    properties = read_properties(tmp_path / "properties.toml")
    draw, held = random.Random(3), 0
    for _ in range(120):
        rows = rows_of(draw)
        policy = Policy.of(MODEL, rows)
        found = {one.about.name: one.holds for one in check(policy, properties, TOOLS).findings}
        held += sum(found.values())
        for name in violations(policy):
            assert not found[name], f"{name} does not hold of\n{rows}"
    assert held > 100, "a check that never says yes proves nothing"


def violations(policy: Policy) -> set[str]:
    """What single calls show, over all principals and some arguments and labels."""
    found: set[str] = set()
    for tenant, user, agent in itertools.product(
        ("acme", "globex"), ("u1", "u2", "u3", None), ("a1", "a2", "a3")
    ):
        principal = Principal(agent, user, tenant)
        verdicts = {
            (tool.name, labelled): [
                policy.decide(policy.candidates(principal, tool), Facts(args, labels, before=None))
                for args in ({}, {"x": 1}, {"x": 2}, {"x": 1, "absent": 1}, {"x": 2, "absent": 2})
            ]
            for tool in TOOLS
            for labelled, labels in ((False, frozenset[str]()), (True, frozenset({"untrusted"})))
        }
        passes = {key[0] for key, ones in verdicts.items() if any(one.verdict != "deny" for one in ones)}
        for one in (*verdicts["crm.delete", False], *verdicts["crm.delete", True]):
            asked = [row.values[-1] for row in one.reviews]
            if one.verdict == "allow" or (
                one.verdict == "review" and all("requester" in row for row in asked)
            ):
                found.add("reviewed")
        if "web.fetch" in passes and any(one.verdict == "allow" for one in verdicts["mail.send", True]):
            found.add("leak")
        held = {*principal.subjects}.union(*(policy.roles(one, tenant) for one in principal.subjects))
        if "erp.post_invoice" in passes and "r1" in held:
            found.add("never")
        user_holds = {principal.subjects[0], *policy.roles(principal.subjects[0], tenant)}
        if "crm.delete" in passes and user_holds.isdisjoint({"r2", "user:u2"}):
            found.add("only")
        if {"crm.delete", "erp.post_invoice"} <= passes:
            found.add("both")
    return found
