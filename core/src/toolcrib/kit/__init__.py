"""The client kit: one shared way for packs to be a well-behaved client of a vendor's HTTP API.

Needs the extra `toolcrib[kit]` (httpx), imported when a request is first made; `toolcrib.kit.web` fetches
URLs that came from outside.
"""

from toolcrib._retry_after import retry_after
from toolcrib.kit._answer import Answer, fit
from toolcrib.kit._client import Client, path
from toolcrib.kit._credentials import BasicLogin, Credentials, SecretHeader, Token, TokenLogin
from toolcrib.kit._failures import network_failure, refusal
from toolcrib.kit._once import after_write, in_batches, look_up_first, vendor_key
from toolcrib.kit._paging import Page, Rows, collect
from toolcrib.kit._words import plain_words, words_of

__all__ = [
    "Answer",
    "BasicLogin",
    "Client",
    "Credentials",
    "Page",
    "Rows",
    "SecretHeader",
    "Token",
    "TokenLogin",
    "after_write",
    "collect",
    "fit",
    "in_batches",
    "look_up_first",
    "network_failure",
    "path",
    "plain_words",
    "refusal",
    "retry_after",
    "vendor_key",
    "words_of",
]
