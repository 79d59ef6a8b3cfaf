"""Calls whose result an agent still waits for, and whom a saved workbench belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from toolcrib.calls import ToolResult
from toolcrib.errors import ConfigError
from toolcrib.principal import Principal

__all__ = ["STATE", "Parked", "check_owner", "principal_of", "principal_to"]

STATE = "GovernedWorkbenchState"
"""`type` of a saved workbench."""

OWNER = ("agent", "user", "tenant", "session", "run")


@dataclass(frozen=True, slots=True)
class Parked:
    """A call that has no final result yet; `text` is what stands in its place in the agent's context.

    `approval` is the id of the approval that it waits for; None for a call that was interrupted.
    `arguments` are JSON text, as the model sent them: an approval keeps no sensitive ones. `run` is the run
    in which it was made, and so part of its key also when another run settles it.
    """

    call_id: str
    tool: str
    arguments: str
    approval: str | None
    text: str
    run: str = ""

    @property
    def key(self) -> str:
        """The idempotency key under which it was asked for."""
        return f"{self.run}:{self.call_id}"

    def again(self, result: ToolResult) -> Parked:
        """The same call, parked at a new question."""
        return replace(self, approval=result.approval, text=result.text)

    def to_state(self) -> dict[str, Any]:
        """As JSON-compatible data."""
        return asdict(self)


def principal_to(principal: Principal) -> dict[str, Any]:
    """The principal as JSON-compatible data."""
    return {name: getattr(principal, name) for name in OWNER}


def principal_of(state: Mapping[str, Any]) -> Principal:
    """The principal that a saved workbench names."""
    return Principal(**{name: state["principal"][name] for name in OWNER})


def check_owner(state: Mapping[str, Any], principal: Principal) -> None:
    """Raise `ConfigError` unless the saved workbench is this principal's.

    Another user would get the first one's results; another session would lose its labels, so that untrusted
    content passes for trusted. A new run is fine: it only begins new idempotency keys.
    """
    saved = principal_of(state)
    for name in OWNER[:-1]:
        theirs, ours = getattr(saved, name), getattr(principal, name)
        if theirs != ours:
            raise ConfigError(
                f"a state of {name} {theirs!r} cannot be loaded for {ours!r}",
                rule="a saved agent belongs to its user, agent, tenant and session",
                remedy="Build the agent with the principal that the state was saved under",
            )
