"""What more than one adapter needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["parse_arguments"]


class _Malformed(Mapping[str, Any]):
    """Arguments that are no JSON object. Whoever reads them gets the reason, so the executor refuses and
    records the call like any other with wrong arguments.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def _refuse(self) -> ValueError:
        return ValueError(self._reason)

    def __getitem__(self, key: str) -> Any:
        raise self._refuse()

    def __iter__(self) -> Iterator[str]:
        raise self._refuse()

    def __len__(self) -> int:
        raise self._refuse()


def parse_arguments(text: str | None) -> Mapping[str, Any]:
    """The arguments as a model sent them (JSON text; nothing means none), in a form that the executor can
    judge: what is no JSON object becomes a mapping that it refuses with the reason.
    """
    try:
        data = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        return _Malformed(f"not JSON: {str(error) or type(error).__name__}")
    return (
        data if isinstance(data, dict) else _Malformed(f"an object was expected, not {type(data).__name__}")
    )
