"""The README of each pack says what the pack is: its tools, effects, labels and targets, its settings, its
secrets, a policy that loads, and what it was tested against.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

from toolcrib.hookspecs import PackConfig
from toolcrib.packs._discover import discover
from toolcrib.policy import MODEL, Policy
from toolcrib.testing.conformance import PackConformance
from toolcrib.tools import Tool, tools_of

ROOT = Path(__file__).parents[2]
READMES = {
    path.parent.name: path.read_text("utf-8")
    for path in sorted(ROOT.glob("plugins/*/README.md"))
    if (path.parent / "src" / f"toolcrib_{path.parent.name}" / "conformance.py").exists()
}


def suites(pack: str) -> list[type[PackConformance]]:
    found = vars(import_module(f"toolcrib_{pack}.conformance")).values()
    every = [each for each in found if isinstance(each, type) and issubclass(each, PackConformance)]
    return [each for each in every if each is not PackConformance]


def tools_in(pack: str, folder: Path) -> dict[str, Tool]:
    made = suites(pack)[0]().toolkits(PackConfig(pack, {}, folder, "acme"))
    return {tool.name: tool for kit in made for tool in tools_of(kit, pack=pack)}


def rows_of(readme: str) -> dict[str, dict[str, str]]:
    """The table of tools, by name: each row's cells by the head of their column."""
    table = re.search(r"^\| tool \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", readme, re.MULTILINE)
    assert table, "there is no table that begins with `| tool |`"
    heads = [cell.strip() for cell in table[0].splitlines()[0].strip("|").split("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    return {row[0].strip("`"): dict(zip(heads, row, strict=True)) for row in rows}


def words(cell: str) -> set[str]:
    return {word.strip("` ") for word in cell.split(",") if word.strip("` ")}


def test_all_packs_with_tools_are_looked_at():
    assert {"crm", "itsm", "mail", "research"} <= set(READMES) and set(READMES) <= set(discover())


@pytest.mark.parametrize("pack", READMES)
def test_it_lists_the_tools_with_their_effects_labels_and_targets(pack, tmp_path):
    tools, rows = tools_in(pack, tmp_path), rows_of(READMES[pack])
    assert set(rows) == set(tools)
    for name, tool in tools.items():
        row = rows[name]
        assert row["effect"].split(",")[0].strip("` ") == tool.effect, name
        for head in (head for head in row if head.startswith("labels")):
            assert words(row[head]) == set(tool.labels), name
        if "targets" in row:
            assert words(row["targets"]) == set(tool.targets), name
        said = " ".join(row.values())
        assert ("idempotent" in said) == (tool.idempotent and tool.effect != "read"), name
        assert ("previewed" in said) <= bool(tool.preview), name


@pytest.mark.parametrize("pack", READMES)
def test_it_names_every_setting_and_nothing_else(pack):
    module = import_module(f"toolcrib_{pack}.settings")
    (settings,) = (vars(module)[name] for name in module.__all__ if is_dataclass(vars(module)[name]))
    section = READMES[pack].split("\n## Settings\n")[1].split("\n## ")[0]
    main = section.split(f"[packs.{pack}.secrets]")[0]
    named = set(re.findall(r"^(?:\| `)?([a-z_]+)(?:` \|| = )", main, re.MULTILINE))
    assert named == {field.name for field in fields(settings)}


@pytest.mark.parametrize("pack", READMES)
def test_it_names_every_secret_where_it_comes_from_and_who_may_use_it(pack):
    readme = READMES[pack]
    secrets = {name for suite in suites(pack) for name in suite.secrets}
    if pack == "itsm":
        secrets.add("roundup")  # whose suite learns the password when its tracker is made
    for name in secrets:
        assert re.search(rf"^{name} = \"", readme, re.MULTILINE), name
    assert set(re.findall(rf"secret:{pack}\.(\w+)", readme)) == secrets
    assert secrets or "no secret" in readme


@pytest.mark.parametrize("pack", READMES)
def test_its_policy_loads_and_speaks_of_its_tools(pack, tmp_path):
    rows = READMES[pack].split("```csv\n")[1].split("```")[0]
    Policy.of(MODEL, rows)
    known = {*tools_in(pack, tmp_path), f"{pack}.*"}
    asked = set(re.findall(rf"\b({pack}\.[\w*]+)(?=,)", rows.replace(f"secret:{pack}.", "secret:")))
    assert asked and asked <= known


@pytest.mark.parametrize("pack", READMES)
def test_it_says_what_it_was_tested_against_and_how_to_see_it(pack):
    section = READMES[pack].split("\n## What it was tested against")[1].split("\n## ")[0]
    assert "conformance suite of packs" in section
    for suite in suites(pack)[1:]:
        assert f"--backend {suite.settings['backend']}" in section, suite
