"""`toolcrib.toml`: every mistake is an error that names the file, the key and the nearest right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolcrib.config import Config
from toolcrib.errors import ConfigError


def load(folder: Path, text: str) -> Config:
    file = folder / "toolcrib.toml"
    file.write_text(text)
    return Config.load(file)


def test_everything_has_a_default_but_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    assert config.tenant == "default"
    assert config.trust == "locked"
    assert config.state == tmp_path / ".toolcrib"
    assert config.policy == tmp_path / "policies"
    assert config.lock_file == tmp_path / "toolcrib.lock"
    assert config.model is None
    assert (config.audit.durability, config.approvals.mode, config.limits.repeats) == ("fsync", "wait", 5)


def test_a_whole_config(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
        [crib]
        tenant = "acme"
        state = "state"
        [packs]
        trust = "installed"
        [packs.crm]
        backend = "embedded"
        trust = "locked"
        [packs.crm.secrets]
        salesforce = "crm/{tenant}/salesforce"
        [policy]
        path = "rules"
        [secrets]
        provider = "vault"
        address = "http://127.0.0.1:8200"
        [model]
        base_url = "http://127.0.0.1:8000/v1"
        model = "name"
        [audit]
        durability = "written"
        [approvals]
        mode = "park"
        expires = "2d"
        users = { root = "alice" }
        [limits]
        repeats = 3
        """,
    )
    assert (config.tenant, config.state, config.policy) == ("acme", tmp_path / "state", tmp_path / "rules")
    assert config.trust == "installed"
    crm = config.packs["crm"]
    assert (crm.trust, dict(crm.settings)) == ("locked", {"backend": "embedded"})
    assert crm.secrets == {"salesforce": "crm/{tenant}/salesforce"}
    assert (config.secrets.provider, config.secrets.settings) == (
        "vault",
        {"address": "http://127.0.0.1:8200"},
    )
    assert config.model is not None
    assert config.model.model == "name"
    assert config.approvals.expires_seconds == 172_800
    assert config.approvals.users == {"root": "alice"}
    assert config.limits.repeats == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[crbi]", r"unknown table \[crbi\].*Did you mean 'crib'"),
        ("[crib]\ntenent = 'x'", "tenent.*Did you mean 'tenant'"),
        ("[audit]\ndurabilty = 'fsync'", "Did you mean 'durability'"),
        ("[audit]\ndurability = 'sometimes'", "durability"),
        ("[approvals]\nmode = 'never'", "mode"),
        ("[approvals]\nexpires = 'soon'", r"\[approvals\] expires = 'soon'"),
        ("[approvals]\nexpires = '0s'", "positive"),
        ("[approvals.users]\nroot = 'al ice'", "not a valid id"),
        ("[crib]\ntenant = '*'", "not a valid id"),
        ("[limits]\nrepeats = 0", "repeats = 0"),
        ("[limits]\nrepeats = 'five'", "repeats"),
        ("[limits]\nrepeat_window = '5 parsecs'", "repeat_window"),
        ("[packs]\ntrust = 'Locked'", "trust = 'Locked'.*'locked'"),
        ("[packs.crm]\ntrust = 'instaled'", r"\[packs.crm\] trust.*'installed'"),
        ("[packs]\ncrm = 'embedded'", r"write a table \[packs.crm\]"),
        ("[packs.crm]\nsecrets = 'value'", r"\[packs.crm.secrets\] is not a table of paths"),
        ("[packs.crm.secrets]\nx = 5", "table of paths"),
        ("[model]\nmodel = 'x'", "base_url"),
        ("[secrets]\nprovider = 5", "provider is not a name"),
        ("crib = 5", "crib is not a table"),
        ("[crib", "cannot be read"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){says}") as caught:
        load(tmp_path, text)
    assert "toolcrib.toml" in str(caught.value) or "[" in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="toolcrib init"):
        Config.load(tmp_path / "nothing.toml")


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "toolcrib.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(tmp_path / "toolcrib.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(tmp_path / "folder.toml")
