"""From arguments to a message as it goes over the wire."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime

import orjson

__all__ = ["Content", "build", "identifier_of"]

_POLICY = policy.SMTP.clone(max_line_length=78)
"""CRLF line ends and RFC 5322 folding; it refuses line breaks in headers, as our own checks do before."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says, and to whom."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    body: str

    @classmethod
    def of(cls, to: list[str], cc: list[str], subject: str, body: str) -> Content:
        """From a tool's arguments: an address that was named twice is there once, at its first place."""
        first = tuple(dict.fromkeys(to))
        return cls(first, tuple(a for a in dict.fromkeys(cc) if a not in first), subject, body)

    @property
    def recipients(self) -> int:
        """How many."""
        return len(self.to) + len(self.cc)

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, hex."""
        return hashlib.sha256(orjson.dumps([self.to, self.cc, self.subject, self.body])).hexdigest()

    @property
    def lines(self) -> str:
        """The body as it is sent: line ends are `\\n`, one of them at its end."""
        return self.body.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"

    @property
    def text(self) -> str:
        """How it reads."""
        copies = f"Cc: {', '.join(self.cc)}\n" if self.cc else ""
        return f"To: {', '.join(self.to)}\n{copies}Subject: {self.subject}\n\n{self.lines}"


def build(content: Content, *, sender: str, identifier: str) -> bytes:
    """The message in RFC 5322 form; its Message-ID is `identifier` at the sender's domain."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = ", ".join(content.to)
    if content.cc:
        message["Cc"] = ", ".join(content.cc)
    message["Subject"] = content.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{identifier}@{sender.partition('@')[2]}>"
    # Quoted-printable throughout: pure ASCII in the file, and no line that a relay would have to break.
    message.set_content(content.lines, cte="quoted-printable")
    return message.as_bytes()


def identifier_of(data: bytes) -> str:
    """The identifier that `build` was given, of the message in `data`."""
    message = BytesHeaderParser(policy=_POLICY).parsebytes(data)
    return str(message["Message-ID"]).strip().removeprefix("<").partition("@")[0]
