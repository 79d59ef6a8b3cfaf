"""The programs in examples/ run and print what their docstrings say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_an_example_prints_what_it_says(program: Path, tmp_path: Path) -> None:
    said = ast.get_docstring(ast.parse(program.read_text()))
    assert said and "\nPrints:\n" in said, "the docstring ends with what the program prints"
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = [line.strip() for line in said.split("\nPrints:\n")[1].strip().splitlines()]
    assert [line.strip() for line in done.stdout.strip().splitlines()] == expected
    assert list(tmp_path.iterdir()) == [], "an example leaves nothing where it was started"
