"""Keys of the log: Ed25519 for checkpoints, HMAC for sensitive arguments.

A key that lies in the audit folder would be copied, shipped and replaced together with what it protects; a
key that others can read protects nothing. So both are refused, at every load and not only when the file is
made.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from toolcrib.audit._errors import failed
from toolcrib.audit._record import canonical
from toolcrib.audit._segments import write_new
from toolcrib.errors import AuditError

__all__ = ["HmacKey", "PublicKey", "Signer", "SigningKey", "key_outside"]

_HEADER = "toolcrib-hmac-sha256 "


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What verifies checkpoints; `raw` are its 32 bytes. Pin it: keep a copy where the log's host cannot
    write.
    """

    raw: bytes

    @property
    def id(self) -> str:
        """16 hex digits of the key's SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @classmethod
    def load(cls, path: Path) -> PublicKey:
        """From a PEM file; `AuditError` if it cannot be read or is no Ed25519 public key."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            key = load_pem_public_key(Path(path).read_bytes())
        except OSError as error:
            raise failed("read the public key", Path(path), error) from error
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise _bad_key(
                Path(path),
                "it is no Ed25519 public key in PEM form",
                "Export it with 'toolcrib audit checkpoint'",
            )
        return cls(key.public_bytes_raw())

    def export(self, path: Path) -> None:
        """Write it as PEM, readable by all."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.raw)
        _write(
            Path(path),
            key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            mode=0o644,
            replace=True,
        )

    def accepts(self, signature: bytes, data: bytes) -> bool:
        """True if `signature` was made over `data` by the holder of the private key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer(Protocol):
    """What signs checkpoints with Ed25519, wherever its private key is; failures are `AuditError`s."""

    @property
    def id(self) -> str:
        """The public key's id."""

    @property
    def public(self) -> PublicKey:
        """The public key."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private key that signs checkpoints: a PEM file of mode 0600 outside the audit folder."""

    path: Path
    public: PublicKey
    _private: Any = field(repr=False, compare=False)

    @property
    def id(self) -> str:
        """The public key's id."""
        return self.public.id

    @classmethod
    def load_or_create(cls, path: Path, *, audit_folder: Path | None = None) -> SigningKey:
        """The key at `path`, made if there is none; `AuditError` if the file cannot be trusted or read."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(_load(Path(path), _new_signing_key, audit_folder), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise _bad_key(
                Path(path), "it is no Ed25519 private key in PEM form", "Restore the key from its backup"
            )
        return cls(Path(path), PublicKey(key.public_key().public_bytes_raw()), key)

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        signature: bytes = self._private.sign(data)
        return signature


@dataclass(frozen=True, slots=True)
class HmacKey:
    """Stands in for sensitive arguments: equal values give equal digests, and without the key nobody can
    try values out.
    """

    path: Path
    _secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """16 hex digits that name the key and tell nothing of it."""
        return hmac.digest(self._secret, b"toolcrib key id", "sha256").hex()[:16]

    @classmethod
    def load_or_create(cls, path: Path, *, audit_folder: Path | None = None) -> HmacKey:
        """The key at `path`, made if there is none; `AuditError` if the file cannot be trusted or read."""
        text = _load(Path(path), _new_hmac_key, audit_folder).decode("ascii", errors="replace").strip()
        try:
            secret = bytes.fromhex(text.removeprefix(_HEADER)) if text.startswith(_HEADER) else b""
        except ValueError:
            secret = b""
        if len(secret) != 32:
            raise _bad_key(Path(path), "it is no HMAC key of Toolcrib", "Restore the key from its backup")
        return cls(Path(path), secret)

    def digest(self, value: Any) -> dict[str, str]:
        """What stands in a record for a sensitive `value`: `{"hmac": hex, "key": id}`; `AuditError` if it
        is not JSON.
        """
        return {"hmac": hmac.digest(self._secret, canonical(value), "sha256").hex(), "key": self.id}

    def keyed(self, digest: str) -> str:
        """A digest in which nobody finds out a short value by trying values out, made of one in which they
        could.
        """
        return hmac.digest(self._secret, b"toolcrib digest " + digest.encode(), "sha256").hex()


def key_outside(path: Path, audit_folder: Path) -> None:
    """Refuse a key file that lies in the audit folder."""
    if path.resolve().is_relative_to(audit_folder.resolve()):
        raise _bad_key(
            path, f"it lies in the audit folder '{audit_folder}'", "Keep it elsewhere, best on another volume"
        )


def _load(path: Path, make: Any, audit_folder: Path | None) -> bytes:
    if audit_folder is not None:
        key_outside(path, audit_folder)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        _write(path, make(), mode=0o600, replace=False)
        return _load(path, make, audit_folder)
    except OSError as error:
        raise failed("read the key", path, error) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_mode & 0o077:
            mode = f"{status.st_mode & 0o777:04o}"
            raise _bad_key(
                path,
                f"its mode is {mode}",
                f"If nobody can have read it: chmod 0600 '{path}'; else make a new one",
            )
        if status.st_uid != os.geteuid():
            raise _bad_key(
                path, "another user owns it", f"Run as its owner, or: chown {os.geteuid()} '{path}'"
            )
        return file.read()


def _write(path: Path, data: bytes, *, mode: int, replace: bool) -> None:
    try:
        write_new(path, data, mode=mode, replace=replace)
    except OSError as error:
        raise failed("write the key", path, error) from error


def _new_signing_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _new_hmac_key() -> bytes:
    return f"{_HEADER}{secrets.token_hex(32)}\n".encode()


def _bad_key(path: Path, why: str, remedy: str) -> AuditError:
    return AuditError(
        f"key file '{path}' is refused: {why}",
        rule="a key is a file of mode 0600, owned by its user, outside the audit folder",
        remedy=remedy,
    )
