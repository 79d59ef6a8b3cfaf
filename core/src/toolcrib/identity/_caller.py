"""Who was found to stand behind credentials, and the principals that follow."""

from __future__ import annotations

from dataclasses import dataclass

from toolcrib.errors import ConfigError, NotAuthenticated
from toolcrib.principal import Principal, check_id

__all__ = ["ANY", "Caller", "plain_id"]

ANY = "*"
"""In place of an agent: whichever."""


@dataclass(frozen=True, slots=True)
class Caller:
    """User, tenant and the agents that may act for them; `source` says what proved it, for messages."""

    user: str | None
    tenant: str
    agents: frozenset[str]
    source: str

    def principal(
        self, agent: str | None = None, *, session: str = "default", run: str = "none"
    ) -> Principal:
        """The principal for `agent`, or for the only one there may be; else `NotAuthenticated`."""
        if agent is None:
            if len(self.agents) != 1 or ANY in self.agents:
                raise NotAuthenticated(
                    f"{self.source} does not say which agent acts",
                    rule="a principal has exactly one agent",
                    remedy="Name one of " + (", ".join(sorted(self.agents)) or "its agents: it has none"),
                )
            (agent,) = self.agents
        elif agent not in self.agents and ANY not in self.agents:
            raise NotAuthenticated(
                f"{self.source} does not let the agent {agent[:80]!r} act",
                rule=f"its agents are {', '.join(sorted(self.agents)) or 'none'}",
                remedy="Ask as one of these, or for other credentials",
            )
        try:
            return Principal(agent=agent, user=self.user, tenant=self.tenant, session=session, run=run)
        except ConfigError as error:
            rule = error.rule or "a principal's ids stand in policy rows"
            raise NotAuthenticated(error.what, rule=rule, remedy=error.remedy) from error


def plain_id(value: object, what: str, remedy: str) -> str:
    """`value` if it may stand in a policy row, else `NotAuthenticated` without quoting it."""
    try:
        return check_id(what, value)  # type: ignore[arg-type]  # it refuses what is no text
    except ConfigError:
        raise NotAuthenticated(
            f"{what} is not a plain id", rule="ids and tenants match [A-Za-z0-9@._-]+", remedy=remedy
        ) from None
