"""Each room works alone, from its wheel, outside the repository; packs are locked and called there."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def package(room: str) -> str:
    return "toolcrib" if room == "core" else f"toolcrib_{room}"


def test_every_wheel_has_what_its_users_need(installed) -> None:
    for room, wheel in installed.wheels.items():
        names = set(zipfile.ZipFile(wheel).namelist())
        assert f"{package(room)}/py.typed" in names
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names), (
            f"{wheel.name} has no licence"
        )
        top = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
        assert top == {package(room)}, f"{wheel.name} brings more than its package: {top}"
        tests = [name for name in names if "/tests/" in name and "/policy/tests/" not in name]
        assert all(name.startswith(("toolcrib_policies/", "toolcrib/packs/_template/")) for name in tests), (
            tests
        )


def test_a_new_pack_can_be_made_from_the_wheel_and_is_whole(installed, tmp_path: Path) -> None:
    told = installed.toolcrib("packs", "new", "weather", cwd=tmp_path)
    assert "toolcrib packs check" in told
    template = ROOT / "core/src/toolcrib/packs/_template"
    tracked = {path.relative_to(template) for path in template.rglob("*") if path.is_file()}
    shown = {"gitignore": ".gitignore", "github": ".github"}
    wanted = {
        "/".join(shown.get(part, part) for part in path.parts).replace("newpack", "weather")
        for path in tracked
        if not hidden(path)
    }
    made = {
        str(path.relative_to(tmp_path / "toolcrib-weather")) for path in tmp_path.rglob("*") if path.is_file()
    }
    assert made == wanted


def hidden(path: Path) -> bool:
    return any(part.startswith((".", "__pycache__")) for part in path.parts)


def test_metadata_says_what_the_room_is(installed) -> None:
    for room, wheel in installed.wheels.items():
        archive = zipfile.ZipFile(wheel)
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
        assert "License-Expression: Apache-2.0" in text
        assert "Requires-Python: >=3.11" in text
        assert "Description-Content-Type: text/markdown" in text
        needed = [
            line.split(":")[1].split(";")[0].strip()
            for line in text.splitlines()
            if line.startswith("Requires-Dist")
        ]
        ours = [name for name in needed if name.startswith("toolcrib")]
        assert all("<" in name for name in ours), f"{room}: {ours} have no upper bound"


def test_policy_bundles_are_in_the_wheel(installed, tmp_path: Path) -> None:
    code = "import toolcrib_policies as p; print(*(p.bundle(n) / 'policy.csv' for n in p.names()), p.model())"
    files = installed.python(code, tmp_path).split()
    assert len(files) >= 2
    for file in map(Path, files):
        assert file.is_file()
        assert not file.is_relative_to(ROOT)


def test_all_rooms_are_imported_from_their_wheels(installed, tmp_path: Path) -> None:
    for room in installed.wheels:
        file = installed.python(f"import {package(room)} as it; print(it.__file__)", tmp_path).strip()
        assert Path(file).is_relative_to(installed.site)


def test_each_room_needs_only_what_it_says(installed, tmp_path: Path) -> None:
    """A pack is imported with core alone beside it, policies with nothing of ours."""
    refuse = (
        "import sys\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        top = name.partition('.')[0]\n"
        "        if top.startswith('toolcrib') and top not in ALLOWED: raise ImportError(name)\n"
        "sys.meta_path.insert(0, Wall())\n"
    )
    for room in installed.wheels:
        project = tomllib.loads((ROOT / folder(room) / "pyproject.toml").read_text())["project"]
        needs = {
            name.partition(">")[0].partition("[")[0].replace("-", "_") for name in project["dependencies"]
        }
        allowed = {package(room)} | {name for name in needs if name.startswith("toolcrib")}
        code = f"ALLOWED = {allowed!r}\n{refuse}import {package(room)}"
        installed.python(code, tmp_path)


def folder(room: str) -> str:
    return room if room in ("core", "policies", "sandbox") else f"plugins/{room}"


def test_the_command_line_works(installed, tmp_path: Path) -> None:
    assert "Commands:" in installed.toolcrib("--help", cwd=tmp_path)
    version = tomllib.loads((ROOT / "core" / "pyproject.toml").read_text())["project"]["version"]
    assert version in installed.toolcrib("--version", cwd=tmp_path)


ROWS = """
p, user:alice,     acme, crm.*,  *,    True, allow
p, agent:reader,   acme, crm.*,  read, True, allow
"""


def test_packs_are_locked_from_wheels_and_called(installed, tmp_path: Path) -> None:
    installed.toolcrib("init", cwd=tmp_path)
    (tmp_path / "policies" / "policy.csv").write_text(ROWS)
    call = [
        "tools",
        "call",
        "crm.search_accounts",
        "--agent",
        "reader",
        "--user",
        "alice",
        "--arg",
        "limit=1",
    ]
    assert "NO SUCH TOOL" in installed.toolcrib(*call, cwd=tmp_path, code=1)  # installed is not trusted

    installed.toolcrib("packs", "lock", "--yes", cwd=tmp_path)
    installed.toolcrib("packs", "verify", cwd=tmp_path)
    assert '"name"' in installed.toolcrib(*call, cwd=tmp_path)
    denied = ["tools", "call", "crm.delete_record", "--agent", "reader", "--user", "alice"]
    assert "DENIED" in installed.toolcrib(*denied, cwd=tmp_path, code=1)
    assert "nothing was changed" in installed.toolcrib("audit", "verify", cwd=tmp_path)
    assert "BAD" not in installed.toolcrib("doctor", cwd=tmp_path)


def test_an_edited_pack_is_set_aside_and_the_rest_goes_on(installed, tmp_path: Path) -> None:
    installed.toolcrib("init", cwd=tmp_path)
    installed.toolcrib("packs", "lock", "--yes", cwd=tmp_path)
    file = installed.site / "toolcrib_mail" / "toolkit.py"
    before = file.read_text()
    try:
        file.write_text(before + "# edited\n")
        shown = installed.toolcrib("packs", "verify", cwd=tmp_path, code=1)
    finally:
        file.write_text(before)
    assert "1 quarantined" in shown
    assert "edited since it was installed: toolcrib_mail/toolkit.py" in " ".join(shown.split())
    installed.toolcrib("packs", "verify", cwd=tmp_path)
