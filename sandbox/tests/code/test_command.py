"""`toolcrib sandbox run`, as somebody at a terminal uses it, on a real engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolcrib.cli._main import cli
from toolcrib.errors import ConfigError
from toolcrib.os_user import system_user
from toolcrib.testing.cribs import write_crib
from toolcrib_sandbox.testing import TestEngine

ROWS = """
    p,  agent:cli,     acme, code.run_python,    read, r.ctx.sandbox.memory <= 512, allow
    p,  agent:cli,     acme, code.run_shell,     read, True, allow
    p,  agent:cli,     acme, code.run_connected, send, r.ctx.sandbox.egress <= ["a.example:443"], allow
    p,  agent:careful, acme, code.run_python,    read, True, allow
    p,  user:alice,    acme, code.*,             *,    True, allow
    p2, agent:careful, acme, code.run_python,    read, True, requester
"""

Run = Callable[..., Result]


@pytest.fixture
def crib(tmp_path: Path, engine: TestEngine) -> Path:
    config = f"""
        [approvals]
        mode = "park"

        [approvals.users]
        {json.dumps(system_user())} = "alice"

        [sandbox]
        provider = "docker"
        host = "{engine.host}"
        image = "{engine.image}"
        containers = 2
        preheated = 0

        [packs.code]
        trust = "installed"
    """
    return write_crib(tmp_path, ROWS, config=config)


@pytest.fixture
def run(crib: Path, tmp_path: Path) -> Run:
    """Runs a program of this text; what is refused before a call is made is in `.exception`."""

    def invoke(code: str | bytes, *options: str, name: str = "job.py") -> Result:
        file = tmp_path / name
        file.write_bytes(code if isinstance(code, bytes) else code.encode())
        return CliRunner().invoke(cli, ["-c", str(crib), "sandbox", "run", str(file), *options])

    return invoke


def test_what_it_prints_goes_where_it_belongs_and_its_files_into_the_folder(run: Run, tmp_path: Path) -> None:
    code = "import sys; print('a\\tb'); print('oh', file=sys.stderr); open('x.txt', 'w').write('left')"
    done = run(code, "--out", str(tmp_path / "out"), "--memory", "512M")
    assert done.exit_code == 0, done.output
    assert done.stdout == "a\tb\n"
    assert done.stderr.startswith("oh\n") and "[file x.txt: text/plain, 4 bytes]" in done.stderr
    assert (tmp_path / "out" / "x.txt").read_text() == "left"


@pytest.mark.parametrize("memory", ["513M", "1G"])
def test_more_memory_than_a_row_grants_is_denied(run: Run, tmp_path: Path, memory: str) -> None:
    done = run("open('x', 'w')", "--memory", memory, "--out", str(tmp_path / "out"))
    assert done.exit_code == 1 and done.stdout == "" and "DENIED" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_agent_without_a_row_is_denied(run: Run) -> None:
    done = run("print(1)", "--agent", "stranger")
    assert done.exit_code == 1 and done.stdout == "" and "DENIED" in done.stderr


def test_a_network_that_no_row_grants_is_denied(run: Run) -> None:
    done = run("print(1)", "--egress", "a.example:443", "--egress", "b.example:443")
    assert done.exit_code == 1 and done.stdout == "" and "DENIED" in done.stderr


def test_a_network_that_a_row_grants(run: Run) -> None:
    done = run("print(1)", "--egress", "a.example:443")
    assert (done.exit_code, done.stdout) == (0, "1\n"), done.output


def test_a_call_that_needs_an_approval_waits(run: Run) -> None:
    done = run("print(1)", "--agent", "careful")
    assert done.exit_code == 3 and done.stdout == "" and "--key cli-" in done.stderr


def test_who_waits_is_told_that_and_how_to_answer(crib: Path) -> None:
    """With `mode = "wait"` the command stays, and without a word nobody would know for what."""
    crib.write_text(crib.read_text().replace('mode = "park"', 'mode = "wait"'))
    command = [str(Path(sys.executable).with_name("toolcrib")), "-c", str(crib)]
    words = [*command, "sandbox", "run", "-", "--agent", "careful"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as waiting:
        assert waiting.stdin and waiting.stdout and waiting.stderr
        waiting.stdin.write("print(6 * 7)")
        waiting.stdin.close()
        said, how = waiting.stderr.readline(), waiting.stderr.readline()
        assert re.fullmatch(r"Waits for an approval by requester, until \S+ \S+ at most\.\n", said)
        (approval,) = re.findall(r"toolcrib approvals show (\S+)$", how)
        answered = CliRunner().invoke(cli, ["-c", str(crib), "approvals", "approve", approval])
        assert answered.exit_code == 0, answered.output
        assert (waiting.stdout.read(), waiting.stderr.read(), waiting.wait()) == ("42\n", "", 0)


def test_a_program_without_end_is_not_read_to_its_end(crib: Path) -> None:
    """More comes than fits, and whoever writes it never stops: `yes`, /dev/zero, a log that goes on."""
    with Path("/dev/zero").open("rb") as endless:
        done = CliRunner().invoke(cli, ["-c", str(crib), "sandbox", "run", "-"], input=endless)
    assert done.exit_code == 2 and "more than 1,048,576 bytes" in done.stderr
    assert "give data as files" in " ".join(done.stderr.split())


def test_a_shell_script_is_told_by_its_name_or_by_the_option(run: Run) -> None:
    assert run("echo $((6 * 7))", name="job.sh").stdout == "42\n"
    assert run("echo $((6 * 7))", "--language", "shell").stdout == "42\n"


def test_code_that_fails_is_a_failure(run: Run) -> None:
    done = run("raise SystemExit(7)")
    assert done.exit_code == 1 and "Exit code 7." in done.stderr
    slow = run("while True: pass", "--seconds", "0.5")
    assert slow.exit_code == 1 and "Timeout" in slow.stderr


def test_what_is_printed_cannot_steer_the_terminal(run: Run) -> None:
    assert run("print('\\x1b[2J')").stdout == "\\x1b[2J\n"


def test_json_has_it_all(run: Run) -> None:
    done = run("print('hi'); open('a', 'w').write('b')", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0 and found["status"] == "done"
    assert found["value"]["stdout"] == "hi\n" and found["value"]["files"][0]["name"] == "a"
    refused = run("print('hi')", "--json", "--agent", "stranger")
    assert refused.exit_code == 1 and json.loads(refused.stdout)["status"] == "denied"


def test_a_file_is_written_through_no_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "out" / "x").symlink_to(victim)
    done = run("print('said'); open('x', 'w').write('theirs')", "--out", str(tmp_path / "out"))
    assert isinstance(done.exception, ConfigError) and done.exit_code == 1
    assert done.stdout == "said\n" and victim.read_text() == "mine"


@pytest.mark.parametrize(
    ("code", "options"),
    [
        (b"\xff\xfe", ()),
        (b"1", ("--memory", "lots")),
        (b"1", ("--memory", "-1M")),
        (b"1", ("--language", "c")),
    ],
)
def test_wrong_usage(run: Run, code: bytes, options: tuple[str, ...]) -> None:
    assert run(code, *options).exit_code == 2


@pytest.mark.parametrize("code", ["", "#" * 200_001])
def test_code_that_is_no_size_for_a_run_is_refused(run: Run, code: str) -> None:
    done = run(code)
    assert done.exit_code == 1 and "code" in done.stderr and len(done.stderr) < 2000


def test_nobody_at_the_terminal_is_nobody(run: Run, crib: Path) -> None:
    crib.write_text(crib.read_text().replace('= "alice"', '= "mallory"'))
    done = run("print(1)")
    assert done.exit_code == 1 and "DENIED" in done.stderr
