"""The conformance suite itself: a sound provider passes, and a test finds each fault."""

import asyncio
import socket
import threading
from contextlib import contextmanager

import pytest

from toolcrib.errors import SecretError, SecretNotFound, SecretRefused
from toolcrib.secrets import Secret, check_path
from toolcrib.testing.secrets import SecretProviderConformance, SecretStand

TOKEN = "the-credential-itself"


class Memory:
    """A sound provider of what lies in its stand."""

    def __init__(self, stand, may=True):
        self.stand, self.may = stand, may

    async def fetch(self, path):
        check_path(path)
        self.stand.count += 1
        if self.stand.arrived is not None:
            self.stand.arrived.set()
            await asyncio.sleep(60)
        if not self.may:
            raise SecretRefused(f"{path!r} may not be read", remedy="Ask its owner")
        if path not in self.stand.kept:
            raise SecretNotFound(f"there is no secret at {path!r}", remedy="Store it")
        return self.secret(path, *self.stand.kept[path])

    def secret(self, path, version, value):
        if isinstance(value, bytes):
            raise SecretError(f"the secret at {path!r} is not text", remedy="Store it in base64")
        return Secret(value, path=path, version=version)

    async def close(self):
        pass


class MemoryStand(SecretStand):
    private = (TOKEN,)

    def __init__(self, provider=Memory):
        self.provider, self.kept, self.count, self.arrived = provider, {}, 0, None

    def open(self):
        return self.provider(self)

    def put(self, path, value):
        self.kept[path] = (self.kept.get(path, (0,))[0] + 1, value)
        return self.kept[path][0]

    def put_binary(self, path, value):
        return bool(self.put(path, value))

    def remove(self, path):
        return bool(self.kept.pop(path))

    def refused(self, path):
        return self.provider(self, may=False)

    def unreachable(self):
        class Away(self.provider):
            async def fetch(self, path):
                raise SecretError("the memory is away", remedy="Try again")

        return Away(self)

    def requests(self):
        return self.count

    @contextmanager
    def holding(self):
        self.arrived = threading.Event()
        try:
            yield self.arrived
        finally:
            self.arrived = None


class TestMemory(SecretProviderConformance):
    @pytest.fixture
    def stand(self):
        return MemoryStand()


class Oldest(Memory):
    def secret(self, path, version, value):
        return super().secret(path, *self.__dict__.setdefault("first_of_" + path, (version, value)))


class NoVersion(Memory):
    def secret(self, path, version, value):
        return Secret(value, path=path, version="")


class Stripping(Memory):
    def secret(self, path, version, value):
        return Secret(value.strip(), path=path, version=version)


class Quoting(Memory):
    def secret(self, path, version, value):
        try:
            return Secret(value if isinstance(value, str) else value.decode(), path=path, version=version)
        except UnicodeDecodeError as error:
            raise SecretError(f"{path!r} is not text", remedy="Store it in base64") from error


class Vague(Memory):
    async def fetch(self, path):
        try:
            return await super().fetch(path)
        except SecretNotFound as error:
            raise SecretError(error.what) from None


class Mute(Memory):
    async def fetch(self, path):
        try:
            return await super().fetch(path)
        except SecretError as error:
            raise type(error)("no") from None


class Following(Memory):
    async def fetch(self, path):
        self.stand.count += 1
        return await super().fetch(path)


class Remembering(Memory):
    async def fetch(self, path):
        self.seen = {**getattr(self, "seen", {}), path: None}
        try:
            self.last = await super().fetch(path)
        except SecretNotFound:
            if not hasattr(self, "last"):
                raise
        return self.last


class Mixing(Memory):
    async def fetch(self, path):
        self.path = path
        await asyncio.sleep(0)
        return await super().fetch(self.path)


class Bound(Memory):
    async def fetch(self, path):
        self.loop = getattr(self, "loop", None) or asyncio.get_running_loop()
        if self.loop is not asyncio.get_running_loop():
            raise RuntimeError("attached to a different loop")
        return await super().fetch(path)


class Deaf(Memory):
    async def fetch(self, path):
        try:
            return await super().fetch(path)
        except asyncio.CancelledError:
            return Secret("late", path=path, version=1)


class Leaking(Memory):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.socket = socket.socket()


class Talking(Memory):
    def __repr__(self):
        return f"Talking(token={TOKEN!r})"


class ClosedOnce(Memory):
    async def close(self):
        if hasattr(self, "closed"):
            raise RuntimeError("closed already")
        self.closed = True


FAULTS = [
    (Oldest, "the_newest_version_is_fetched"),
    (NoVersion, "the_value_comes_with_path_and_version"),
    (Stripping, "text_comes_as_it_was_stored", "two\nlines\n"),
    (Quoting, "a_binary_value_is_a_value_or_a_clear_error"),
    (Vague, "what_is_not_there_is_not_found"),
    (Mute, "what_is_not_there_is_not_found"),
    (Mute, "what_may_not_be_read_is_refused"),
    (Vague, "what_was_removed_is_not_found"),
    (Remembering, "what_was_removed_is_not_found"),
    (Following, "a_path_that_is_none_is_refused_before_anything_is_sent"),
    (Mixing, "many_callers_at_once_each_get_their_own"),
    (Bound, "one_provider_serves_several_event_loops"),
    (Deaf, "a_cancelled_fetch_ends_at_once_and_harms_nobody"),
    (ClosedOnce, "close_may_be_repeated_and_leaves_nothing_open"),
    (Leaking, "close_may_be_repeated_and_leaves_nothing_open"),
    (Talking, "no_repr_holds_a_value_or_a_credential"),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(("provider", "test", "more"), [(*fault, None)[:3] for fault in FAULTS])
def test_each_fault_is_found(provider, test, more, monkeypatch):
    monkeypatch.setattr("toolcrib.testing._secret_checks.PATIENCE", 0.0)
    stand = MemoryStand(provider)
    check = getattr(SecretProviderConformance(), f"test_{test}")
    with pytest.raises((AssertionError, SecretError, RuntimeError, pytest.fail.Exception)):
        check(stand, more) if more else check(stand)
