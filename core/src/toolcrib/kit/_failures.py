"""What a vendor's status, or the network's failure, means: the one place where a pack's errors are made.

The hard judgement is whether a write that failed may have happened. It has not where the vendor understood
and said no (4xx), where it turned the request away unread (429, 425, 501), or where not one byte of the
request was written. It may have where the answer is a 5xx (a gateway speaks for a server that may have gone
on), a redirect (many servers answer a finished POST with one), is cut short, late or unreadable. Those leave
`happened` open, and the executor never repeats such a write unless its tool is idempotent.
"""

from __future__ import annotations

from collections.abc import Mapping

from toolcrib._retry_after import retry_after
from toolcrib.errors import NotSent, Temporary, ToolError, VendorRefused
from toolcrib.kit._words import plain_words

__all__ = ["network_failure", "refusal"]

_TURNED_AWAY = {425, 429}
_NOT_NOW = {408, 500, 502, 503, 504}
_UNSENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL", "ProxyError")


def refusal(
    vendor: str,
    status: int,
    words: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    remedy: str = "",
    turned_away: bool = False,
) -> ToolError:
    """The error to raise for an answer whose status is no success; `words` are the vendor's own.

    `headers` (any case) may hold Retry-After. 4xx is `VendorRefused`, 429 `NotSent`, 408 and 5xx `Temporary`,
    anything else a `ToolError` that leaves open whether a write happened. `turned_away`: the vendor says,
    whatever the status, that nothing was done and that it may be tried later.
    """
    said = plain_words(words)
    what = f"{vendor} answered {status}" + (f": {said}" if said else "")
    wait = retry_after(next((v for k, v in (headers or {}).items() if k.lower() == "retry-after"), None))
    if turned_away or status in _TURNED_AWAY:
        return NotSent(what, remedy=remedy or "Try again later", retry_after=wait)
    if status in _NOT_NOW or status > 504:
        return Temporary(what, remedy=remedy or "Try again later", retry_after=wait)
    if status in (401, 403):
        return VendorRefused(what, remedy=remedy or "See whether the secret's account may do this")
    if 400 <= status < 500 or status == 501:
        return VendorRefused(what, remedy=remedy or "Correct the call")
    hint = "The address in the settings redirects: set it to where it leads" if 300 <= status < 400 else ""
    return ToolError(what, rule="only a 2xx answer is a success", remedy=remedy or hint)


def network_failure(vendor: str, error: Exception, *, sent: bool | None = None) -> ToolError:
    """The error to raise for a failure of the connection: `NotSent` where nothing was written, else
    `Temporary`.

    `sent` says whether any byte of the request was written; None: judge by the kind of httpx exception.
    """
    kind = type(error).__name__
    if sent is None:
        sent = kind not in _UNSENT
    told = plain_words(str(error), limit=160)
    reason = f"{kind}: {told}" if told else kind
    if not sent:
        return NotSent(f"{vendor} could not be reached ({reason})", remedy="See its address and the network")
    return Temporary(f"{vendor}'s answer did not arrive ({reason})", remedy="Try again later")
