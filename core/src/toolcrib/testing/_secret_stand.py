"""What the conformance suite needs to know of the provider that it looks at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from toolcrib.secrets import SecretProvider

__all__ = ["SecretStand"]


class SecretStand(ABC):
    """A place with secrets, and providers that read them; subclasses say what their place can do.

    `versions` is False where the place tells no versions apart; `private` are credentials that no message and
    no repr may hold.
    """

    versions: bool = True
    private: tuple[str, ...] = ()

    @abstractmethod
    def open(self) -> SecretProvider:
        """A new provider that may read everything that `put` keeps."""

    @abstractmethod
    def put(self, path: str, value: str) -> int | str | None:
        """Keep `value` as the newest at `path`; the version that a fetch will tell, None if unknown."""

    def put_binary(self, path: str, value: bytes) -> bool:
        """Keep bytes that are no text; False where the place keeps text only."""
        return False

    def remove(self, path: str) -> bool:
        """Remove the secret; False where the stand cannot."""
        return False

    def refused(self, path: str) -> SecretProvider | None:
        """A provider with credentials that may not read `path`; None where there are no such."""
        return None

    def unreachable(self) -> SecretProvider | None:
        """A provider whose place is not there now; None where that cannot be."""
        return None

    def requests(self) -> int | None:
        """How many requests have reached the place so far; None where nobody counts."""
        return None

    @contextmanager
    def holding(self) -> Iterator[Event | None]:
        """Inside, the place answers nothing; the event is set once a request waits. None where it cannot."""
        yield None
