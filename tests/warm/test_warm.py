"""A program in a fork of the server is to its caller what the program itself would be."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["own", "warm"])
def run(request: pytest.FixtureRequest, programs: Path, tmp_path: Path) -> Run:
    """Runs a program text, as Python would, and in a fork of the server: each test is one for both."""
    python = programs / "python" if request.param == "warm" else sys.executable

    def start(text: str, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "program.py"
        file.write_text(text)
        options = {"env": {}, "cwd": tmp_path, "timeout": 60} | options
        return subprocess.run([python, file, *words], capture_output=True, text=True, check=False, **options)

    return start


def test_it_has_its_callers_arguments_environment_folder_and_input(run: Run, tmp_path: Path) -> None:
    text = """
import json, os, sys
given = sys.stdin.read(), sys.argv[1:], os.getcwd(), os.environ["A"], sys.path[0], "TERM" in os.environ
print(json.dumps([*given, os.path.realpath("site") in sys.path]))
"""
    done = run(text, "a b", "", "ü", input="given", env={"A": "1=2", "PYTHONPATH": "site", "LANG": "C.UTF-8"})
    folder = str(tmp_path)
    assert json.loads(done.stdout) == ["given", ["a b", "", "ü"], folder, "1=2", folder, False, True]


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        ("", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('why')", 1, "why\n"),
        ("raise KeyError('lost')", 1, "KeyError: 'lost'\n"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
    ],
)
def test_it_ends_as_it_ended(run: Run, end: str, code: int, told: str) -> None:
    done = run(f"import os, signal, sys\n{end}")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.endswith(told) and bool(done.stderr) == bool(told)


def test_its_threads_and_its_last_words_are_waited_for(run: Run) -> None:
    text = """
import atexit, threading
go = threading.Event()
threading.Thread(target=lambda: (go.wait(), print("thread"))).start()
atexit.register(print, "exit")
print("main")
go.set()
"""
    assert run(text).stdout.splitlines() in (["main", "thread", "exit"], ["thread", "main", "exit"])


ENDLESS = """
import sys, time
print("ready", flush=True)
try:
    while True:
        time.sleep(60)
except KeyboardInterrupt:
    sys.exit(9)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 9), (signal.SIGKILL, -signal.SIGKILL)])
def test_what_hits_the_caller_hits_the_program(
    programs: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    file = tmp_path / "endless.py"
    file.write_text(ENDLESS)
    with subprocess.Popen([programs / "python", file], stdout=subprocess.PIPE) as started:
        assert started.stdout and started.stdout.readline() == b"ready\n"
        started.send_signal(number)
        # Its end of the pipe is closed when the program has ended, not when what stands for it has.
        assert started.stdout.read() == b""
    assert started.returncode == code


def test_nothing_of_ours_is_there_before_a_command_imports_it(programs: Path, tmp_path: Path) -> None:
    file = tmp_path / "look.py"
    file.write_text("import sys\nprint([name for name in sys.modules if name.startswith('toolcrib')])")
    done = subprocess.run([programs / "python", file], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_commands_find_their_words_and_their_exit_codes(programs: Path, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / "toolcrib", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert run("init", "shop").returncode == 0
    assert (tmp_path / "shop" / "toolcrib.toml").exists()
    assert run("no-such-command").returncode == 2
    assert "Remedy:" in run("policy", "lint").stderr
