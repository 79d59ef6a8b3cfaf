"""What a decision is about, beyond the policy itself."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from toolcrib.effects import USE, Act

__all__ = ["NO_PREVIEW", "OPEN", "SECRET", "Facts", "Governed", "SecretUse"]


class _Marker(enum.Enum):
    OPEN = "open"


OPEN: Final = _Marker.OPEN
"""`Facts.before`: not looked up yet, so rows that read it stay open."""

NO_PREVIEW: Final = None
"""`Facts.before`: this tool has no preview, so `before` is absent; reading it raises, `has` is False."""


class Governed(Protocol):
    """What policy reads of a tool; `toolcrib.tools.Tool` is one."""

    @property
    def name(self) -> str:
        """Canonical: `pack.tool`."""

    @property
    def effect(self) -> Act:
        """What the tool does to the world, `use` for a secret: `r.act`."""

    @property
    def labels(self) -> frozenset[str]:
        """Labels of what the tool returns: `r.ctx.tool.labels`."""

    @property
    def idempotent(self) -> bool:
        """`r.ctx.tool.idempotent`."""

    @property
    def pack(self) -> str:
        """`r.ctx.tool.pack`."""


SECRET: Final = "secret:"  # noqa: S105 - no secret, but how a row names one
"""How the object of a secret begins: `secret:PACK.NAME`."""


@dataclass(frozen=True, slots=True)
class SecretUse:
    """The use of a secret by a running tool, as policy sees it: object `secret:PACK.NAME`, act `use`.

    Conditions read the `tool` that asks, as they do for its call.
    """

    name: str
    tool: Governed
    effect: Act = USE

    @classmethod
    def of(cls, secret: str, tool: Governed) -> SecretUse:
        """The use of its pack's `secret` by `tool`."""
        return cls(f"{SECRET}{tool.pack}.{secret}", tool)

    @property
    def labels(self) -> frozenset[str]:
        """The tool's."""
        return self.tool.labels

    @property
    def idempotent(self) -> bool:
        """The tool's."""
        return self.tool.idempotent

    @property
    def pack(self) -> str:
        """The tool's."""
        return self.tool.pack


@dataclass(slots=True)
class Facts:
    """What conditions may read of one call.

    `labels` are the session's, `before` is the previewed record, `OPEN` or `NO_PREVIEW`, `now` is aware
    (default: the current time), `session` is the principal's unless given. `sandbox` is what a sandboxed tool
    asks for, and `beyond` the fields of it that go beyond the tool's defaults, with these defaults.
    """

    arguments: Mapping[str, Any]
    labels: frozenset[str] = frozenset()
    before: Any = OPEN
    sandbox: Mapping[str, Any] | None = None
    now: datetime | None = None
    session: str | None = None
    beyond: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.now is not None and self.now.tzinfo is None:
            raise ValueError(
                "Facts.now must be aware: a naive time would be read in whatever zone the host is"
            )
