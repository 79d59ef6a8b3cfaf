"""What a distribution's code really is: a hash over the bytes on the disk.

RECORD cannot serve. It differs between installers, it does not change when a file is edited, and it does
not list a file that was added. So the files are those that RECORD lists *and* those that lie in the same
packages, and what is hashed is their content. Of the metadata only METADATA and the entry points count: the
rest is written by whoever installed it. `__pycache__` is left out, so locked packs never run from it
(`_guard`).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import all_suffixes
from pathlib import Path, PurePosixPath

from toolcrib.errors import PackError
from toolcrib.packs._discover import Found

__all__ = ["Files", "digest", "read_files"]

_METADATA = ("METADATA", "entry_points.txt")
_AT_START = ("sitecustomize.py", "usercustomize.py")
"""Modules that Python itself imports at every start, before anything could be checked."""
_REINSTALL = "Install it again from its wheel"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one distribution, relative to `base`, with their SHA-256 in hex.

    `roots` are the modules that belong to it, as dotted names: no other distribution may add to them.
    `notes` say how the files differ from what was installed, as far as RECORD tells.
    """

    base: Path
    digests: Mapping[str, str]
    roots: tuple[str, ...]
    hash: str
    notes: tuple[str, ...]


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def read_files(found: Found) -> Files:
    """Read and hash every file of the pack's distribution; raises `PackError` when that cannot be done."""
    base = Path(str(found.dist.locate_file("")))
    record = dict(_record(found))
    if not base.is_dir() or not record:
        raise _broken(found, "was not installed from a wheel: it has no RECORD of its files")
    folders = list(_package_folders(record, found.module))
    if at_start := sorted({*record}.intersection(_AT_START)):
        raise _broken(found, f"brings {at_start[0]}, which Python runs at every start, unchecked")
    names = sorted({name for name in record if (base / name).is_file()} | set(_walk(found, base, folders)))
    _refuse_devices(found, base, names)
    try:
        digests = {name: digest((base / name).read_bytes()) for name in names}
    except OSError as error:
        raise _broken(found, f"has a file that cannot be read: {error}") from error
    roots = tuple(sorted(_roots(digests, folders)))
    _check_entry(found, roots)
    return Files(
        base=base,
        digests=digests,
        roots=roots,
        hash=_total({**digests, **_metadata(found)}),
        notes=tuple(_notes(record, digests)),
    )


def _record(found: Found) -> Iterator[tuple[str, str]]:
    """Files of RECORD that are code or data of the distribution, each with its noted hash (may be empty)."""
    for row in csv.reader((found.dist.read_text("RECORD") or "").splitlines()):
        path = PurePosixPath(row[0] if row else "")
        outside = path.is_absolute() or not path.parts or ".." in path.parts
        if not outside and "__pycache__" not in path.parts and not path.parts[0].endswith(".dist-info"):
            yield str(path), row[1] if len(row) > 1 else ""


def _package_folders(record: Iterable[str], module: str) -> Iterator[str]:
    """The outermost packages. A folder without `__init__.py` above them may be shared with others."""
    packages = {str(PurePosixPath(name).parent) for name in record if name.endswith("/__init__.py")}
    entry = PurePosixPath(module.split(":")[0].strip().replace(".", "/"))
    packages.update(str(entry.parent) for name in record if name == f"{entry}.py" and len(entry.parts) > 1)
    for folder in packages:
        if not any(str(parent) in packages for parent in PurePosixPath(folder).parents):
            yield folder


def _walk(found: Found, base: Path, folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        for place, inner, names in os.walk(base / folder):
            inner[:] = [name for name in inner if name != "__pycache__"]
            linked = [name for name in (".", *inner) if Path(place, name).is_symlink()]
            if linked:
                raise _broken(found, f"has a symbolic link to a folder: {Path(place, linked[0])}")
            yield from (Path(place, name).relative_to(base).as_posix() for name in names)


def _refuse_devices(found: Found, base: Path, names: Iterable[str]) -> None:
    """Nothing but files is read: a named pipe would hold up whoever opens it."""
    for name in names:
        path = base / name
        if path.exists() and not path.is_file():
            raise _broken(found, f"has something in its package that is no file: {path}")


def _roots(names: Iterable[str], folders: list[str]) -> Iterator[str]:
    yield from (folder.replace("/", ".") for folder in folders)
    for name in names:
        path = PurePosixPath(name)
        inside = any(name.startswith(f"{folder}/") for folder in folders)
        if not inside and any(path.name.endswith(suffix) for suffix in all_suffixes()):
            yield ".".join((*path.parts[:-1], path.name.split(".")[0]))


def _check_entry(found: Found, roots: Collection[str]) -> None:
    """Refuse an entry point into another distribution: that code could change and the hash would not."""
    parts = found.module.split(":")[0].strip().split(".")
    if not any(".".join(parts[:length]) in roots for length in range(1, len(parts) + 1)):
        raise PackError(
            f"{found.distribution} names {found.module!r} as its pack, which is none of its own modules",
            rule="a locked pack's code is in the distribution that was hashed",
            remedy="Ask its author to ship the module with the entry point",
        )


def _metadata(found: Found) -> dict[str, str]:
    texts = {name: found.dist.read_text(name) for name in _METADATA}
    if any(text is None for text in texts.values()):
        raise _broken(found, "has no METADATA or no entry_points.txt")
    return {f"dist-info/{name}": digest((text or "").encode()) for name, text in texts.items()}


def _total(digests: Mapping[str, str]) -> str:
    lines = "".join(f"{name}\0{digests[name]}\n" for name in sorted(digests))
    return f"sha256:{digest(lines.encode('utf-8', 'surrogateescape'))}"


def _notes(record: Mapping[str, str], digests: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(record.keys() | digests.keys()):
        if name not in digests:
            yield f"missing since it was installed: {name}"
        elif name not in record:
            yield f"added since it was installed: {name}"
        elif record[name].startswith("sha256=") and record[name] != _as_record(digests[name]):
            yield f"edited since it was installed: {name}"


def _as_record(hexadecimal: str) -> str:
    """A digest as RECORD writes it: PEP 376, URL-safe base64 without padding."""
    return "sha256=" + base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).decode().rstrip("=")


def _broken(found: Found, why: str) -> PackError:
    return PackError(
        f"{found.distribution} {why}", rule="a locked pack is hashed file by file", remedy=_REINSTALL
    )
