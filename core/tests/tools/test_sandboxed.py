"""What a tool's arguments ask of its sandbox."""

from __future__ import annotations

import pytest

from toolcrib import tool
from toolcrib.errors import PackError
from toolcrib.sandboxed import FIELDS, Sandboxed
from toolcrib.tools import tools_of

SCHEMA = {"properties": {"memory": {"default": 256}, "hosts": {"default": []}, "seconds": {"type": "number"}}}
USE = Sandboxed(memory="memory", egress="hosts", wall="seconds")


def test_every_field_is_there_whether_an_argument_sets_it_or_not() -> None:
    found = USE.facts({"memory": 64, "hosts": ["A.example:443"]}, SCHEMA)
    assert set(found) == set(FIELDS)
    assert found["memory"] == 64 and found["egress"] == {"a.example:443"} and found["wall"] == 30.0


def test_what_is_left_out_or_null_is_the_default() -> None:
    assert USE.facts({}, SCHEMA) == USE.facts({"memory": None, "hosts": None}, SCHEMA)
    assert USE.facts({}, SCHEMA)["memory"] == 256


def test_beyond_names_fields_with_their_defaults() -> None:
    asked = USE.facts({"memory": 257, "hosts": ["a:1"], "seconds": 1}, SCHEMA)
    assert USE.beyond(asked, SCHEMA) == {"memory": 256, "egress": frozenset()}
    assert USE.beyond(USE.facts({}, SCHEMA), SCHEMA) == {}


def test_what_is_no_number_is_beyond() -> None:
    assert "memory" in USE.beyond({"memory": "much"}, SCHEMA)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(PackError, match="'ram'"):
        Sandboxed(ram="memory")


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    @tool(effect="read", sandbox=Sandboxed(memory="memroy"))
    def run(memory: int = 1) -> None:
        """Run."""

    with pytest.raises(PackError, match="memory") as refused:
        tools_of(run)
    assert "'memroy'" in str(refused.value)
