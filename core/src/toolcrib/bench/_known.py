"""What an audit record still knows of a call, as conditions read it.

A record keeps less than the decision saw: sensitive arguments are HMACs, large arguments a digest, and of
the previewed record only what the old conditions read. Reading what is left works as it did then; reading
anything else raises `Unrecorded`, so that nobody takes a value that was not kept for one that was absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from toolcrib.policy._namespace import MAX_ITEMS, MAX_TEXT, Opened

__all__ = ["Known", "Unrecorded", "is_exact", "is_hidden"]

_CAPPED = re.compile(r"integer of \d+ bits|<\w+>|… \(\d+ items\)|.*… \(\d+ characters\)", re.DOTALL)
_SECRET = "[secret:"  # noqa: S105 - what redaction writes instead of one
_SOMETHING = object()


class Unrecorded(Opened):
    """A condition read what the record does not keep; `path` is its dotted name below `r.ctx`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def is_hidden(value: Any) -> bool:
    """Whether a recorded argument stands for another value: an HMAC, or text that a secret was cut from."""
    if isinstance(value, str):
        return _SECRET in value
    if isinstance(value, Mapping):
        return value.keys() == {"hmac", "key"} or any(map(is_hidden, value.values()))
    return isinstance(value, list) and any(map(is_hidden, value))


def is_exact(value: Any) -> bool:
    """Whether a recorded input is the value itself; records shorten long ones (`inputs_of`)."""
    if isinstance(value, str):
        return len(value) <= MAX_TEXT and not _CAPPED.fullmatch(value) and not is_hidden(value)
    if isinstance(value, list):
        return len(value) <= MAX_ITEMS and all(map(is_exact, value))
    return not isinstance(value, Mapping)


class Known(Mapping[str, Any]):
    """A record of which some fields are known.

    `data` are fields as they were; with `is_whole` there are no others. `inputs` are values by dotted path
    that the conditions of then have read, `has(PATH)` among them.
    """

    __slots__ = ("_data", "_inputs", "_path", "_whole")

    def __init__(
        self, path: str, data: Mapping[str, Any], inputs: Mapping[str, Any], *, is_whole: bool
    ) -> None:
        self._path, self._data, self._inputs, self._whole = path, data, inputs, is_whole

    def __getitem__(self, name: str) -> Any:
        dotted = f"{self._path}.{name}"
        value = self._data.get(name, _SOMETHING)
        if value is not _SOMETHING and not is_hidden(value):
            return value
        if value is _SOMETHING and self._whole:
            raise KeyError(name)
        if dotted in self._inputs and is_exact(self._inputs[dotted]):
            return self._inputs[dotted]
        if self._reaches(dotted):
            return Known(dotted, _below(value), self._inputs, is_whole=False)
        raise Unrecorded(dotted)

    def get(self, name: str, default: Any = None) -> Any:
        """What `has` asks: a value, something that is not null but not known, or None."""
        dotted = f"{self._path}.{name}"
        told = self._inputs.get(f"has({dotted})")
        if told is not None and name not in self._data:
            return _SOMETHING if told else default
        if self._is_hmac(name):
            raise Unrecorded(dotted)
        try:
            return self[name]
        except KeyError:
            return default

    def _is_hmac(self, name: str) -> bool:
        value = self._data.get(name)
        return is_hidden(value) and f"{self._path}.{name}" not in self._inputs

    def _reaches(self, dotted: str) -> bool:
        """Whether something below this path was read, so that it was a record itself."""
        starts = (f"{dotted}.", f"has({dotted}.")
        return any(path.startswith(starts) for path in self._inputs)

    def __eq__(self, other: object) -> bool:
        raise Unrecorded(self._path)

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[str]:
        raise Unrecorded(self._path)

    def __len__(self) -> int:
        raise Unrecorded(self._path)


def _below(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) and value.keys() != {"hmac", "key"} else {}
