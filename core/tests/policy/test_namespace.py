"""`r.ctx` has keys and nothing else."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from toolcrib.policy._namespace import Absent, Namespace, has


def ctx(**data: Any) -> Namespace:
    return Namespace(data, "", {})


KEYS = ["keys", "items", "values", "get", "pop", "update", "copy", "data", "log", "path", "mro", "name"]


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_is_a_dicts_method_elsewhere_is_a_key(name: str) -> None:
    assert getattr(ctx(**{name: 7}), name) == 7


@pytest.mark.parametrize("name", KEYS)
def test_no_such_attribute_without_the_key(name: str) -> None:
    with pytest.raises(Absent):
        getattr(ctx(), name)


@pytest.mark.parametrize(
    "name", ["__class__", "__dict__", "__init__", "__eq__", "_data", "_log", "_path", "__reduce__"]
)
def test_names_that_begin_with_an_underscore_are_never_there(name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(ctx(**{name: 7}), name)


def test_it_cannot_be_written() -> None:
    one = ctx(a=1)
    with pytest.raises(TypeError):
        one.a = 2
    with pytest.raises(TypeError):
        one.b = 2
    with pytest.raises(TypeError):
        del one.a
    assert one.a == 1


def test_it_cannot_be_walked_hashed_called_or_indexed() -> None:
    one: Any = ctx(a=1)
    for act in (iter, len, hash, lambda x: x(), lambda x: x["a"], lambda x: "a" in x, lambda x: x < x):
        with pytest.raises(TypeError):
            act(one)


def test_every_kind_of_mapping_is_a_level() -> None:
    assert ctx(a=MappingProxyType({"b": {"c": 1}})).a.b.c == 1


def test_absence_is_named_by_its_path() -> None:
    with pytest.raises(Absent, match=r"^a\.b\.x$"):
        _ = ctx(a={"b": {}}).a.b.x


def test_reads_are_noted_by_dotted_name() -> None:
    log: dict[str, Any] = {}
    one = Namespace({"args": {"a": {"b": 1}, "c": 2}}, "", log)
    assert one.args.a.b + one.args.c == 3
    assert log == {"args.a.b": 1, "args.c": 2}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", True),
        ("a.b", True),
        ("a.b.c", True),
        ("a.b.c.d", False),
        ("a.x", False),
        ("x", False),
        ("a.none", False),
    ],
)
def test_has(path: str, found: bool) -> None:
    log: dict[str, Any] = {}
    one = Namespace({"a": {"b": {"c": 0}, "none": None}}, "", log)
    assert has(one, path) is found
    assert log == {f"has({path})": found}


def test_has_sees_false_and_zero_and_empty_text() -> None:
    assert all(has(ctx(a=value), "a") for value in (False, 0, "", [], {}))


def test_equality_is_of_contents() -> None:
    assert ctx(a={"x": 1}).a == ctx(b={"x": 1}).b
    assert ctx(a={"x": 1}).a != ctx(b={"x": 2}).b
    assert ctx(a={"x": 1}).a == {"x": 1}
    assert ctx(a={"x": 1}).a != 1
