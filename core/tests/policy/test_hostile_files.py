"""Files that are no policy, met while another is in force: a clear error, and the last good policy stays."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolcrib.errors import PolicyError
from toolcrib.policy import MODEL, Facts, Policy, PolicySource
from toolcrib.principal import Principal

ALLOW = "p, *, *, *, *, True, allow\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "model.conf").write_text(MODEL)
    (folder / "policy.csv").write_text(ALLOW)
    for path in folder.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return folder


def _huge(path: Path) -> None:
    """1 GB without a byte on the disk."""
    with path.open("wb") as file:
        file.truncate(2**30)


def _huge_text(path: Path) -> None:
    path.write_bytes(b"#" * (256 * 2**20 + 1))


def _loop(path: Path) -> None:
    path.unlink()
    other = path.with_name("other")
    other.symlink_to(path)
    path.symlink_to(other)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/policy.csv")


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "1 GB": (_huge, "larger than 256 MiB"),
    "one byte too many": (_huge_text, "larger than 256 MiB"),
    "binary": (lambda path: path.write_bytes(os.urandom(4096) + b"\0\xff"), "NUL byte|not UTF-8"),
    "an image": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\xff" * 99), "not UTF-8"),
    "UTF-16": (lambda path: path.write_text(ALLOW, "utf-16"), "NUL byte|not UTF-8"),
    "half written": (lambda path: path.write_text(ALLOW + "p, user:ann, acme, crm.se"), "policy.csv:2"),
    "a symlink loop": (_loop, "cannot be read"),
    "a dangling symlink": (_dangling, "cannot be read"),
    "a folder": (_folder, "is not a file|cannot be read"),
    "a pipe that nobody writes to": (_pipe, "is not a file"),
    "deleted": (lambda path: path.unlink(), "cannot be read"),
    "the folder deleted": (lambda path: shutil.rmtree(path.parent), "cannot be read"),
    "a role chain 10,000 deep": (
        lambda path: path.write_text("".join(f"g, r{n}, r{n + 1}, acme\n" for n in range(10_000))),
        "a chain of 10000 g rows",
    ),
    "a role cycle": (
        lambda path: path.write_text("g, a, b, acme\ng, b, c, *\ng, c, a, acme\n"),
        "cycle of roles",
    ),
    "a cycle of one": (lambda path: path.write_text("g, a, a, acme\n"), "cycle of roles"),
    "a line of 100 MB": (lambda path: path.write_text("p, " + "x" * 10**8), "a line of"),
    "200,000 bad lines": (lambda path: path.write_text("nonsense\n" * 200_000), r"policy\.csv:1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_last_good_policy_stays(folder: Path, name: str) -> None:
    make, says = HOSTILE[name]
    heard: list[tuple[str, str]] = []
    source = PolicySource(folder, lambda kind, detail: heard.append((kind, detail)))
    good = source.current()
    make(folder / "policy.csv")
    source._next = float("inf")  # no look of its own comes in between
    with pytest.raises(PolicyError, match=says):
        source.refresh()
    assert source.current() is good
    assert [kind for kind, _ in heard] == ["failed"]


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""], ids=["BOM", "no BOM"])
@pytest.mark.parametrize("end", ["\r\n", "\n"], ids=["CRLF", "LF"])
def test_a_byte_order_mark_and_crlf_change_no_decision(
    folder: Path, tool: Any, start: bytes, end: str
) -> None:
    """pycasbin would lose the first row behind a byte order mark; here it is a deny."""
    rows = f"p, *, *, *, *, True, deny\n{ALLOW}".replace("\n", end)
    (folder / "policy.csv").write_bytes(start + rows.encode())
    policy = Policy.load(folder)
    found = policy.decide(policy.candidates(Principal("a", "b", "acme"), tool()), Facts({}))
    assert (found.verdict, len(policy.rows)) == ("deny", 2)


def test_a_policy_written_slowly_is_never_in_force_in_part(folder: Path) -> None:
    """The allow row comes first and the deny row last: no moment may see the one without the other."""
    source = PolicySource(folder)
    before = source.current().revision
    deny = "p, *, *, *, *, True, deny\n"
    whole = "p, *, acme, *, *, True, allow\n" + deny
    with (folder / "policy.csv").open("w", buffering=1) as file:
        for character in whole:
            file.write(character)
            file.flush()
            source._next = time.monotonic()
            source.current()
            source.join()
            found = source.current()
            assert found.revision == before or found.rows[-1].values[-1] == "deny"
