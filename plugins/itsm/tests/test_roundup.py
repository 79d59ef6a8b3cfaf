"""What is particular to Roundup: who reads what, what is mailed, and trackers that were not extended."""

import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest

from toolcrib.errors import ConfigError, VendorRefused
from toolcrib_itsm import ITSM, ITSMSettings
from toolcrib_itsm.roundup import RoundupBackend
from toolcrib_itsm.tracker import extend

pytestmark = pytest.mark.parametrize("world", ["roundup"], indirect=True)
NOTE = "only-for-the-desk"


async def test_a_note_is_in_no_mail_and_a_comment_is_in_one(itsm, world, ctx):
    tracker = world.extra["tracker"]
    await itsm.assign(world.known, assignee_id=world.technician, ctx=ctx)
    await itsm.add_work_note(world.known, f"{NOTE} 1", ctx=ctx)
    await itsm.resolve(world.other, "solution", f"{NOTE} 2", ctx=ctx)
    await itsm.add_public_comment(world.known, "for-the-requester", ctx=ctx)
    assert "for-the-requester" in tracker.mails
    assert "user11@acme.example" in tracker.mails
    assert NOTE not in tracker.mails


async def test_a_requester_finds_a_note_by_no_path(itsm, world, ctx):
    await itsm.add_work_note(world.known, NOTE, ctx=ctx)
    note = (await itsm.list_journal(world.known, ctx=ctx)).records[0]
    rest = world.extra["requester"].rest
    for path in (
        f"/msg/{note.id}", f"/msg/{note.id}/content", f"/msg/{note.id}/summary", "/msg",
        f"/msg?content={NOTE}",
        f"/msg?id={note.id}&@fields=content,summary&@verbose=3", f"/issue/{world.known}?@verbose=3",
        f"/issue?id={world.known}&@fields=messages&@verbose=3", f"/../../msg{note.id}/",
    ):  # fmt: skip
        reply = rest.get(path)
        assert NOTE not in reply.text, path
    tag = rest.get(f"/issue/{world.known}").headers["etag"]
    for values in ({"private": "no"}, {"private": ""}, {"content": "x"}):
        assert rest.patch(f"/msg/{note.id}", json=values, headers={"If-Match": tag}).status_code in (403, 412)
    assert rest.post("/msg", json={"content": "x", "private": "yes", "author": "user11"}).status_code == 403


async def test_a_note_leaves_the_status_alone(itsm, world, ctx):
    before = await itsm.get_ticket(world.known, ctx=ctx)
    await itsm.add_work_note(world.known, NOTE, ctx=ctx)
    assert (await itsm.get_ticket(world.known, ctx=ctx)).state == before.state == "new"


async def test_changes_at_the_same_time_lose_nothing(itsm, world, make_ctx):
    async def note(number):
        while True:
            try:
                return await itsm.add_work_note(world.known, f"note {number}", ctx=make_ctx())
            except VendorRefused as refused:
                assert "by others at the same time" in str(refused)

    await asyncio.gather(*(note(number) for number in range(5)))
    entries = (await itsm.list_journal(world.known, limit=50, ctx=make_ctx())).records
    assert {f"note {number}" for number in range(5)} <= {entry.text for entry in entries}


async def test_an_issue_is_found_by_its_number(itsm, world, ctx):
    for text in (f"issue{world.known}", f"Issue{world.known}"):
        found = await itsm.search_tickets(text, ctx=ctx)
        assert [each.id for each in found.records] == [world.known]
    assert (await itsm.search_tickets("issue99999999", ctx=ctx)).records == ()


async def test_a_name_is_no_id(itsm, world, ctx):
    """Roundup would take a user name for a link; a policy that watches ids would not see it."""
    with pytest.raises(VendorRefused, match="no person"):
        await itsm.assign(world.known, assignee_id="admin", ctx=ctx)
    with pytest.raises(VendorRefused, match="no person"):
        await itsm.search_tickets(assignee_id="admin", ctx=ctx)


async def test_a_category_that_is_no_keyword_is_refused(itsm, world, ctx):
    before = world.state()
    with pytest.raises(VendorRefused, match="nonsense"):
        await itsm.update_incident(world.known, {"category": "nonsense"}, ctx=ctx)
    assert world.state() == before


async def test_drafts_of_articles_are_not_found(itsm, ctx):
    assert (await itsm.search_knowledge("draft", ctx=ctx)).records == ()


async def test_an_account_without_the_role_sees_and_writes_no_notes(world, itsm, make_ctx, ctx):
    await itsm.add_work_note(world.known, NOTE, ctx=ctx)
    outsider = make_ctx(secret={"username": "user12", "password": world.extra["tracker"].password})
    with pytest.raises(VendorRefused, match="403"):
        await itsm.list_journal(world.known, ctx=outsider)
    with pytest.raises(VendorRefused, match="403"):
        await itsm.add_work_note(world.known, "x", ctx=outsider)


# --- a tracker of the template --------------------------------------------------------------------


@pytest.fixture
async def classic(classic_tracker):
    settings = ITSMSettings(backend="roundup", url=classic_tracker.url)
    backend = RoundupBackend(settings)
    yield ITSM(backend, settings)
    await backend.close()


@pytest.fixture
def at_classic(make_ctx, classic_tracker):
    return make_ctx(secret={"username": "alice", "password": classic_tracker.password})


async def test_a_classic_tracker_has_comments_and_refuses_the_rest(classic, at_classic):
    made = await classic.create_incident("Broken", "It is", priority="high", ctx=at_classic)
    await classic.add_public_comment(made.id, "We look into it", ctx=at_classic)
    ticket = await classic.get_ticket(made.id, ctx=at_classic)
    assert (ticket.title, ticket.description, ticket.priority) == ("Broken", "It is", "high")
    for call in (
        classic.add_work_note(made.id, NOTE, ctx=at_classic),
        classic.resolve(made.id, "solution", NOTE, ctx=at_classic),
        classic.search_knowledge("vpn", ctx=at_classic),
        classic.get_ci("1", ctx=at_classic),
        classic.create_incident("x", "y", parent_id=made.id, ctx=at_classic),
        classic.update_incident(made.id, {"ci_id": "1"}, ctx=at_classic),
    ):
        with pytest.raises(VendorRefused, match="classic") as refused:
            await call
        assert refused.value.happened is False
    texts = [entry.text for entry in (await classic.list_journal(made.id, ctx=at_classic)).records]
    assert texts == ["We look into it", "It is"]


async def test_a_tracker_that_is_said_to_be_extended_and_is_not_writes_no_public_note(
    classic_tracker, at_classic
):
    settings = ITSMSettings(backend="roundup", url=classic_tracker.url, tracker="extended")
    backend = RoundupBackend(settings)
    with pytest.raises(VendorRefused):
        await backend.write("1", NOTE, internal=True, ctx=at_classic)
    await backend.close()


def test_only_a_fresh_classic_tracker_is_extended(world, classic_tracker, tmp_path):
    shutil.copytree(classic_tracker.folder / "detectors", tmp_path / "t" / "detectors")
    shutil.copy(classic_tracker.folder / "schema.py", tmp_path / "t")
    detector = tmp_path / "t" / "detectors" / "nosyreaction.py"
    detector.write_text("# mine\n")
    schema = (tmp_path / "t" / "schema.py").read_text()
    with pytest.raises(ConfigError, match="nosyreaction"):
        extend(tmp_path / "t")
    assert (tmp_path / "t" / "schema.py").read_text() == schema  # as a whole or not at all
    with pytest.raises(ConfigError, match="as the template has it"):
        extend(world.extra["tracker"].folder)


async def test_ten_thousand_issues_are_capped_and_paged(classic_tracker, classic, at_classic):
    made = await classic.create_incident("One of many", "x", ctx=at_classic)
    file = classic_tracker.folder / "db" / "db"
    with closing(sqlite3.connect(file, timeout=30)) as db, db:
        names = [row[1] for row in db.execute("PRAGMA table_info(_issue)") if row[1] != "id"]
        columns = ", ".join(names)
        copied = f"INSERT INTO _issue (id, {columns}) SELECT ?, {columns} FROM _issue WHERE id = ?"
        db.executemany(copied, [(100_000 + number, made.id) for number in range(10_000)])
    try:
        found = await classic.search_tickets("One of many", limit=1000, page=50, ctx=at_classic)
        assert (len({each.id for each in found.records}), found.more) == (100, True)
    finally:
        with closing(sqlite3.connect(file, timeout=30)) as db, db:
            db.execute("DELETE FROM _issue WHERE id >= 100000")
