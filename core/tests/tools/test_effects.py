from __future__ import annotations

import pytest

from toolcrib.effects import EFFECTS, effect_of, mcp_annotations


@pytest.mark.parametrize("effect", EFFECTS)
def test_effects_survive_the_way_through_mcp_and_back(effect: str) -> None:
    assert effect_of(mcp_annotations(effect, idempotent=False)) == effect  # type: ignore[arg-type]


def test_what_mcp_does_not_say_is_taken_at_its_worst() -> None:
    assert effect_of({}) == "destructive"
    assert effect_of({"readOnlyHint": False}) == "destructive"
    assert effect_of({"readOnlyHint": "yes"}) == "destructive"
    assert effect_of({"destructiveHint": False}) == "send"
    assert effect_of({"destructiveHint": False, "openWorldHint": False}) == "write"
    assert effect_of({"readOnlyHint": True}) == "read"
