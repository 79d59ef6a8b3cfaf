"""Names: canonical, on the wire, aliases; added and removed while others read."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from toolcrib.errors import PackError, UnknownTool
from toolcrib.registry import Registry
from toolcrib.tools import Tool, declared_tool


def made(name: str, *, aliases: tuple[str, ...] = ()) -> Tool:
    import dataclasses

    base = declared_tool("x", description="d", schema={"type": "object"}, effect="read", call=lambda v: None)  # type: ignore[arg-type,return-value]
    facts: dict[str, Any] = {
        field.name: getattr(base, field.name) for field in dataclasses.fields(base) if field.init
    }
    return Tool(**{**facts, "name": name, "pack": name.split(".")[0], "aliases": aliases})


def test_a_tool_is_found_by_canonical_name_wire_name_and_alias() -> None:
    registry = Registry()
    tool = made("crm.get_record", aliases=("crm.fetch",))
    registry.add([tool])
    for name in ("crm.get_record", "crm_get_record", "crm.fetch", "crm_fetch"):
        assert registry.get(name) is tool
    assert registry.find("crm") is None
    assert registry.nearest("crm.get_recrod") == "crm.get_record"
    with pytest.raises(UnknownTool):
        registry.get("crm.nothing")


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("crm.get", "crm.get", "registered twice"),
        ("a.b_c", "a_b.c", "collides with 'a.b_c'"),
        ("local.crm_get", "crm.get", "collides"),
    ],
)
def test_a_collision_refuses_the_later_one_whole(first: str, second: str, says: str) -> None:
    registry = Registry()
    registry.add([made(first)])
    with pytest.raises(PackError, match=says):
        registry.add([made("fine.tool"), made(second)])
    assert [tool.name for tool in registry] == [first]


def test_an_alias_collides_like_a_name() -> None:
    registry = Registry()
    registry.add([made("crm.get", aliases=("crm.old",))])
    with pytest.raises(PackError, match="collides"):
        registry.add([made("crm.old")])


@pytest.mark.parametrize(
    "name", ["nodot", "Crm.get", "crm.get record", "crm.", ".get", "crm.a.b", "crm." + "x" * 61, "crm.é"]
)
def test_names_that_models_cannot_be_offered_are_refused(name: str) -> None:
    with pytest.raises(PackError, match="cannot be offered"):
        Registry().add([made(name)])


def test_sixty_four_characters_on_the_wire_are_fine() -> None:
    registry = Registry()
    registry.add([made("crm." + "x" * 60)])
    assert len(registry) == 1


def test_removal_frees_every_name_and_tells_the_version() -> None:
    registry = Registry()
    registry.add([made("crm.get", aliases=("crm.old",))])
    version = registry.version
    registry.remove("crm_old")
    assert registry.version > version
    assert len(registry) == 0
    registry.add([made("crm.old")])


def test_readers_see_whole_snapshots_while_others_add_and_remove() -> None:
    registry = Registry()
    pair = [made("p.one"), made("p.two")]
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            registry.add(pair)
            registry.remove("p.one")
            registry.remove("p.two")

    def settled() -> None:
        while not stop.is_set():
            registry.add([made("q.x")])
            registry.remove("q.x")

    threads = [threading.Thread(target=churn), threading.Thread(target=settled)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2000):
            names = {tool.name for tool in registry}
            assert names <= {"p.one", "p.two", "q.x"}
            assert "p.one" not in names or "p.two" in names
    finally:
        stop.set()
        for thread in threads:
            thread.join()
