"""The tools of `code`, governed, on a real engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolcrib import Crib
from toolcrib.audit import read
from toolcrib.testing.cribs import make_crib
from toolcrib_sandbox.testing import TestEngine

ROWS = "\n".join(f"p, *, *, code.*, {effect}, True, allow" for effect in ("read", "write", "send"))


@pytest.fixture(scope="module")
def crib(engine: TestEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crib]:
    config = f"""
        [sandbox]
        provider = "docker"
        host = "{engine.host}"
        image = "{engine.image}"
        containers = 4
        preheated = 1

        [packs.code]
        trust = "installed"
        sessions = 2
    """
    opened = make_crib(tmp_path_factory.mktemp("crib"), ROWS, config=config)
    yield opened
    opened.close()


@pytest.fixture
def call(crib: Crib) -> Callable[..., Any]:
    def ask(tool: str, *, session: str = "default", tenant: str = "acme", **arguments: Any) -> Any:
        who = replace(crib.principal("coder", "alice", session=session), tenant=tenant)
        return crib.call_sync(f"code.{tool}", arguments, who)

    return ask


def last_outcome(crib: Crib) -> dict[str, Any]:
    folder: Path = crib.config.state / "audit"
    return [record for record in read(folder) if record["kind"] == "outcome"][-1]


def test_what_a_program_printed_and_left(crib: Crib, call: Any) -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg'/>"
    result = call(
        "run_python", code=f"print(6 * 7)\nopen('plot.svg', 'w').write({svg!r})\nraise SystemExit(3)"
    )
    assert result.status == "done" and result.labels == {"untrusted"}
    value = result.value
    assert (value["exit_code"], value["stdout"], value["truncated"]) == (3, "42\n", False)
    digest = hashlib.sha256(svg.encode()).hexdigest()
    assert value["files"] == [
        {"name": "plot.svg", "digest": digest, "media_type": "image/svg+xml", "size": len(svg)}
    ]
    noted = last_outcome(crib)["notes"]["sandbox"]
    assert noted["image"] == value["image"] and noted["image"].startswith("sha256:")
    assert noted["files"] == [{"digest": digest, "bytes": len(svg)}]
    assert noted["limits"]["memory"] == 256 and noted["connections"] == []
    assert "stdout" not in noted


def test_a_later_run_takes_a_file_by_digest_and_another_tenant_does_not(call: Any) -> None:
    (left,) = call("run_shell", code="printf 1,2 > data.csv").value["files"]
    code, given = "print(open('in/data.csv').read())", {"in/data.csv": left["digest"]}
    assert call("run_python", code=code, artifacts=given).value["stdout"] == "1,2\n"
    refused = call("run_python", code=code, artifacts=given, tenant="globex")
    assert refused.status == "failed" and "there is no artifact" in refused.text


def test_files_are_given_as_text(call: Any) -> None:
    result = call("run_shell", code="cat a.txt", files={"a.txt": "grün"})
    assert result.value["stdout"] == "grün"


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", ".hidden", ""])
def test_names_that_lead_elsewhere_are_refused(call: Any, name: str) -> None:
    assert call("run_python", code="1", files={name: "x"}).status == "failed"


def test_the_same_name_twice_is_refused(call: Any) -> None:
    result = call("run_python", code="1", files={"a": "x"}, artifacts={"a": "0" * 64})
    assert result.status == "failed" and "given twice" in result.text


def test_a_run_forgets(call: Any) -> None:
    call("run_python", code="x = 1; open('kept', 'w').write('x')")
    assert "NameError" in call("run_python", code="print(x)").value["stderr"]
    assert call("run_shell", code="ls").value["stdout"] == ""


def test_time_that_is_up(call: Any) -> None:
    value = call("run_python", code="print('a', flush=True)\nwhile True: pass", seconds=0.5).value
    assert value["timed_out"] and value["exit_code"] is None and value["stdout"] == "a\n"


def test_memory_that_is_full(call: Any) -> None:
    value = call("run_python", code="x = bytearray(1 << 30)", memory=64).value
    assert value["out_of_memory"] or "MemoryError" in value["stderr"]


def test_a_flood_is_cut_and_counted(call: Any) -> None:
    value = call("run_python", code="print('x' * 3_000_000)").value
    assert value["truncated"] and value["output_bytes"] == 3_000_001 and len(value["stdout"]) <= 24 * 1024


def test_more_than_the_default_is_denied_before_anything_starts(crib: Crib, call: Any) -> None:
    assert call("run_python", code="1", memory=512).status == "denied"
    assert call("run_python", code="1", seconds=31).status == "denied"
    assert call("run_connected", code="1", egress=["a.example:443"]).status == "denied"


def test_a_session_remembers_for_its_principal_alone(call: Any) -> None:
    assert call("session_run", code="x = 41", session="one").status == "done"
    assert call("session_run", code="print(x + 1)", session="one").value["stdout"] == "42\n"
    assert "NameError" in call("session_run", code="print(x)", session="two").value["stderr"]
    assert call("session_run", code="1", session="three").status == "failed"  # two may be open
    assert call("session_close", session="one").text == "closed"
    assert call("session_close", session="one").text == "there was no session"
    assert "NameError" in call("session_run", code="print(x)", session="one").value["stderr"]
    other = call("session_run", code="1", session="one", memory=128)
    assert other.status == "failed" and "256 MiB" in other.text
    call("session_close", session="one")
    call("session_close", session="two")


def test_what_is_refused_before_it_begins_leaves_the_session_as_it_was(call: Any) -> None:
    """A bad name, or code that is none, is mended and tried again; what the session remembers is worth it."""
    assert call("session_run", code="x = 41", session="kept").status == "done"
    for wrong in (
        {"files": {"../a": "x"}},
        {"code": "x = '\0'"},
        {"files": {"a": "y"}, "artifacts": {"a": "0"}},
    ):
        refused = call("session_run", **{"code": "x = 0", "session": "kept", **wrong})
        assert refused.status == "failed", wrong
    assert call("session_run", code="print(x + 1)", session="kept").value["stdout"] == "42\n"
    call("session_close", session="kept")


def test_a_crib_without_a_sandbox_says_what_is_missing(tmp_path: Path) -> None:
    with make_crib(tmp_path, ROWS, config='[packs.code]\ntrust = "installed"\n') as crib:
        result = crib.call_sync("code.run_python", {"code": "1"}, crib.principal("coder", "alice"))
        assert result.status == "failed" and "[sandbox]" in result.text
        begun = crib.call_sync("code.session_run", {"code": "1"}, crib.principal("coder", "alice"))
        assert begun.status == "failed", "nothing happened, so nobody has to settle it"


def test_an_engine_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = f"""
        [sandbox]
        provider = "docker"
        host = "unix://{tmp_path}/none.sock"

        [packs.code]
        trust = "installed"
    """
    with make_crib(tmp_path, ROWS, config=config) as crib:
        result = crib.call_sync("code.run_python", {"code": "1"}, crib.principal("coder", "alice"))
        assert result.status == "failed" and "none.sock" in result.text
