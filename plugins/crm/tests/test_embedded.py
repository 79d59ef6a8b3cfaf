"""What is particular to the SQLite backend: transactions, threads, processes, tenants."""

import asyncio
import sqlite3
import subprocess
import sys
import threading

import pytest

from toolcrib.errors import VendorRefused
from toolcrib_crm import CRM
from toolcrib_crm import embedded as embedded_module
from toolcrib_crm.embedded import EmbeddedBackend
from toolcrib_crm.sample import DEMO, make_id, records


async def test_what_was_written_is_there_when_opened_again(tmp_path, ctx):
    first = CRM(EmbeddedBackend(tmp_path))
    made = await first.create_lead("Keeper", "Keepers", ctx=ctx)
    await first.close()
    second = CRM(EmbeddedBackend(tmp_path))
    assert (await second.get_record("Lead", made.id, ctx=ctx)).last_name == "Keeper"
    next_one = await second.create_lead("Next", "Keepers", ctx=ctx)
    assert next_one.id != made.id
    await second.close()


async def test_tenants_do_not_meet(embedded, make_ctx):
    crm, acme, other = embedded.crm, make_ctx(tenant="acme"), make_ctx(tenant="other..x@y")
    made = await crm.create_lead("Secret", "Acme only", ctx=acme)
    with pytest.raises(VendorRefused, match="no Lead"):
        await crm.get_record("Lead", made.id, ctx=other)
    await crm.delete_record("Lead", DEMO.lead_id, ctx=other)
    assert (await crm.get_record("Lead", DEMO.lead_id, ctx=acme)).company == DEMO.company
    files = {path.name for path in embedded.folder.iterdir() if path.suffix == ".db"}
    assert files == {"crm-acme.db", "crm-other..x@y.db"}


async def test_many_threads_write_and_read_at_once(embedded, ctx):
    crm = embedded.crm

    async def one(number):
        made = await crm.create_lead(f"Lead {number}", "Crowd", ctx=ctx)
        await crm.update_record("Lead", made.id, {"rating": "Hot"}, ctx=ctx)
        return await crm.get_record("Lead", made.id, ctx=ctx)

    leads = await asyncio.gather(*(one(number) for number in range(60)))
    assert len({lead.id for lead in leads}) == 60
    assert {(lead.last_name, lead.rating) for lead in leads} == {(f"Lead {n}", "Hot") for n in range(60)}
    rows = (await crm.run_query("SELECT id FROM Lead WHERE company = 'Crowd'", ctx=ctx)).rows
    assert len(rows) == 60


async def test_a_lead_is_converted_by_one_of_many(embedded, ctx):
    crm = embedded.crm
    results = await asyncio.gather(
        *(crm.convert_lead(DEMO.lead_id, ctx=ctx) for _ in range(8)), return_exceptions=True
    )
    assert sum(not isinstance(result, VendorRefused) for result in results) == 1
    accounts = await crm.run_query("SELECT id FROM Account", ctx=ctx)
    assert accounts.more
    assert len(await embedded.backend.fetch(_all_accounts(), ctx)) == len(records()["Account"]) + 1


def _all_accounts():
    from toolcrib_crm.query import Query
    from toolcrib_crm.schema import OBJECTS

    spec = OBJECTS["Account"]
    return Query(spec, (spec.field("id"),), limit=100_000)


async def test_a_conversion_that_fails_leaves_nothing(embedded, ctx, monkeypatch):
    before = embedded.state()
    monkeypatch.setattr("toolcrib_crm.embedded._deal_of", lambda name, account: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await embedded.crm.convert_lead(DEMO.lead_id, opportunity_name="x", ctx=ctx)
    assert embedded.state() == before


async def test_two_backends_on_one_folder_see_each_other(tmp_path, ctx):
    one, two = CRM(EmbeddedBackend(tmp_path)), CRM(EmbeddedBackend(tmp_path))

    async def write(crm, number):
        made = await crm.create_lead(f"L{number}", "Both", ctx=ctx)
        # Reads before it writes: only a transaction that takes its lock at once survives the other's writes.
        await crm.update_record("Lead", made.id, {"rating": "Hot"}, ctx=ctx)
        return made.id

    ids = await asyncio.gather(*(write(crm, number) for number in range(30) for crm in (one, two)))
    assert len(set(ids)) == 60
    for crm in (one, two):
        rows = (await crm.run_query("SELECT rating FROM Lead WHERE company = 'Both'", ctx=ctx)).rows
        assert [row["rating"] for row in rows] == ["Hot"] * 60
        await crm.close()


PROGRAM = """
import sys
from pathlib import Path
from toolcrib_crm.embedded import _Store
from toolcrib_crm.schema import OBJECTS
sys.stdin.readline()
store = _Store(Path(sys.argv[1]))
print(store.create(OBJECTS["Lead"], {"last_name": "x", "company": "Race"}))
"""


def test_processes_that_start_together_share_one_file(tmp_path):
    path = tmp_path / "crm-acme.db"
    started = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdin=-1, stdout=-1, text=True)
        for _ in range(3)
    ]
    ids = [process.communicate("go\n", timeout=60)[0].strip() for process in started]
    assert len(set(ids)) == 3
    assert all(ids)
    assert [item.name for item in tmp_path.iterdir() if item.name.startswith(".")] == []


async def test_a_hostile_pattern_ends(embedded, ctx):
    """Would take longer than the universe is old if wildcards were tried again and again."""
    await embedded.crm.update_record("Lead", DEMO.lead_id, {"description": "a" * 30_000}, ctx=ctx)
    query = f"SELECT id FROM Lead WHERE description LIKE '{'%a' * 200}%b'"
    assert (await embedded.crm.run_query(query, ctx=ctx)).rows == ()


async def test_text_compares_without_case_in_every_script(embedded, ctx):
    made = await embedded.crm.create_lead("ÅNGSTRÖM", "Straße", ctx=ctx)
    for where in ("last_name = 'ångström'", "company = 'STRASSE'", "last_name LIKE '%gströ%'"):
        rows = (await embedded.crm.run_query(f"SELECT id FROM Lead WHERE {where}", ctx=ctx)).rows
        assert [row["id"] for row in rows] == [made.id], where


async def test_the_event_loop_is_never_blocked_by_the_database(embedded, ctx):
    await embedded.crm.search_accounts(ctx=ctx)
    store, seen = embedded.backend._store("acme"), []
    with store._lock:
        waiting = asyncio.create_task(embedded.crm.search_accounts(limit=1, ctx=ctx))
        for _ in range(5):
            await asyncio.sleep(0)
            seen.append(threading.current_thread().name)
        assert not waiting.done()
    assert len((await waiting).records) == 1
    assert len(seen) == 5


async def test_ten_thousand_records_are_read_up_to_the_cap(embedded, ctx):
    store = embedded.backend._store("acme")
    rows = [(make_id("Lead", 1_000_000 + number), "Many", f"Company {number:05}") for number in range(10_000)]
    with store._transaction() as db:
        db.executemany("INSERT INTO Lead_rows (id, last_name, company) VALUES (?, ?, ?)", rows)
    crm = embedded.with_settings(row_cap=2000)
    found = await crm.run_query("SELECT id FROM Lead WHERE last_name = 'Many' LIMIT 2000", ctx=ctx)
    assert (len(found.rows), found.more) == (2000, True)
    last = await crm.run_query("SELECT company FROM Lead ORDER BY company DESC LIMIT 1", ctx=ctx)
    assert len(last.rows) == 1 and last.more


async def test_an_overview_sees_one_moment(embedded, ctx, monkeypatch):
    """What is written between its queries is in none of them."""
    crm = embedded.crm
    render, others = embedded_module._sql.render, []

    def between(query):
        if query.target.name == "Contact" and not others:
            with sqlite3.connect(embedded.folder / "crm-acme.db", isolation_level=None) as other:
                gone = "DELETE FROM Contact_rows WHERE account_id = ?"
                others.append(other.execute(gone, (DEMO.account_id,)).rowcount)
            other.close()
        return render(query)

    monkeypatch.setattr(embedded_module._sql, "render", between)
    seen = await crm.get_account_overview(DEMO.account_id, ctx=ctx)
    assert others == [3] and len(seen.contacts) == 3
    assert len((await crm.get_account_overview(DEMO.account_id, ctx=ctx)).contacts) == 0
