"""Policy rows in SQLite and in a real PostgreSQL server: checked like a file, and seen within a second."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from toolcrib.errors import ConfigError, PolicyError
from toolcrib.policy import MODEL, Policy, PolicySource, _sql
from toolcrib.policy._sql import SqlOrigin
from toolcrib.testing import postgres
from toolcrib.testing.counterparts import missing
from toolcrib.testing.cribs import write_crib

ALLOW, DENY = "p, *, *, *, *, True, allow", "p, *, *, *, *, True, deny"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A server of this session on a free port of the loopback; the URL of its database, without a driver."""
    if not postgres.available():
        missing(postgres.MISSING)
    with postgres.Postgres() as running:
        yield f"crib@127.0.0.1:{running.port}/postgres"


class Table:
    """The table as somebody else would use it, through another driver or Casbin's own adapter."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self._origins: list[SqlOrigin] = []
        asyncio.run(self._make())

    async def _make(self) -> None:
        from casbin_async_sqlalchemy_adapter import Adapter

        engine = create_async_engine(self.url)
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE IF EXISTS casbin_rule"))
        await Adapter(engine).create_table()
        await engine.dispose()

    def do(self, *statements: str) -> None:
        async def run() -> None:
            engine = create_async_engine(self.url)
            async with engine.begin() as connection:
                for statement in statements:
                    await connection.execute(text(statement))
            await engine.dispose()

        asyncio.run(run())

    def put(self, *rows: str, start: int = 1) -> None:
        self.do(*(_insert(number, row.split(", ")) for number, row in enumerate(rows, start)))
        if "postgresql" in self.url:  # ids that were given by hand are not counted there
            self.do("SELECT setval('casbin_rule_id_seq', (SELECT max(id) FROM casbin_rule))")

    def origin(self) -> SqlOrigin:
        found = SqlOrigin(self.url, self.folder)
        self._origins.append(found)
        return found

    def close(self) -> None:
        for origin in self._origins:
            origin.close()


def _insert(number: int, values: Sequence[str | None]) -> str:
    columns = ["id", "ptype", *(f"v{index}" for index in range(len(values) - 1))]
    quoted = ["NULL" if value is None else "'" + value.replace("'", "''") + "'" for value in values]
    return f"INSERT INTO casbin_rule ({', '.join(columns)}) VALUES ({number}, {', '.join(quoted)})"


@pytest.fixture(params=["sqlite", "postgresql"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Table]:
    if request.param == "sqlite":
        path = tmp_path / "policy.db"
        create_engine(f"sqlite:///{path}").connect().close()
        url = f"sqlite+aiosqlite:///{path}"
    else:
        url = f"postgresql+asyncpg://{request.getfixturevalue('server')}"
    folder = tmp_path / "policies"
    folder.mkdir()
    found = Table(url, folder)
    yield found
    found.close()


def due(source: PolicySource) -> Policy:
    source._next = time.monotonic()
    source.current()
    source.join()
    source._next = time.monotonic() + 60
    return source.current()


# --- reading -----------------------------------------------------------------------------------------


def test_rows_are_read_by_id_and_known_by_it(table: Table) -> None:
    table.put(DENY, start=30)
    table.put("g, user:ann, sales, acme", ALLOW, start=7)
    policy = table.origin().read().policy()
    assert [row.place for row in policy.rows] == ["casbin_rule:7", "casbin_rule:8", "casbin_rule:30"]
    assert [row.kind for row in policy.rows] == ["g", "p", "p"]


def test_the_revision_is_that_of_a_file_with_the_same_rows(table: Table) -> None:
    table.put(ALLOW, DENY)
    assert table.origin().read().policy().revision == Policy.of(MODEL, f"{ALLOW}\n{DENY}\n").revision


def test_an_empty_table_is_a_policy_that_denies(table: Table) -> None:
    assert table.origin().read().policy().rows == ()


def test_what_casbins_own_adapter_wrote_is_read(table: Table) -> None:
    import casbin
    from casbin_async_sqlalchemy_adapter import Adapter

    async def write() -> None:
        engine = create_async_engine(table.url)
        adapter = Adapter(engine)
        enforcer = casbin.AsyncEnforcer(casbin.AsyncEnforcer.new_model(text=MODEL), adapter)
        await enforcer.load_policy()
        await enforcer.add_policy("sales", "acme", "crm.set", "write", "r.ctx.args.a in (1, 2)", "allow")
        await enforcer.add_named_policy("p3", "*", "acme", "crm.set", "5/day per user")
        await enforcer.add_named_grouping_policy("g", "user:ann", "sales", "acme")
        await engine.dispose()

    asyncio.run(write())
    rows = table.origin().read().policy().rows
    assert [row.values for row in rows] == [
        ("sales", "acme", "crm.set", "write", "r.ctx.args.a in (1, 2)", "allow"),
        ("*", "acme", "crm.set", "5/day per user"),
        ("user:ann", "sales", "acme"),
    ]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["p", "*", "*", "*", "*", "true", "allow"], r"casbin_rule:5"),
        (["P", "*", "*", "*", "*", "True", "allow"], r"casbin_rule:5: unknown row type"),
        (["p", "*", "*", "*", "*", "True"], r"casbin_rule:5: 5 values are too few"),
        (["p", "*", None, "*", "*", "True", "deny"], r"casbin_rule:5"),
        (["#p", "*", "*", "*", "*", "True", "deny"], r"casbin_rule:5: ptype '#p'"),
        ([None, "*", "*", "*", "*", "True", "deny"], r"casbin_rule:5: ptype ''"),
        (
            ["p", "*", "acme, crm.*", "read", "True", "allow"],
            r"casbin_rule:5: 'acme, crm\.\*', which is more",
        ),
        (
            ["p", "*", "*", "*", "*", "True", "deny\np, *, *, *, *, True, allow"],
            r"casbin_rule:5: .*more than one",
        ),
        (["p", "*(", "*", "*", "*)", "True", "deny"], r"casbin_rule:5"),
        (["p", "*", "*", "*\u200b", "*", "True", "deny"], r"casbin_rule:5: the invisible character"),
    ],
)
def test_every_refusal_holds_and_names_the_id(table: Table, values: list[str | None], says: str) -> None:
    table.put(ALLOW)
    table.do(_insert(5, values))
    with pytest.raises(PolicyError, match=says):
        table.origin().read().policy()


def test_the_model_of_the_folder_counts(table: Table) -> None:
    table.put(ALLOW)
    (table.folder / "model.conf").write_text("nonsense")
    with pytest.raises(PolicyError, match=r"model\.conf"):
        table.origin().read().policy()


def test_rows_in_two_places_are_refused(table: Table) -> None:
    table.put(ALLOW)
    (table.folder / "policy.csv").write_text(DENY)
    with pytest.raises(PolicyError, match="rows are in one place"):
        table.origin().read()


def test_a_missing_table_is_an_error_that_says_where(table: Table) -> None:
    table.do("DROP TABLE casbin_rule")
    with pytest.raises(PolicyError, match=r"cannot be used: .*casbin_rule"):
        table.origin().read()


def test_a_file_that_is_not_there_is_neither_made_nor_read(tmp_path: Path) -> None:
    """A misspelt path would otherwise be an empty policy, in a file that nobody asked for."""
    origin = SqlOrigin(f"sqlite+aiosqlite:///{tmp_path}/polcy.db", tmp_path)
    with pytest.raises(PolicyError, match="No such file") as refused:
        origin.read()
    origin.close()
    assert "empty file first" in refused.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_too_large_is_refused(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    table.put(ALLOW, DENY)
    monkeypatch.setattr(_sql, "MAX_ROWS", 1)
    with pytest.raises(PolicyError, match="a policy is bounded"):
        table.origin().read()


def test_it_can_be_read_where_an_event_loop_runs(table: Table) -> None:
    table.put(ALLOW)

    async def inside() -> Policy:
        return table.origin().read().policy()

    assert len(asyncio.run(inside()).rows) == 1


# --- changes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE casbin_rule SET v5 = 'deny' WHERE id = 1",
        _insert(2, DENY.split(", ")),
        "DELETE FROM casbin_rule WHERE id = 1",
        "UPDATE casbin_rule SET id = 9 WHERE id = 1",
    ],
)
def test_any_change_is_seen_at_the_next_look(table: Table, statement: str) -> None:
    table.put(ALLOW)
    origin = table.origin()
    before = origin.look()
    assert origin.look() == before
    table.do(statement)
    assert origin.look() != before


def test_a_change_of_something_else_is_not_one(table: Table) -> None:
    """A commit elsewhere may lead to a closer look, but to no other policy."""
    table.put(ALLOW)
    source = PolicySource(table.origin())
    good = due(source)
    table.do("CREATE TABLE other (id integer)", "DROP TABLE other")
    assert due(source).revision == good.revision


def test_a_change_of_another_process_is_in_force_within_a_second(table: Table) -> None:
    """Without turning the clock: two looks are half a second apart, and a look and a load are quick."""
    table.put(ALLOW)
    source = PolicySource(table.origin())
    script = (
        "import sys, asyncio\n"
        "from sqlalchemy import text\n"
        "from sqlalchemy.ext.asyncio import create_async_engine\n"
        "async def main():\n"
        "    engine = create_async_engine(sys.argv[1])\n"
        "    async with engine.begin() as connection:\n"
        "        await connection.execute(text(\"UPDATE casbin_rule SET v5 = 'deny'\"))\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", script, table.url], check=True)
    wait = threading.Event()
    until = time.monotonic() + 20
    while source.current().rows[0].values[-1] != "deny":
        assert time.monotonic() < until
        wait.wait(0.02)


def test_a_bad_change_keeps_the_last_good_policy_and_a_mended_one_is_taken(table: Table) -> None:
    heard: list[str] = []
    table.put(ALLOW)
    source = PolicySource(table.origin(), lambda kind, detail: heard.append(kind))
    good = source.current()
    table.do("UPDATE casbin_rule SET v5 = 'Deny'")
    assert due(source) is good
    assert due(source) is good
    assert "casbin_rule:1" in source.alert
    table.do("UPDATE casbin_rule SET v5 = 'deny'")
    assert due(source).rows[0].values[-1] == "deny"
    assert (heard, source.alert) == (["failed", "loaded"], "")


def test_a_transaction_is_seen_whole_or_not_at_all(table: Table) -> None:
    table.put(ALLOW)
    origin = table.origin()
    before = origin.read().rows

    async def half() -> str:
        engine = create_async_engine(table.url)
        async with engine.connect() as connection:
            await connection.execute(text("UPDATE casbin_rule SET v5 = 'deny'"))
            seen = origin.read().rows
            await connection.commit()
        await engine.dispose()
        return seen

    assert asyncio.run(half()) == before
    assert "deny" in origin.read().rows


# --- when it is away ----------------------------------------------------------------------------------


def test_a_lost_database_keeps_the_last_good_policy(table: Table) -> None:
    heard: list[str] = []
    table.put(ALLOW)
    origin = table.origin()
    source = PolicySource(origin, lambda kind, detail: heard.append(kind))
    good = source.current()
    url = origin._url
    origin._url = url.set(database="/nowhere/none.db" if "sqlite" in table.url else "none")
    origin._worker.run(origin._dispose())
    assert due(source) is good
    assert due(source) is good
    assert heard == ["failed"]
    assert "cannot be used" in source.alert
    origin._url = url
    table.do("UPDATE casbin_rule SET v5 = 'deny'")
    assert due(source).rows[0].values[-1] == "deny", "and it is found again"


def test_a_fork_gets_connections_of_its_own(table: Table) -> None:
    table.put(ALLOW)
    origin = table.origin()
    origin.read()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if len(origin.read().policy().rows) == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(origin.read().policy().rows) == 1


# --- writing -----------------------------------------------------------------------------------------


def test_rows_that_stay_keep_their_ids(table: Table) -> None:
    table.put(ALLOW, "g, user:ann, sales, acme", DENY)
    origin = table.origin()
    before = origin.read()
    rows = (
        "# a remark has no place\n" + before.rows.replace(DENY + "\n", "") + "p3, *, *, *, 1/day per user\n"
    )
    after = origin.write(before, MODEL, rows)
    assert after == origin.read()
    assert after.numbers is not None
    assert list(after.numbers[:2]) == [1, 2]
    assert after.rows.split("\n")[2] == "p3, *, *, *, 1/day per user"


def test_what_has_changed_since_is_not_overwritten(table: Table) -> None:
    table.put(ALLOW)
    origin = table.origin()
    before = origin.read()
    table.put(DENY, start=2)
    with pytest.raises(PolicyError, match="has changed in the meantime"):
        origin.write(before, MODEL, "")
    assert DENY in origin.read().rows


def test_acts_work_on_a_table(table: Table, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """import, freeze, doctor, explain, rollback: the same commands."""
    from click.testing import CliRunner

    from toolcrib.cli._main import cli
    from toolcrib.os_user import system_user

    users = f'[approvals.users]\n{system_user()} = "dana"\n'
    file = write_crib(tmp_path, "", config=f'[policy]\nurl = "{table.url}"\n{users}')
    rows = tmp_path / "policies" / "policy.csv"
    rows.rename(tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_text(f"# remark\n{ALLOW}\n")

    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, ["-c", str(file), *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    table.put("p, user:dana, *, policy.*, destructive, True, allow")
    run("policy", "import", str(tmp_path / "rows.csv"), "-y")
    first = table.origin().read()
    assert first.rows == ALLOW + "\n"
    run("freeze", "*", "-y")
    assert "p, *, *, *, *, True, deny" in table.origin().read().rows
    assert "frozen: *" in run("doctor")
    explained = run("policy", "explain", "crm.x", "--agent", "a", "--user", "u", "--effect", "read")
    assert explained.startswith("deny")
    run("policy", "rollback", first.policy().revision, "-y")
    assert table.origin().read().rows == f"{first.rows}p, *, *, *, *, True, deny\n"  # still frozen
    run("unfreeze", "*", "-y")
    assert table.origin().read().rows == first.rows


# --- where it is --------------------------------------------------------------------------------------


def test_sqlite_makes_no_empty_database_of_a_typing_error(tmp_path: Path) -> None:
    origin = SqlOrigin(f"sqlite+aiosqlite:///{tmp_path / 'none.db'}", tmp_path)
    with pytest.raises(PolicyError, match="No such file"):
        origin.read()
    origin.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_put_in_the_place_of_the_old_one_is_seen(tmp_path: Path) -> None:
    url = "sqlite+aiosqlite:///{}"
    tables = []
    for name in ("one.db", "two.db"):
        create_engine(f"sqlite:///{tmp_path / name}").connect().close()
        tables.append(Table(url.format(tmp_path / name), tmp_path))
    tables[0].put(ALLOW)
    tables[1].put(DENY)
    source = PolicySource(tables[0].origin())
    (tmp_path / "two.db").replace(tmp_path / "one.db")
    assert due(source).rows[0].values[-1] == "deny"
    for table in tables:
        table.close()


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    origin = SqlOrigin("postgresql+asyncpg://crib:hunter2@127.0.0.1:1/none", tmp_path)
    with pytest.raises(PolicyError) as caught:
        origin.read()
    origin.close()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://h/d", "unknown kind 'mysql'"),
        ("sqlite:///x.db", r"There is: .*sqlite\+aiosqlite"),
        ("postgresql+asyncpg://u:p@h/d", "has a password in it"),
        ("postgresql+asyncpg://h/d?password=p", "has a password in it"),
    ],
)
def test_a_url_that_will_not_do_is_refused_by_the_config(tmp_path: Path, url: str, says: str) -> None:
    from toolcrib.config import Config

    file = write_crib(tmp_path, "", config=f'[policy]\nurl = "{url}"\n')
    with pytest.raises(ConfigError, match=says):
        Config.load(file)


def test_a_path_is_relative_to_the_config(tmp_path: Path) -> None:
    from toolcrib.config import Config

    def url_of(url: str) -> str:
        return Config.load(write_crib(tmp_path, "", config=f'[policy]\nurl = "{url}"\n')).policy_url

    assert url_of("sqlite+aiosqlite:///x/p.db") == f"sqlite+aiosqlite:///{tmp_path}/x/p.db"
    assert url_of("sqlite+aiosqlite:////abs/p.db") == "sqlite+aiosqlite:////abs/p.db"
