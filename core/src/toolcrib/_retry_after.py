"""How long a server asks to be left alone."""

from __future__ import annotations

import time
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["LONGEST_WAIT", "retry_after"]

LONGEST_WAIT = 24 * 3600.0
"""Seconds: a server that names a longer pause is taken to mean this one."""


def retry_after(header: str | None) -> float | None:
    """Seconds from now that a Retry-After header asks for, a number or a date (RFC 9110, 10.2.3), at most a
    day; None where there is none to be read.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return min(max(0.0, when.timestamp() - time.time()), LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError, OSError):
        return None
