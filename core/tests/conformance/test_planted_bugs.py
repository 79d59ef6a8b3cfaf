"""Packs that do just one thing wrong: exactly the checks that hold it fail, and say the tool and the rule."""

import asyncio
import threading
from typing import Annotated, Any

import orjson
import pytest
from pydantic import Field, WithJsonSchema

from toolcrib import CallContext, Preview, Target, Toolkit, tool
from toolcrib.errors import VendorRefused
from toolcrib.testing.conformance import Made, PackConformance, check_pack

Limit = Annotated[int, Field(ge=1, le=50)]


class Notes(Toolkit):
    """A right pack: notes in one JSON file."""

    def __init__(self, folder):
        self.file = folder / "notes.json"

    def load(self):
        return orjson.loads(self.file.read_bytes()) if self.file.exists() else {}

    def save(self, notes):
        self.file.write_bytes(orjson.dumps(notes))

    def rows(self, text):
        return [{"name": n, "text": t} for n, t in sorted(self.load().items()) if text in n + t]

    @tool(effect="read", labels={"untrusted"})
    async def find_notes(self, text: str, limit: Limit = 20, page: Annotated[int, Field(ge=1)] = 1) -> list:
        """The notes that hold a text.

        Args:
            text: What to look for.
            limit: At most so many.
            page: Which page.
        """
        return self.rows(text)[(page - 1) * limit : page * limit]

    @tool(effect="read", labels={"untrusted"})
    async def get_note(self, name: str) -> dict | None:
        """The note with this name, or nothing.

        Args:
            name: Its whole name.
        """
        notes = self.load()
        return {"name": name, "text": notes[name]} if name in notes else None

    @tool(effect="read")
    async def count_notes(self) -> dict:
        """How many notes there are."""
        return {"notes": len(self.load())}

    @tool(effect="write", idempotent=True, preview=Preview("get_note", name="name"))
    async def put_note(self, name: str, text: str) -> str:
        """Write a note in place of the one with its name.

        Args:
            name: Its whole name.
            text: What it says.
        """
        self.save({**self.load(), name: text})
        return name

    @tool(effect="destructive", preview=Preview("get_note", name="name"))
    async def drop_note(self, name: Annotated[str, Target]) -> str:
        """Drop a note for good.

        Args:
            name: Its whole name.
        """
        notes = self.load()
        if notes.pop(name, None) is None:
            raise VendorRefused(f"there is no note {name[:20]!r}")
        self.save(notes)
        return name


class Right(PackConformance):
    pack, kit, row_cap, more = "notes", Notes, 50, {}

    def calls(self):
        return {
            "find_notes": {"text": "milk"},
            "get_note": {"name": "plan"},
            "count_notes": {},
            "put_note": [{"name": "plan", "text": "milk"}, {"name": "trip", "text": "milk, maps"}],
            "drop_note": {"name": "plan"},
            **self.more,
        }

    def toolkits(self, config):
        return [self.kit(config.folder)]

    def policy(self):
        return None


def suite(*members, calls=None, **rest):
    """The right suite, over the right kit with `members` in the place of its own."""
    kit = type("Wrong", (Notes,), {member.__name__: member for member in members})
    return type("Suite", (Right,), {"kit": kit, "more": calls or {}, **rest})()


CALLED = ("calls", "reads", "idempotency", "preview", "bad_arguments", "timeouts", "cancellation", "paging")


def failures(one):
    """What fails of the checks that call tools."""
    outcomes = map(one.run, CALLED)
    return {outcome.check: outcome for outcome in outcomes if outcome.status == "failed"}


def planted(*members, calls=None, **rest):
    return failures(suite(*members, calls=calls, **rest))


def told(found, *checks):
    """What the failed checks say: those and no others, each with the tool, and how to mend it."""
    assert sorted(found) == sorted(checks), {name: one.problems for name, one in found.items()}
    assert all(one.remedy and all(":" in problem for problem in one.problems) for one in found.values())
    return " / ".join(problem for one in found.values() for problem in one.problems)


def test_the_right_pack_passes():
    assert [outcome for outcome in check_pack(Right()) if outcome.status == "failed"] == []


# --- reads


def test_a_read_that_changes_something_is_caught():
    @tool(effect="read")
    async def count_notes(self) -> dict:
        """How many notes there are."""
        notes = self.load()
        self.save({**notes, "counted": str(len(notes))})
        return {"notes": len(notes)}

    assert "notes.count_notes: is a read and changed something" in told(planted(count_notes), "reads")


def test_a_read_that_deletes_what_it_reads_is_caught_at_its_first_call():
    @tool(effect="read", labels={"untrusted"})
    async def get_note(self, name: str) -> dict | None:
        """The note with this name, once.

        Args:
            name: Its whole name.
        """
        notes = self.load()
        text = notes.pop(name, None)
        self.save(notes)
        return {"name": name, "text": text} if text else None

    said = told(planted(get_note), "reads", "preview", "calls")
    assert "notes.get_note: is a read and changed something" in said
    assert "notes.put_note: its preview 'get_note' changes something" in said


@pytest.mark.parametrize(
    ("calls", "what"),
    [
        ({"get_note": {"name": "none"}}, "notes.get_note: no record seen"),
        ({"find_notes": [{"text": "milk", "page": 9}, {"text": "none"}]}, "notes.find_notes: no row seen"),
    ],
)
def test_a_read_that_was_never_seen_to_show_anything_is_caught(calls, what):
    checks = ["reads", "paging"] if "row" in what else ["reads"]
    assert what in (said := told(planted(calls=calls), *checks))
    assert "Let a good call in `calls` write what it shows" in said


@pytest.mark.parametrize("empty", [None, {}, "", {"rows": [], "total": 0, "more": False}, {"a": None}])
def test_an_answer_that_holds_nothing_is_no_record(empty):
    @tool(effect="read")
    async def look_around(self) -> Any:
        """What there is to be seen."""
        return empty

    said = told(planted(look_around, calls={"look_around": {}}), "reads")
    assert "notes.look_around: no record seen" in said


@pytest.mark.parametrize("full", [0, False, "x", {"n": 0}, {"tags": [], "title": "x"}])
def test_an_answer_that_holds_something_is_one(full):
    @tool(effect="read")
    async def look_around(self) -> Any:
        """What there is to be seen."""
        return full

    assert planted(look_around, calls={"look_around": {}}) == {}


def test_a_state_that_sees_nothing_is_caught():
    said = told(planted(state=lambda self, folder: None), "reads", "idempotency")
    assert "notes: its writes change nothing that `state` sees" in said
    assert "override `state`" in said


# --- previews


@pytest.mark.parametrize(
    ("preview", "what"),
    [
        (
            Preview("get_note", given={"name": "none"}),
            "no preview shown: for its good calls 'get_note' gives",
        ),
        (Preview("get_note"), "its preview fails for a good call: InvalidArguments"),
        (Preview("put_note", name="name", text="name"), "its preview 'put_note' is no read tool of the pack"),
        (Preview("no_such"), "its preview 'no_such' is no read tool of the pack"),
    ],
)
def test_a_preview_that_shows_nothing_is_caught(preview, what):
    @tool(effect="destructive", preview=preview)
    async def drop_note(self, name: Annotated[str, Target]) -> str:
        """Drop a note for good.

        Args:
            name: Its whole name.
        """
        return await Notes.drop_note(self, name)

    assert f"notes.drop_note: {what}" in told(planted(drop_note), "preview")


# --- pages and caps


def finder(take, kind=Limit):
    """The search with rows as `take` chooses them, and a limit of this type."""

    @tool(effect="read", labels={"untrusted"})
    async def find_notes(self, text: str, limit: kind = 20, page: Annotated[int, Field(ge=1)] = 1) -> Any:
        """The notes that hold a text, in some way.

        Args:
            text: What to look for.
            limit: At most so many.
            page: Which page.
        """
        return take(self.rows(text), limit, page)

    return find_notes


def right(rows, limit, page):
    return rows[(page - 1) * limit : page * limit]


@pytest.mark.parametrize(
    ("take", "limit", "what"),
    [
        (lambda rows, limit, page: rows, Limit, "where limit = 1 it gives 2 rows"),
        (lambda rows, limit, page: rows[: limit - 1], Limit, "where limit = 1 it gives 0 rows"),
        (
            lambda rows, limit, page: rows[:limit],
            Limit,
            "where limit = 1, page = 2 does not give",
        ),
        (right, int, "'limit' has no bounds"),
        (right, Annotated[int, Field(ge=1)], "'limit' has no bounds"),
        (right, Annotated[int, Field(ge=1, le=51)], "'limit' may be more than `row_cap`, which is 50"),
    ],
)
def test_a_list_that_does_not_keep_its_limit_is_caught(take, limit, what):
    found = planted(finder(take, limit))
    assert f"notes.find_notes: {what}" in told(found, "paging")


FIVE = [{"n": n} for n in range(5)]
Least = Annotated[int, Field(ge=2, le=50)]
FromNought = Annotated[int, Field(ge=0)]


async def by_page(self, limit: Least = 5, page: FromNought = 0) -> list:
    """Five rows, by pages from 0."""
    return FIVE[self.turned(page) * limit :][:limit]


async def by_offset(self, limit: Least = 5, offset: FromNought = 0) -> list:
    """Five rows, from any on."""
    return FIVE[self.turned(offset) :][:limit]


async def by_skip(self, limit: Least = 5, skip: int | None = None) -> list:
    """Five rows, without the first ones."""
    return FIVE[self.turned(skip or 0) :][:limit]


@pytest.mark.parametrize(
    ("find", "told_of"), [(by_page, "page = 1"), (by_offset, "offset = 2"), (by_skip, "skip = 2")]
)
def test_rows_are_turned_over_by_page_or_offset_from_where_they_begin(find, told_of):
    class Turning(Notes):
        rows_there = tool(effect="read", labels={"untrusted"}, name="rows_there")(find)
        turned = staticmethod(lambda number: number)

    class Stuck(Turning):
        turned = staticmethod(lambda number: 0)

    right, wrong = (
        type("Suite", (Right,), {"kit": kit, "more": {"rows_there": {}}})() for kit in (Turning, Stuck)
    )
    assert right.run("paging").status == "passed"
    assert wrong.run("paging").problems == (
        f"notes.rows_there: where limit = 2, {told_of} does not give the rows that come next",
    )


def test_a_size_that_is_no_number_is_no_limit():
    @tool(effect="read")
    async def get_shirt(self, size: str) -> dict:
        """A shirt of a size.

        Args:
            size: S, M or L.
        """
        return {"size": size}

    assert planted(get_shirt, calls={"get_shirt": {"size": "M"}}) == {}


def test_a_page_of_rows_is_counted_as_a_list_is():
    def page(rows, limit, page):
        return {"notes": right(rows, limit, page), "more": page * limit < len(rows)}

    assert planted(finder(page)) == {}
    every = planted(finder(lambda rows, limit, page: {"notes": rows, "more": False}))
    assert "where limit = 1 it gives 2 rows" in told(every, "paging")


def test_a_list_of_one_row_shows_nothing_of_its_limit():
    said = told(planted(calls={"put_note": {"name": "plan", "text": "milk"}}), "paging")
    assert "notes.find_notes: nothing paged: its good calls show 1 rows" in said


@pytest.mark.parametrize("wrap", [list, lambda rows: {"notes": rows, "total": len(rows)}])
def test_a_list_without_a_limit_is_caught(wrap):
    @tool(effect="read", labels={"untrusted"})
    async def all_notes(self) -> Any:
        """Every note that there is."""
        return wrap(self.rows(""))

    found = planted(all_notes, calls={"all_notes": {}})
    assert "notes.all_notes: gives rows and has no limit" in told(found, "paging")


def test_more_rows_than_the_cap_are_caught():
    @tool(effect="read")
    async def report(self) -> dict:
        """A report with very many lines."""
        return {"title": "all", "lines": [{"n": n} for n in range(51)]}

    assert "gives 51 rows at once; at most 50" in told(planted(report, calls={"report": {}}), "paging")


# --- the same call twice


def test_a_write_that_adds_is_not_idempotent():
    @tool(effect="write", idempotent=True, preview=Preview("get_note", name="name"))
    async def put_note(self, name: str, text: str) -> str:
        """Write a note behind the one with its name.

        Args:
            name: Its whole name.
            text: What it says.
        """
        self.save({**self.load(), name: self.load().get(name, "") + text})
        return name

    said = told(planted(put_note), "idempotency")
    assert "notes.put_note: is idempotent, and its second call changed something" in said


def test_a_second_call_that_fails_is_not_idempotent():
    @tool(effect="destructive", idempotent=True, preview=Preview("get_note", name="name"))
    async def drop_note(self, name: Annotated[str, Target]) -> str:
        """Drop a note for good.

        Args:
            name: Its whole name.
        """
        return await Notes.drop_note(self, name)

    said = told(planted(drop_note), "idempotency")
    assert "notes.drop_note: is idempotent, and its second call fails: VendorRefused" in said


@pytest.mark.parametrize("keyed", [True, False])
def test_a_tool_that_knows_its_call_by_the_key_is_idempotent(keyed):
    @tool(effect="write", idempotent=True)
    async def add_note(self, text: str, ctx: CallContext) -> str:
        """Add a note, once for each call.

        Args:
            text: What it says.
        """
        notes = self.load()
        name = ctx.idempotency_key if keyed else f"note {len(notes)}"
        self.save({**notes, name: text})
        return name

    found = planted(add_note, calls={"add_note": {"text": "x"}})
    if keyed:
        assert found == {}
    else:
        assert "notes.add_note: is idempotent, and its second" in told(found, "idempotency")


def test_a_first_call_that_changes_nothing_proves_nothing():
    @tool(effect="write", idempotent=True)
    async def stamp_notes(self) -> str:
        """Stamp all notes, if ever there is ink."""
        return "no ink"

    said = told(planted(stamp_notes, calls={"stamp_notes": {}}), "idempotency")
    assert "notes.stamp_notes: not even its first call changes anything" in said


# --- good calls, and what they want of each other


def test_a_good_call_may_want_what_another_makes():
    @tool(effect="write")
    async def add_note(self, text: str, ctx: CallContext) -> dict:
        """Add a note under a name of the pack's.

        Args:
            text: What it says.
        """
        self.save({**self.load(), ctx.idempotency_key: text})
        return {"note": {"name": ctx.idempotency_key}}

    made = {"name": Made("add_note", "note.name")}
    calls = {"add_note": {"text": "x"}, "get_note": made, "drop_note": made}
    assert planted(add_note, calls=calls) == {}


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (
            Made("put_note", "id"),
            "its good call gives no 'id', which Made(tool='put_note', place='id') wants",
        ),
        (Made("no_such"), "its good call wants what 'no_such' makes, which has no good call of its own"),
        (Made("get_note"), "its good call wants what 'get_note' makes, which has no good call of its own"),
    ],
)
def test_what_cannot_be_made_is_told(made, what):
    outcome = suite(calls={"get_note": {"name": made}}).run("reads")
    assert outcome.status == "failed" and outcome.problems == (f"notes.get_note: {what}",)


def test_a_result_that_is_no_json_is_caught():
    @tool(effect="read")
    async def count_notes(self) -> Any:
        """How many notes there are, in a way of its own."""
        return object()

    said = told(planted(count_notes), "calls", "reads", "cancellation", "timeouts")
    assert "notes.count_notes: a good call fails" in said


# --- bad arguments


def test_a_search_that_takes_text_as_a_pattern_is_caught():
    class Loose(Notes):
        def rows(self, text):
            return super().rows("" if text == "%" else text)

    found = failures(type("Suite", (Right,), {"kit": Loose})())
    assert "notes.find_notes: text = '%' is not taken as data: it finds 2 rows" in told(
        found, "bad_arguments"
    )


def test_hostile_text_that_a_read_obeys_is_caught():
    @tool(effect="read", labels={"untrusted"})
    async def get_note(self, name: str) -> dict | None:
        """The note with this name, or nothing.

        Args:
            name: Its whole name.
        """
        if "DROP TABLE" in name:
            self.save({})
        return await Notes.get_note(self, name)

    said = told(planted(get_note), "bad_arguments")
    assert "notes.get_note: a hostile 'name' changed something, and it is a read" in said


def test_hostile_text_that_ends_in_an_unknown_error_is_caught():
    @tool(effect="write", idempotent=True, preview=Preview("get_note", name="name"))
    async def put_note(self, name: str, text: str) -> str:
        """Write a note in place of the one with its name.

        Args:
            name: Its whole name.
            text: What it says.
        """
        name.encode("ascii")
        return await Notes.put_note(self, name, text)

    assert "notes.put_note: name = '🪚" in (said := told(planted(put_note), "bad_arguments"))
    assert "ends in an error that the pack does not know: UnicodeEncodeError" in said


def test_a_schema_that_says_more_than_is_held_is_caught():
    @tool(effect="read")
    async def echo(self, words: Annotated[Any, WithJsonSchema({"type": "string"})]) -> str:
        """The same words once more.

        Args:
            words: Any words.
        """
        return str(words)

    found = planted(echo, calls={"echo": {"words": "x"}})
    assert "notes.echo: takes a list for 'words'" in told(found, "bad_arguments")


# --- ends


@pytest.mark.parametrize("seconds", [0, -1, 3601])
def test_a_time_limit_that_is_none_is_caught(seconds):
    @tool(effect="read", timeout=seconds)
    async def count_notes(self) -> dict:
        """How many notes there are."""
        return {"notes": len(self.load())}

    assert "notes.count_notes: may run for" in told(planted(count_notes), "timeouts")


def test_a_call_that_goes_on_when_its_time_is_up_is_caught():
    @tool(effect="read")
    async def count_notes(self, ctx: CallContext) -> dict:
        """How many notes there are, if one has time."""
        if ctx.deadline < asyncio.get_running_loop().time() + 1:
            await asyncio.Event().wait()
        return {"notes": len(self.load())}

    said = told(planted(count_notes, grace=1.0), "timeouts")
    assert "notes.count_notes: does not keep the call's deadline: with no time left" in said


def test_a_good_call_that_outlasts_its_own_time_limit_is_caught():
    @tool(effect="read", timeout=0.1)
    async def count_notes(self) -> dict:
        """How many notes there are, some day."""
        await asyncio.Event().wait()
        return {}

    outcome = suite(count_notes).run("calls")
    assert "notes.count_notes: a good call fails: Late: it did not end within 1 s" in outcome.problems


def test_a_tool_that_is_not_to_be_cancelled_is_caught():
    @tool(effect="read")
    async def count_notes(self) -> dict:
        """How many notes there are, whatever happens."""
        for _ in range(50):
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                continue
        return {"notes": len(self.load())}

    (said,) = suite(count_notes, grace=0.6).run("cancellation").problems
    assert said.startswith(
        "notes.count_notes: does not end when it is cancelled: it goes on for more than 0.6 s"
    )


def test_a_tool_that_has_another_end_than_its_cancellation_is_caught():
    @tool(effect="read")
    async def count_notes(self) -> dict:
        """How many notes there are, or none."""
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            return {"notes": 0}
        return {"notes": len(self.load())}

    said = told(planted(count_notes), "cancellation")
    assert "notes.count_notes: it was cancelled, and ends in a result instead" in said


def test_work_that_a_cancelled_call_leaves_behind_is_caught():
    @tool(effect="read")
    async def count_notes(self) -> dict:
        """How many notes there are, counted aside."""
        aside = asyncio.create_task(asyncio.sleep(0.01))
        await asyncio.shield(aside)
        return {"notes": len(self.load())}

    said = told(planted(count_notes), "cancellation")
    assert "notes.count_notes: it was cancelled, and leaves at work: sleep" in said


def test_a_thread_that_a_cancelled_call_keeps_is_caught():
    free = threading.Event()

    @tool(effect="read")
    def count_notes(self) -> dict:
        """How many notes there are, counted in a thread that waits."""
        return {"notes": len(self.load()), "waited": free.wait(2.5)}

    outcome = suite(count_notes, grace=1.0).run("cancellation")
    assert outcome.problems == (
        "notes.count_notes: a thread still works for it after it was cancelled: release what it waits for",
        "notes: after a thread that is kept the rest was not tried",
    )
    free.set()
    assert suite(count_notes).run("cancellation").status == "passed"


def test_a_lock_that_a_cancelled_call_keeps_is_caught():
    @tool(effect="write", idempotent=True, preview=Preview("get_note", name="name"))
    async def put_note(self, name: str, text: str) -> str:
        """Write a note in place of the one with its name.

        Args:
            name: Its whole name.
            text: What it says.
        """
        lock = self.__dict__.setdefault("lock", asyncio.Lock())
        await lock.acquire()
        await asyncio.sleep(0.001)
        lock.release()
        return await Notes.put_note(self, name, text)

    said = told(planted(put_note, grace=1.0), "cancellation")
    assert "notes.put_note: no longer works after a cancelled call: Late" in said
