"""What is paid for at start: `import toolcrib` and `toolcrib --help` bring in nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["pydantic", "rich", "casbin", "simpleeval", "sqlalchemy", "cryptography", "autogen", "autogen_core"]
HEAVY += ["autogen_agentchat", "openai", "jsonschema_rs", "pluggy"]


def loaded_after(code: str) -> set[str]:
    ask = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_importing_toolcrib_brings_in_nothing_heavy() -> None:
    assert loaded_after("import toolcrib") & set(HEAVY) == set()


def test_help_brings_in_nothing_heavy() -> None:
    code = "from toolcrib.cli._main import cli\ncli(['--help'], standalone_mode=False)"
    assert loaded_after(code) & set(HEAVY) == set()


def test_help_imports_no_command() -> None:
    code = "from toolcrib.cli._main import cli\ncli(['--help'], standalone_mode=False)"
    inside = {name for name in loaded_after(code) if name.startswith("toolcrib.cli.")}
    assert inside and all(name.startswith("toolcrib.cli._") for name in inside)


PACKS = sorted(path.parent.name for path in ROOT.glob("plugins/*/src/toolcrib_*/__init__.py"))


@pytest.mark.parametrize("package", PACKS)
def test_importing_a_pack_connects_to_nothing(package: str) -> None:
    loaded = loaded_after(f"import {package}")
    assert (
        loaded & {"simple_salesforce", "pysnc", "requests", "httpx", "autogen", "autogen_agentchat", "openai"}
        == set()
    )
