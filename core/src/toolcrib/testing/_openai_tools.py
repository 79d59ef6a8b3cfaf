"""What OpenAI refuses of the tools of a request: their names, their schemas, the choice among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from toolcrib.testing._openai_errors import check_name, refuse

__all__ = ["check_tools"]

TYPES = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
MAX_TOOLS = 128
MAX_DESCRIPTION = 1024


def check_tools(body: Mapping[str, Any]) -> None:
    """Refuse (`ServiceRefused`, 400) tools, `tool_choice` and `parallel_tool_calls` that the API refuses."""
    tools = body.get("tools")
    if tools is None:
        for name in ("tool_choice", "parallel_tool_calls"):
            if body.get(name) is not None:
                refuse(f"'{name}' is only allowed when 'tools' are specified.", name)
        return
    if not isinstance(tools, list) or not 1 <= len(tools) <= MAX_TOOLS:
        refuse(f"Invalid 'tools': expected an array of 1 to {MAX_TOOLS} tools.", "tools")
    names = [_check_tool(tool, f"tools[{i}]") for i, tool in enumerate(tools)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        refuse(f"Tool names must be unique: {', '.join(twice)}.", "tools")
    _check_choice(body.get("tool_choice"), names)


def _check_tool(tool: Any, place: str) -> str:
    if (
        not isinstance(tool, dict)
        or tool.get("type") != "function"
        or not isinstance(tool.get("function"), dict)
    ):
        refuse(f"Invalid '{place}': expected {{'type': 'function', 'function': {{...}}}}.", place)
    function = tool["function"]
    name = check_name(function.get("name"), f"{place}.function.name")
    description = function.get("description")
    if description is not None and (not isinstance(description, str) or len(description) > MAX_DESCRIPTION):
        refuse(
            f"Invalid '{place}.function.description': string too long. Expected a string with maximum length "
            f"{MAX_DESCRIPTION}.",
            f"{place}.function.description",
            code="string_above_max_length",
        )
    parameters = function.get("parameters")
    if parameters is not None:
        _check_parameters(
            parameters, name, f"{place}.function.parameters", strict=function.get("strict") is True
        )
    return name


def _check_parameters(schema: Any, name: str, place: str, *, strict: bool) -> None:
    if not isinstance(schema, dict) or schema.get("type") != "object":
        got = schema.get("type") if isinstance(schema, dict) else schema
        _bad_schema(
            name, place, f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'."
        )
    for context, problem in _schema_problems(schema, (), strict):
        _bad_schema(name, place, f"In context={context!r}, {problem}")


def _bad_schema(name: str, place: str, problem: str) -> NoReturn:
    refuse(f"Invalid schema for function '{name}': {problem}", place, code="invalid_function_parameters")


def _schema_problems(
    schema: Any, context: tuple[str, ...], strict: bool
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with the shape of a JSON schema, with the place inside it."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield context, f"{schema!r} is not of type 'object', 'boolean'."
        return
    yield from ((context, problem) for problem in _flat_problems(schema, strict))
    for keyword in ("properties", "$defs", "definitions"):
        for key, value in _mapping(schema.get(keyword)).items():
            yield from _schema_problems(value, (*context, keyword, key), strict)
    for keyword in ("items", "additionalProperties", "not"):
        if keyword in schema:
            yield from _schema_problems(schema[keyword], (*context, keyword), strict)
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for number, value in enumerate(schema.get(keyword, ())):
            yield from _schema_problems(value, (*context, keyword, str(number)), strict)


def _flat_problems(schema: Mapping[str, Any], strict: bool) -> Iterator[str]:
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    yield from (f"{kind!r} is not a valid type." for kind in kinds if kind not in TYPES)
    if "array" in kinds and "items" not in schema and "prefixItems" not in schema:
        yield "array schema missing items."
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict):
        yield f"{properties!r} is not of type 'object'."
    if not isinstance(required, list) or not all(isinstance(entry, str) for entry in required):
        yield f"{required!r} is not of type 'array' of strings."
    if not isinstance(schema.get("enum", []), list):
        yield "'enum' is not of type 'array'."
    if strict and "object" in kinds:
        yield from _strict_problems(schema, _mapping(properties), required)


def _strict_problems(
    schema: Mapping[str, Any], properties: Mapping[str, Any], required: Any
) -> Iterator[str]:
    if schema.get("additionalProperties") is not False:
        yield "'additionalProperties' is required to be supplied and to be false."
    if missing := sorted(set(properties) - set(required)):
        yield (
            "'required' is required to be supplied and to be an array including every key in properties."
            f" Missing {', '.join(map(repr, missing))}."
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_choice(choice: Any, names: Sequence[str]) -> None:
    if choice in (None, "none", "auto", "required"):
        return
    wanted = _mapping(_mapping(choice).get("function")).get("name")
    if wanted not in names:
        refuse(f"Tool choice '{wanted or choice}' not found in 'tools' parameter.", "tool_choice")
