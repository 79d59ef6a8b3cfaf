"""Credentials on loan: from a real OpenBao that makes users in a real PostgreSQL, and from a scripted one."""

import asyncio
import json
import threading
import time

import pytest
from sqlalchemy import create_engine, text

from toolcrib.errors import SecretError, ToolcribWarning
from toolcrib.principal import Principal
from toolcrib.secrets import SecretBroker
from toolcrib.secrets import _vault_leases as leases
from toolcrib.secrets.vault import VaultProvider, VaultSettings
from toolcrib.testing import FakeService, Reply
from toolcrib.testing.counterparts import missing
from toolcrib.testing.postgres import MISSING, Postgres, available

CREATE = """CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"""
ALICE = Principal(agent="writer", user="alice", tenant="acme")


@pytest.fixture(scope="module")
def postgres():
    """A server on a free port of the loopback; its port."""
    if not available():
        missing(MISSING)
    with Postgres(passwords=True) as running:
        yield running.port


@pytest.fixture(scope="module")
def database(bao, postgres):
    """Roles of the database engine: `short` lives 3 s and 6 s at most, `long` an hour."""
    client = bao.client
    client.sys.enable_secrets_engine("database")
    client.secrets.database.configure(
        "pg", plugin_name="postgresql-database-plugin", allowed_roles=["*"], username="crib", password="crib",
        connection_url=f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{postgres}/postgres?sslmode=disable",
    )  # fmt: skip
    for name, ttl, most in (("short", "3s", "6s"), ("long", "1h", "2h")):
        client.secrets.database.create_role(
            name, "pg", default_ttl=ttl, max_ttl=most,
            creation_statements=[CREATE],
        )  # fmt: skip
    bao.policy("db", "database/creds/*")
    return postgres


def logs_in(port, secret):
    """Whether PostgreSQL lets the credential in."""
    got = json.loads(secret.reveal())
    engine = create_engine(
        f"postgresql+asyncpg://{got['username']}:{got['password']}@127.0.0.1:{port}/postgres"
    )

    async def look():
        from sqlalchemy.ext.asyncio import create_async_engine

        made = create_async_engine(engine.url)
        try:
            async with made.connect() as connection:
                return (await connection.execute(text("SELECT 1"))).scalar() == 1
        except Exception:
            return False
        finally:
            await made.dispose()

    return look()


async def test_a_lent_credential_opens_the_database_until_it_is_given_back(bao, open_vault, database):
    vault = open_vault(dynamic=("database",))
    secret = await vault.fetch("database/creds/long")
    assert secret.expires is not None
    assert 3590 < secret.expires - time.time() <= 3600
    assert await logs_in(database, secret)
    again = await vault.fetch("database/creds/long")
    assert (again.reveal(), again.version) == (secret.reveal(), secret.version)  # one lease, not two
    await vault.close()
    assert not await logs_in(database, secret)
    with pytest.raises(Exception, match=r"invalid|not found"):
        bao.client.sys.read_lease(f"database/creds/long/{secret.version}")


async def test_it_is_renewed_in_time_and_replaced_after_its_longest_life(open_vault, database):
    vault = open_vault(dynamic=("database",))
    first = await vault.fetch("database/creds/short")
    ends = first.expires
    while True:  # longer than the first three seconds
        later = await vault.fetch("database/creds/short")
        if later.version != first.version or later.expires > ends + 1.5:
            break
        await asyncio.sleep(0.1)
    assert later.version == first.version, "renewed, not replaced"
    while later.version == first.version:  # until the longest life of six seconds is over
        assert later.expires > time.time()
        later = await vault.fetch("database/creds/short")
        await asyncio.sleep(0.1)
    assert await logs_in(database, later)
    assert later.reveal() != first.reveal()


async def test_one_that_was_revoked_elsewhere_is_replaced_at_its_next_renewal(bao, open_vault, database):
    vault = open_vault(dynamic=("database",))
    first = await vault.fetch("database/creds/short")
    bao.client.sys.revoke_prefix("database/creds/short")
    while (later := await vault.fetch("database/creds/short")).version == first.version:
        assert time.time() < first.expires + 1
        await asyncio.sleep(0.1)
    assert await logs_in(database, later)


async def test_one_key_of_a_lent_credential(open_vault, database):
    vault = open_vault(dynamic=("database",))
    user = await vault.fetch("database/creds/long#username")
    word = await vault.fetch("database/creds/long#password")
    assert user.version == word.version  # of one lease
    assert user.reveal().startswith("v-")


async def test_its_end_is_its_logins_end_if_that_comes_first(bao, open_vault, database, approle):
    vault = open_vault(**approle("db", token_ttl="20s", token_max_ttl="20s"), dynamic=("database",))
    secret = await vault.fetch("database/creds/long")
    assert secret.expires - time.time() <= 20


async def test_the_broker_keeps_none_beyond_its_lease(open_vault, database):
    vault = open_vault(dynamic=("database",))
    broker = SecretBroker(vault, {"db": {"reader": "database/creds/short"}}, cache=3600)
    first = await broker.secret("db", "reader", ALICE)
    while (kept := broker.cache.hit("database/creds/short")) is not None:
        assert kept.expires > time.time()
        await asyncio.sleep(0.1)
    assert (await broker.secret("db", "reader", ALICE)).expires > first.expires


# --- a Vault that does as it is told


class Lender(FakeService):
    def __init__(self, seconds=2, renewable=True):
        super().__init__()
        self.seconds, self.renewable, self.lent, self.renewed = seconds, renewable, 0, threading.Event()
        self.route("GET", "/v1/auth/token/lookup-self", lambda request: Reply.json({"data": {"ttl": 0}}))
        self.route("GET", "/v1/db/creds/x", self.lend)
        self.route("POST", "/v1/sys/leases/renew", self.renew)
        self.route("POST", "/v1/sys/leases/revoke", lambda request: Reply(204))

    def lend(self, request):
        self.lent += 1
        return Reply.json(
            {
                "lease_id": f"db/creds/x/{self.lent}",
                "lease_duration": self.seconds,
                "renewable": self.renewable,
                "data": {"password": f"lent-value-{self.lent}"},
            }
        )

    def renew(self, request):
        self.renewed.set()
        return Reply.json({"lease_id": request.json()["lease_id"], "lease_duration": self.seconds})

    def recover(self):
        with self.lock:
            self._faults.clear()

    def revoked(self):
        return [r.json()["lease_id"] for r in self.requests if r.path == "/v1/sys/leases/revoke"]


def of(lender, bao, **more):
    return VaultProvider(
        VaultSettings(address=lender.url, token_file=bao.token_file, dynamic=("db",), **more)
    )


async def test_a_lease_is_good_while_vault_is_away_and_not_a_moment_longer(bao):
    with Lender(seconds=2) as lender:
        vault = of(lender, bao, timeout="0.3s")
        first = await vault.fetch("db/creds/x")
        lender.fail(503, {"errors": ["Vault is sealed"]}, times=1000)
        while True:
            try:
                assert (await vault.fetch("db/creds/x")).reveal() == first.reveal()
            except SecretError as error:
                assert "sealed" in str(error)
                break
            assert time.time() < first.expires, "never beyond its lease"
            await asyncio.sleep(0.05)
        lender.recover()
        await vault.close()


async def test_it_is_renewed_before_its_end_without_being_asked(bao):
    with Lender(seconds=1) as lender:
        vault = of(lender, bao)
        await vault.fetch("db/creds/x")
        assert await asyncio.to_thread(lender.renewed.wait, 10)
        await vault.close()
        assert lender.revoked() == ["db/creds/x/1"]


async def test_one_that_nobody_asks_for_is_given_back(bao, monkeypatch):
    monkeypatch.setattr(leases, "IDLE", 0.0)
    with Lender(seconds=1) as lender:
        vault = of(lender, bao)
        await vault.fetch("db/creds/x")
        while not lender.revoked():
            await asyncio.sleep(0.02)
        assert (await vault.fetch("db/creds/x")).reveal() == "lent-value-2"
        await vault.close()


async def test_many_callers_take_one_lease(bao):
    with Lender(seconds=600) as lender:
        vault = of(lender, bao)
        got = await asyncio.gather(*(vault.fetch("db/creds/x") for _ in range(32)))
        assert {secret.reveal() for secret in got} == {"lent-value-1"}
        await vault.close()


async def test_what_cannot_be_given_back_is_a_warning_with_its_number(bao, monkeypatch):
    monkeypatch.setattr(leases, "CLOSING", 0.3)
    with Lender(seconds=600) as lender:
        vault = of(lender, bao)
        await vault.fetch("db/creds/x")
        lender.fail(500, times=1000)
        with pytest.warns(ToolcribWarning, match=r"1 lease\(s\) could not be given back"):
            await vault.close()


async def test_a_rotated_password_ends_when_it_is_rotated(bao):
    class Rotating(Lender):
        def lend(self, request):
            return Reply.json({"lease_id": "", "data": {"password": "until-rotation", "ttl": 100}})

    with Rotating() as lender:
        vault = of(lender, bao)
        secret = await vault.fetch("db/creds/x#password")
        assert 98 < secret.expires - time.time() <= 100
        assert secret.version == "unleased"
        await vault.close()
        assert lender.revoked() == []
