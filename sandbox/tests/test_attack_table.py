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


def rows() -> dict[str, tuple[str, list[str]]]:
    """Attack to its protections, and its tests as pytest names them without the tier."""
    section = PAGE.read_text("utf-8").split("## Attacks that are tried")[1].split("\n## ")[0]
    cells = [re.split(r" \| ", line.strip("| ")) for line in section.splitlines() if line.startswith("| ")]
    return {
        attack: (
            protection,
            [posixpath.normpath(f"{FOLDER}/{each}") for each in re.findall("`(.+?)`", tests)],
        )
        for attack, protection, tests in cells[1:]
    }


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """What pytest finds, asked once."""
    files = sorted({test.partition("::")[0] for _, tests in rows().values() for test in tests})
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
        if test.startswith(FOLDER):
            assert all(variants(test, tier) & collected for tier in ("single-use", "burst")), test
        else:
            assert [each for each in collected if each == test or each.startswith(f"{test}[")], test
