"""Where the key of the local secrets is: a file that only its owner can read, or the system's keyring."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from toolcrib._private import make_private
from toolcrib.errors import ConfigError, SecretError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["KEY_BYTES", "KeyFile", "KeyHolder", "KeyringKey"]

KEY_BYTES = 32
"""AES-256."""

SERVICE = "toolcrib"
"""Under which the keyring shows the key to its owner."""


class KeyHolder(Protocol):
    """A place for one key; every method raises `SecretError`."""

    place: str

    def find(self) -> bytes | None:
        """The key; None if there is none."""

    def there(self) -> bool:
        """Whether there is a key, as far as it can be told."""

    def keep(self, key: bytes) -> bytes:
        """Keep the key, and give the one that counts: another process may have been faster."""

    def forget(self) -> None:
        """Remove the key."""

    def missing(self, remedy: str) -> SecretError:
        """The error to raise where a key is needed and there is none."""


class KeyFile:
    """A key in base64 in a file of mode 0600."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.place = f"the file {file}"

    def find(self) -> bytes | None:
        """See `KeyHolder.find`; a file that others can read is refused."""
        file = self._file
        try:
            mode = file.stat().st_mode & 0o777
            text = file.read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(
                f"the key file {file} cannot be read: {error}", remedy="Look at the file and its owner"
            ) from None
        if mode & 0o077:
            raise SecretError(
                f"the key file {file} has mode {mode:04o}",
                rule="only its owner may read the key of the local secrets",
                remedy=f"Run `chmod 600 {file}`; if others could read it, change the secrets as well",
            )
        return _decode(text, str(file))

    def there(self) -> bool:
        """See `KeyHolder.there`."""
        return self._file.is_file()

    def keep(self, key: bytes) -> bytes:
        """See `KeyHolder.keep`."""
        try:
            make_private(self._file.parent)
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return self.find() or key
        except OSError as error:
            raise SecretError(f"the key file {self._file} cannot be made: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as out:
            out.write(b64encode(key) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        return key

    def forget(self) -> None:
        """See `KeyHolder.forget`."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            raise SecretError(f"the key file {self._file} cannot be removed: {error.strerror}") from error

    def missing(self, remedy: str) -> SecretError:
        """See `KeyHolder.missing`."""
        return SecretError(f"the key file {self._file} is missing", remedy=remedy)


class KeyringKey:
    """A key in the keyring of the operating system, through the library `keyring` (extra `keyring`)."""

    def __init__(self, folder: Path) -> None:
        self._name = str(folder.absolute())
        self.place = f"the keyring, as {SERVICE!r} {self._name!r}"

    def find(self) -> bytes | None:
        """See `KeyHolder.find`."""
        text = self._ask("get_password")
        return None if text is None else _decode(text, "the entry in the keyring")

    def there(self) -> bool:
        """See `KeyHolder.there`."""
        try:
            return self.find() is not None
        except (SecretError, ConfigError):
            return False

    def keep(self, key: bytes) -> bytes:
        """See `KeyHolder.keep`; a keyring that does not give back what it was given is refused."""
        self._ask("set_password", b64encode(key).decode())
        if self.find() != key:
            raise SecretError(
                "the keyring does not keep what it is given",
                rule='[secrets] key = "keyring" needs the keyring of a desktop session or a keyring daemon',
                remedy="See `keyring --list-backends`, or write key = 'file'",
            )
        return key

    def forget(self) -> None:
        """See `KeyHolder.forget`."""
        self._ask("delete_password")

    def missing(self, remedy: str) -> SecretError:
        """See `KeyHolder.missing`."""
        return SecretError(f"the keyring has no key {SERVICE!r} {self._name!r}", remedy=remedy)

    def _ask(self, act: str, *more: str) -> str | None:
        keyring = _library()
        try:
            answer: str | None = getattr(keyring, act)(SERVICE, self._name, *more)
        except Exception as error:  # each backend raises what its system raises
            none = isinstance(error, keyring.errors.NoKeyringError)
            what = (
                "there is no keyring here" if none else f"the keyring cannot be used ({type(error).__name__})"
            )
            raise SecretError(
                what,
                rule='[secrets] key = "keyring" needs the keyring of a desktop session or a keyring daemon',
                remedy='Unlock or start it, or write key = "file" under [secrets]',
            ) from None
        return answer


def _library() -> ModuleType:
    try:
        import keyring
        import keyring.errors
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'[secrets] key = "keyring" needs {error.name}, which is not installed',
            rule="the library comes with the extra 'keyring'",
            remedy="pip install 'toolcrib[keyring]'",
        ) from None
    return keyring


def _decode(text: str, place: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretError(
            f"{place} does not hold a key",
            rule=f"it is {KEY_BYTES} bytes in base64",
            remedy="Restore it from where the store came",
        )
    return key
