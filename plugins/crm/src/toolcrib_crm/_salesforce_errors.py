"""What Salesforce and the network answered, as errors that the executor understands.

The hard judgement is whether a failed write may have happened. It has not where Salesforce says so (4xx: the
request was refused, its transaction rolled back; a rate limit: turned away before it was read) or where no
connection came to be. It may have where the answer is a 5xx, is cut short, late or unreadable: such errors
leave `happened` open, and the executor never repeats the write.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterable
from typing import Any

import requests
from simple_salesforce.exceptions import SalesforceError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from toolcrib.errors import NotSent, Temporary, ToolError, VendorRefused

__all__ = ["Busy", "Unreadable", "conceal", "translate"]

_TURNED_AWAY = {"REQUEST_LIMIT_EXCEEDED", "UNABLE_TO_LOCK_ROW"}
"""Codes of refusals that pass: a limit is checked before the work, a lock conflict is rolled back."""
_LONGEST = 500


class Busy(Exception):
    """429 or 503, with what the client library drops: `retry_after` in seconds."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response.text)
        self.status = response.status_code
        self.content: Any = _json(response)
        self.retry_after = seconds(response.headers.get("Retry-After"))


class Unreadable(Exception):
    """An answer that is not what Salesforce is documented to send."""


def translate(error: Exception, secrets: Iterable[str] = ()) -> ToolError | None:
    """The error to raise instead of `error`, in the vendor's own words without `secrets`; None if it is not
    ours.
    """
    found = _translate(error)
    if found is not None:
        found = type(found)(
            conceal(found.what, secrets), rule=found.rule, remedy=found.remedy, retry_after=found.retry_after
        )
    return found


def _translate(error: Exception) -> ToolError | None:
    if isinstance(error, Busy):
        code, words = _words(error.content)
        kind = NotSent if error.status == 429 or code in _TURNED_AWAY else Temporary
        return kind(f"Salesforce is busy ({error.status}): {words}", retry_after=error.retry_after)
    if isinstance(error, SalesforceError):
        return _vendor(error)
    if isinstance(error, requests.RequestException):
        return _network(error)
    if isinstance(error, Unreadable):
        return Temporary(f"Salesforce sent an answer that cannot be read: {error}")
    return None


def _vendor(error: SalesforceError) -> ToolError:
    code, words = _words(error.content)
    said = f"Salesforce refused ({error.status} {code or 'without a code'}): {words}"
    if code in _TURNED_AWAY:
        return NotSent(said)
    if error.status >= 500:
        return Temporary(f"Salesforce failed ({error.status} {code or 'without a code'}): {words}")
    return VendorRefused(said, remedy="Correct the call; describe_object lists fields and values")


def _network(error: requests.RequestException) -> ToolError:
    if isinstance(
        error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError
    ):
        return NotSent(f"Salesforce could not be reached ({type(error).__name__})")
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError):
        return NotSent("Salesforce could not be reached (no connection)")
    return Temporary(f"Salesforce's answer did not arrive ({type(error).__name__})")


def conceal(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret value replaced, and at most so long."""
    for secret in secrets:
        if len(secret) > 3:
            text = text.replace(secret, "***")
    return text[:_LONGEST]


def seconds(header: str | None) -> float | None:
    """A Retry-After header in seconds from now; None where there is none to be read."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def _words(content: Any) -> tuple[str, str]:
    """Code and message of an error body: `[{"errorCode", "message"}]`, an OAuth error, or anything else."""
    first = content[0] if isinstance(content, list) and content else content
    if isinstance(first, dict):
        code = str(first.get("errorCode") or first.get("error") or "")
        return code, str(first.get("message") or first.get("error_description") or code)
    return "", " ".join(str(first).split())[:_LONGEST]


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
