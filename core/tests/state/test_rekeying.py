"""Digests of arguments in the state database cannot be guessed at, and old ones are brought up to date."""

import hashlib
import hmac
import itertools
import json
import sqlite3
import string
import warnings
from typing import Annotated

import pytest

from toolcrib import Crib, tool
from toolcrib.audit import HmacKey
from toolcrib.errors import StateError, ToolcribWarning
from toolcrib.state import CallScope, LedgerEntry, State
from toolcrib.testing.cribs import make_crib
from toolcrib.tools import Sensitive

ROWS = "p, *, acme, local.*, *, True, allow\n"
SCOPE = CallScope("acme", "alice", "worker", "local.pay", "run:1")


def digests(folder):
    with sqlite3.connect(folder / "state.db") as database:
        return [one for row in database.execute("SELECT args_digest, ran_digest FROM ledger") for one in row]


async def pay_with(crib, pin, key="k-1"):
    return await crib.call("local.pay", {"pin": pin}, crib.principal("worker", "alice"), idempotency_key=key)


def paying():
    @tool(effect="write")
    def pay(pin: Annotated[str, Sensitive]) -> str:
        """Pay."""
        if pin == "9999":
            raise TimeoutError
        return "paid"

    return pay


@pytest.fixture
def crib(tmp_path):
    with make_crib(tmp_path, ROWS) as crib:
        crib.add(paying())
        yield crib


async def test_a_short_sensitive_value_is_not_found_by_trying_all(crib):
    assert (await pay_with(crib, "4711")).status == "done"
    (asked, ran) = digests(crib.config.state)
    tried = {
        hashlib.sha256(json.dumps({"pin": "".join(pin)}, separators=(",", ":")).encode()).hexdigest()
        for pin in itertools.product(string.digits, repeat=4)
    }
    assert asked == ran and asked not in tried
    for file in crib.config.state.rglob("*.db*"):
        assert not any(one.encode() in file.read_bytes() for one in tried)


async def test_equal_calls_are_still_known_to_be_equal(crib):
    await pay_with(crib, "4711")
    assert (await pay_with(crib, "4711")).text == "paid"
    assert "other arguments" in (await pay_with(crib, "4712")).text
    assert (await pay_with(crib, "9999", "k-2")).status == "ambiguous"
    assert "may or may not have happened" in (await pay_with(crib, "9999", "k-3")).text
    assert len(set(digests(crib.config.state))) == 2


def old_database(folder, *plain):
    """As schema 1 had it, with ambiguous calls with these arguments."""
    with State.open(folder) as state:
        for number, arguments in enumerate(plain):
            digest = hashlib.sha256(arguments).hexdigest()
            entry = LedgerEntry(SCOPE._replace(key=f"old:{number}"), digest, f"c-{number}", "s", "r")
            state.settle(state.commit(entry=entry), "ambiguous")
    with sqlite3.connect(folder / "state.db") as database:
        database.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    database.close()


async def test_a_call_that_was_ambiguous_before_the_change_still_stands_in_the_way(crib):
    folder = crib.config.state
    old_database(folder, b'{"pin":"4711"}')
    refused = await pay_with(crib, "4711", "k-9")
    assert "may or may not have happened" in refused.text
    assert (await pay_with(crib, "4712", "k-9")).status == "done", "its twin runs"
    key = HmacKey.load_or_create(crib.config.keys / "hmac.key")
    plain = hashlib.sha256(b'{"pin":"4711"}').hexdigest()
    assert key.keyed(plain) in digests(folder) and plain not in digests(folder)


class Key:
    id = "0011"

    def keyed(self, digest):
        return hmac.digest(b"key", digest.encode(), "sha256").hex()


def test_each_row_is_changed_once(tmp_path):
    old_database(tmp_path, b"{}", b'{"a":1}')
    for _ in range(2):
        State.open(tmp_path, key=Key()).close()
    plain = [hashlib.sha256(data).hexdigest() for data in (b"{}", b'{"a":1}')]
    assert digests(tmp_path) == [Key().keyed(digest) for digest in plain for _ in range(2)]


def test_without_the_key_an_old_database_is_refused_and_left_as_it_is(tmp_path):
    old_database(tmp_path, b"{}")
    with pytest.raises(StateError, match="schema 1") as caught:
        State.open(tmp_path)
    assert "toolcrib doctor" in caught.value.remedy
    assert hashlib.sha256(b"{}").hexdigest() in digests(tmp_path)


def test_an_error_in_between_changes_nothing(tmp_path):
    old_database(tmp_path, b"{}", b'{"a":1}')

    class FailsAtTheSecond(Key):
        asked = 0

        def keyed(self, digest):
            self.asked += 1
            if self.asked == 2:
                raise StateError("the key is gone")
            return "new"

    with pytest.raises(StateError):
        State.open(tmp_path, key=FailsAtTheSecond())
    assert "new" not in digests(tmp_path)


async def test_with_another_key_what_is_open_stands_in_the_way_until_it_is_settled(crib):
    assert (await pay_with(crib, "9999", "k-2")).status == "ambiguous"
    assert (await pay_with(crib, "4711", "k-1")).status == "done"
    config = crib.config
    crib.close()
    (config.keys / "hmac.key").unlink()
    with Crib(config) as again:
        again.add(paying())
        with pytest.warns(ToolcribWarning, match="another one than last time"):
            refused = await pay_with(again, "9999", "k-3")
        assert "may or may not have happened" in refused.text
        assert "may or may not have happened" in (await pay_with(again, "1234", "k-4")).text
        assert "other arguments" in (await pay_with(again, "4711", "k-1")).text, "nothing runs a second time"
        (row,) = again.state.ledger(status="ambiguous")
        again.state.settle_by_hand(row.id, "failed", by="dana", note="looked")
        assert (await pay_with(again, "1234", "k-4")).status == "done"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Crib(config).state.close()


def test_with_another_key_an_approval_is_no_yes(tmp_path, request_of):
    class Other(Key):
        id = "0022"

    with State.open(tmp_path, key=Key()) as state:
        asked = state.request_approval(request_of(), ttl=60)
    with (
        pytest.warns(ToolcribWarning, match=r"1 open approval\(s\) have expired"),
        State.open(tmp_path, key=Other()) as state,
    ):
        assert state.get_approval(asked.id).status == "expired"
    State.open(tmp_path, key=Other()).close()


def test_the_digest_says_nothing_about_another_cribs(tmp_path):
    one, other = (HmacKey.load_or_create(tmp_path / name / "hmac.key") for name in ("a", "b"))
    assert one.keyed("aa") != other.keyed("aa") and one.keyed("aa") == one.keyed("aa") != one.keyed("ab")
