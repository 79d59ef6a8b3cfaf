"""Files that runs have left, by digest: `.toolcrib/artifacts`, each tenant for itself.

A digest is no secret, so knowing one must not be enough: a tenant reads only what it stored itself. The name
that a sandbox gave a file never becomes a path here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from toolcrib._private import write_private
from toolcrib._shelf import Shelf
from toolcrib.errors import ConfigError, VendorRefused
from toolcrib.media import media_type_of
from toolcrib.principal import check_id

if TYPE_CHECKING:
    from toolcrib.calls import ToolResult

__all__ = ["ArtifactStore", "StoredArtifact", "TenantArtifacts", "files_of"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """A stored file: `name` as the run called it, SHA-256 `digest` in hex, `size` in bytes."""

    name: str
    digest: str
    media_type: str
    size: int


class ArtifactStore:
    """All artifacts of a crib. With `shelf` there is room for so much and no more."""

    def __init__(self, folder: Path, shelf: Shelf | None = None) -> None:
        self._folder, self._shelf = folder, shelf

    def of(self, tenant: str) -> TenantArtifacts:
        """Those of one tenant; raises `ConfigError` for what is no tenant's name."""
        # The prefix keeps a tenant that is called `..`, or like an oversize result, from being a path.
        return TenantArtifacts(self._folder / f"tenant-{check_id('tenant', tenant)}", self._shelf)

    def keep_result(self, digest: str, data: bytes) -> str:
        """Store a result that was too large to hand over; its path relative to the state folder.

        Raises `VendorRefused` where there is no room for it.
        """
        path = self._folder / f"{digest}.json"
        _store(path, data, self._shelf)
        return f"{self._folder.name}/{path.name}"


class TenantArtifacts:
    """The artifacts of one tenant."""

    def __init__(self, folder: Path, shelf: Shelf | None = None) -> None:
        self._folder, self._shelf = folder, shelf

    def keep(self, name: str, data: bytes) -> StoredArtifact:
        """Store a file under its digest, whole or not at all; storing it again is harmless.

        Raises `VendorRefused` where there is no room for it.
        """
        digest = hashlib.sha256(data).hexdigest()
        _store(self._folder / digest, data, self._shelf)
        return StoredArtifact(name, digest, media_type_of(data), len(data))

    def path(self, digest: str) -> Path:
        """Where an artifact lies; raises `VendorRefused` if this tenant stored none with that digest."""
        path = self._folder / digest
        if not _DIGEST.fullmatch(digest) or not path.is_file():
            raise VendorRefused(
                f"there is no artifact {digest[:80]!r}",
                rule="an artifact is named by the SHA-256 under which a run of the same tenant left it",
                remedy="Take the digest from the result of the run; what nobody uses is pruned after a while",
            )
        return path

    def read(self, digest: str) -> bytes:
        """An artifact's bytes; raises `VendorRefused` if there is none, or it is not what was stored."""
        path = self.path(digest)
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise VendorRefused(
                f"artifact {digest} was changed on the disk",
                rule="an artifact has the digest that names it",
                remedy="Make it again, and see who can write to the state folder",
            )
        _touch(path)
        return data

    def copy(self, digest: str, folder: Path, name: str) -> Path:
        """Write an artifact below `folder` under the name that a run gave it, for people to open; its path.

        Raises what `read` raises, and `ConfigError` for a name that leads elsewhere.
        """
        return _write_inside(folder, name, self.read(digest))


def files_of(result: ToolResult) -> tuple[StoredArtifact, ...]:
    """The files that a call of a `code` tool left, none for any other result."""
    value = result.value
    listed = value.get("files") if isinstance(value, Mapping) else None
    if result.status != "done" or not isinstance(listed, list):
        return ()
    try:
        return tuple(StoredArtifact(**each) for each in listed)
    except TypeError:  # another tool's word for something else
        return ()


def _store(path: Path, data: bytes, shelf: Shelf | None) -> None:
    if path.is_file():
        _touch(path)
        return
    with shelf.room(len(data)) if shelf is not None else contextlib.nullcontext():
        write_private(path, data)


def _touch(path: Path) -> None:
    """It was used now, so it is not pruned today."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _write_inside(folder: Path, name: str, data: bytes) -> Path:
    """Write a file that a sandbox named below `folder`, through no link and never above it; its path.

    Raises `ConfigError` for a name that leads elsewhere, and where something that is no file stands there.
    """
    parts = PurePosixPath(name).parts
    inner = folder
    if not parts or name.startswith("/") or ".." in parts:
        raise _elsewhere(name)
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts[:-1]:
        inner = inner / part
        if inner.is_symlink():
            raise _elsewhere(name)
        inner.mkdir(exist_ok=True)
    target = inner / parts[-1]
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise _elsewhere(name) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return target


def _elsewhere(name: str) -> ConfigError:
    return ConfigError(
        f"the file {name[:200]!r} of a run cannot be written where it says",
        rule="files of a run are written below the folder that was named, through no link",
        remedy="Name an empty folder; the file itself is kept as an artifact",
    )
