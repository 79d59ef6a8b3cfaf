"""How OpenAI words a refusal."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from toolcrib.testing._http_messages import ServiceRefused

__all__ = ["check_name", "error_body", "refuse"]

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def error_body(
    message: str, *, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error"
) -> dict[str, Any]:
    """OpenAI's error shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refuse(message: str, param: str | None = None, *, status: int = 400, code: str | None = None) -> NoReturn:
    """Raise the refusal."""
    raise ServiceRefused(status, error_body(message, param=param, code=code))


def check_name(name: Any, place: str) -> str:
    """A function's name that the API takes."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        refuse(
            f"Invalid '{place}': string does not match pattern. Expected a string that matches the pattern "
            f"'^[a-zA-Z0-9_-]{{1,64}}$', got {name!r}.",
            place,
            code="invalid_value",
        )
    return name
