"""Files that runs have left, by digest: `.toolcrib/artifacts`, each tenant for itself.

A digest is no secret, so knowing one must not be enough: a tenant reads only what it stored itself. The name
that a sandbox gave a file never becomes a path here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from toolcrib._private import write_private
from toolcrib.errors import ConfigError, VendorRefused
from toolcrib.principal import check_id

if TYPE_CHECKING:
    from toolcrib.calls import ToolResult

__all__ = ["ArtifactStore", "StoredArtifact", "TenantArtifacts", "files_of", "is_image", "media_type_of"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)
# Atomic and possessive: a thousand comments in front must not be tried in every combination.
_SVG = re.compile(
    rb"\s*+(?:<\?xml[^>]*\?>\s*+)?+(?><!--.*?-->\s*+)*+(?:<!DOCTYPE\s+svg[^>]*>\s*+)?+<svg[\s>/]", re.DOTALL
)
_LOOKED_AT = 4096
"""Bytes from which a type is told."""


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """A stored file: `name` as the run called it, SHA-256 `digest` in hex, `size` in bytes."""

    name: str
    digest: str
    media_type: str
    size: int


class ArtifactStore:
    """All artifacts of a crib."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, tenant: str) -> TenantArtifacts:
        """Those of one tenant; raises `ConfigError` for what is no tenant's name."""
        # The prefix keeps a tenant that is called `..`, or like an oversize result, from being a path.
        return TenantArtifacts(self._folder / f"tenant-{check_id('tenant', tenant)}")


class TenantArtifacts:
    """The artifacts of one tenant."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, data: bytes) -> StoredArtifact:
        """Store a file under its digest, whole or not at all; storing it again is harmless."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._folder / digest
        if not path.is_file():
            write_private(path, data)
        return StoredArtifact(name, digest, media_type_of(data), len(data))

    def path(self, digest: str) -> Path:
        """Where an artifact lies; raises `VendorRefused` if this tenant stored none with that digest."""
        path = self._folder / digest
        if not _DIGEST.fullmatch(digest) or not path.is_file():
            raise VendorRefused(
                f"there is no artifact {digest[:80]!r}",
                rule="an artifact is named by the SHA-256 under which a run of the same tenant left it",
                remedy="Take the digest from the result of the run",
            )
        return path

    def read(self, digest: str) -> bytes:
        """An artifact's bytes; raises `VendorRefused` if there is none, or it is not what was stored."""
        data = self.path(digest).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise VendorRefused(
                f"artifact {digest} was changed on the disk",
                rule="an artifact has the digest that names it",
                remedy="Make it again, and see who can write to the state folder",
            )
        return data

    def copy(self, digest: str, folder: Path, name: str) -> Path:
        """Write an artifact below `folder` under the name that a run gave it, for people to open; its path.

        Raises what `read` raises, and `ConfigError` for a name that leads elsewhere.
        """
        return _write_inside(folder, name, self.read(digest))


def media_type_of(data: bytes) -> str:
    """What the bytes say they are; a file's name says nothing. Text that is nothing else is `text/plain`."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    head = data[:_LOOKED_AT]
    if _SVG.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "image/svg+xml"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    if "\0" in text:
        return "application/octet-stream"
    return "application/json" if _is_json(text) else "text/plain"


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


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


def is_image(media_type: str) -> bool:
    """Whether it can be shown as a picture."""
    return media_type.startswith("image/")


def _write_inside(folder: Path, name: str, data: bytes) -> Path:
    """Write a file that a sandbox named below `folder`, through no link and never above it; its path.

    Raises `ConfigError` for a name that leads elsewhere, and where something that is no file stands there.
    """
    parts = PurePosixPath(name).parts
    target, inner = folder, folder
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
