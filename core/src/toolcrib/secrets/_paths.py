"""Secret paths, and the templates that config writes for them."""

from __future__ import annotations

import re
from string import Formatter

from toolcrib.errors import ConfigError, SecretError
from toolcrib.principal import Principal

__all__ = ["MAX_PATH", "PathTemplate", "check_path", "split_path"]

MAX_PATH = 512
"""Characters of a path."""

FIELDS = ("tenant", "user", "agent")
_SEGMENT = re.compile(r"[A-Za-z0-9@._-]+")
_RULE = "a path is segments of [A-Za-z0-9@._-]+ joined by '/', none of them '.' or '..'"


def check_path(path: str) -> str:
    """`path` if it is a sound one, else `SecretError`.

    A principal's id may be `..`, which is harmless in a policy row but not in a path: providers address by
    URL.
    """
    segments = path.split("/")
    sound = all(_SEGMENT.fullmatch(part) and part not in (".", "..") for part in segments)
    if not sound or len(path) > MAX_PATH:
        raise SecretError(
            f"{path!r} is not a secret path", rule=_RULE, remedy="Use a plain path such as crm/acme/key"
        )
    return path


def split_path(path: str) -> tuple[str, str | None]:
    """`crm/acme/salesforce#token` as the path and the key within what lies there, None without one; else
    `SecretError`. For providers whose secrets are documents; the others know no keys, and check the path.
    """
    path, mark, key = path.partition("#")
    if mark:
        check_path(key if "/" not in key else "")
    return check_path(path), key if mark else None


class PathTemplate:
    """`crm/{tenant}/salesforce`: a path with the fields {tenant}, {user} and {agent}, and perhaps a `#key`.

    At most one field may stand in a segment: `{tenant}-{user}` would give `a-b` + `c` and `a` + `b-c` the
    same path, and so one user another's secret. Raises `ConfigError` naming `place` for what is no template.
    """

    __slots__ = ("_parts", "fields", "text")

    def __init__(self, text: str, place: str) -> None:
        self.text = text
        self._parts = _parse(text, place)
        self.fields = tuple(name for _, name in self._parts if name)
        for segment in text.split("/"):
            if segment.count("{") > 1:
                raise _wrong(text, place, "at most one field stands in a path segment")
        _check_literal(self._parts, text, place)

    def fill(self, principal: Principal) -> str:
        """The path for this principal; `SecretError` where it has no user but the template needs one."""
        path = ""
        for literal, name in self._parts:
            path += literal
            if name:
                path += self._value(name, principal)
        split_path(path)
        return path

    def _value(self, name: str, principal: Principal) -> str:
        value: str | None = getattr(principal, name)
        if value is None:
            raise SecretError(
                f"the path {self.text!r} needs a {name}, and this call has none",
                rule="every field of a secret's path is filled from the principal",
                remedy=f"Call on behalf of a {name}, or configure a path without {{{name}}}",
            )
        return value


def _parse(text: str, place: str) -> list[tuple[str, str | None]]:
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise _wrong(text, place, f"braces hold a field ({error})") from None
    for _, name, spec, conversion in parts:
        if name is not None and (name not in FIELDS or spec or conversion):
            raise _wrong(text, place, "the fields are {tenant}, {user} and {agent}, written plainly")
    return [(literal, name) for literal, name, _, _ in parts]


def _check_literal(parts: list[tuple[str, str | None]], text: str, place: str) -> None:
    """Refuse at once what could never be a path, with `x` in place of each field."""
    try:
        split_path("".join(literal + ("x" if name else "") for literal, name in parts))
    except SecretError:
        raise _wrong(text, place, _RULE) from None


def _wrong(text: str, place: str, rule: str) -> ConfigError:
    return ConfigError(
        f"{place} = {text!r} is not a path template",
        rule=rule,
        remedy='Write for example "crm/{tenant}/salesforce"',
    )
