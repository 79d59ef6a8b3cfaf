"""What is particular to the SQLite desk: tenants, threads, processes, the clock of the sample."""

import asyncio
import subprocess
import sys

import pytest

from toolcrib.errors import VendorRefused
from toolcrib_itsm import ITSM
from toolcrib_itsm.embedded import EmbeddedBackend
from toolcrib_itsm.sample import DEMO, GROUPS, records

pytestmark = pytest.mark.parametrize("world", ["embedded"], indirect=True)


async def test_tenants_do_not_meet(itsm, world, make_ctx):
    acme, other = make_ctx(tenant="acme"), make_ctx(tenant="other..x@y")
    made = await itsm.create_incident("Of acme alone", "x", ctx=acme)
    for call in (
        itsm.get_ticket(made.id, ctx=other),
        itsm.add_public_comment(made.id, "x", ctx=other),
        itsm.assign(made.id, group="Network", ctx=other),
        itsm.create_incident("x", "y", parent_id=made.id, ctx=other),
    ):
        with pytest.raises(VendorRefused, match="no ticket"):
            await call
    assert (await itsm.search_tickets("Of acme alone", ctx=other)).records == ()
    files = {path.name for path in world.extra["folder"].iterdir() if path.suffix == ".db"}
    assert files == {"itsm-acme.db", "itsm-other..x@y.db"}


async def test_what_was_written_is_there_when_opened_again(itsm, world, ctx):
    made = await itsm.create_incident("Kept", "x", ctx=ctx)
    again = ITSM(EmbeddedBackend(world.extra["folder"]))
    assert (await again.get_ticket(made.id, ctx=ctx)).title == "Kept"
    await again.close()


async def test_many_threads_write_at_once(itsm, world, make_ctx):
    async def one(number):
        made = await itsm.create_incident(f"Crowd {number}", "x", ctx=make_ctx())
        await itsm.add_work_note(made.id, f"note {number}", ctx=make_ctx())
        return made.id

    ids = await asyncio.gather(*(one(number) for number in range(40)))
    assert len(set(ids)) == 40


async def test_an_incident_is_resolved_by_one_of_many(itsm, world, make_ctx):
    results = await asyncio.gather(
        *(itsm.resolve(world.known, "solution", f"by {n}", ctx=make_ctx()) for n in range(8)),
        return_exceptions=True,
    )
    assert sum(not isinstance(result, VendorRefused) for result in results) == 1
    notes = (await itsm.list_journal(world.known, ctx=make_ctx())).records
    assert len(notes) == 1


PROGRAM = """
import sys
from pathlib import Path
from toolcrib_itsm._store import Store
sys.stdin.readline()
print(Store(Path(sys.argv[1])).write("INC0000241", "x", True, "alice").id)
"""


def test_processes_that_start_together_share_one_file(world, tmp_path):
    path = tmp_path / "fresh" / "itsm-acme.db"
    started = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdin=-1, stdout=-1, text=True)
        for _ in range(3)
    ]
    said = [process.communicate("go\n", timeout=60)[0].strip() for process in started]
    assert said == ["INC0000241"] * 3
    assert [item.name for item in path.parent.iterdir() if item.name.startswith(".")] == []


async def test_a_change_goes_ahead_once_all_agree_and_ends_with_the_first_no(itsm, world, make_ctx):
    change = world.extra["change"]
    await itsm.decide_change_approval(change, "approve", "Yes", ctx=make_ctx(user="alice"))
    assert (await itsm.get_ticket(change, ctx=make_ctx())).state == "new"
    await itsm.decide_change_approval(change, "approve", "Yes", ctx=make_ctx(user="dana"))
    assert (await itsm.get_ticket(change, ctx=make_ctx())).state == "in_progress"
    made = await itsm.create_change("Another", "x", ctx=make_ctx())
    await itsm.decide_change_approval(made.id, "reject", "No", ctx=make_ctx(user="dana"))
    assert (await itsm.get_ticket(made.id, ctx=make_ctx())).state == "canceled"
    for user in ("pavel", None):
        with pytest.raises(VendorRefused, match="is asked of"):
            await itsm.decide_change_approval(made.id, "approve", "x", ctx=make_ctx(user=user))


async def test_ten_thousand_incidents_are_capped_and_paged(itsm, world, ctx):
    store = world.backend._store("acme")
    (row,) = (row for row in records()["ticket"] if row["id"] == DEMO.known_ticket)
    names = ", ".join(row)
    with store._transaction() as db:
        db.executemany(
            f"INSERT INTO ticket ({names}) VALUES ({', '.join(f':{name}' for name in row)})",
            [{**row, "id": f"INC9{number:06d}"} for number in range(10_000)],
        )
    found = await itsm.search_tickets("vpn", limit=1000, ctx=ctx)
    assert (len(found.records), found.more) == (100, True)
    late = await itsm.search_tickets("vpn", limit=100, page=100, ctx=ctx)
    assert len(late.records) == 100


async def test_an_update_of_a_change_and_a_loop_are_refused(itsm, world, ctx):
    with pytest.raises(VendorRefused):
        await itsm.update_incident(world.extra["change"], {"state": "on_hold"}, ctx=ctx)
    with pytest.raises(VendorRefused, match="own parent"):
        await itsm.update_incident(world.known, {"parent_id": world.known}, ctx=ctx)


def test_the_sample_is_the_same_everywhere_and_hangs_together(world):
    made = records()
    ids = {row["id"] for table in made.values() for row in table if "id" in row}
    assert len(made["ticket"]) == 267 and len(made["person"]) == 22
    for row in made["ticket"]:
        for link in ("requester_id", "assignee_id", "ci_id"):
            assert row[link] is None or row[link] in ids, (row["id"], link)
        assert row["group_name"] is None or row["group_name"] in GROUPS
    assert {row["ticket_id"] for row in made["journal"]} <= ids
    assert all(row["email"].endswith("@acme.example") for row in made["person"])
