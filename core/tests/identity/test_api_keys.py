"""API keys: shown once, kept as a hash, and good for exactly what they were made for."""

import re
import stat

import pytest
from click.testing import CliRunner

from toolcrib import Principal
from toolcrib.cli.keys import keys
from toolcrib.config import Config
from toolcrib.errors import ConfigError, NotAuthenticated, StateError
from toolcrib.identity import ApiKeys, Bearer, Identity, LocalUser
from toolcrib.os_user import system_user
from toolcrib.secrets import Redactor


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def store(tmp_path):
    return ApiKeys(tmp_path / "state", Clock())


def made(store, **more):
    return store.create(**{"user": "alice", "tenant": "acme", "agents": ("sales",), **more})


def test_a_key_stands_for_its_user_tenant_and_agents(store):
    _, text = made(store, agents=("sales", "desk"))
    caller = store.caller(text)
    assert (caller.user, caller.tenant, caller.agents) == ("alice", "acme", {"sales", "desk"})
    assert caller.principal("desk", session="s") == Principal("desk", "alice", "acme", session="s")
    with pytest.raises(NotAuthenticated, match="does not let the agent 'root' act"):
        caller.principal("root")


def test_the_file_holds_no_key_and_is_private(store, tmp_path):
    key, text = made(store)
    file = tmp_path / "state" / "api-keys.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = text.rpartition(f"{key.name}_")[2]
    assert key.name.encode() in file.read_bytes()
    assert secret.encode() not in file.read_bytes()
    assert text not in repr(key) and text not in repr(Bearer(text))


def test_keys_differ_and_have_256_random_bits(store):
    texts = {made(store)[1] for _ in range(20)}
    assert len(texts) == 20
    assert all(re.fullmatch(r"tck_[a-z2-7]{12}_[A-Za-z0-9_-]{43}", text) for text in texts)
    assert all(Redactor().clean(text) == "[token:toolcrib]" for text in texts)


def test_what_is_wrong_is_refused_in_the_same_words(store):
    _, text = made(store)
    other = made(ApiKeys(store._file.parent.parent / "other"))[1]
    wrong = [
        text[:-1] + ("A" if text[-1] != "A" else "B"),
        text[:-1],
        text.upper(),
        "tck_",
        "tck_x_y",
        other,
        text + "x",
    ]
    said = set()
    for each in [*wrong, "tck_" + "é" * 60]:
        with pytest.raises(NotAuthenticated) as caught:
            store.caller(each)
        assert each[10:] not in str(caught.value) or len(each) < 12
        said.add(str(caught.value))
    assert len(said) == 1


def test_a_key_ends_when_it_expires_or_is_revoked(store):
    short, text = made(store, lifetime=60)
    store._clock.now += 59
    assert store.caller(text).user == "alice"
    store._clock.now += 1
    with pytest.raises(NotAuthenticated, match="is expired"):
        store.caller(text)
    other, text = made(store)
    assert store.revoke(other.name).revoked == store._clock.now
    store._clock.now += 5
    assert store.revoke(other.name).revoked == store._clock.now - 5
    with pytest.raises(NotAuthenticated, match="is revoked"):
        store.caller(text)
    assert [key.name for key in store.all()] == [other.name, short.name]
    assert ApiKeys(store._file.parent).all()[0].revoked


@pytest.mark.parametrize(
    "more", [{"user": "*"}, {"user": "none"}, {"tenant": "a b"}, {"agents": ()}, {"agents": ("a:b",)}]
)
def test_keys_for_what_is_no_id_are_not_made(store, more):
    with pytest.raises(ConfigError):
        made(store, **more)
    assert store.all() == []


def test_where_no_key_was_ever_made_none_is_right_and_no_file_is_made(store):
    with pytest.raises(NotAuthenticated):
        store.caller("tck_abcdefgh2345_" + "x" * 43)
    assert store.all() == [] and not store._file.exists()
    with pytest.raises(ConfigError, match="there is no key"):
        store.revoke("x")


def test_a_broken_file_lets_nobody_in(store):
    _, text = made(store)
    store._file.write_bytes(b"no database" * 100)
    with pytest.raises(StateError, match="no key is accepted"):
        store.caller(text)


def config_in(folder, lines=""):
    (folder / "toolcrib.toml").write_text(f'[crib]\ntenant = "acme"\n{lines}')
    return Config.load(folder / "toolcrib.toml")


async def test_identity_takes_keys_and_the_local_user_but_no_token_without_an_issuer(tmp_path):
    identity = Identity.from_config(config_in(tmp_path, f'[approvals.users]\n"{system_user()}" = "bob"\n'))
    _, text = made(identity.api_keys)
    assert await identity.authenticate(Bearer(text)) == Principal("sales", "alice", "acme")
    assert await identity.authenticate(LocalUser(), agent="desk") == Principal("desk", "bob", "acme")
    with pytest.raises(NotAuthenticated, match="does not say which agent"):
        await identity.authenticate(LocalUser())
    with pytest.raises(NotAuthenticated, match="no issuer is configured"):
        await identity.authenticate(Bearer("x.y.z"))


async def test_a_local_user_that_nobody_mapped_is_nobody(tmp_path):
    with pytest.raises(ConfigError, match="nobody's user id"):
        await Identity.from_config(config_in(tmp_path)).authenticate(LocalUser(), agent="desk")


BAD = {
    'issuer = "https://x.example"': "no audience",
    'algorithms = ["HS256"]': "'HS256'",
    'algorithms = ["none"]': "'none'",
    "algorithms = []": "is empty",
    'leeway = "1h"': "at most 5m",
    'leeway = "soon"': "leeway",
    'keys_max_age = "x"': "keys_max_age",
    'agents = ["a b"]': "agents",
    'isuer = "x"': "issuer",
}


@pytest.mark.parametrize("line", BAD)
def test_settings_that_are_wrong(tmp_path, line):
    with pytest.raises(ConfigError, match=re.escape(BAD[line])):
        config_in(tmp_path, f"[identity]\n{line}\n")


# --- the commands


class Desk:
    """What the frame gives a command."""

    def __init__(self, folder):
        self.config, self.records = config_in(folder), []

    def record(self, **fields):
        self.records.append(fields)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def run(desk, *args):
    return CliRunner().invoke(keys, args, obj=desk)


def test_a_key_is_made_shown_once_and_recorded_without_its_secret(desk):
    result = run(
        desk, "create", "--user", "alice", "--agent", "sales", "--expires", "30d", "--note", "nightly job"
    )
    assert result.exit_code == 0
    (text,) = re.findall(r"tck_\S+", result.output)
    store = ApiKeys(desk.config.state)
    assert store.caller(text).user == "alice"
    (key,) = store.all()
    (record,) = desk.records
    assert record["action"] == "keys.create" and record["key"] == key.name and record["agents"] == ["sales"]
    assert text not in str(record) and text.rpartition("_")[2] not in run(desk, "list").output
    assert "alice" in run(desk, "list").output and "nightly job" in run(desk, "list", "--json").output


def test_a_key_that_cannot_be_recorded_is_not_made(desk):
    def fail(**_):
        raise StateError("the log is full")

    desk.record = fail
    assert isinstance(run(desk, "create", "--user", "alice", "--agent", "sales").exception, StateError)
    assert [key.revoked is not None for key in ApiKeys(desk.config.state).all()] in ([], [True])


def test_a_key_is_revoked_and_that_is_recorded(desk):
    key, text = made(ApiKeys(desk.config.state))
    assert run(desk, "revoke", key.name).exit_code == 0
    assert desk.records == [{"kind": "admin", "action": "keys.revoke", "key": key.name}]
    with pytest.raises(NotAuthenticated, match="revoked"):
        ApiKeys(desk.config.state).caller(text)
    assert "revoked" in run(desk, "list").output


@pytest.mark.parametrize(
    "args", [(), ("--user", "alice"), ("--agent", "a", "--user", "x", "--expires", "soon")]
)
def test_wrong_usage_makes_no_key(desk, args):
    assert run(desk, "create", *args).exit_code != 0
    assert ApiKeys(desk.config.state).all() == [] and desk.records == []


def test_without_keys_the_list_says_how_to_make_one(desk):
    assert "toolcrib keys create" in run(desk, "list").output
    assert isinstance(run(desk, "revoke", "nothing").exception, ConfigError)
