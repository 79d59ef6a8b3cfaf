"""The page's table of attacks says what is tried: every attack, by tests that are there, on both tiers."""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from pathlib import Path

import pytest

from toolcrib_sandbox._check import PROTECTIONS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "sandbox.md"
FOLDER = "sandbox/tests/attacks"
ATTACKS = (
    *("memory fill", "tmpfs fill", "inode fill", "disk fill", "fork bomb", "thread bomb", "descriptor bomb"),
    *("flood", "signals ignored", "daemon that survives the result", "thread that survives the result"),
    *("kill of pid 1", "kill of -1", "mount", "unshare", "setns", "ptrace", "bpf", "perf", "userfaultfd"),
    *("io_uring", "keyring", "modules", "clock", "personality", "core_pattern", "sysrq", "release_agent"),
    *("mknod", "setuid", "docker.sock", "environment leak", "metadata service", "LAN", "DNS", "UDP"),
    *("raw socket", "packet socket", "vsock", "abstract socket", "forged protocol frame"),
    *("inherited descriptor", "escape sequence", "bad UTF-8", "symlink artifact", "hard-link artifact"),
    *("fifo artifact", "device artifact", "`..` artifact", "huge artifact", "bomb artifact"),
    "another tenant's files, memory and sockets",
)


BAD_INPUT = (
    *(
        "engine does not run",
        "may not use the engine",
        "image is missing",
        "disk is full",
        "restarted in mid-run",
    ),
    *(
        "killed in mid-run",
        "Every container is taken",
        "Too many wait",
        "Code of 10 MB",
        "no UTF-8, or without end",
    ),
    "10,000 artifacts",
)


def table(heading: str) -> dict[str, tuple[str, list[str]]]:
    """First cell of each row to the second, and its tests as pytest names them without the tier."""
    section = PAGE.read_text("utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [re.split(r" \| ", line.strip("| ")) for line in section.splitlines() if line.startswith("| ")]
    return {
        first: (second, [posixpath.normpath(f"{FOLDER}/{each}") for each in re.findall("`(.+?)`", tests)])
        for first, second, tests in cells[1:]
    }


def rows() -> dict[str, tuple[str, list[str]]]:
    """Attack to its protections and its tests."""
    return table("Attacks that are tried")


def troubles() -> dict[str, tuple[str, list[str]]]:
    """Bad input to what comes of it and its tests."""
    return table("What goes wrong without an attack")


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """What pytest finds, asked once."""
    files = sorted(
        {test.partition("::")[0] for _, tests in [*rows().values(), *troubles().values()] for test in tests}
    )
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def variants(test: str, tier: str) -> set[str]:
    """A test's names for one tier: the parameter and the tier stand in either order."""
    name, _, parameter = test.partition("[")
    parameter = parameter.removesuffix("]")
    return (
        {f"{name}[{tier}-{parameter}]", f"{name}[{parameter}-{tier}]"} if parameter else {f"{name}[{tier}]"}
    )


def test_every_attack_has_a_row() -> None:
    assert tuple(rows()) == ATTACKS


@pytest.mark.parametrize("attack", ATTACKS)
def test_its_tests_are_there_on_both_tiers(attack: str, collected: set[str]) -> None:
    """Those beside the attacks need no tier: they are the host's own."""
    protections, tests = rows()[attack]
    assert tests
    assert set(re.findall("`(.+?)`", protections)) <= set(PROTECTIONS)
    for test in tests:
        assert is_there(test, collected), test


def is_there(test: str, collected: set[str]) -> bool:
    if test.startswith(FOLDER):
        return all(variants(test, tier) & collected for tier in ("single-use", "burst"))
    return any(each == test or each.startswith(f"{test}[") for each in collected)


def test_every_bad_input_has_a_row_and_a_test(collected: set[str]) -> None:
    found = troubles()
    assert len(found) == len(BAD_INPUT)
    for words, (what, (_, tests)) in zip(BAD_INPUT, found.items(), strict=True):
        assert words in what and tests
        assert [test for test in tests if not is_there(test, collected)] == []


@pytest.mark.parametrize(
    "test", ["none", "test_resources.py::test_none", "test_resources.py::test_fork_bomb[x]"]
)
def test_a_test_that_is_not_there_would_be_seen(test: str, collected: set[str]) -> None:
    assert not is_there(f"{FOLDER}/{test}", collected) and not is_there(f"sandbox/tests/{test}", collected)
