"""With a hundred packs installed, what does not need them does not look at them."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement", [f"import toolcrib.{name}" for name in ("config", "hookspecs", "packs._load", "cli.packs")]
)
@pytest.mark.parametrize("costly", ["pydantic", "importlib.metadata", "rich", "toolcrib_crm"])
def test_importing_the_vocabulary_of_packs_is_cheap(statement: str, costly: str) -> None:
    assert costly not in loaded_by(statement)


@pytest.mark.parametrize("statement", ["import toolcrib.config", "import toolcrib.cli.packs"])
def test_the_config_and_the_commands_open_no_pack_machinery(statement: str) -> None:
    assert "toolcrib.packs._load" not in loaded_by(statement)


@pytest.mark.parametrize("module", ["packs_check", "packs_new"])
def test_help_of_packs_imports_no_command_and_nothing_heavy(module: str) -> None:
    loaded = loaded_by("from toolcrib.cli._main import cli\ncli(['packs', '--help'], standalone_mode=False)")
    assert (
        not {f"toolcrib.cli.{module}", "toolcrib.testing", "pydantic", "importlib.metadata", "rich"} & loaded
    )


def test_a_quarantined_pack_is_not_imported_when_a_hundred_are_installed(shelf) -> None:
    for number in range(100):
        shelf.install(f"pack_n{number}", "raise RuntimeError('imported')")
    packs = shelf.load().packs
    assert len(packs) == 100
    assert all("is not locked" in pack.reason for pack in packs)
    assert not any(name.startswith("pack_n") for name in sys.modules)


def test_the_contents_page_keeps_its_promises() -> None:
    from toolcrib import packs

    assert all(getattr(packs, name).__module__.startswith("toolcrib.packs._") for name in packs.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = packs.nothing
