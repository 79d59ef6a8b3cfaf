"""`[secrets] provider`: built-in names, a pack's names, and settings that are read strictly."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from toolcrib.errors import ConfigError, ToolcribWarning
from toolcrib.secrets import LocalProvider, ProviderConfig, SecretProvider
from toolcrib.secrets import _builtin as builtin
from toolcrib.testing.cribs import make_crib

ROWS = "p, *, *, *, read, True, allow"


def crib_with(folder: Path, secrets: str):
    return make_crib(folder, ROWS, config="[secrets]\n" + secrets)


def test_without_a_setting_secrets_are_local(tmp_path):
    with make_crib(tmp_path, ROWS) as crib:
        assert isinstance(crib.secret_provider, LocalProvider)


def test_local_by_name_is_the_store_in_the_state_folder(tmp_path):
    LocalProvider(tmp_path / ".toolcrib").put("a/b", "a value kept")
    with crib_with(tmp_path, 'provider = "local"') as crib:
        assert crib.secret_provider.get("a/b").reveal() == "a value kept"


@pytest.mark.parametrize(("given", "near"), [("locla", "'local'"), ("Local", "'local'")])
def test_an_unknown_name_names_the_nearest(tmp_path, given, near):
    with crib_with(tmp_path, f'provider = "{given}"') as crib, pytest.raises(ConfigError) as caught:
        _ = crib.secret_provider
    assert given in caught.value.what and near in caught.value.remedy


def test_an_unknown_setting_is_an_error(tmp_path):
    with (
        crib_with(tmp_path, 'provider = "local"\nfolder_ = "x"') as crib,
        pytest.raises(ConfigError) as caught,
    ):
        _ = crib.secret_provider
    assert "[secrets] folder_: unknown key" in caught.value.what


def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(builtin.PROVIDERS, "far", ("no_such_library_here.at_all", "Provider", "far"))
    with pytest.raises(ConfigError) as caught:
        builtin.toolcrib_secret_providers()["far"](ProviderConfig({}, tmp_path, tmp_path, "acme"))
    assert "no_such_library_here" in caught.value.what
    assert caught.value.remedy == "pip install 'toolcrib[far]'"


def test_a_fault_of_our_own_is_not_taken_for_a_missing_library(tmp_path, monkeypatch):
    monkeypatch.setitem(builtin.PROVIDERS, "far", ("toolcrib.no_such_module", "Provider", "far"))
    with pytest.raises(ModuleNotFoundError, match=r"toolcrib\.no_such_module"):
        builtin.toolcrib_secret_providers()["far"](ProviderConfig({}, tmp_path, tmp_path, "acme"))


@pytest.mark.parametrize("name", sorted(builtin.PROVIDERS))
def test_every_builtin_name_leads_to_a_provider(name):
    module, cls, _ = builtin.PROVIDERS[name]
    __import__(module)
    found = getattr(sys.modules[module], cls)
    assert issubclass(found, SecretProvider) and callable(found.from_config)


class Kept:
    """A provider that a test brings."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config, self.closed = config, 0

    async def fetch(self, path):
        raise AssertionError

    async def close(self):
        self.closed += 1
        raise OSError("the far end is gone")


def test_a_pack_provider_is_given_the_rest_of_the_table_and_closed_with_the_crib(tmp_path, monkeypatch):
    crib = crib_with(tmp_path, 'provider = "kept"\nurl = "x"')
    monkeypatch.setattr(type(crib.packs), "secret_providers", lambda self: {"kept": Kept})
    provider = crib.secret_provider
    assert isinstance(provider, Kept)
    assert provider.config == ProviderConfig({"url": "x"}, tmp_path / ".toolcrib", tmp_path, "acme")
    with pytest.warns(ToolcribWarning, match="Kept.close failed: the far end is gone"):
        crib.close()
    crib.close()
    assert provider.closed == 1
