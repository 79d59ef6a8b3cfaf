"""From what a model sent to one frozen form that policy, approver and tool all see.

Everything enters as JSON bytes: what is decided cannot be changed afterwards through a shared list or dict,
and what pydantic reads is exactly what the audit log writes. Defaults are filled in before policy looks, so
nothing is left for the tool to add.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from toolcrib.errors import InvalidArguments

__all__ = ["Arguments", "DeclaredArguments", "Frozen", "TypedArguments", "to_json"]

MAX_BYTES = 256 * 1024
"""Largest arguments of one call, in bytes of JSON; a model that needs more should pass a reference."""


class Frozen:
    """Validated arguments: `values` as the tool takes them, `plain` as JSON has them, `canonical` as bytes
    with sorted keys.

    `keyed` makes of a digest one that cannot be guessed at without the crib's key; set it before `digest` is
    asked for.
    """

    __slots__ = ("_digest", "canonical", "keyed", "plain", "values")

    def __init__(self, values: Mapping[str, Any], plain: dict[str, Any]) -> None:
        self.values = values
        self.plain = plain
        self.canonical = orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
        self._digest = ""
        self.keyed: Callable[[str], str] | None = None

    @property
    def digest(self) -> str:
        """What stands for these arguments in the state database: equal ones have equal digests. Worked out
        when it is first asked for.
        """
        if not self._digest:
            plain = hashlib.sha256(self.canonical).hexdigest()
            self._digest = plain if self.keyed is None else self.keyed(plain)
        return self._digest


class Arguments(Protocol):
    """Checks the arguments of one tool; `schema` is a JSON Schema object that a model can read."""

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        ...

    def freeze(self, tool: str, raw: bytes) -> Frozen:
        """The frozen form of JSON bytes, or `InvalidArguments` in words that tell a model how to mend its
        call.
        """
        ...


def to_json(tool: str, raw: Mapping[str, Any]) -> bytes:
    """Arguments as JSON bytes with sorted keys; what JSON cannot hold (NaN, bytes, huge integers) raises
    `InvalidArguments`.
    """
    try:
        data = orjson.dumps(raw if type(raw) is dict else dict(raw), option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError, RecursionError) as error:
        raise _invalid(tool, f"the arguments are not JSON ({error})") from error
    if len(data) > MAX_BYTES:
        raise InvalidArguments(
            f"{tool} was asked with {len(data):,} bytes of arguments",
            rule=f"arguments have at most {MAX_BYTES:,} bytes",
            remedy="Pass less, or a reference to where the data is",
        )
    if b"null" in data:  # orjson writes NaN and infinity as null, which would silently change the call
        _refuse_non_finite(tool, raw, "")
    return data


def _refuse_non_finite(tool: str, value: Any, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise _invalid(tool, f"{path.lstrip('.')} is {value}, which is not a JSON number")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_non_finite(tool, item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse_non_finite(tool, item, f"{path}[{index}]")


def _invalid(tool: str, *problems: str) -> InvalidArguments:
    return InvalidArguments(
        f"{tool} was asked with arguments that do not fit: {'; '.join(problems)}",
        rule=f"the parameters of {tool}",
        remedy="Correct these arguments and call again",
    )


class TypedArguments:
    """Arguments of a Python function, checked by a pydantic model that `_schema` made from its signature.

    `is_plain` says that every value is a text, a number, true, false or null as it is, so that the tool's
    values are what JSON has.
    """

    def __init__(self, model: Any, schema: dict[str, Any], *, is_plain: bool = False) -> None:
        self.schema = schema
        self._is_plain = is_plain
        self._validator = model.__pydantic_validator__
        self._serializer = model.__pydantic_serializer__

    def copy(self) -> TypedArguments:
        """The same checks with a schema of its own."""
        twin = copy.copy(self)
        twin.schema = orjson.loads(orjson.dumps(self.schema))
        return twin

    def freeze(self, tool: str, raw: bytes) -> Frozen:
        """See `Arguments.freeze`."""
        try:
            checked = self._validator.validate_json(raw)
        except ValueError as error:  # pydantic's ValidationError is one
            raise _invalid(tool, *_problems(error)) from error
        values = checked.__dict__
        return Frozen(values, values if self._is_plain else self._serializer.to_python(checked, mode="json"))


def _problems(error: ValueError) -> list[str]:
    details = error.errors(include_url=False, include_input=False) if hasattr(error, "errors") else []
    words = []
    for detail in details[:8]:
        where = ".".join(str(part) for part in detail["loc"]) or "the arguments"
        if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            words.append(f"there is no parameter {where!r}")
        elif detail["type"] == "missing":
            words.append(f"{where!r} is missing")
        else:
            words.append(f"{where!r}: {detail['msg'][:1].lower()}{detail['msg'][1:]}")
    return words or [str(error)]


class DeclaredArguments:
    """Arguments of a tool that brings its own JSON Schema (MCP, FunctionTool), checked by jsonschema-rs."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        import jsonschema_rs

        self.schema = dict(schema)
        self._validator = jsonschema_rs.validator_for(self.schema)

    def freeze(self, tool: str, raw: bytes) -> Frozen:
        """See `Arguments.freeze`."""
        plain = orjson.loads(raw)
        if not self._validator.is_valid(plain):
            raise _invalid(
                tool, *(self._words(error) for error in list(self._validator.iter_errors(plain))[:8])
            )
        return Frozen(plain, plain)

    @staticmethod
    def _words(error: Any) -> str:
        where = ".".join(str(part) for part in error.instance_path)
        return f"{where!r}: {error.message[:300]}" if where else str(error.message[:300])
