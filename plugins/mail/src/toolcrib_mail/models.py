"""Addresses and texts that may go into a message, and what the tools hand back.

The checks are part of the types, so a model is told before anybody decides or approves.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["MAX_BODY", "MAX_SUBJECT", "Address", "Body", "Draft", "Sent", "Subject", "check_address"]

MAX_SUBJECT = 200
MAX_BODY = 100_000
"""Characters."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*"
"""RFC 5321's dot-string and domain; no quoted strings, address literals or display names, so that a policy
row that compares recipients sees the whole truth in one plain text."""


def check_address(text: str) -> str:
    """`text` if it is a plain e-mail address, else ValueError."""
    if not re.fullmatch(ADDRESS, text) or len(text) > 254 or len(text.partition("@")[0]) > 64:
        raise ValueError("not a plain e-mail address such as name@company.example (no display name)")
    return text


def _one_line(text: str) -> str:
    """A header that breaks its line would begin another one, `Bcc:` for example."""
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") for char in text):
        raise ValueError("line breaks and control characters do not go into a subject")
    return text


def _printable(text: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\r\t" for char in text):
        raise ValueError("control characters other than line breaks and tabs do not go into a message")
    return text


Address: TypeAlias = Annotated[str, AfterValidator(check_address), Field(max_length=254)]
Subject: TypeAlias = Annotated[str, AfterValidator(_one_line), Field(min_length=1, max_length=MAX_SUBJECT)]
Body: TypeAlias = Annotated[str, AfterValidator(_printable), Field(min_length=1, max_length=MAX_BODY)]


class Draft(BaseModel):
    """A kept draft; `text` is how it reads, with its headers."""

    model_config = ConfigDict(frozen=True)

    draft_id: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    body: str
    text: str


class Sent(BaseModel):
    """A message that went out; `file` is its name in the outbox."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    file: str
