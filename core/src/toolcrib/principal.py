"""On whose behalf a call is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from toolcrib.errors import ConfigError

__all__ = ["NOBODY", "Principal", "check_id"]

NOBODY = "none"
"""The user of a call that has none. It is checked like any other user, so no real user may bear the name."""

_ID = re.compile(r"[A-Za-z0-9@._-]+")


def check_id(kind: str, value: str) -> str:
    """`value` if it may stand in a policy row (`[A-Za-z0-9@._-]+`), else `ConfigError`.

    Anything wider could smuggle a `*`, a comma or a subject prefix such as `role:` into the policy.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ConfigError(
            f"{kind} {value!r} is not a valid id",
            rule="ids and tenants match [A-Za-z0-9@._-]+",
            remedy="Rename it, or map it to a plain id where it enters",
        )
    return value


@dataclass(frozen=True, slots=True)
class Principal:
    """User, agent, tenant, session and run: who asks, for whom, and within what.

    `user` is None when no human stands behind the agent. `session` scopes labels; `run` is one execution of
    an agent team and scopes the loop guard and default idempotency keys. Ids match `[A-Za-z0-9@._-]+`;
    others raise `ConfigError`.
    """

    agent: str
    user: str | None = None
    tenant: str = "default"
    session: str = "default"
    run: str = "none"
    subjects: tuple[str, str] = field(init=False, repr=False, compare=False)
    """`("user:ID", "agent:NAME")`, as policy rows name them."""

    def __post_init__(self) -> None:
        for kind in ("agent", "tenant", "session", "run"):
            check_id(kind, getattr(self, kind))
        if self.user is not None:
            check_id("user", self.user)
            if self.user == NOBODY:
                raise ConfigError(
                    "user 'none' is reserved for calls without a user", remedy="Pass user=None instead"
                )
        subjects = (f"user:{self.user or NOBODY}", f"agent:{self.agent}")
        object.__setattr__(self, "subjects", subjects)
