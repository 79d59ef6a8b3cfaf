"""Keys and checkpoints as files."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from toolcrib.audit import AuditLog, Checkpoint, HmacKey, PublicKey, SigningKey, verify
from toolcrib.errors import AuditError, ToolcribWarning

KINDS = pytest.mark.parametrize("kind", [SigningKey, HmacKey])


@KINDS
def test_a_key_is_made_once_and_loaded_after(tmp_path: Path, kind: type):
    made = kind.load_or_create(tmp_path / "keys" / "key")
    again = kind.load_or_create(tmp_path / "keys" / "key")
    assert made.id == again.id and len(made.id) == 16
    assert stat.S_IMODE((tmp_path / "keys" / "key").stat().st_mode) == 0o600
    assert list((tmp_path / "keys").iterdir()) == [tmp_path / "keys" / "key"]
    assert kind.load_or_create(tmp_path / "other").id != made.id


@KINDS
def test_a_key_made_by_many_at_once_is_one_key(tmp_path: Path, kind: type):
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: ids.append(kind.load_or_create(tmp_path / "key").id))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8 and len(set(ids)) == 1


@KINDS
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, kind: type, mode: int):
    kind.load_or_create(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(AuditError, match=f"its mode is {mode:04o}") as caught:
        kind.load_or_create(tmp_path / "key")
    assert "chmod 0600" in caught.value.remedy


@KINDS
def test_a_key_of_another_user_is_refused(tmp_path: Path, kind: type):
    if os.geteuid():
        pytest.skip("only root can give a file away")
    kind.load_or_create(tmp_path / "key")
    os.chown(tmp_path / "key", 12345, -1)
    with pytest.raises(AuditError, match="another user owns it"):
        kind.load_or_create(tmp_path / "key")


@KINDS
def test_a_key_in_the_audit_folder_is_refused(tmp_path: Path, kind: type):
    folder = tmp_path / "audit"
    with pytest.raises(AuditError, match="lies in the audit folder"):
        kind.load_or_create(folder / "deep" / "key", audit_folder=folder)
    assert not folder.exists()
    (tmp_path / "way").symlink_to(folder)
    with pytest.raises(AuditError, match="lies in the audit folder"):
        kind.load_or_create(tmp_path / "way" / "key", audit_folder=folder)


def test_a_log_refuses_a_signing_key_from_its_own_folder(folder: Path):
    key = SigningKey.load_or_create(folder / "key")
    with pytest.raises(AuditError, match="lies in the audit folder"):
        AuditLog(folder, key=key)


@KINDS
def test_a_link_is_no_key(tmp_path: Path, kind: type):
    kind.load_or_create(tmp_path / "key")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    with pytest.raises(AuditError, match="cannot read the key"):
        kind.load_or_create(tmp_path / "link")


@KINDS
@pytest.mark.parametrize("content", ["", "junk", "toolcrib-hmac-sha256 zz", "toolcrib-hmac-sha256 00"])
def test_a_broken_key_is_refused_and_left_alone(tmp_path: Path, kind: type, content: str):
    (tmp_path / "key").write_text(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(AuditError, match="it is no"):
        kind.load_or_create(tmp_path / "key")
    assert (tmp_path / "key").read_text() == content


def test_no_key_shows_in_a_repr(tmp_path: Path):
    key = HmacKey.load_or_create(tmp_path / "hmac")
    assert (tmp_path / "hmac").read_text().split()[-1][:8] not in repr(key)
    assert "private" not in repr(SigningKey.load_or_create(tmp_path / "key")).lower()


def test_equal_values_have_equal_hmacs_and_other_values_or_keys_have_not(tmp_path: Path):
    one, two = (HmacKey.load_or_create(tmp_path / name) for name in ("one", "two"))
    assert one.digest({"a": 1, "b": 2}) == one.digest({"b": 2, "a": 1})
    assert one.digest("x") != one.digest("y")
    assert one.digest("1") != one.digest(1)
    assert one.digest("x")["hmac"] != two.digest("x")["hmac"]
    assert one.digest("x")["key"] == one.id and len(one.digest("x")["hmac"]) == 64
    with pytest.raises(AuditError):
        one.digest(float("nan"))


# --- public keys ------------------------------------------------------------------------------------------


def test_a_public_key_goes_through_a_file(tmp_path: Path):
    key = SigningKey.load_or_create(tmp_path / "key")
    key.public.export(tmp_path / "pub")
    assert PublicKey.load(tmp_path / "pub") == key.public
    assert key.public.id == key.id
    assert (tmp_path / "pub").read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")


@pytest.mark.parametrize(
    "content", ["", "junk", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_what_is_no_public_key_is_refused(tmp_path: Path, content: str):
    (tmp_path / "pub").write_text(content)
    with pytest.raises(AuditError, match="no Ed25519 public key"):
        PublicKey.load(tmp_path / "pub")


def test_a_missing_public_key_is_an_error(tmp_path: Path):
    with pytest.raises(AuditError, match="cannot read the public key"):
        PublicKey.load(tmp_path / "pub")


def test_a_signature_is_accepted_for_its_data_and_nothing_else(tmp_path: Path):
    key = SigningKey.load_or_create(tmp_path / "key")
    signature = key.sign(b"data")
    assert key.public.accepts(signature, b"data")
    assert not key.public.accepts(signature, b"date")
    assert not key.public.accepts(signature[:-1], b"data")
    assert not PublicKey(b"short").accepts(signature, b"data")


# --- checkpoints ------------------------------------------------------------------------------------------


def test_a_checkpoint_says_where_the_log_stands(folder: Path, tmp_path: Path):
    key = SigningKey.load_or_create(tmp_path / "key")
    log = AuditLog(folder, durability="written", key=key)
    for n in range(4):
        log.append_blocking({"kind": "intent", "call": f"{n}"})
    made = log.checkpoint(out=tmp_path / "out" / "shipped.json")
    result = verify(folder)
    assert (made.records, made.head, made.segment) == (5, result.head, "000001.jsonl")
    assert made.offset == result.bytes and made.signed_by(key.public)
    assert Checkpoint.load(tmp_path / "out" / "shipped.json") == made
    assert Checkpoint.load(folder / "checkpoints" / "000000000005.json") == made
    log.close()
    assert len(list((folder / "checkpoints").iterdir())) == 1  # nothing new: no other one at close


def test_closing_signs_what_is_new(folder: Path, tmp_path: Path):
    key = SigningKey.load_or_create(tmp_path / "key")
    for _ in range(2):
        log = AuditLog(folder, key=key)
        log.append_blocking({"kind": "intent", "call": "c"})
        log.close()
    assert [path.name for path in sorted((folder / "checkpoints").iterdir())] == [
        "000000000002.json",
        "000000000004.json",
    ]
    assert verify(folder, public_key=key.public).protected == 4


def test_a_checkpoint_that_cannot_be_written_at_close_is_a_warning(folder: Path, tmp_path: Path):
    log = AuditLog(folder, key=SigningKey.load_or_create(tmp_path / "key"))
    log.append_blocking({"kind": "intent", "call": "c"})
    (folder / "checkpoints").write_text("in the way")
    with pytest.warns(ToolcribWarning, match="checkpoint"):
        log.close()


def test_without_a_key_there_is_no_checkpoint(folder: Path):
    log = AuditLog(folder)
    with pytest.raises(AuditError, match="no signing key"):
        log.checkpoint()
    log.close()


def test_openssl_accepts_the_signature(folder: Path, tmp_path: Path):
    """An independent program, by the documented recipe: the fields without `signature`, sorted."""
    import json

    key = SigningKey.load_or_create(tmp_path / "key")
    log = AuditLog(folder, key=key)
    log.append_blocking({"kind": "intent", "call": "c"})
    log.checkpoint(out=tmp_path / "shipped.json")
    log.close()
    key.public.export(tmp_path / "pub")
    fields = json.loads((tmp_path / "shipped.json").read_text())
    (tmp_path / "sig").write_bytes(bytes.fromhex(fields.pop("signature")))
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    (tmp_path / "data").write_bytes(b"toolcrib-checkpoint\n" + text.encode())
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin"]
    files = ["-inkey", tmp_path / "pub", "-sigfile", tmp_path / "sig", "-in", tmp_path / "data"]
    try:
        result = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no openssl here")
    assert "Verified Successfully" in result.stdout, result.stderr
