"""Files of a sandbox: inputs are written, artifacts found and read, never through a link."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Files", "Found", "collect", "put_inputs", "search"]

MAX_DEPTH = 8
"""Folders below the box that are searched."""
MAX_ENTRIES = 20_000
MAX_NOTES = 20
Found: TypeAlias = "dict[str, tuple[int, int, int, int]]"
"""Path to inode, size and times: what tells whether a file is new or changed."""


@dataclass
class Files:
    """What a run left: names, contents, and notes on what was passed over."""

    names: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def put_inputs(box: int, names: Sequence[str], contents: Sequence[bytes]) -> None:
    """Write files below the folder that `box` is open on; the host has checked the names."""
    for name, data in zip(names, contents, strict=False):
        with _inside(box, name, make=True) as (folder, last):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
            with open(os.open(last, flags, 0o644, dir_fd=folder), "wb") as file:
                file.write(data)


@contextlib.contextmanager
def _inside(box: int, path: str, make: bool = False) -> Iterator[tuple[int, str]]:
    """The folder that holds the last part of `path`, reached through no link."""
    folder = os.dup(box)
    try:
        *folders, last = path.split("/")
        for part in folders:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=folder)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder, last
    finally:
        os.close(folder)


class _Search:
    def __init__(self) -> None:
        self.seen = 0
        self.passed: dict[str, int] = {}
        self.found: Found = {}

    def walk(self, folder: int, prefix: str = "", depth: int = 0) -> None:
        for name in sorted(os.listdir(folder)):
            self.seen += 1
            if self.seen > MAX_ENTRIES:
                return self.skip(f"folder with entries beyond the first {MAX_ENTRIES}")
            if not name.startswith(".") and name != "__pycache__":
                self.look(folder, name, prefix + name, depth)
        return None

    def look(self, folder: int, name: str, path: str, depth: int) -> None:
        try:
            path.encode("utf-8")
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (OSError, UnicodeEncodeError):
            return self.skip("name that is not UTF-8")
        if stat.S_ISDIR(status.st_mode):
            return self.descend(folder, name, path, depth)
        if not stat.S_ISREG(status.st_mode):
            kinds = {stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
            return self.skip(kinds.get(stat.S_IFMT(status.st_mode), "device"))
        if status.st_nlink != 1:
            return self.skip("hard link")
        self.found[path] = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return None

    def descend(self, folder: int, name: str, path: str, depth: int) -> None:
        if depth >= MAX_DEPTH:
            return self.skip(f"folder deeper than {MAX_DEPTH}")
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        except OSError:
            return self.skip("folder that cannot be read")
        try:
            return self.walk(inner, path + "/", depth + 1)
        finally:
            os.close(inner)

    def skip(self, why: str) -> None:
        self.passed[why] = self.passed.get(why, 0) + 1


def search(box: int, notes: list[str] | None = None) -> Found:
    """The regular files below the box; hidden ones are not looked at, others that are none are noted."""
    looking = _Search()
    os.fchmod(box, 0o700)  # whatever the code made of it
    looking.walk(box)
    if notes is not None:
        passed = sorted(looking.passed.items())
        notes += [f"left out: {why} ({count})" for why, count in passed][:MAX_NOTES]
    return looking.found


def _read(box: int, path: str, most: int) -> bytes | None:
    try:
        with _inside(box, path) as (folder, last):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            with open(os.open(last, flags, dir_fd=folder), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > most:
                    return None
                return file.read(most)
    except OSError:
        return None


def collect(box: int, before: Mapping[str, tuple[int, int, int, int]], count: int, most: int) -> Files:
    """New and changed files, at most `count` and `most` bytes in all."""
    files = Files()
    changed = sorted(path for path, what in search(box, files.notes).items() if before.get(path) != what)
    for path in changed[:count]:
        data = _read(box, path, most)
        if data is not None:
            most -= len(data)
            files.names.append(path)
            files.contents.append(data)
        elif len(files.notes) < MAX_NOTES:
            files.notes.append(f"left out: {path!a:.200}, too large or not to be read")
    if len(changed) > count:
        files.notes.append(f"left out: {len(changed) - count} files more than the {count} that may come back")
    return files
