"""What may stand in each column of a policy row.

Casbin compares text: a value that it cannot match is not an error to it, the row simply never fires. For an
allow row that is a nuisance, for a deny row it is a hole. So every column has a strict form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from toolcrib._nearest import did_you_mean
from toolcrib.effects import EFFECTS, USE
from toolcrib.policy._problems import Unfit
from toolcrib.policy._quota import parse_quota

__all__ = ["CHECKS", "REQUESTER", "check_grantee", "check_plain", "check_role"]

REQUESTER = "requester"
"""In `approvers`: whoever asked. No role may bear the name."""

_NAME = re.compile(r"[A-Za-z0-9@._-]+")
_SUBJECT = re.compile(r"(?:(?:user|agent):)?[A-Za-z0-9@._-]+|\*")
_EXACT = re.compile(r"(?:secret:)?[a-z0-9][a-z0-9_-]*\.[A-Za-z0-9_-]+")
_PACK = re.compile(r"(?:secret:)?[a-z0-9][a-z0-9_-]*\.\*")
_SUBJECT_RULE = "a subject is user:ID, agent:NAME, a role's name or *"
_ROLE_RULE = "a role's name matches [A-Za-z0-9@._-]+"


def check_plain(value: str) -> None:
    """Anything but nothing and quotes."""
    if not value:
        raise Unfit("a value is empty", "every column has a value", "Fill it in")
    if '"' in value or "'" in value:
        raise Unfit(
            f"quotes in {value!r}",
            "Casbin keeps quotes as part of the value, so the row would never match",
            "Write the value without quotes",
        )


def check_subject(value: str) -> None:
    """`user:ID`, `agent:NAME`, a role's name or `*`."""
    check_plain(value)
    if not _SUBJECT.fullmatch(value):
        raise Unfit(f"subject {value!r}", _SUBJECT_RULE, _subject_remedy(value))


def _subject_remedy(value: str) -> str:
    kind, colon, _ = value.partition(":")
    if colon and kind not in ("user", "agent"):
        return "Write a role without a prefix" if kind == "role" else did_you_mean(kind, ("user", "agent"))
    return "Use only letters, digits and @ . _ -; a * stands alone"


def check_grantee(value: str) -> None:
    """Who holds a role: a user, an agent or another role, but not everybody."""
    check_subject(value)
    if value == "*":
        raise Unfit("a role for *", "a g row gives a role to one subject", "Write the p row for * instead")
    if value == REQUESTER:
        check_role(value)


def check_role(value: str) -> None:
    """The name of a role."""
    check_plain(value)
    if not _NAME.fullmatch(value):
        raise Unfit(
            f"role {value!r}", _ROLE_RULE, "Give the role a plain name; users hold roles, not agents users"
        )
    if value == REQUESTER:
        raise Unfit("a role named 'requester'", "requester means whoever asked", "Choose another name")


def check_domain(value: str) -> None:
    """A tenant, or `*`."""
    check_plain(value)
    if value != "*" and not _NAME.fullmatch(value):
        raise Unfit(
            f"domain {value!r}",
            "a domain is one tenant or *; part of a name does not match",
            "Name the tenant exactly ([A-Za-z0-9@._-]+), or write *",
        )


def check_object(value: str) -> None:
    """`pack.tool`, `pack.*`, `secret:pack.name`, `secret:pack.*` or `*`."""
    check_plain(value)
    if value == "*" or _EXACT.fullmatch(value) or _PACK.fullmatch(value):
        return
    star = "Casbin's keyMatch ignores everything after the first *, so this would grant more than it says"
    rule = "an object is pack.tool, pack.* or *, or secret:pack.name"
    if value.startswith("secret:"):
        remedy = "Name the secrets one by one, or those of one pack: secret:pack.*"
        raise Unfit(f"object {value!r}", f"{rule}; {star}" if "*" in value else rule, remedy)
    if "*" in value:
        raise Unfit(f"object {value!r}", f"{rule}; {star}", "Name the tools one by one, or the whole pack")
    raise Unfit(f"object {value!r}", rule, "Write the canonical name of the tool (`toolcrib tools list`)")


def check_act(value: str) -> None:
    """An effect, `use` (of a secret), or `*`."""
    check_plain(value)
    if value not in ("*", USE, *EFFECTS):
        raise Unfit(
            f"unknown effect {value!r}",
            "act is read, write, send, destructive or *; of a secret it is use",
            did_you_mean(value.lower(), (*EFFECTS, USE)),
        )


def check_eft(value: str) -> None:
    """`allow` or `deny`, in lower case."""
    check_plain(value)
    if value not in ("allow", "deny"):
        raise Unfit(
            f"effect of the row {value!r}",
            "eft is allow or deny in lower case; Casbin ignores a row with any other",
            did_you_mean(value.lower(), ("allow", "deny")),
        )


def check_approvers(value: str) -> None:
    """`requester`, `user:ID` or a role; alternatives joined by `|`."""
    check_plain(value)
    for one in value.split("|"):
        if not _NAME.fullmatch(one.strip().removeprefix("user:")):
            raise Unfit(
                f"approvers {value!r}",
                "approvers are requester, user:ID or a role, joined by |; agents approve nothing",
                "Write for example requester|sales-lead",
            )


def check_quota(value: str) -> None:
    """`20/day per user`."""
    check_plain(value)
    parse_quota(value)


CHECKS: Mapping[str, Callable[[str], None]] = {
    "sub": check_subject,
    "dom": check_domain,
    "obj": check_object,
    "act": check_act,
    "eft": check_eft,
    "approvers": check_approvers,
    "quota": check_quota,
    "grantee": check_grantee,
    "role": check_role,
}
"""By the column's name in `model.conf`; columns of a custom model that are not here are checked plainly."""
