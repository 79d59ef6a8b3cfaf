"""What lint looks for: each rule with its stable id, its severity, and the sentence that holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from toolcrib.policy import Problem

__all__ = ["RULES", "SEVERITIES", "Finding", "LintRule", "rule_of"]

Severity: TypeAlias = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The gravest first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a security engineer should look at.

    `id` is stable (`TC101`), `line` and `column` count from 1 (0: the whole file), `what` quotes what was
    found, `rule` says what holds, `remedy` what to do.
    """

    id: str
    severity: Severity
    file: str
    line: int
    column: int
    what: str
    rule: str
    remedy: str

    @property
    def place(self) -> str:
        """`policies/policy.csv:12:5`, or as much of it as is known."""
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])


@dataclass(frozen=True, slots=True)
class LintRule:
    """`name` is for tools that show one, `rule` is the sentence that holds."""

    id: str
    severity: Severity
    name: str
    rule: str


_ERRORS = (
    ("TC100", "unreadable-file", "a policy file is a bounded, regular UTF-8 file", r"a policy|the policy"),
    ("TC101", "unknown-row-type", "Casbin drops rows of an unknown type silently", r"rows are "),
    ("TC102", "wrong-columns", "one row with too few columns makes every decision raise", r"a \w+ row has "),
    ("TC103", "empty-value", "every column has a value", r"every column has a value"),
    ("TC104", "quoted-value", "Casbin keeps quotes as part of the value", r"Casbin keeps quotes"),
    ("TC105", "bad-subject", "a subject is user:ID, agent:NAME, a role's name or *", r"a subject is "),
    ("TC106", "bad-role", "a role has a plain name, and is given to one subject by a row",
     r"a role's name|a g row gives|requester means"),
    ("TC107", "bad-tenant", "a domain is one tenant or *", r"a domain is "),
    ("TC108", "bad-object", "an object is pack.tool, pack.* or *, or secret:pack.name",
     r"an object is [^;]*$"),
    ("TC109", "wildcard-inside-object", "keyMatch ignores everything after the first *",
     r"an object is .*keyMatch"),
    ("TC110", "unknown-effect", "act is read, write, send, destructive or *; of a secret it is use",
     r"act is "),
    ("TC111", "bad-eft", "eft is allow or deny in lower case; Casbin ignores any other", r"eft is "),
    ("TC112", "bad-approvers", "approvers are requester, user:ID or a role, joined by |", r"approvers are "),
    ("TC113", "bad-quota", "a quota is NUMBER/second|minute|hour|day|week per user|agent|tenant",
     r"a quota is "),
    ("TC114", "unbalanced-bracket", "Casbin counts brackets, even inside quotes, to find a field's end",
     r"Casbin counts brackets"),
    ("TC115", "invisible-character", "what you see is what decides", r"a row holds printable"),
    ("TC116", "row-too-long", "a row is bounded", r"a row has at most"),
    ("TC117", "role-cycle", "roles inherit in one direction only", r"roles inherit in one"),
    ("TC118", "role-chain-too-deep", "Casbin follows nine g rows and ignores the rest silently",
     r"Casbin follows at most"),
    ("TC119", "casbin-disagrees", "pycasbin must load the same rows",
     r"policy is loaded by|pycasbin and"),
    ("TC120", "bad-model", "model.conf is one that can be decided safely",
     r"every call is asked|nothing matched|deny rows need|p3 = |p2 ends with|model\.conf is"
     r"|Casbin ignores sec|a model has|g = |a matcher is|\["),
    ("TC201", "condition-does-not-parse", "a condition is a Python expression", r"a condition is a Python"),
    ("TC202", "condition-is-a-value", "a condition is true or false", r"a condition is true or false"),
    ("TC203", "unknown-name", "a condition reads r.ctx only; always true is True",
     r"a condition reads r\.ctx only|attributes are read from"),
    ("TC204", "unknown-field", "r.ctx has the fields that the reference lists",
     r"r\.ctx has |\w+ has |\w+ is a (?:record|plain value)"),
    ("TC205", "forbidden-call", "a condition calls nothing but has",
     r"a condition calls nothing|has takes r\.ctx"),
    ("TC206", "forbidden-expression", "a condition compares values and calculates with numbers",
     r"a condition compares|is compares only|\+ - \* / // % take|constants are"),
    ("TC207", "rewritten-literal", "pycasbin rewrites p. r. || && ! even inside text", r"p\. r\. \|\| && !"),
    ("TC208", "unreadable-name", "Casbin's evaluator reads no name that begins with _ or func_",
     r"Casbin's evaluator reads no name"),
    ("TC209", "condition-too-large", "a condition is bounded", r"a condition has at most|it has at most"),
    ("TC210", "impossible-comparison", "a field is compared with what it can be",
     r"labels are a set|effects are |ids match "),
)  # fmt: skip

_OTHERS: tuple[tuple[str, Severity, str, str], ...] = (
    ("TC300", "warning", "no-allow-row", "nothing is allowed unless a p row allows it"),
    ("TC301", "warning", "shadowed-by-deny", "deny wins, so an allow row under a broader deny never allows"),
    ("TC302", "warning", "duplicate-row", "the same row twice does nothing the second time"),
    ("TC303", "note", "covered-row", "a row under a broader one without a condition changes nothing"),
    ("TC304", "warning", "never-true", "a row whose condition is never true never applies"),
    ("TC305", "note", "covered-deny", "a deny row under a broader deny changes nothing"),
    ("TC306", "warning", "review-never-applies", "a p2 row counts only for calls that p rows allow"),
    ("TC307", "warning", "quota-never-applies", "a p3 row counts only for calls that p rows allow"),
    ("TC308", "note", "custom-model", "which rows a custom model selects is not known to lint"),
    ("TC309", "error", "unlike-types",
     "a comparison of values that have no order raises, and that denies the call"),
    ("TC310", "warning", "idle-comparison", "a value that a field never has makes no difference"),
    ("TC401", "warning", "role-nobody-holds", "a row for a role applies to whoever holds it"),
    ("TC402", "warning", "role-unused", "a role gives what the rows of its tenant give it"),
    ("TC403", "warning", "subject-without-allow", "user and agent each need an allow row"),
    ("TC501", "warning", "approver-nobody-holds", "an approver is a user who holds the role"),
    ("TC502", "warning", "requester-only-approver", "a review by whoever asked is no second pair of eyes"),
    ("TC503", "note", "requester-only-for-some", "a review by whoever asked is no second pair of eyes"),
    ("TC504", "warning", "nobody-can-approve", "a review that nobody may answer ends as no"),
    ("TC505", "note", "nobody-else-can-approve", "nobody approves what they asked for, unless a row says so"),
    ("TC600", "note", "tools-unknown", "objects, effects and arguments are checked against installed tools"),
    ("TC601", "warning", "no-such-tool", "a row applies to tools that exist"),
    ("TC602", "warning", "no-tool-with-effect", "a row applies to tools that have its effect"),
    ("TC603", "error", "unguarded-argument", "a condition that reads what is absent denies the call"),
    ("TC604", "error", "unguarded-before", "a tool without a preview has no before, and reading it denies"),
    ("TC605", "warning", "unknown-label", "labels come from what tools return"),
    ("TC606", "error", "unguarded-sandbox", "a tool that runs no code has no sandbox, and reading it denies"),
    ("TC607", "warning", "no-such-secret", "a row for a secret applies to names that a pack's config has"),
    ("TC608", "error", "review-of-secret", "a secret is used while the tool runs, when nobody can be asked"),
    ("TC609", "error", "no-such-argument", "a condition speaks of arguments that the tool can have"),
)  # fmt: skip

RULES: Mapping[str, LintRule] = {
    **{id: LintRule(id, "error", name, rule) for id, name, rule, _ in _ERRORS},
    **{id: LintRule(id, severity, name, rule) for id, severity, name, rule in _OTHERS},
}
"""By id. An id is never given to another rule, so that what suppresses or counts findings can rely on it."""

_KNOWN = [(id, re.compile(pattern)) for id, _, _, pattern in _ERRORS]


def rule_of(problem: Problem) -> LintRule:
    """The rule that a loading problem breaks, known by its sentence (`Problem.rule`)."""
    return RULES[next((id for id, pattern in _KNOWN if pattern.match(problem.rule)), "TC100")]
