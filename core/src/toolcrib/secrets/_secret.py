"""A secret's value, wrapped so that it does not slip into a log, a message or a file by accident.

This keeps honest code from leaking, nothing more: in one process, code that wants the value can have it.
"""

from __future__ import annotations

from typing import Any, NoReturn, Protocol, runtime_checkable

__all__ = ["ReplacesSecrets", "Secret", "SecretProvider"]


class Secret:
    """A value with the `path` and `version` it came from; only `reveal()` gives the value.

    `expires` is when the value ends, in `time.time()` seconds; None where it does not end by itself.

    It prints as its path and version, and refuses to be pickled, hashed, formatted with a specification or
    changed. `==` compares identity, so that no assertion or log ever shows two values side by side.
    """

    __slots__ = ("_expires", "_path", "_value", "_version")
    __hash__ = None  # type: ignore[assignment]
    _path: str
    _value: str
    _version: int | str
    _expires: float | None

    def __init__(self, value: str, *, path: str, version: int | str, expires: float | None = None) -> None:
        object.__setattr__(self, "_value", value)
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_version", version)
        object.__setattr__(self, "_expires", expires)

    @property
    def path(self) -> str:
        """Where the provider keeps it; paths are no secret."""
        return self._path

    @property
    def version(self) -> int | str:
        """The provider's version of the value."""
        return self._version

    @property
    def expires(self) -> float | None:
        """When the value ends, in `time.time()` seconds."""
        return self._expires

    def reveal(self) -> str:
        """The value. Pass it straight to the client that needs it; keep it nowhere."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret(path={self.path!r}, version={self.version!r})"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret is not pickled: pass its path, and fetch it where it is needed")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret gives no state away")


@runtime_checkable
class SecretProvider(Protocol):
    """Where secrets are kept: the local store, Vault, ..."""

    async def fetch(self, path: str) -> Secret:
        """The newest version of the secret at `path`.

        `SecretNotFound` if there is none, `SecretRefused` if these credentials may not read it, any other
        `SecretError` if it cannot be had now.
        """
        ...

    async def close(self) -> None:
        """Give back what was taken on loan (leases, tokens, connections)."""
        ...


@runtime_checkable
class ReplacesSecrets(Protocol):
    """A provider that can store the successor of a value which it gave: a refresh token that was replaced."""

    async def replace(self, old: Secret, value: str) -> Secret:
        """Store `value` where `old` came from, as the next version, and give it as it would be fetched.

        `SecretChanged` if `old` is no longer the newest; `SecretRefused` where this provider or these
        credentials may not write there. Nothing is written then.
        """
        ...
