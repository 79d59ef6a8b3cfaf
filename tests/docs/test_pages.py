"""What the pages show is true: programs run, output is what is printed, config and policy load."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from toolcrib._config_file import TABLES
from toolcrib.config import Config
from toolcrib.packs import load_packs
from toolcrib.policy import MODEL, Policy


def test_what_a_page_shows_runs(page: Path, runner) -> None:
    runner.run(page)


def test_config_blocks_are_read_by_config(page: Path, find_blocks, tmp_path: Path) -> None:
    for block in find_blocks(page):
        if block.language == "toml" and block.runs and (tables := _config_tables(block.text)):
            file = tmp_path / "toolcrib.toml"
            file.write_text(block.text)
            config = Config.load(file)
            _packs_take_their_settings(config, tables.get("packs", {}), block.place)


def _config_tables(text: str) -> dict:
    """The block's data if all its tables are the config's; a pyproject or a lock is none."""
    data = tomllib.loads(text)
    if not data or not all(isinstance(value, dict) for value in data.values()):
        return {}
    is_lock = any("distribution" in pack for pack in data.get("packs", {}).values() if isinstance(pack, dict))
    return {} if is_lock or not set(data) <= set(TABLES) else data


def _packs_take_their_settings(config: Config, named: dict, place: str) -> None:
    from dataclasses import replace

    trusting = replace(
        config,
        trust="installed",
        packs={name: replace(pack, trust="installed") for name, pack in config.packs.items()},
    )
    wrong = {pack.name: pack.reason for pack in load_packs(trusting).quarantined if pack.name in named}
    assert not wrong, f"{place}: {wrong}"


def test_policy_blocks_load(page: Path, find_blocks) -> None:
    for block in find_blocks(page):
        if block.language == "csv" and block.runs:
            try:
                Policy.of(MODEL, block.text)
            except Exception as error:
                pytest.fail(f"{block.place}: {error}")
