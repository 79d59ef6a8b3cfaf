"""Requests and replies of a fake service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

__all__ = ["Reply", "Request", "ServiceRefused"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in; header names are lower-case, `parameters` are the route's `{names}`,
    `target` is the request line's, undecoded.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    parameters: Mapping[str, str] = field(default_factory=dict)
    target: str = ""

    def json(self) -> Any:
        """The body as JSON; `ServiceRefused` (400) where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise ServiceRefused(400, {"error": "the body is not JSON"}) from None

    @property
    def bearer(self) -> str | None:
        """The bearer token, None if there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. With `stream` the body goes out chunk by chunk (HTTP/1.1), and `body` is not used."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Iterable[bytes] | None = None

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """A JSON reply."""
        return cls(status, orjson.dumps(value), {"content-type": "application/json", **(headers or {})})


class ServiceRefused(Exception):
    """Raised by a handler to answer with an error body."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.reply = Reply.json(body, status, headers)
