from __future__ import annotations

import pytest

from toolcrib import Principal
from toolcrib.errors import ConfigError


def test_subjects_are_built_by_core() -> None:
    assert Principal("analyst", "alice").subjects == ("user:alice", "agent:analyst")
    assert Principal("analyst").subjects == ("user:none", "agent:analyst")


@pytest.mark.parametrize(
    "bad", ["", "a b", "a,b", "*", "user:x", "a/b", "../../root", "é", "a\nb", "a\n", "none\x00"]
)
@pytest.mark.parametrize("field", ["agent", "user", "tenant", "session", "run"])
def test_ids_that_could_forge_a_row_are_refused(field: str, bad: str) -> None:
    with pytest.raises(ConfigError, match="valid id"):
        Principal(**{"agent": "a", field: bad})  # type: ignore[arg-type]


def test_nobody_can_call_himself_nobody() -> None:
    with pytest.raises(ConfigError, match="reserved"):
        Principal("a", "none")


def test_a_principal_is_a_value() -> None:
    assert Principal("a", "b") == Principal("a", "b")
    assert hash(Principal("a", "b")) == hash(Principal("a", "b"))
    assert Principal("a", "b") != Principal("a", "b", run="r")
