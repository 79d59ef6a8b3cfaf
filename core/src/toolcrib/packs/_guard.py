"""Locked packs are imported only from the files that were hashed, and always from source.

Between the hash and the import there are three ways around it: a folder of the same name earlier on
`sys.path`, a `__pycache__` file that says something else than its source, and an edit in the meantime (or
before a module that is imported later). So the modules of a locked pack have a finder of their own, that
looks only beside the pack's metadata, ignores cached bytecode, and compares each file with its digest once
more. Compiling costs about 10 ms per thousand lines, once per start.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from toolcrib.errors import PackError
from toolcrib.packs._files import Files, digest

__all__ = ["forget", "guard", "unguard"]


class _Source(SourceFileLoader):
    """Loads one source file, if it still has the digest that was checked."""

    def __init__(self, name: str, path: str, expected: str) -> None:
        super().__init__(name, path)
        self._expected = expected

    def path_stats(self, path: Any) -> Any:
        """No time stamp, so importlib neither reads nor writes a cached file."""
        raise OSError("locked packs are loaded from source")

    def get_data(self, path: Any) -> bytes:
        """The bytes of a file; those of the module itself are compared."""
        data = super().get_data(path)
        if path == self.path and digest(data) != self._expected:
            raise ImportError(f"{path} has changed since it was checked", name=self.name, path=self.path)
        return data


class _Guard(MetaPathFinder):
    def __init__(self) -> None:
        self.packs: dict[str, Files] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root = next((name for name in _prefixes(fullname) if name in self.packs), None)
        if root is None:
            return None
        files = self.packs[root]
        if fullname == root:
            path = [str(files.base.joinpath(*root.split(".")[:-1]))]
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None:  # no other finder may answer in its place
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return _checked(spec, files)


def _checked(spec: ModuleSpec, files: Files) -> ModuleSpec:
    if spec.origin is None:  # a folder without code
        return spec
    expected = files.digests.get(_relative(spec.origin, files))
    if expected is None:
        raise ImportError(f"{spec.origin} is not a file that was checked", name=spec.name, path=spec.origin)
    if type(spec.loader) is SourceFileLoader:
        spec.loader = _Source(spec.name, spec.origin, expected)
    elif digest(Path(spec.origin).read_bytes()) != expected:
        raise ImportError(f"{spec.origin} has changed", name=spec.name, path=spec.origin)
    return spec


def _prefixes(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def _relative(origin: str, files: Files) -> str:
    path = Path(origin)
    return path.relative_to(files.base).as_posix() if path.is_relative_to(files.base) else ""


_finder = _Guard()


def guard(files: Files) -> None:
    """From now on import the modules of `files` only as they were checked.

    Raises `PackError` when one was already imported from another place, because that code was not checked.
    """
    for root in files.roots:
        origin = getattr(getattr(sys.modules.get(root), "__spec__", None), "origin", None)
        if origin is not None and _relative(origin, files) not in files.digests:
            raise PackError(
                f"module {root!r} was already imported from {origin}",
                rule=f"a locked pack is imported from {files.base}, where it was checked",
                remedy="Remove the other one, or open the crib before you import it",
            )
    _finder.packs.update(dict.fromkeys(files.roots, files))
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def forget(roots: Sequence[str], known: Collection[str]) -> None:
    """Drop what was imported of these modules since `known`: a refused pack leaves nothing behind."""
    for name in [name for name in sys.modules if any(prefix in roots for prefix in _prefixes(name))]:
        if name not in known:
            del sys.modules[name]


def unguard(module: str) -> None:
    """Let the package of `module` be imported from anywhere again, for a pack whose trust is `installed`."""
    for root in [root for root in _finder.packs if root in _prefixes(module.split(":")[0].strip())]:
        del _finder.packs[root]
