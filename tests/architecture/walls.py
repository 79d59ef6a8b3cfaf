"""The walls between rooms, made of the rooms that there are: `make walls`. A new pack need not be named."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXED = ("toolcrib", "toolcrib_policies", "toolcrib_sandbox")


def packs(root: Path = ROOT) -> list[str]:
    """The packages of all packs in `plugins/`."""
    return sorted(path.parent.name for path in root.glob("plugins/*/src/toolcrib_*/__init__.py"))


def contracts(packs: Iterable[str]) -> list[dict[str, object]]:
    """Who may not import whom, as import-linter's contracts."""
    packs = [*packs]
    core, policies, sandbox = FIXED
    return [
        {
            "name": "Core names no pack, no policy bundle and no sandbox",
            "type": "forbidden",
            "source_modules": [core],
            "forbidden_modules": [policies, sandbox, *packs],
        },
        {
            "name": "Packs and the sandbox never meet",
            "type": "independence",
            "modules": [*packs, sandbox],
        },
        {
            "name": "Policies import nothing of ours",
            "type": "forbidden",
            "source_modules": [policies],
            "forbidden_modules": [core, sandbox, *packs],
        },
    ]


def config(packs: Iterable[str]) -> str:
    """The contracts as a file for `lint-imports --config`."""
    packs = [*packs]
    lines = ["[tool.importlinter]", f"root_packages = {json.dumps([*FIXED, *packs])}"]
    for contract in contracts(packs):
        lines.append("[[tool.importlinter.contracts]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in contract.items()]
    return "\n".join(lines)


def lint(text: str, *, path: Iterable[Path] = ()) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the config `text`; `path` are folders of packages that are not installed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "walls.toml"
        file.write_text(text, "utf-8")
        code = (
            "import sys; from importlinter.cli import lint_imports_command; "
            f"sys.path[:0] = {[str(each) for each in path]!r}; lint_imports_command()"
        )
        command = [sys.executable, "-c", code, "--no-cache", "--config", str(file)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    done = lint(config(packs()))
    print(done.stdout + done.stderr, end="")
    sys.exit(done.returncode)
