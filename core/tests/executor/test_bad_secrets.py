"""Secrets that are hard to handle: a megabyte, no text, ended too early, or of a user whose name climbs."""

from __future__ import annotations

import base64
import random
import time
from pathlib import Path
from typing import Any

import pytest

from toolcrib import CallContext, tool
from toolcrib.errors import ConfigError
from toolcrib.secrets import LocalProvider, Secret

ROWS = "p, *, acme, local.*, *, True, allow\np, *, acme, secret:local.*, use, True, allow"
CONFIG = (
    '[packs.local.secrets]\nkey = "plain/key"\nmine = "plain/{user}/key"\n[limits]\nresult_bytes = 4000\n'
)
LARGE = base64.b64encode(random.Random(4).randbytes(786_432)).decode()
ODD = "\x00\x01q\x7f\x1b[2J\u00ff\u2028\U0001f511-bytes\ttail\x05"


@tool(effect="read")
async def give(how: str, ctx: CallContext) -> Any:
    """Give it away in some way."""
    value = (await ctx.secret("key")).reveal()
    if how == "raise":
        raise ValueError(f"401 for {value}")
    ctx.progress(f"using {value[:200]}")
    return {
        "whole": value,
        "middle": value[len(value) // 2 :][:5000],
        "bytes": value.encode(),
        "repr": {"a": repr(value)},
        "base64": base64.b64encode(value.encode()).decode(),
        "percent": "".join(f"%{byte:02X}" for byte in value.encode()),
    }[how]


@tool(effect="write")
async def use(ctx: CallContext, name: str = "key") -> str:
    """Use it."""
    return (await ctx.secret(name)).path


def stored(folder: Path) -> str:
    return "".join(file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("how", ["whole", "middle", "raise"])
async def test_of_a_megabyte_no_part_is_shown(make: Any, tmp_path: Path, how: str) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("plain/key", LARGE)
    crib, news = make(ROWS, give, config=CONFIG), list[Any]()
    result = await crib.call("give", {"how": how}, crib.principal("a"), watch=news.append)
    crib.close()
    assert result.status == ("failed" if how == "raise" else "done")
    told = f"{result.text} {result.value!r} {news!r} {stored(tmp_path)}"
    middle = LARGE[len(LARGE) // 2 :]
    pieces = [LARGE[:60], middle[:60], base64.b64encode(LARGE[30_000:30_060].encode()).decode()]
    assert "[secret:plain/key]" in told and not [piece for piece in pieces if piece in told]


@pytest.mark.parametrize("how", ["whole", "bytes", "repr", "base64", "percent", "raise"])
async def test_a_value_that_is_hardly_text_is_found_however_it_is_written(
    make: Any, tmp_path: Path, how: str
) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("plain/key", ODD)
    crib, news = make(ROWS, give, config=CONFIG), list[Any]()
    result = await crib.call("give", {"how": how}, crib.principal("a"), watch=news.append)
    told = f"{result.text} {result.value!r} {news!r}"
    assert "[secret:plain/key]" in f"{result.text} {result.value!r}"
    assert "-bytes" not in told and "%2D%62%79" not in told and "LWJ5dGVz" not in told


@pytest.mark.parametrize("user", ["../../root", "a/b", "..\\x", "a%2Fb", "a b", "", "{tenant}"])
async def test_a_user_whose_name_is_a_path_is_no_principal(make: Any, user: str) -> None:
    crib = make(ROWS, use, config=CONFIG)
    with pytest.raises(ConfigError, match="is not a valid id"):
        crib.principal("a", user)


@pytest.mark.parametrize("user", [".", ".."])
async def test_a_user_whose_name_climbs_gets_nothing(make: Any, tmp_path: Path, user: str) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("key", "the-key-one-level-up")
    crib = make(ROWS, use, config=CONFIG)
    result = await crib.call("use", {"name": "mine"}, crib.principal("a", user))
    assert (result.status, "not a secret path" in result.text) == ("unavailable", True)


@pytest.mark.parametrize(("ends", "status"), [(-1.0, "unavailable"), (3600.0, "done")])
async def test_a_value_that_had_ended_when_it_came_is_not_used(
    make: Any, monkeypatch: pytest.MonkeyPatch, ends: float, status: str
) -> None:
    """An expired lease, a vendor's clock that is behind, or this host's that is ahead."""

    async def fetch(self: LocalProvider, path: str) -> Secret:
        return Secret("ended-value-1", path=path, version=1, expires=time.time() + ends)

    monkeypatch.setattr(LocalProvider, "fetch", fetch)
    crib = make(ROWS, use, config=CONFIG)
    result = await crib.call("use", {}, crib.principal("a"))
    assert result.status == status
    assert status == "done" or "no value is used beyond its end" in result.text
    assert crib.broker.redactor.clean("ended-value-1") == "[secret:plain/key]"  # somebody may have it
