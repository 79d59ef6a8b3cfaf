"""One recorded call, asked again: who, which tool, and what conditions may read of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from toolcrib.bench._known import Known, is_exact, is_hidden
from toolcrib.bench._weigh import Weighed, weigh
from toolcrib.effects import Effect
from toolcrib.policy import NO_PREVIEW, OPEN, Candidates, Facts, Governed, Policy
from toolcrib.policy._memo import Memo
from toolcrib.principal import Principal
from toolcrib.sandboxed import Sandboxed, Targets

__all__ = ["Judge", "ToolFacts", "facts_of_tools"]

SHAPES = 50_000
"""Principals with tools that are remembered."""
VERDICTS = 512
"""Verdicts that are remembered for each of them, by what their conditions read."""


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What an installed tool tells beyond its records."""

    labels: frozenset[str]
    idempotent: bool
    has_preview: bool
    sandbox: Sandboxed | None = None
    schema: Mapping[str, Any] | None = None


def facts_of_tools(tools: Iterable[Any]) -> dict[str, ToolFacts]:
    """By canonical name, of `toolcrib.tools.Tool`s."""
    return {
        tool.name: ToolFacts(
            tool.labels, tool.idempotent, tool.preview is not None, tool.sandbox, tool.schema
        )
        for tool in tools
    }


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A tool as its records name it; `OPEN` where only the tool itself could say."""

    name: str
    effect: Effect
    labels: Any = OPEN
    idempotent: Any = OPEN

    @property
    def pack(self) -> str:
        return self.name.partition(".")[0]


class _Shape:
    """A principal and a tool under one policy; `reads` are the roots that decide, None if none does."""

    __slots__ = ("candidates", "constant", "memo", "names", "principal", "reads", "tool")

    def __init__(self, principal: Principal, tool: Governed, candidates: Candidates) -> None:
        self.principal, self.tool, self.candidates = principal, tool, candidates
        plan = getattr(candidates, "plan", None)
        constant = plan.constant if plan is not None else None
        self.constant = Weighed.of(constant) if constant is not None else None
        self.reads = candidates.reads
        self.names = _argument_names(plan)
        self.memo: Memo[Hashable, Weighed] = Memo(VERDICTS)


def _argument_names(plan: Any) -> tuple[str, ...] | None:
    """The arguments that conditions read, None if that cannot be told (a custom model)."""
    if plan is None:
        return None
    rules = [rule for side in plan.sides for rule in (*side.denies, *side.allows)] + list(plan.reviews)
    paths = {
        path for rule in rules if rule.condition for path in rule.condition.reads | rule.condition.guards
    }
    return tuple(sorted({path.split(".")[1] for path in paths if path.startswith("args.")}))


class Judge:
    """Decides records by one policy, each kind of call once. `tools` are the installed ones, by name."""

    def __init__(self, policy: Policy, tools: Mapping[str, ToolFacts]) -> None:
        self.policy, self._tools = policy, tools
        self._shapes: Memo[tuple[Any, ...], _Shape] = Memo(SHAPES)

    def decide(self, record: Mapping[str, Any], labels: frozenset[str] | None = None) -> Weighed:
        """What the policy says of the call that `record` is of; raises `ConfigError` for ids
        that no call has.

        `labels` are those of its session at that time, None if they are not known.
        """
        get = record.get
        key = (get("agent"), get("user"), get("tenant"), record["tool"], record["effect"])
        shape = self._shapes.get(key) or self._shapes.put(key, self._shape(*key))
        known = self._tools.get(record["tool"])
        is_sandboxed = known is not None and known.sandbox is not None
        if shape.constant is not None and not is_sandboxed:
            return shape.constant
        read = None if is_sandboxed else self._read(shape, record, labels)
        if read is None:
            return self._weigh(shape, record, labels)
        found = shape.memo.get(read)
        return found or shape.memo.put(read, self._weigh(shape, record, labels))

    def _shape(self, agent: Any, user: Any, tenant: Any, name: str, effect: Effect) -> _Shape:
        principal = Principal(agent, user, tenant)
        known = self._tools.get(name)
        tool = _Recorded(name, effect, known.labels, known.idempotent) if known else _Recorded(name, effect)
        return _Shape(principal, tool, self.policy.candidates(principal, tool))

    def _read(
        self, shape: _Shape, record: Mapping[str, Any], labels: frozenset[str] | None
    ) -> Hashable | None:
        """All that the verdict depends on, None where it cannot be told or is never the same twice."""
        if shape.names is None or "now" in shape.reads:
            return None
        given = record.get("arguments")
        arguments = given if isinstance(given, dict) else {}
        told = (
            {name: arguments[name] for name in shape.names if name in arguments},
            arguments.keys() in _CUT,
            record.get("unchecked"),
            record.get("inputs"),
            record.get("session") if "session" in shape.reads else None,
        )
        return orjson.dumps(told, option=orjson.OPT_SORT_KEYS), labels

    def _weigh(self, shape: _Shape, record: Mapping[str, Any], labels: frozenset[str] | None) -> Weighed:
        facts = self._facts(shape, record, labels)
        return weigh(shape.candidates, shape.principal, shape.tool, facts)

    def _facts(self, shape: _Shape, record: Mapping[str, Any], labels: frozenset[str] | None) -> Facts:
        inputs = record.get("inputs") or {}
        read = inputs.get("labels")
        if isinstance(read, list) and is_exact(read):
            labels = frozenset(read)
        facts = Facts(
            arguments=_arguments(record, inputs),
            labels=OPEN if labels is None else labels,  # type: ignore[arg-type]  # reading it is a gap
            before=self._before(record, inputs),
            sandbox=Known("sandbox", {}, _with_targets(inputs), is_whole=False),
            now=_moment(record) if "now" in shape.reads else None,
            session=record.get("session"),
        )
        known = self._tools.get(record["tool"])
        if known is not None and known.sandbox is not None and type(facts.arguments) is dict:
            facts.sandbox = None
            known.sandbox.fill(facts, known.schema)
        return facts

    def _before(self, record: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
        tool = self._tools.get(record["tool"])
        if tool is not None and not tool.has_preview:
            return NO_PREVIEW
        return Known("before", {}, inputs, is_whole=False)


_EGRESS = "sandbox.egress"


def _with_targets(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """`inputs` with the recorded targets as the set that they were; a list that was shortened is a gap."""
    told = inputs.get(_EGRESS)
    if not isinstance(told, list):
        return inputs
    rest = {path: value for path, value in inputs.items() if path != _EGRESS}
    return {**rest, _EGRESS: Targets(told)} if is_exact(told) else rest


_CUT = ({"sha256", "bytes"}, {"hmac", "key", "bytes"})
"""What stands for arguments that were too large to be kept."""


def _arguments(record: Mapping[str, Any], inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    given = record.get("arguments")
    if not isinstance(given, dict) or record.get("unchecked") or given.keys() in _CUT:
        return Known("args", {}, inputs, is_whole=False)
    if not any(map(is_hidden, given.values())):
        return given
    return Known("args", given, inputs, is_whole=True)


def _moment(record: Mapping[str, Any]) -> datetime:
    """When it was decided: a refusal may be written long after, when nobody has answered."""
    written = datetime.fromisoformat(record["ts"])
    return written - timedelta(microseconds=record.get("duration_us", 0))
