"""Real distributions, made by hand in a folder on `sys.path`; the repository's own packs are out of sight."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from toolcrib.config import Config, PackSettings
from toolcrib.packs import LoadedPack, LoadedPacks, Lock, LockedPack, _guard, load_packs
from toolcrib.packs._discover import Found, discover
from toolcrib.packs._files import read_files
from toolcrib.packs._inspect import inspect_pack

GOOD = '''
"""A tiny pack."""
from toolcrib import Toolkit, tool
from toolcrib.hookspecs import PackConfig, hookimpl

PACK_API = 1

class Kit(Toolkit):
    @tool(effect="read")
    def look(self, what: str) -> str:
        """Look at a thing."""
        return what

    @tool(effect="send")
    def shout(self, what: str) -> str:
        """Shout it out."""
        return what.upper()

@hookimpl
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:
    return [Kit()]
'''


_LOOKED_AT: dict[tuple[Any, ...], LockedPack] = {}
"""Looking at a pack takes a process. Most tests lock one of a few packs, to see what loads afterwards."""


@dataclass
class Shelf:
    """Packs are put on the shelf, locked, loaded and tampered with."""

    site: Path
    config: Config

    @property
    def lock_file(self) -> Path:
        return self.config.lock_file

    def install(
        self,
        name: str = "pack_one",
        source: str = GOOD,
        *,
        distribution: str = "",
        version: str = "1.0",
        module: str = "",
        files: Mapping[str, str] | None = None,
        direct_url: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write package `name` and its metadata; the pack is called like the package. Returns its folder."""
        distribution = distribution or f"dist-{name.replace('_', '-')}"
        info = f"{distribution.replace('-', '_')}-{version}.dist-info"
        contents = {
            f"{name}/__init__.py": textwrap.dedent(source),
            **{path: textwrap.dedent(text) for path, text in (files or {}).items()},
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n",
            f"{info}/entry_points.txt": f"[toolcrib.packs]\n{name} = {module or name}\n",
        }
        if direct_url is not None:
            contents[f"{info}/direct_url.json"] = json.dumps(direct_url)
        rows = [self._put(path, text) for path, text in contents.items()]
        (self.site / info / "RECORD").write_text("\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
        importlib.invalidate_caches()
        return self.site / name

    def _put(self, path: str, text: str) -> str:
        file = self.site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).decode().rstrip("=")
        return f"{path},sha256={digest},{len(text)}"

    def prepend(self, folder: Path) -> None:
        """Put another folder first on the path; the fixture puts everything back."""
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()

    def remove(self, distribution: str, version: str = "1.0") -> None:
        info = self.site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        for file in info.iterdir():
            file.unlink()
        info.rmdir()
        importlib.invalidate_caches()

    def settings(self, name: str, /, trust: str = "locked", **settings: Any) -> None:
        packs = {**self.config.packs, name: PackSettings(trust, settings)}
        self.config = replace(self.config, packs=packs)

    def found(self, name: str = "pack_one") -> Found:
        (found,) = discover()[name]
        return found

    def lock(self, *names: str) -> Lock:
        """Lock packs as `toolcrib packs lock` would, in this order."""
        lock = Lock.read(self.lock_file)
        for name in names or ("pack_one",):
            pack = self._looked_at(name)
            lock = lock.changed({name: replace(pack, sequence=lock.next_sequence)})
        lock.write(self.lock_file)
        return lock

    def _looked_at(self, name: str) -> LockedPack:
        """What the inspection says, which is asked once for the same files with the same settings."""
        found = self.found(name)
        settings = self.config.packs.get(name)
        key = (
            *(found.name, found.distribution, found.version, found.module, found.editable),
            *(read_files(found).hash, repr(settings), self.config.tenant),
        )
        if key not in _LOOKED_AT:
            _LOOKED_AT[key], _ = inspect_pack(found, self.config)
        return _LOOKED_AT[key]

    def alter(self, name: str, **facts: Any) -> None:
        """Change what the lock says about a pack."""
        lock = Lock.read(self.lock_file)
        changed: dict[str, LockedPack] = {name: replace(lock.packs[name], **facts)}
        lock.changed(changed).write(self.lock_file)

    def load(self) -> LoadedPacks:
        importlib.invalidate_caches()
        return load_packs(self.config)

    def pack(self, name: str = "pack_one") -> LoadedPack:
        """The pack of this name, after a fresh load."""
        (pack,) = [pack for pack in self.load().packs if pack.name == name]
        return pack


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The installed libraries without the packs of this repository, as links."""
    installed = Path(pytest.__file__).parent.parent
    folder = tmp_path_factory.mktemp("libraries")
    for entry in installed.iterdir():
        if not entry.name.startswith("toolcrib_") and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)
    return str(installed), folder


@pytest.fixture
def shelf(tmp_path: Path, others: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    installed, links = others
    site = tmp_path / "site"
    site.mkdir()
    path = [str(links) if entry == installed else entry for entry in sys.path]
    monkeypatch.setattr(sys, "path", [str(site), *path])
    known = set(sys.modules)
    importlib.invalidate_caches()
    yield Shelf(site, Config(file=tmp_path / "toolcrib.toml", state=tmp_path / ".toolcrib"))
    _guard._finder.packs.clear()
    for name in set(sys.modules) - known:
        if name.startswith("pack_"):
            del sys.modules[name]
