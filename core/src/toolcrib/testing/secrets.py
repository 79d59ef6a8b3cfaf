"""The conformance suite of secret providers: what every one of them must do, whatever it talks to.

A provider's test file names a stand, which seeds values where the provider finds them, and subclasses the
suite:

    class Stand(SecretStand): ...

    class TestMine(SecretProviderConformance):
        @pytest.fixture
        def stand(self, tmp_path):
            return Stand(tmp_path)

Needs pytest, and no plugin of it. What a stand says it has not got is skipped.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from toolcrib.errors import SecretError, SecretNotFound, SecretRefused
from toolcrib.secrets import Secret, SecretProvider, TellsStatus
from toolcrib.testing._secret_checks import (
    BAD_PATHS,
    assert_clear,
    assert_gone,
    assert_quiet,
    close_all,
    fetch,
    resources,
    told,
)
from toolcrib.testing._secret_stand import SecretStand

__all__ = ["SecretProviderConformance", "SecretStand"]

VALUE = "conformance-value-3f1c9a"
PATH = "conform/acme/key"
CALLERS = 64


class SecretProviderConformance:
    """Every test of the suite; subclass it, and give a fixture `stand`."""

    def test_it_is_a_provider(self, stand: SecretStand) -> None:
        """It has the methods of `SecretProvider`."""
        provider = stand.open()
        assert isinstance(provider, SecretProvider)
        close_all(provider)

    def test_it_says_where_it_reads_and_as_whom(self, stand: SecretStand) -> None:
        """For `toolcrib secrets check`; and gives no credential away by it."""
        stand.put(PATH, VALUE)
        provider = stand.open()
        if not isinstance(provider, TellsStatus):
            pytest.skip("the provider tells nothing of itself")
        status = asyncio.run(provider.status())
        close_all(provider)
        assert status.provider and status.address and status.auth
        assert status.seconds is None or status.seconds >= 0
        assert not any(needle in repr(status) for needle in (VALUE, *stand.private))

    # --- values

    def test_the_value_comes_with_path_and_version(self, stand: SecretStand) -> None:
        """A secret says where it came from."""
        version = stand.put(PATH, VALUE)
        secret = fetch(stand, PATH)
        assert isinstance(secret, Secret)
        assert (secret.reveal(), secret.path) == (VALUE, PATH)
        assert secret.version != ""
        assert version is None or secret.version == version

    def test_the_newest_version_is_fetched(self, stand: SecretStand) -> None:
        """Also by a provider that fetched an older one."""
        stand.put(PATH, "the older value")
        provider = stand.open()
        older = asyncio.run(provider.fetch(PATH))
        stand.put(PATH, VALUE)
        newer = asyncio.run(provider.fetch(PATH))
        close_all(provider)
        assert (older.reveal(), newer.reveal()) == ("the older value", VALUE)
        assert older.version != newer.version or not stand.versions

    @pytest.mark.parametrize(
        "value",
        [
            "x",
            "123456",
            "schlüssel-鍵-🔑",
            'quote " and \\ back',
            "two\nlines\n",
            ' {"a": "b"} ',
            "%2e%2e ${x}",
        ],
    )
    def test_text_comes_as_it_was_stored(self, stand: SecretStand, value: str) -> None:
        """Short, in any script, with lines and quotes, and what looks like markup."""
        stand.put(PATH, value)
        assert fetch(stand, PATH).reveal() == value

    def test_an_empty_value_is_a_value_or_a_clear_error(self, stand: SecretStand) -> None:
        """Never another secret's, and never a crash."""
        with suppress(Exception):  # a store may well refuse to keep it, each in its own way
            stand.put(PATH, "")
        try:
            assert fetch(stand, PATH).reveal() == ""
        except SecretError as error:
            assert_clear(error, PATH, stand)

    def test_a_megabyte_is_a_value_or_a_clear_error(self, stand: SecretStand) -> None:
        """Whole, or not at all."""
        value = "0123456789abcdef" * 65536
        try:
            stand.put(PATH, value)
        except Exception:
            pytest.skip("the store keeps no value of a megabyte")
        try:
            assert fetch(stand, PATH).reveal() == value
        except SecretError as error:
            assert_clear(error, PATH, stand, value)

    def test_a_binary_value_is_a_value_or_a_clear_error(self, stand: SecretStand) -> None:
        """No exception of the decoder's, which would quote the bytes."""
        if not stand.put_binary(PATH, b"\xff\xfe binary-needle \x00\x80"):
            pytest.skip("the store keeps text only")
        try:
            assert fetch(stand, PATH).reveal()
        except SecretError as error:
            assert_clear(error, PATH, stand, "binary-needle")

    # --- refusals

    def test_what_is_not_there_is_not_found(self, stand: SecretStand) -> None:
        """With the path, and how to store it."""
        stand.put(PATH, VALUE)
        with pytest.raises(SecretNotFound) as caught:
            fetch(stand, "conform/acme/other")
        assert_clear(caught.value, "conform/acme/other", stand, VALUE)

    def test_what_was_removed_is_not_found(self, stand: SecretStand) -> None:
        """Also by a provider that fetched it before."""
        stand.put(PATH, VALUE)
        provider = stand.open()
        asyncio.run(provider.fetch(PATH))
        try:
            if not stand.remove(PATH):
                pytest.skip("the stand removes nothing")
            with pytest.raises(SecretNotFound) as caught:
                asyncio.run(provider.fetch(PATH))
        finally:
            close_all(provider)
        assert_clear(caught.value, PATH, stand, VALUE)

    def test_what_may_not_be_read_is_refused(self, stand: SecretStand) -> None:
        """Said as a refusal, so that nobody tries again."""
        stand.put(PATH, VALUE)
        provider = stand.refused(PATH)
        if provider is None:
            pytest.skip("the store knows no refusal")
        with pytest.raises(SecretRefused) as caught:
            asyncio.run(provider.fetch(PATH))
        close_all(provider)
        assert_clear(caught.value, PATH, stand, VALUE)

    def test_a_store_that_is_away_is_neither_a_refusal_nor_an_absence(self, stand: SecretStand) -> None:
        """It may be there again later, and the message says what to look at."""
        provider = stand.unreachable()
        if provider is None:
            pytest.skip("the store is always there")
        with pytest.raises(SecretError) as caught:
            asyncio.run(provider.fetch(PATH))
        close_all(provider)
        assert not isinstance(caught.value, SecretNotFound | SecretRefused)
        assert_clear(caught.value, "", stand)  # the place is to be named here, rather than the path

    def test_a_path_that_is_none_is_refused_before_anything_is_sent(self, stand: SecretStand) -> None:
        """Nothing that a user's or tenant's name could turn into another place."""
        stand.put(PATH, VALUE)
        provider = stand.open()
        asyncio.run(provider.fetch(PATH))
        before = stand.requests()
        for path in BAD_PATHS:
            with pytest.raises(SecretError) as caught:
                asyncio.run(provider.fetch(path))
            assert stand.requests() == before, f"something was sent for {path!r}"
            assert VALUE not in told(caught.value)
        close_all(provider)

    # --- callers

    def test_many_callers_at_once_each_get_their_own(self, stand: SecretStand) -> None:
        """64 fetches of eight secrets, none mixed up."""
        values = {f"conform/tenant-{n}/key": f"value of tenant {n}" for n in range(8)}
        for path, value in values.items():
            stand.put(path, value)
        wanted = list(values) * (CALLERS // len(values))
        provider = stand.open()

        async def all_at_once() -> list[Secret]:
            return await asyncio.gather(*(provider.fetch(path) for path in wanted))

        got = asyncio.run(all_at_once())
        close_all(provider)
        assert [(secret.path, secret.reveal()) for secret in got] == [(path, values[path]) for path in wanted]

    def test_one_provider_serves_several_event_loops(self, stand: SecretStand) -> None:
        """One after the other, and several threads at once."""
        stand.put(PATH, VALUE)
        provider = stand.open()
        got = [asyncio.run(provider.fetch(PATH)).reveal() for _ in range(2)]
        threads = [
            threading.Thread(target=lambda: got.append(asyncio.run(provider.fetch(PATH)).reveal()))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        close_all(provider)
        assert got == [VALUE] * 6

    def test_a_cancelled_fetch_ends_at_once_and_harms_nobody(self, stand: SecretStand) -> None:
        """Cancelled while the store holds its answer back; the next fetch is served."""
        stand.put(PATH, VALUE)
        provider = stand.open()

        async def cancel(arrived: threading.Event | None) -> None:
            task = asyncio.ensure_future(provider.fetch(PATH))
            await (asyncio.to_thread(arrived.wait, 30) if arrived else asyncio.sleep(0))
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=30)
            assert done, "a cancelled fetch must not wait for the store"
            assert task.cancelled() or (arrived is None and task.exception() is None)

        # Inside one loop, since a loop that ends waits for the threads it gave work to.
        async def around() -> Secret:
            with stand.holding() as arrived:
                await cancel(arrived)
            return await provider.fetch(PATH)

        assert asyncio.run(around()).reveal() == VALUE
        close_all(provider)

    # --- the end

    def test_close_may_be_repeated_and_leaves_nothing_open(self, stand: SecretStand) -> None:
        """No thread and no socket, also where nothing was fetched."""
        stand.put(PATH, VALUE)
        close_all(warm := stand.open())  # what a library opens once and for all is not counted
        before = resources()
        provider, unused = stand.open(), stand.open()
        assert asyncio.run(provider.fetch(PATH)).reveal() == VALUE
        close_all(provider, unused, provider, unused, warm)
        assert_gone(before)

    def test_no_repr_holds_a_value_or_a_credential(self, stand: SecretStand) -> None:
        """Neither the provider's nor the secret's."""
        stand.put(PATH, VALUE)
        provider = stand.open()
        secret = asyncio.run(provider.fetch(PATH))
        for thing in (provider, secret):
            assert_quiet(f"{thing!r} {thing}", (VALUE, *stand.private))
        close_all(provider)
