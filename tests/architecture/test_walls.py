"""Who may import whom. Import-linter checks the rooms it is told of; the rest finds rooms by looking."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

FRAMEWORKS = {"autogen", "autogen_core", "autogen_agentchat", "autogen_ext", "openai"}
NEUTRAL = {
    "toolcrib/" + part for part in ("audit", "policy", "state", "executor", "packs", "secrets", "approvals")
}


def imports(module) -> set[str]:
    """Full names of what a module imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}:{node.lineno}: imports are absolute"
            names.add(node.module or "")
    return names


def ours(module) -> set[str]:
    """The distributions of ours that a module imports, other than its own."""
    packages = {name.partition(".")[0] for name in imports(module)}
    return {name for name in packages if name.startswith("toolcrib")} - {package_of(module.room)}


def package_of(room: str) -> str:
    return "toolcrib" if room == "core" else f"toolcrib_{room.replace('-', '_')}"


def test_import_linter_keeps_the_walls_of_core(root: Path) -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_import_linter_keeps_the_walls_between_packs(root: Path, room_folders) -> None:
    walls = the_walls(root)
    assert {package_of(room) for room in room_folders} == {*walls.FIXED, *walls.packs()}
    done = walls.lint(walls.config(walls.packs()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kept, 0 broken" in done.stdout


def test_import_linter_sees_packs_that_meet(root: Path, tmp_path: Path) -> None:
    for name, source in {"one": "import toolcrib_wall_two\n", "two": "import toolcrib\n"}.items():
        package = tmp_path / f"plugins/{name}/src/toolcrib_wall_{name}"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(source)
    walls = the_walls(root)
    planted = walls.packs(tmp_path)
    assert planted == ["toolcrib_wall_one", "toolcrib_wall_two"]
    done = walls.lint(walls.config(planted), path=tmp_path.glob("plugins/*/src"))
    assert done.returncode == 1
    assert "Packs and the sandbox never meet BROKEN" in done.stdout
    assert "toolcrib_wall_one is not allowed to import toolcrib_wall_two" in done.stdout


def test_no_file_that_packs_share_names_one(root: Path, room_folders) -> None:
    """Whoever adds a pack touches its own folder only."""
    packs = "|".join(sorted(set(room_folders) - {"core", "policies", "sandbox"}))
    named = re.compile(rf"toolcrib[_-]({packs})\b|plugins/({packs})\b")
    shared = [root / name for name in ("pyproject.toml", "Makefile", ".ci/run")]
    shared += (root / "tests/architecture").glob("*.py")
    found = {path.name: named.findall(path.read_text("utf-8")) for path in shared}
    assert {name: names for name, names in found.items() if names} == {}


def the_walls(root: Path) -> ModuleType:
    spec = spec_from_file_location("walls", root / "tests/architecture/walls.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_core_imports_nothing_of_ours(modules) -> None:
    assert {module.name: ours(module) for module in modules if module.room == "core" and ours(module)} == {}


def test_policies_import_nothing_of_ours(modules) -> None:
    assert [module.name for module in modules if module.room == "policies" and ours(module)] == []


def test_packs_and_the_sandbox_import_core_only(modules) -> None:
    others = [module for module in modules if module.room not in ("core", "policies")]
    bad = {
        module.name: ours(module)
        for module in others
        if not ours(module) <= {"toolcrib", "toolcrib_policies"}
    }
    assert others and bad == {}


def test_only_the_ready_made_jobs_use_the_sample_policies(modules) -> None:
    users = {module.room for module in modules if "toolcrib_policies" in ours(module)}
    assert users <= {"workflows"}


def test_packs_stay_out_of_the_private_modules_of_core(modules) -> None:
    """A module whose name begins with _ may change without notice; a pack may not depend on it."""
    private = {
        f"{module.name}: {name}"
        for module in modules
        if module.room != "core"
        for name in imports(module)
        if name.startswith("toolcrib.") and any(part.startswith("_") for part in name.split("."))
    }
    assert private == set()


def test_core_names_no_pack(modules, room_folders) -> None:
    """Not even in a text: whatever core says of a pack, it would have to know.

    Of the jobs it says where the demo is, and a hook happens to be called like their package.
    """
    packs = "|".join(sorted(set(room_folders) - {"core", "policies", "sandbox", "workflows"}))
    named = re.compile(rf"\btoolcrib[_-]({packs})\b")
    found = {module.name: named.findall(module.source) for module in modules if module.room == "core"}
    assert {name: packs for name, packs in found.items() if packs} == {}


def test_frameworks_are_met_only_in_adapters_and_the_test_kit(modules) -> None:
    bad = {
        module.name
        for module in modules
        if {name.partition(".")[0] for name in imports(module)} & FRAMEWORKS
        and any(part in module.name for part in NEUTRAL)
    }
    assert bad == set()


def test_every_room_is_a_distribution_of_its_own(room_folders) -> None:
    for room, folder in room_folders.items():
        package = folder / "src" / package_of(room)
        assert (folder / "pyproject.toml").exists()
        assert (folder / "README.md").stat().st_size > 200, f"{room}: a README says what the room is for"
        assert (folder / "LICENSE").exists()
        assert (package / "py.typed").exists(), f"{package} has no py.typed"
