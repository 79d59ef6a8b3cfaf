"""A tool's arguments from its signature and docstring."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args, get_origin
from weakref import WeakKeyDictionary

from toolcrib._arguments import TypedArguments
from toolcrib.context import CallContext
from toolcrib.errors import PackError

__all__ = ["Signature", "read_signature"]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function says about itself: `marked` are the parameter names by marker class (Target,
    Sensitive).
    """

    description: str
    arguments: TypedArguments
    context: str | None
    marked: dict[type, tuple[str, ...]]


def read_signature(function: Callable[..., Any], name: str, markers: tuple[type, ...]) -> Signature:
    """Description, arguments, injected parameter and marked parameters of `function`.

    A parameter without annotation, `*args`, `**kwargs` or a positional-only parameter raises `PackError`: a
    model could not be told what to send.
    """
    hints, parameters = _hints(function, name), tuple(inspect.signature(function).parameters.values())
    plain, key = getattr(function, "__func__", function), _key(function, name, markers, hints, parameters)
    if key is None or not isinstance(plain, types.FunctionType):
        return _read(function, name, markers, hints, parameters)
    if plain not in _READ or _READ[plain][0] != key:
        _READ[plain] = key, _read(function, name, markers, hints, parameters)
    signature = _READ[plain][1]
    # Whoever gets the schema may change it; the next crib's tools have their own.
    return replace(signature, arguments=signature.arguments.copy())


_READ: WeakKeyDictionary[types.FunctionType, tuple[tuple[Any, ...], Signature]] = WeakKeyDictionary()
"""What functions said when they were last read. A schema takes milliseconds to make, and each crib of a
process opens the same packs. All that a signature is made of is compared: a function may come to say
something else, and that must show.
"""


def _key(
    function: Callable[..., Any],
    name: str,
    markers: tuple[type, ...],
    hints: dict[str, Any],
    parameters: tuple[inspect.Parameter, ...],
) -> tuple[Any, ...] | None:
    """All that a signature is made of; None if a default is of a kind that may change."""
    defaults = [each.default for each in parameters if each.default is not inspect.Parameter.empty]
    if not all(_is_fixed(default) for default in defaults):
        return None
    # 1, 1.0 and True are equal, and not the same default.
    return inspect.getdoc(function), name, markers, hints, parameters, [repr(each) for each in defaults]


def _is_fixed(default: Any) -> bool:
    if type(default) is tuple:
        return all(_is_fixed(each) for each in default)
    return type(default) in (*_PLAIN, type(None)) or isinstance(default, enum.Enum)


def _read(
    function: Callable[..., Any],
    name: str,
    markers: tuple[type, ...],
    hints: dict[str, Any],
    parameters: tuple[inspect.Parameter, ...],
) -> Signature:
    summary, explained = _docstring(function)
    fields: dict[str, Any] = {}
    context: str | None = None
    marked: dict[type, list[str]] = {marker: [] for marker in markers}
    for parameter in parameters:
        hint = _hint_of(parameter, hints, name)
        if hint is CallContext:
            context = parameter.name
            continue
        for marker in _markers_of(hint, markers):
            marked[marker].append(parameter.name)
        fields[parameter.name] = _field(parameter, hint, explained.get(parameter.name))
    arguments = _typed(name, fields)
    return Signature(summary, arguments, context, {marker: tuple(names) for marker, names in marked.items()})


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    plain = inspect.unwrap(function)
    closure = inspect.getclosurevars(getattr(plain, "__func__", plain)).nonlocals
    try:
        return typing.get_type_hints(plain, localns=dict(closure), include_extras=True)
    except NameError as error:
        raise PackError(
            f"tool {name!r} has an annotation that cannot be read: {error}",
            rule="annotations are resolved where the function is defined",
            remedy="Define the type at module level, or import it outside TYPE_CHECKING",
        ) from error


def _hint_of(parameter: inspect.Parameter, hints: dict[str, Any], name: str) -> Any:
    if parameter.kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
        raise PackError(
            f"tool {name!r} takes {parameter}",
            rule="a tool's parameters are named one by one, so that a schema can list them",
            remedy="Replace it by named parameters",
        )
    if parameter.name not in hints:
        raise PackError(
            f"tool {name!r} has no type for its parameter {parameter.name!r}",
            rule="every parameter is annotated, since the schema is made of annotations",
            remedy=f"Write {parameter.name}: str, for example",
        )
    return hints[parameter.name]


def _markers_of(hint: Any, markers: tuple[type, ...]) -> Iterator[type]:
    if get_origin(hint) is Annotated:
        for mark in get_args(hint)[1:]:
            if mark in markers or type(mark) in markers:
                yield mark if mark in markers else type(mark)


def _field(parameter: inspect.Parameter, hint: Any, description: str | None) -> tuple[Any, Any]:
    from pydantic import Field

    default = ... if parameter.default is inspect.Parameter.empty else parameter.default
    return hint, Field(default, description=description)


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    import docstring_parser

    parsed = docstring_parser.parse(inspect.getdoc(function) or "")
    parts = [parsed.short_description or "", parsed.long_description or ""]
    explained = {item.arg_name: " ".join((item.description or "").split()) for item in parsed.params}
    gap = "\n\n" if parsed.blank_after_short_description else "\n"  # a paragraph may have several lines
    return gap.join(part for part in parts if part), explained


_NO_DOC = {"__doc__": " "}
"""Else `dataclass` would write out each signature for a docstring that nobody reads: a tenth of the time."""


def _typed(name: str, fields: dict[str, Any]) -> TypedArguments:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter
    from pydantic.dataclasses import dataclass as checked
    from pydantic.errors import PydanticSchemaGenerationError

    # A dataclass and not a BaseModel: a parameter may be called `schema`, `json` or `copy`.
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    try:
        hints = {key: hint for key, (hint, _) in fields.items()}
        bare = type("Arguments", (), {**{key: field for key, (_, field) in fields.items()}, **_NO_DOC})
        bare.__annotations__ = hints
        model = checked(bare, config=config, kw_only=True)
        schema = TypeAdapter(model).json_schema()
    except (PydanticUserError, PydanticSchemaGenerationError, TypeError, ValueError) as error:
        raise PackError(
            f"tool {name!r} has a parameter whose type has no JSON form: {str(error).splitlines()[0]}",
            rule="parameters are made of JSON types, enums, dates, dataclasses or pydantic models",
            remedy="Change the annotation",
        ) from error
    schema.pop("description", None)  # that is _NO_DOC
    return TypedArguments(model, _tidy(schema), is_plain=all(_is_plain(*field) for field in fields.values()))


_PLAIN = (str, int, float, bool)


def _is_plain(hint: Any, field: Any) -> bool:
    """Whether a checked value is what JSON has, and cannot be changed: nothing that a marker, a subclass or a
    default could make into something else.
    """
    if not field.is_required() and type(field.default) not in (*_PLAIN, type(None)):
        return False
    return any(hint is kind or hint == kind | None for kind in _PLAIN)


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as a model should read it: no generated titles, references resolved where they are not
    recursive.
    """
    definitions = schema.pop("$defs", {})
    kept: set[str] = set()

    def walk(node: Any, inside: tuple[str, ...], is_names: bool = False) -> Any:
        if isinstance(node, list):
            return [walk(item, inside) for item in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref")
        if isinstance(reference, str) and not is_names:
            target = reference.rsplit("/", 1)[-1]
            if target in inside:
                kept.add(target)
                return node
            rest = {key: walk(value, inside) for key, value in node.items() if key != "$ref"}
            return {**walk(definitions[target], (*inside, target)), **rest}
        return {
            key: walk(value, inside, is_names=key == "properties" and not is_names)
            for key, value in node.items()
            if is_names or key != "title"
        }

    tidy: dict[str, Any] = walk(schema, ())
    if kept:
        tidy["$defs"] = {name: walk(definitions[name], (name,)) for name in sorted(kept)}
    tidy.setdefault("properties", {})
    return tidy
