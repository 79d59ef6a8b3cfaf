"""`r.ctx`: a read-only record whose attributes are keys and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from toolcrib.policy._facts import OPEN, Facts, Governed, SecretUse
from toolcrib.principal import NOBODY, Principal

__all__ = ["Absent", "Namespace", "Opened", "context", "has", "inputs_of"]

MAX_TEXT = 200
MAX_ITEMS = 20


class Absent(Exception):
    """A condition read what is not there. Not an AttributeError, which simpleeval would take as a hint to
    try `[]`.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Opened(Exception):
    """A matcher of a custom model read `before`, which is not known yet."""


class Namespace:
    """One level of `r.ctx`. Reads are noted in `log` by dotted name, for the audit record.

    There are no methods: `r.ctx.args.keys` is the argument `keys`, or absent. Names that begin with `_` are
    never keys.
    """

    __slots__ = ("_data", "_log", "_path")

    def __init__(self, data: Mapping[str, Any], path: str, log: dict[str, Any]) -> None:
        _set_data(self, data)
        _set_path(self, path)
        _set_log(self, log)

    def __getattribute__(self, name: str) -> Any:
        if name[0] == "_":
            raise AttributeError(name)
        path = _path_of(self)
        dotted = f"{path}.{name}" if path else name
        try:
            value = _data_of(self)[name]
        except KeyError:
            raise Absent(dotted) from None
        if value is OPEN:
            raise Opened
        if isinstance(value, Mapping):
            return Namespace(value, dotted, _log_of(self))
        _log_of(self)[dotted] = value
        return value

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError("r.ctx is read-only")

    def __delattr__(self, name: str) -> NoReturn:
        raise TypeError("r.ctx is read-only")

    def __eq__(self, other: object) -> bool:
        """Records are equal when their contents are; else comparing two of them would be silently false."""
        mine = _data_of(self)
        _log_of(self)[_path_of(self)] = mine
        theirs = _data_of(other) if type(other) is Namespace else other
        return bool(mine == theirs)

    __hash__ = None  # type: ignore[assignment]


# The slots' own descriptors: the only way past __getattribute__.
_slots: Any = Namespace
_data_of, _set_data = _slots._data.__get__, _slots._data.__set__
_path_of, _set_path = _slots._path.__get__, _slots._path.__set__
_log_of, _set_log = _slots._log.__get__, _slots._log.__set__


def has(ctx: Namespace, path: str) -> bool:
    """Whether `args.amount` is there and not null.

    An optional argument that was not given reaches the tool as None, so to a condition null is absent too.
    """
    value: Any = _data_of(ctx)
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
        if value is OPEN:
            raise Opened
        if value is None:
            break
    found = value is not None
    _log_of(ctx)[f"has({path})"] = found
    return found


def context(
    principal: Principal, tool: Governed, facts: Facts, log: dict[str, Any], roots: frozenset[str]
) -> Namespace:
    """`r.ctx` of one call; what `roots` does not name may be left out."""
    data: dict[str, Any] = {
        "args": facts.arguments,
        "labels": facts.labels,
        "user": principal.user or NOBODY,
        "agent": principal.agent,
        "tenant": principal.tenant,
        "session": facts.session or principal.session,
    }
    if facts.before is not None:
        data["before"] = facts.before
    if facts.sandbox is not None:
        data["sandbox"] = facts.sandbox
    if "tool" in roots:
        data["tool"] = _tool(tool)
    if "now" in roots:
        data["now"] = _now(facts.now)
    return Namespace(data, "", log)


def _tool(tool: Governed) -> dict[str, Any]:
    if isinstance(tool, SecretUse):
        tool = tool.tool
    return {
        "name": tool.name,
        "effect": tool.effect,
        "labels": tool.labels,
        "idempotent": tool.idempotent,
        "pack": tool.pack,
    }


def _now(given: datetime | None) -> dict[str, Any]:
    now = (given or datetime.now(UTC)).astimezone(UTC)
    return {
        "year": now.year,
        "month": now.month,
        "day": now.day,
        "hour": now.hour,
        "minute": now.minute,
        "second": now.second,
        "weekday": now.weekday(),
        "date": now.date().isoformat(),
        "iso": now.isoformat(),
        "timestamp": now.timestamp(),
    }


def inputs_of(log: Mapping[str, Any]) -> dict[str, Any]:
    """What conditions read, as plain values of bounded size."""
    return {path: _capped(value, 3) for path, value in log.items()}


def _capped(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else f"integer of {value.bit_length()} bits"
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}… ({len(value)} characters)"
    if depth and isinstance(value, Mapping):
        return {str(key): _capped(item, depth - 1) for key, item in list(value.items())[:MAX_ITEMS]}
    if depth and isinstance(value, frozenset | set):
        return _capped_items(sorted(value, key=str), depth)
    if depth and isinstance(value, list | tuple):
        return _capped_items(value, depth)
    return f"<{type(value).__name__}>"


def _capped_items(items: Iterable[Any], depth: int) -> list[Any]:
    values = list(items)
    rest = [f"… ({len(values)} items)"] if len(values) > MAX_ITEMS else []
    return [_capped(item, depth - 1) for item in values[:MAX_ITEMS]] + rest
