"""The checks that tests of the conformance suite share."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import traceback
from collections.abc import Iterable
from pathlib import Path

from toolcrib.errors import SecretError
from toolcrib.secrets import Secret, SecretProvider
from toolcrib.testing._secret_stand import SecretStand

__all__ = [
    "BAD_PATHS",
    "assert_clear",
    "assert_gone",
    "assert_quiet",
    "close_all",
    "fetch",
    "resources",
    "told",
]

BAD_PATHS = (
    "",
    "/",
    "..",
    "../conform/acme/key",
    "conform/../conform/acme/key",
    "conform/acme/key/..",
    "conform/./acme/key",
    "/conform/acme/key",
    "conform/acme/key/",
    "conform//acme/key",
    "conform/acme/%2e%2e/key",
    "conform/acme/key?version=1",
    "conform/acme/key#part",
    "conform/acme/key\n",
    "conform/acme/k\x00ey",
    "conform\\acme\\key",
    "conform/acme/kéy",
    "conform/acme/" + "k" * 600,
)
PATIENCE = 10.0
"""Seconds that threads and sockets of an in-process server get to end once their client has gone."""


def fetch(stand: SecretStand, path: str) -> Secret:
    """What a new provider of the stand fetches; it is closed again."""
    provider = stand.open()

    async def once() -> Secret:
        try:
            return await provider.fetch(path)
        finally:
            await provider.close()

    return asyncio.run(once())


def close_all(*providers: SecretProvider) -> None:
    """Close each, on a loop of its own."""
    for provider in providers:
        asyncio.run(provider.close())


def told(error: BaseException) -> str:
    """All that a log would show of an error, with what it came from."""
    text = "".join(traceback.format_exception(error))
    link: BaseException | None = error
    while link is not None:  # an error of a decoder holds its bytes, and shows them only in its repr
        text += f"{link} {link!r}\n"
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return text


def assert_clear(error: SecretError, path: str, stand: SecretStand, value: str = "") -> None:
    """The error names the path and what to do, and neither the value nor a credential."""
    assert path in str(error), f"the path is not named: {error}"
    assert error.remedy, f"it is not said what to do: {error}"
    assert_quiet(told(error), (value, *stand.private))


def assert_quiet(text: str, values: Iterable[str]) -> None:
    """None of the values stands in the text."""
    for value in filter(None, values):
        assert value not in text, "a value or a credential stands in a message"


def resources() -> tuple[frozenset[int], int]:
    """The threads and the number of sockets that this process has now."""
    threads = frozenset(thread.ident or 0 for thread in threading.enumerate())
    sockets = 0
    for entry in os.scandir("/proc/self/fd"):
        try:
            sockets += str(Path(entry.path).readlink()).startswith("socket:")
        except OSError:
            continue  # the descriptor of this very listing
    return threads, sockets


def assert_gone(before: tuple[frozenset[int], int]) -> None:
    """No more threads and sockets than `before`; those of a server in this process may take a moment."""
    end = time.monotonic() + PATIENCE
    while True:
        threads, sockets = resources()
        if threads <= before[0] and sockets <= before[1]:
            return
        if time.monotonic() > end:
            names = [thread.name for thread in threading.enumerate() if thread.ident not in before[0]]
            raise AssertionError(f"left open: threads {names}, {sockets - before[1]} sockets")
        time.sleep(0.01)
