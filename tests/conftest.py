"""What tests of whole programs share: a quick way to start them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

WARM = Path(__file__).with_name("warm")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `toolcrib` and `python`, of which commands and files start at once: warm/server.py."""
    folder = tmp_path_factory.mktemp("programs")
    warm = shlex.join(map(str, [sys.executable, "-IS", WARM / "command.py", folder / "server"]))
    python = f'case "$1" in *.py) exec {warm} python "$@";; *) exec {shlex.quote(sys.executable)} "$@";; esac'
    for name, line in {"toolcrib": f'exec {warm} toolcrib "$@"', "python": python}.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    server = subprocess.Popen(
        [sys.executable, WARM / "server.py", folder / "server"], cwd="/", env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while not (folder / "server").exists():
        assert server.poll() is None, "the server did not start: see what it printed"
        time.sleep(0.05)
    yield folder
    server.communicate(timeout=10)
