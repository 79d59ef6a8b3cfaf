"""A crib that cannot be opened refuses every call, and says so on the log while there is one."""

from __future__ import annotations

from pathlib import Path

from toolcrib.audit import read
from toolcrib.testing.cribs import make_crib

ALLOW = "p, *, acme, local.*, *, True, allow"


async def test_a_call_that_finds_no_state_database_is_refused_on_the_log(tmp_path: Path) -> None:
    state = tmp_path / ".toolcrib"
    state.mkdir(mode=0o700)
    (state / "state.db").write_bytes(b"no database at all" * 100)
    with make_crib(tmp_path, ALLOW) as crib:
        for name in ("local.look", "no such\ud800"):
            result = await crib.call(name, {"n": 1}, crib.principal("clerk", "alice"))
            assert result.status == "unavailable"
            assert "state.db" in result.text
    found = [record for record in read(state / "audit") if record["kind"] == "refusal"]
    assert [record["tool"] for record in found] == ["local.look", "no such\\ud800"]
    first = found[0]
    assert (first["agent"], first["user"], first["tenant"]) == ("clerk", "alice", "acme")
    assert first["status"] == "unavailable"
    assert "state.db" in first["error"]


async def test_without_log_and_state_the_call_is_still_only_refused(tmp_path: Path) -> None:
    (tmp_path / ".toolcrib").write_text("a file where the folder should be")
    crib = make_crib(tmp_path, ALLOW)
    assert (await crib.call("local.look", {}, crib.principal("clerk"))).status == "unavailable"
    crib.close()
