"""`toolcrib artifacts`: what is stored, what goes, and what the log says of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolcrib import CallContext, tool
from toolcrib.artifacts import ArtifactStore
from toolcrib.audit import read, verify
from toolcrib.cli._main import cli
from toolcrib.crib import Crib
from toolcrib.errors import ConfigError
from toolcrib.os_user import system_user
from toolcrib.testing.cribs import write_crib

DAY = 86_400
ROWS = """
    p, *, acme, local.*, read, True, allow
    p2, agent:careful, acme, local.use, read, True, requester
"""
CONFIG = f"""
    [approvals]
    mode = "park"

    [approvals.users]
    {json.dumps(system_user())} = "alice"

    [limits]
    artifact_total = 200
    result_bytes = 20
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_crib(tmp_path, ROWS, config=CONFIG)


@pytest.fixture
def crib(file: Path) -> Iterator[Crib]:
    with Crib.from_config(file) as opened:
        opened.add(keep)
        opened.add(use)
        yield opened


@pytest.fixture
def run(file: Path) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(cli, ["-c", str(file), "artifacts", *words])


@tool(effect="read")
async def keep(size: int, ctx: CallContext) -> str:
    """Keep a file of so many bytes."""
    return ctx.artifacts.keep("x", b"k" * size).digest[:10]


@tool(effect="read")
async def use(digest: str, ctx: CallContext) -> str:
    """Use a file."""
    return ctx.artifacts.read(digest).decode()


def stored(file: Path, data: bytes, *, days: float, tenant: str = "acme") -> str:
    store = ArtifactStore(file.parent / ".toolcrib" / "artifacts").of(tenant)
    digest = store.keep("x", data).digest
    path = store.path(digest)
    os.utime(path, (path.stat().st_mtime - days * DAY,) * 2)
    return digest


def pruned(file: Path) -> list[dict[str, object]]:
    folder = file.parent / ".toolcrib" / "audit"
    if not folder.exists():
        return []
    assert verify(folder).problem is None
    return [each for each in read(folder) if each.get("action") == "artifacts.prune"]


def test_the_list_shows_the_latest_first_and_how_much_room_there_is(
    file: Path, run: Callable[..., Result]
) -> None:
    old, new = stored(file, b"<svg>", days=3), stored(file, b"x" * 40, days=1, tenant="globex")
    text = run("list").output
    assert text.index(new[:16]) < text.index(old[:16]) and "image/svg+xml" in text
    assert "2 files, 45 bytes of 200 bytes." in text
    (one,) = json.loads(run("list", "--tenant", "acme", "--json").output)
    assert (one["digest"], one["bytes"]) == (old, 5)
    assert "0 files, 0 bytes" not in text and run("list", "--limit", "1").output.count("and 1 more") == 1


def test_pruning_takes_the_old_and_is_on_the_log_with_who_did_it(
    file: Path, run: Callable[..., Result]
) -> None:
    old, new = stored(file, b"old", days=31), stored(file, b"new", days=2)
    dry = run("prune", "--dry-run")
    assert "1 file would go, 3 bytes." in dry.output and pruned(file) == []
    done = run("prune")
    assert (done.exit_code, done.output) == (0, "1 file removed, 3 bytes.\n")
    (record,) = pruned(file)
    assert (record["by"], record["count"], record["bytes"], record["digests"]) == ("alice", 1, 3, [old])
    assert run("prune").output.startswith("0 files") and len(pruned(file)) == 1
    assert [each["digest"] for each in json.loads(run("prune", "--older-than", "36h", "--json").output)] == [
        new
    ]


def test_an_age_that_is_none_is_refused(file: Path, run: Callable[..., Result]) -> None:
    stored(file, b"old", days=99)
    assert isinstance(run("prune", "--older-than", "soon").exception, ConfigError)
    assert len(json.loads(run("list", "--json").output)) == 1


def test_nobody_in_particular_prunes_nothing(file: Path, run: Callable[..., Result]) -> None:
    file.write_text(file.read_text().replace(json.dumps(system_user()), '"somebody-else"'))
    stored(file, b"old", days=99)
    assert isinstance(run("prune").exception, ConfigError)
    assert len(json.loads(run("list", "--json").output)) == 1


def test_what_a_pending_approval_needs_survives_and_goes_once_it_was_answered(
    file: Path, crib: Crib, run: Callable[..., Result]
) -> None:
    needed, other = stored(file, b"needed", days=50), stored(file, b"other", days=50)
    waiting = crib.call_sync("local.use", {"digest": needed}, crib.principal("careful", "alice"))
    assert waiting.status == "pending"
    assert [each["digest"] for each in json.loads(run("prune", "--json").output)] == [other]
    answered = CliRunner().invoke(cli, ["-c", str(file), "approvals", "approve", str(waiting.approval)])
    assert answered.exit_code == 0, answered.output
    assert crib.run_sync(crib.resume(str(waiting.approval))).text == "needed"


def test_a_call_makes_room_by_itself_and_says_so_on_the_log(file: Path, crib: Crib) -> None:
    old = stored(file, b"o" * 150, days=2)
    assert crib.call_sync("local.keep", {"size": 100}, crib.principal("coder", "alice")).status == "done"
    (record,) = pruned(file)
    assert record["digests"] == [old] and "by" not in record


def test_a_call_for_which_there_is_no_room_fails_and_says_what_to_do(file: Path, crib: Crib) -> None:
    who = crib.principal("coder", "alice")
    assert crib.call_sync("local.keep", {"size": 180}, who).status == "done"
    full = crib.call_sync("local.keep", {"size": 30}, who)
    assert full.status == "failed" and "artifact_total = 200 bytes" in full.text


def test_a_large_result_for_which_there_is_no_room_is_cut_and_says_so(file: Path, crib: Crib) -> None:
    today = stored(file, b"t" * 190, days=0)
    cut = crib.call_sync("local.use", {"digest": today}, crib.principal("coder", "alice"))
    assert cut.status == "done" and cut.artifact is None and "the rest is not kept" in cut.text
