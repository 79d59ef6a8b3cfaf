"""What is seen of a pack without calling it: schemas, descriptions, effects, labels, targets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import jsonschema_rs

from toolcrib._visible import odd_places
from toolcrib.testing._pack_stand import Stand
from toolcrib.tools import Tool

__all__ = [
    "check_descriptions",
    "check_effects",
    "check_labels",
    "check_schemas",
    "check_targets",
]

_CHANGES = {"add", "assign", "cancel", "close", "create", "delete", "insert", "log", "merge", "move",
            "pay", "post", "remove", "rename", "resolve", "send", "set", "share", "submit", "update",
            "upload", "write"}  # fmt: skip
_DESTROYS = {"delete", "destroy", "drop", "purge", "wipe", "erase"}
_SENDS = {"send", "share", "publish", "reply", "tweet", "broadcast"}
_PLACES = {"to", "cc", "bcc", "recipient", "recipients", "url", "webhook", "channel", "email_to"}
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,31}")


async def check_schemas(stand: Stand) -> Iterator[str]:
    """Each schema is valid, closed, and says of each parameter what it is."""
    return (f"{tool.name}: {problem}" for tool in stand.named() for problem in _schema_problems(tool))


def _schema_problems(tool: Tool) -> Iterator[str]:
    schema = tool.schema
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        yield f"its schema is not valid ({error.message[:200]})"
        return
    if schema.get("type") != "object":
        yield "its schema is no object"
    if schema.get("additionalProperties") is not False:
        yield "its schema takes any other argument too: additionalProperties is not false"
    if len(tool.wire_name) > 64:
        yield f"its wire name has {len(tool.wire_name)} characters; models take 64"
    for name, parameter in schema.get("properties", {}).items():
        if not parameter.get("description"):
            yield f"the parameter {name!r} has no description: write it under Args: in the docstring"
        if not {"type", "$ref", "anyOf", "allOf", "oneOf", "enum", "const"} & parameter.keys():
            yield f"the parameter {name!r} may be anything: annotate its type"


async def check_descriptions(stand: Stand) -> Iterator[str]:
    """Each description is a sentence of its own that a model can choose by, and has no hidden characters."""
    return _descriptions(stand)


def _descriptions(stand: Stand) -> Iterator[str]:
    counted = Counter(tool.description for tool in stand.named())
    for tool in stand.named():
        first = tool.description.split("\n\n")[0].strip()
        if len(first) < 15 or first[-1] not in ".:!?":
            yield f"{tool.name}: its description {first!r} is no sentence that says what the caller gets"
        if len(tool.description) > 4000:
            yield f"{tool.name}: its description has {len(tool.description)} characters; 4000 are enough"
        if counted[tool.description] > 1:
            yield f"{tool.name}: another tool has the same description"
        texts = [
            tool.description,
            *(str(p.get("description", "")) for p in tool.schema.get("properties", {}).values()),
        ]
        if odd := {text[place] for text in texts for place in odd_places(text)}:
            codes = ", ".join(sorted(f"U+{ord(char):04X}" for char in odd))
            yield f"{tool.name}: its texts have characters that are not seen, or taken for others: {codes}"


async def check_effects(stand: Stand) -> Iterator[str]:
    """No tool's name says more than its effect."""
    return _effects(stand)


def _effects(stand: Stand) -> Iterator[str]:
    for tool in stand.named():
        words = set(tool.name.partition(".")[2].split("_")[:1])
        if tool.effect == "read" and words & _CHANGES:
            yield f"{tool.name}: is called {words.pop()!r}, and its effect is read"
        elif tool.effect == "write" and words & _DESTROYS:
            yield f"{tool.name}: is called {words.pop()!r}, and its effect is write, not destructive"
        elif tool.effect == "write" and words & _SENDS:
            yield f"{tool.name}: is called {words.pop()!r}, and its effect is write, not send"
        if tool.effect == "read" and tool.preview:
            yield f"{tool.name}: is a read and has a preview"


async def check_labels(stand: Stand) -> Iterator[str]:
    """Labels are words that policy can name, and a pack whose tools read has thought of them."""
    return _labels(stand)


def _labels(stand: Stand) -> Iterator[str]:
    wanted, reads = stand.suite.labels, stand.named("read")
    for tool in stand.named():
        for label in sorted(tool.labels):
            if not _LABEL.fullmatch(label):
                yield f"{tool.name}: {label!r} is no label: use small letters, digits, - and _"
    if reads and not wanted and not any(tool.labels for tool in reads):
        yield (
            f"{reads[0].name}: no read of the pack has a label. Label what may show what outsiders wrote "
            '(`untrusted`); where none may, say so in the suite: `labels = {"'
            f"{reads[0].name.partition('.')[2]}"
            '": ()}`'
        )
    for name, labels in wanted.items():
        tool_ = stand.tools.get(f"{stand.suite.pack}.{name}")
        if tool_ is None or not set(labels) <= tool_.labels:
            has = ", ".join(sorted(tool_.labels)) if tool_ else "no such tool"
            yield f"{stand.suite.pack}.{name}: lacks a label of {', '.join(labels)}: has {has or 'none'}"


async def check_targets(stand: Stand) -> Iterator[str]:
    """What says where something goes is marked as `Target`, so that policy and approver can see it."""
    return _targets(stand)


def _targets(stand: Stand) -> Iterator[str]:
    for tool in stand.named("write", "send", "destructive"):
        parameters = set(tool.schema.get("properties", {}))
        for name in sorted((parameters & _PLACES) - {*tool.targets}):
            yield f"{tool.name}: {name!r} says where something goes: Annotated[..., Target]"
        if tool.effect in ("send", "destructive") and parameters and not tool.targets:
            yield f"{tool.name}: is {tool.effect} and marks no argument as Target"
