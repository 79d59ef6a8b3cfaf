"""The environment provider: the conformance suite, and a mapping in which no two paths share a variable."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.errors import ConfigError, SecretNotFound
from toolcrib.secrets import ProviderConfig
from toolcrib.secrets.environment import EnvironmentProvider, EnvironmentSettings, variable_of
from toolcrib.testing.cribs import make_crib
from toolcrib.testing.secrets import SecretProviderConformance, SecretStand

PREFIX = "TOOLCRIB_SECRET_"
PATHS = st.from_regex(r"[A-Za-z0-9@._-]{1,4}(/[A-Za-z0-9@._-]{1,4}){0,2}", fullmatch=True)
ALIKE = st.text("aA-_./x2d", min_size=1, max_size=8)


class EnvironmentStand(SecretStand):
    versions = False

    def __init__(self, patch):
        self.patch = patch

    def open(self):
        return EnvironmentProvider()

    def put(self, path, value):
        self.patch.setenv(variable_of(path, PREFIX), value)

    def put_binary(self, path, value):
        self.put(path, os.fsdecode(value.replace(b"\0", b"")))
        return True

    def remove(self, path):
        self.patch.delenv(variable_of(path, PREFIX))
        return True


class TestEnvironment(SecretProviderConformance):
    @pytest.fixture
    def stand(self, monkeypatch):
        return EnvironmentStand(monkeypatch)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("key", "KEY"),
        ("crm/acme/salesforce", "CRM__ACME__SALESFORCE"),
        ("crm/acme/api-key", "CRM__ACME__API_KEY"),
        ("crm/alice@acme.com/2", "CRM__ALICE_x40ACME_x2eCOM__2"),
        ("crm/Alice", "CRM___x41LICE"),
        ("my_key", "MY_x5fKEY"),
        ("a-/b", "A_x2d__B"),
        ("a/-b", "A___x2dB"),
        ("a--b", "A_x2d_x2dB"),
    ],
)
def test_the_variable_of_a_path(path, name):
    assert variable_of(path, "T_") == "T_" + name


@given(st.one_of(PATHS, ALIKE), st.one_of(PATHS, ALIKE))
def test_no_two_paths_share_a_variable(one, other):
    same = variable_of(one, PREFIX) == variable_of(other, PREFIX)
    assert same == (one == other)


@given(PATHS)
def test_every_variable_can_be_set_by_a_shell(path):
    name = variable_of(path, PREFIX)
    assert name.isascii() and name.replace("_", "a").isalnum()


async def test_one_users_secret_is_not_the_others_whose_name_differs_in_its_case(monkeypatch):
    monkeypatch.setenv(variable_of("crm/alice", PREFIX), "the value of alice")
    assert (await EnvironmentProvider().fetch("crm/alice")).reveal() == "the value of alice"
    with pytest.raises(SecretNotFound, match="CRM___x41LICE is not set"):
        await EnvironmentProvider().fetch("crm/Alice")


async def test_an_empty_variable_is_said_to_be_empty(monkeypatch):
    monkeypatch.setenv(PREFIX + "KEY", "")
    with pytest.raises(SecretNotFound, match=f"{PREFIX}KEY is empty") as caught:
        await EnvironmentProvider().fetch("key")
    assert f"Set {PREFIX}KEY" in caught.value.remedy


async def test_bytes_that_are_no_text_are_said_to_be_none(monkeypatch):
    monkeypatch.setitem(os.environb, (PREFIX + "KEY").encode(), b"\xff\xfe needle")
    with pytest.raises(Exception, match="is not text") as caught:
        await EnvironmentProvider().fetch("key")
    assert "needle" not in str(caught.value)


async def test_no_variable_without_the_prefix_is_ever_read(monkeypatch):
    monkeypatch.setenv("KEY", "not for packs")
    with pytest.raises(SecretNotFound):
        await EnvironmentProvider().fetch("key")


async def test_the_config_names_it_and_its_prefix(tmp_path, monkeypatch):
    monkeypatch.setenv("CI_KEY", "value from the runner")
    config = '[secrets]\nprovider = "env"\nprefix = "CI_"\n'
    with make_crib(tmp_path, "p, *, *, *, read, True, allow", config=config) as crib:
        assert (await crib.secret_provider.fetch("key")).reveal() == "value from the runner"


@pytest.mark.parametrize("prefix", ["", "1A", "A-B", "A B", "Ä_", "A=B"])
def test_a_prefix_that_cannot_be_one_is_refused(prefix):
    with pytest.raises(ConfigError, match="prefix"):
        EnvironmentSettings(prefix)


def test_an_unknown_setting_names_the_nearest(tmp_path):
    config = ProviderConfig({"prefx": "CI_"}, tmp_path, tmp_path, "acme")
    with pytest.raises(ConfigError, match="prefx") as caught:
        EnvironmentProvider.from_config(config)
    assert "'prefix'" in caught.value.remedy


async def test_the_status_says_which_variables_and_shows_no_value(monkeypatch):
    monkeypatch.setenv("CI_SECRET_CRM__KEY", "the-needle-of-the-job")
    status = await EnvironmentProvider(EnvironmentSettings(prefix="CI_SECRET_")).status()
    assert status.address == "CI_SECRET_* of this process's environment (1 set)"
    assert "every subprocess" in status.auth and "needle" not in repr(status)
