"""A tool may use its secret, return, raise, log or tell it: nobody else gets to see it."""

from __future__ import annotations

import base64
import io
import logging
from pathlib import Path
from typing import Any

import pytest

from toolcrib import CallContext, Crib, Toolkit, tool
from toolcrib.errors import NotSent
from toolcrib.secrets import LocalProvider

VALUE = "Zq7-hunter/2+battery_9"
ROWS = "p, *, acme, local.*, *, True, allow\np, *, acme, secret:local.*, use, True, allow"
CONFIG = """
[packs.local.secrets]
key = "plain/key"
[limits]
result_bytes = 2000
"""
LOG = logging.getLogger("a.vendors.client")


class Leaky(Toolkit):
    """Every way in which a careless pack gives a value away."""

    @tool(effect="read")
    async def give(self, how: str, ctx: CallContext) -> Any:
        """Give."""
        value = (await ctx.secret("key")).reveal()
        return {
            "text": f"the key is {value}",
            "nested": {"a": [{"b": (value, 1)}], value: "as a key"},
            "base64": base64.b64encode(f"api:{value}".encode()).decode(),
            "lines": [value[:10], value[10:]],
            "large": {"padding": "x" * 5000, "value": value},
        }[how]

    @tool(effect="write")
    async def fail(self, how: str, ctx: CallContext) -> str:
        """Fail."""
        value = (await ctx.secret("key")).reveal()
        if how == "foreign":
            raise ValueError(f"401 for {value}", {"headers": value})
        if how == "group":
            raise ExceptionGroup(f"all of {value}", [ValueError(value)])
        if how == "cause":
            raise NotSent(f"the vendor said no to {value}") from KeyError(value)
        raise ValueError(f"{'x' * 1990}{value}")  # cut to length in the middle of the value

    @tool(effect="read")
    async def bytes_of_it(self, ctx: CallContext) -> Any:
        """Bytes become text."""
        return (await ctx.secret("key")).reveal().encode()

    @tool(effect="read")
    async def tell(self, ctx: CallContext) -> str:
        """Tell."""
        value = (await ctx.secret("key")).reveal()
        ctx.progress(f"logging in with {value}", 0.1)
        ctx.progress(value[:11], 0.2)
        ctx.progress(value[11:], 0.3)
        LOG.warning("POST /login %s", value, extra={"headers": {"authorization": value}})
        try:
            raise ConnectionError(f"refused {value}")
        except ConnectionError:
            LOG.exception("no luck")
        return "done"


@pytest.fixture
def crib(make: Any, tmp_path: Path) -> Crib:
    LocalProvider(tmp_path / ".toolcrib").put("plain/key", VALUE)
    made: Crib = make(ROWS, Leaky(), config=CONFIG)
    return made


FORMS = [VALUE, VALUE[:11], VALUE[11:], base64.b64encode(f"api:{VALUE}".encode()).decode()[6:24]]


def shows(text: str) -> list[str]:
    return [form for form in FORMS if form in text]


def left_behind(folder: Path) -> dict[str, list[str]]:
    """Files of the crib that show it; the store itself is encrypted."""
    texts = {file: file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file()}
    return {str(file): shows(text) for file, text in texts.items() if shows(text)}


CALLS = [
    *(("give", {"how": how}, "done") for how in ("text", "nested", "base64", "lines", "large")),
    *(("fail", {"how": how}, "ambiguous") for how in ("foreign", "group", "cut")),
    ("fail", {"how": "cause"}, "failed"),
    ("bytes_of_it", {}, "done"),
    ("tell", {}, "done"),
]


@pytest.mark.parametrize(("name", "arguments", "status"), CALLS)
async def test_nobody_sees_it(crib: Crib, tmp_path: Path, name: str, arguments: Any, status: str) -> None:
    seen, out = [], io.StringIO()
    handler = logging.StreamHandler(out)
    LOG.addHandler(handler)
    try:
        me = crib.principal("agent", "alice")
        result = await crib.call(name, arguments, me, watch=seen.append)
    finally:
        LOG.removeHandler(handler)
    crib.close()
    assert result.status == status
    assert shows(f"{result.text} {result.value!r} {result!r} {seen!r} {out.getvalue()}") == []
    assert left_behind(tmp_path) == {}
    if name == "tell":
        assert "[secret:plain/key]" in out.getvalue() and "[secret:plain/key]" in repr(seen)
    if arguments.get("how") == "large":
        (artifact,) = (tmp_path / ".toolcrib" / "artifacts").iterdir()
        assert "[secret:plain/key]" in artifact.read_text()


def test_the_search_would_find_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log").write_text(f"x {VALUE} y")
    assert left_behind(tmp_path)
