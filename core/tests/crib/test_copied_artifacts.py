"""Artifacts are copied to where people open them: below a folder, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolcrib.artifacts import ArtifactStore, TenantArtifacts
from toolcrib.errors import ConfigError, VendorRefused


@pytest.fixture
def store(tmp_path: Path) -> TenantArtifacts:
    return ArtifactStore(tmp_path / "artifacts").of("acme")


@pytest.fixture
def digest(store: TenantArtifacts) -> str:
    return store.keep("x", b"1").digest


def test_a_name_with_folders(store: TenantArtifacts, digest: str, tmp_path: Path) -> None:
    assert store.copy(digest, tmp_path / "out", "a/b.txt") == tmp_path / "out" / "a" / "b.txt"
    other = store.keep("y", b"2").digest
    assert store.copy(other, tmp_path / "out", "a/b.txt").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["", "/etc/x", "..", "../x", "a/../../x", "."])
def test_a_name_that_leads_elsewhere(store: TenantArtifacts, digest: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        store.copy(digest, tmp_path / "out", name)
    assert not (tmp_path / "x").exists()


def test_through_no_link(store: TenantArtifacts, digest: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "file").symlink_to(tmp_path / "elsewhere" / "x")
    for name in ("folder/x", "file"):
        with pytest.raises(ConfigError):
            store.copy(digest, tmp_path / "out", name)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_another_tenant_stored_is_not_copied(digest: str, tmp_path: Path) -> None:
    with pytest.raises(VendorRefused, match="there is no artifact"):
        ArtifactStore(tmp_path / "artifacts").of("globex").copy(digest, tmp_path / "out", "x")
    assert not (tmp_path / "out").exists()
