"""Writing once, in batches, and after another write."""

import pytest

from toolcrib.errors import NotSent, Temporary, ToolError, VendorRefused
from toolcrib.kit import after_write, in_batches, look_up_first, vendor_key
from toolcrib.testing import make_context

OPEN, REFUSED, UNSENT = Temporary("cut off"), VendorRefused("no"), NotSent("no way there")


class Table:
    """Records of a vendor that may fail before or after it has written."""

    def __init__(self):
        self.records, self.looked, self.written = [], 0, 0
        self.fail_before, self.fail_after, self.fail_look = None, None, None

    async def find(self):
        self.looked += 1
        if self.fail_look and self.looked > 1:
            raise self.fail_look
        return self.records[0] if self.records else None

    async def make(self):
        self.written += 1
        if self.fail_before:
            raise self.fail_before
        self.records.append(f"record {self.written}")
        if self.fail_after:
            raise self.fail_after
        return self.records[-1]


async def test_what_is_there_is_not_made_again():
    table = Table()
    assert [await look_up_first(table.find, table.make) for _ in range(2)] == ["record 1", "record 1"]
    assert table.written == 1


async def test_a_write_whose_answer_was_lost_is_found():
    table = Table()
    table.fail_after = OPEN
    assert await look_up_first(table.find, table.make) == "record 1"
    assert (table.written, table.looked) == (1, 2)


@pytest.mark.parametrize("failing", [OPEN, ToolError("odd")])
async def test_a_write_that_is_not_found_stays_open(failing):
    table = Table()
    table.fail_before = failing
    with pytest.raises(ToolError) as caught:
        await look_up_first(table.find, table.make)
    assert caught.value is failing and caught.value.happened is None


async def test_a_look_that_fails_too_leaves_the_first_error():
    table = Table()
    table.fail_before, table.fail_look = OPEN, UNSENT
    with pytest.raises(Temporary) as caught:
        await look_up_first(table.find, table.make)
    assert caught.value is OPEN, "the NotSent of a look must not say that nothing happened"


@pytest.mark.parametrize("failing", [REFUSED, UNSENT])
async def test_a_write_that_did_not_happen_needs_no_second_look(failing):
    table = Table()
    table.fail_before = failing
    with pytest.raises(type(failing)):
        await look_up_first(table.find, table.make)
    assert table.looked == 1


def test_keys_differ_by_whatever_a_call_is():
    base = {"key": "run:1", "tenant": "acme", "user": "alice", "agent": "a", "tool": "x.y"}
    others = [
        {},
        {"key": "run:2"},
        {"tenant": "b"},
        {"user": "bob"},
        {"user": None},
        {"agent": "b"},
        {"tool": "x.z"},
    ]
    keys = [vendor_key(make_context(**(base | other))) for other in others]
    keys.append(vendor_key(make_context(**base), "second"))
    assert len(set(keys)) == len(keys)
    assert vendor_key(make_context(**base)) == keys[0]
    assert all(len(key) == 36 and key.isascii() for key in keys)


def test_keys_tell_nothing_of_the_call():
    assert "alice" not in vendor_key(make_context(key="alice's call"))


@pytest.mark.parametrize("failing", [REFUSED, UNSENT, OPEN])
def test_what_fails_after_a_write_no_longer_means_that_nothing_happened(failing):
    with pytest.raises(ToolError, match=r"INC1 was made, and then: ") as caught, after_write("INC1 was made"):
        raise failing
    assert (caught.value.happened, caught.value.temporary) == (None, False)


def test_other_errors_after_a_write_stay_what_they_are():
    with pytest.raises(KeyError), after_write("INC1 was made"):
        raise KeyError("x")
    with after_write("INC1 was made"):
        pass


class Batches:
    def __init__(self, **failing):
        self.sent, self.failing = [], failing

    async def send(self, batch):
        if error := self.failing.get(f"at{len(self.sent)}"):
            raise error
        self.sent.append([*batch])
        return [item * 10 for item in batch][: self.failing.get("short", len(batch))]


async def test_items_go_in_batches_and_results_stay_in_order():
    batches = Batches()
    assert await in_batches([*range(7)], batches.send, size=3) == [0, 10, 20, 30, 40, 50, 60]
    assert batches.sent == [[0, 1, 2], [3, 4, 5], [6]]
    assert await in_batches([], batches.send, size=3) == []


async def test_a_first_batch_that_is_refused_means_that_nothing_happened():
    with pytest.raises(VendorRefused):
        await in_batches([*range(7)], Batches(at0=REFUSED).send, size=3)


async def test_a_later_batch_that_is_refused_does_not():
    with pytest.raises(ToolError, match="3 of 7 were made, and then: no") as caught:
        await in_batches([*range(7)], Batches(at1=REFUSED).send, size=3, done="made")
    assert caught.value.happened is None


async def test_a_batch_with_too_few_results_is_no_success():
    with pytest.raises(ToolError, match="answered with 2 results"):
        await in_batches([*range(3)], Batches(short=2).send, size=3)
