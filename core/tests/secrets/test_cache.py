"""The broker's cache: short, never beyond a value's end, one fetch for all who ask at once."""

import asyncio
import gc
import threading
import time
import weakref

import pytest

from toolcrib.errors import ConfigError, SecretError, SecretNotFound
from toolcrib.principal import Principal
from toolcrib.secrets import Secret, SecretBroker
from toolcrib.secrets._cache import MOST, SecretCache
from toolcrib.testing.cribs import make_crib

TEMPLATES = {"crm": {"shared": "crm/{tenant}/shared", "mine": "crm/{tenant}/{user}", "fixed": "crm/fixed"}}
ALICE = Principal(agent="writer", user="alice", tenant="acme")
BOB = Principal(agent="writer", user="bob", tenant="globex")


class Counting:
    """Gives each path a new value every time; waits at `gate` if there is one."""

    def __init__(self, lasts=None):
        self.asked, self.lasts, self.gate, self.closed = [], lasts, None, 0
        self.error = None

    async def fetch(self, path):
        self.asked.append(path)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        expires = None if self.lasts is None else time.time() + self.lasts
        return Secret(
            f"value-{len(self.asked)}-of-{path}", path=path, version=len(self.asked), expires=expires
        )

    async def close(self):
        self.closed += 1


def broker_of(provider, cache=60.0):
    return SecretBroker(provider, TEMPLATES, cache=cache)


async def test_a_value_is_fetched_once_while_it_is_kept():
    broker = broker_of(provider := Counting())
    first, second = [await broker.secret("crm", "shared", ALICE) for _ in range(2)]
    assert first is second
    assert provider.asked == ["crm/acme/shared"]


async def test_without_a_cache_each_use_fetches():
    broker = broker_of(provider := Counting(), cache=0)
    for _ in range(3):
        await broker.secret("crm", "shared", ALICE)
    assert (len(provider.asked), len(broker.cache)) == (3, 0)


async def test_a_value_is_kept_for_its_path_and_for_no_other():
    broker = broker_of(provider := Counting())
    values = {(await broker.secret("crm", "mine", who)).reveal() for who in (ALICE, BOB, ALICE, BOB)}
    assert len(values) == 2
    assert sorted(provider.asked) == ["crm/acme/alice", "crm/globex/bob"]


async def test_64_callers_of_two_tenants_make_two_fetches_and_none_is_mixed_up():
    broker = broker_of(provider := Counting(), cache=0)
    provider.gate = asyncio.Event()
    callers = [asyncio.create_task(broker.secret("crm", "mine", who)) for who in (ALICE, BOB) * 32]
    while len(provider.asked) < 2:
        await asyncio.sleep(0)
    provider.gate.set()
    paths = [secret.path for secret in await asyncio.gather(*callers)]
    assert paths == ["crm/acme/alice", "crm/globex/bob"] * 32
    assert sorted(provider.asked) == ["crm/acme/alice", "crm/globex/bob"]


async def test_a_caller_who_goes_away_takes_nobody_along():
    broker = broker_of(provider := Counting())
    provider.gate = asyncio.Event()
    first, second = (asyncio.create_task(broker.secret("crm", "shared", ALICE)) for _ in range(2))
    while not provider.asked:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    provider.gate.set()
    assert (await second).version == 1
    assert first.cancelled()


async def test_a_failure_is_everybodys_own_and_is_not_kept():
    broker = broker_of(provider := Counting())
    provider.gate, provider.error = asyncio.Event(), SecretNotFound("nothing at x", remedy="Store it")
    callers = [asyncio.create_task(broker.secret("crm", "shared", ALICE)) for _ in range(4)]
    while not provider.asked:
        await asyncio.sleep(0)
    provider.gate.set()
    errors = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(error) for error in errors} == {SecretNotFound}
    assert len({id(error) for error in errors}) == 4
    assert str(errors[0]) == "nothing at x. Store it."
    provider.error = None
    assert (await broker.secret("crm", "shared", ALICE)).version == 2


def test_callers_on_several_loops_share_one_fetch():
    started, release = threading.Event(), threading.Event()
    asked = []

    async def fetch(path):
        asked.append(path)
        started.set()
        await asyncio.to_thread(release.wait, 30)
        return Secret("shared-value", path=path, version=1)

    cache, got = SecretCache(60), []
    threads = [
        threading.Thread(target=lambda: got.append(asyncio.run(cache.get("a", fetch)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert started.wait(30)
    release.set()
    for thread in threads:
        thread.join()
    assert ([secret.path for secret in got], asked) == (["a"] * 4, ["a"])


def test_a_loop_that_ends_hands_the_fetch_on():
    started = threading.Event()
    asked = []

    async def fetch(path):
        asked.append(path)
        if len(asked) == 1:
            started.set()
            await asyncio.Event().wait()
        return Secret("value-of-it", path=path, version=len(asked))

    cache = SecretCache(60)

    async def ask_and_leave():
        asyncio.create_task(cache.get("a", fetch))  # noqa: RUF006 - left behind on purpose
        await asyncio.to_thread(started.wait, 30)

    got = []
    second = threading.Thread(
        target=lambda: (started.wait(30), got.append(asyncio.run(cache.get("a", fetch))))
    )
    second.start()
    asyncio.run(ask_and_leave())  # its end cancels the fetch that the second caller waits for
    second.join()
    assert [secret.version for secret in got] == [2]


def test_a_loop_that_was_closed_without_a_word_is_noticed():
    asked = []

    async def fetch(path):
        asked.append(path)
        if len(asked) == 1:
            await asyncio.Event().wait()
        return Secret("value-of-it", path=path, version=len(asked))

    cache = SecretCache(60)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(cache.get("a", fetch))
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert asyncio.run(cache.get("a", fetch)).version == 2
    del waiting


# --- the end of a value


async def test_no_value_is_kept_beyond_its_end(monkeypatch):
    broker = broker_of(provider := Counting(lasts=20))
    assert (await broker.secret("crm", "shared", ALICE)).version == 1
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 19)
    assert (await broker.secret("crm", "shared", ALICE)).version == 1
    monkeypatch.setattr(time, "monotonic", lambda: now + 21)
    assert (await broker.secret("crm", "shared", ALICE)).version == 2
    assert len(provider.asked) == 2


async def test_the_caches_own_time_ends_too(monkeypatch):
    broker = broker_of(Counting(lasts=1000), cache=30)
    await broker.secret("crm", "shared", ALICE)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 31)
    assert (await broker.secret("crm", "shared", ALICE)).version == 2


@pytest.mark.parametrize("shift", [-3600, 3600])
async def test_a_wall_clock_that_is_set_lengthens_no_value(monkeypatch, shift):
    broker = broker_of(Counting(lasts=20))
    await broker.secret("crm", "shared", ALICE)
    wall, steady = time.time(), time.monotonic()
    monkeypatch.setattr(time, "time", lambda: wall + shift)
    monkeypatch.setattr(time, "monotonic", lambda: steady + 21)
    assert broker.cache.hit("crm/acme/shared") is None


async def test_a_value_that_had_ended_when_it_came_is_an_error():
    broker = broker_of(Counting(lasts=-1))
    with pytest.raises(SecretError, match="had ended when it came"):
        await broker.secret("crm", "shared", ALICE)
    assert len(broker.cache) == 0


async def test_a_value_leaves_the_memory_when_its_time_is_over():
    class Tracked(Secret):
        __slots__ = ("__weakref__",)

    async def fetch(path):
        return Tracked("value-in-memory", path=path, version=1, expires=time.time() + 0.05)

    cache = SecretCache(60)
    kept = weakref.ref(await cache.get("a", fetch))
    assert kept() is not None
    while len(cache):  # nobody asks again: the loop's timer drops it
        await asyncio.sleep(0.01)
    gc.collect()
    assert kept() is None


async def test_what_is_kept_is_bounded():
    cache = SecretCache(60)
    for n in range(MOST + 10):
        await cache.get(f"p/{n}", _at)
    assert 0 < len(cache) <= MOST


async def _at(path):
    return Secret("value-of-path", path=path, version=1)


async def test_forgetting_fetches_anew():
    broker = broker_of(Counting())
    await broker.secret("crm", "shared", ALICE)
    broker.cache.forget("crm/acme/shared")
    assert (await broker.secret("crm", "shared", ALICE)).version == 2


async def test_closing_forgets_and_closes_the_provider():
    broker = broker_of(provider := Counting())
    await broker.secret("crm", "shared", ALICE)
    await broker.close()
    assert (len(broker.cache), provider.closed) == (0, 1)


@pytest.mark.parametrize(("text", "seconds"), [("", 30.0), ('cache = "5m"', 300.0), ('cache = "0s"', 0.0)])
def test_how_long_is_config(tmp_path, text, seconds):
    with make_crib(tmp_path, "p, *, *, *, *, True, allow", config=f"[secrets]\n{text}\n") as crib:
        assert crib.config.secrets.cache_seconds == seconds
        assert "cache" not in crib.config.secrets.settings


@pytest.mark.parametrize("text", ["cache = 5", 'cache = "5"', 'cache = "-1s"', 'cache = "soon"'])
def test_a_duration_that_is_none_is_an_error_at_once(tmp_path, text):
    with pytest.raises(ConfigError, match=r"\[secrets\] cache"):
        make_crib(tmp_path, "", config=f"[secrets]\n{text}\n")
