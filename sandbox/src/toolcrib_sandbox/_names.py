"""Names of files that go into a sandbox, or come out of it."""

from __future__ import annotations

from collections.abc import Mapping

from toolcrib.errors import InvalidArguments

__all__ = ["check_inputs", "is_safe"]

MAX_NAME, MAX_PART, MAX_DEPTH, MAX_INPUTS = 512, 200, 8, 256
_FORBIDDEN = set('\\:*?"<>|')


def is_safe(name: str) -> bool:
    """A relative path that is the same file on every system, and no more than it says: no `..`, nothing
    hidden, nothing that a shell, a terminal or Windows reads otherwise.
    """
    parts = name.split("/")
    return (
        0 < len(name.encode("utf-8", "replace")) <= MAX_NAME
        and name.isprintable()
        and not _FORBIDDEN & set(name)
        and len(parts) <= MAX_DEPTH
        and all(
            part and len(part) <= MAX_PART and part[0] not in ".-~ " and part[-1] not in ". "
            for part in parts
        )
    )


def check_inputs(inputs: Mapping[str, bytes], room: int) -> None:
    """Raises `InvalidArguments` for a name that is not safe, too many inputs, or more bytes than fit."""
    if len(inputs) > MAX_INPUTS:
        raise InvalidArguments(
            f"{len(inputs)} inputs", rule=f"at most {MAX_INPUTS}", remedy="Pack them into one"
        )
    for name in inputs:
        if not is_safe(name):
            raise InvalidArguments(
                f"input {name!a:.200} has no safe name",
                rule="a relative path without '..', hidden parts or special characters",
                remedy="Give it a plain name such as data/orders.csv",
            )
    size = sum(len(data) for data in inputs.values())
    if size > room:
        raise InvalidArguments(
            f"the inputs have {size} bytes",
            rule=f"{room} bytes fit under this disk limit",
            remedy="Give less, or ask for more disk",
        )
