"""Artifacts: by digest, per tenant, whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from toolcrib.artifacts import ArtifactStore
from toolcrib.errors import ConfigError, VendorRefused

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def test_what_was_kept_is_read_by_its_digest(store: ArtifactStore) -> None:
    kept = store.of("acme").keep("a/plot.png", PNG)
    assert (kept.name, kept.media_type, kept.size) == ("a/plot.png", "image/png", 28)
    assert kept.digest == hashlib.sha256(PNG).hexdigest()
    assert store.of("acme").read(kept.digest) == PNG
    assert store.of("acme").path(kept.digest).stat().st_mode & 0o777 == 0o600


def test_another_tenant_finds_nothing(store: ArtifactStore) -> None:
    digest = store.of("acme").keep("x", b"mine").digest
    with pytest.raises(VendorRefused, match="there is no artifact"):
        store.of("globex").read(digest)


def test_keeping_it_again_is_harmless(store: ArtifactStore, tmp_path: Path) -> None:
    first, second = (store.of("acme").keep("x", b"same") for _ in range(2))
    assert first == second
    assert len(list((tmp_path / "artifacts" / "tenant-acme").iterdir())) == 1


@pytest.mark.parametrize(
    "digest", ["", "..", "../tenant-globex/x", "/etc/passwd", "A" * 64, "0" * 63, "0" * 64]
)
def test_what_is_no_digest_is_no_path(store: ArtifactStore, digest: str) -> None:
    store.of("acme").keep("x", b"1")
    with pytest.raises(VendorRefused):
        store.of("acme").read(digest)


def test_a_tenant_called_dots_stays_inside(store: ArtifactStore, tmp_path: Path) -> None:
    store.of("..").keep("x", b"1")
    assert [each.name for each in (tmp_path / "artifacts").iterdir()] == ["tenant-.."]
    assert [each.name for each in tmp_path.iterdir()] == ["artifacts"]


def test_what_is_no_tenant_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(ConfigError):
        store.of("a/b")


def test_a_changed_file_is_not_handed_out(store: ArtifactStore) -> None:
    digest = store.of("acme").keep("x", b"true").digest
    store.of("acme").path(digest).write_bytes(b"false")
    with pytest.raises(VendorRefused, match="was changed"):
        store.of("acme").read(digest)
