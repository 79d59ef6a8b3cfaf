"""A pack's project as it stands in its folder, found as if it were installed: nothing is built."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolcrib.errors import PackError
from toolcrib.packs._discover import GROUP

__all__ = ["Project", "project_here"]


@dataclass(frozen=True, slots=True)
class Project:
    """`sources` is the folder that the packages are in; `points` are the packs' modules by their names."""

    distribution: str
    version: str
    sources: Path
    points: Mapping[str, str]

    def stand_in(self, folder: Path) -> list[str]:
        """Write its metadata into `folder`; what comes first on the path so that it is found."""
        name, version = (re.sub("[^A-Za-z0-9.]+", "_", text) for text in (self.distribution, self.version))
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {self.distribution}\nVersion: {self.version}\n"
        (info / "METADATA").write_text(head, "utf-8")
        points = "".join(f"{name} = {module}\n" for name, module in self.points.items())
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{points}", "utf-8")
        return [str(folder), str(self.sources)]


def project_here(folder: Path) -> Project | None:
    """The pack's project in `folder`, None where there is none; raises `PackError` without its packages."""
    try:
        project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
        points = {str(name): str(module) for name, module in project["entry-points"][GROUP].items()}
        distribution = str(project["name"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    for sources in (folder / "src", folder):
        if all(_is_in(sources, module) for module in points.values()):
            return Project(distribution, str(project.get("version", "0")), sources.absolute(), points)
    raise PackError(
        f"the modules of {', '.join(points)} are not in {folder.absolute()} or its src",
        rule="a project is checked where its sources are",
        remedy="Install it (`pip install -e .`), and name the pack: toolcrib packs check PACK",
    )


def _is_in(sources: Path, module: str) -> bool:
    top = module.partition(":")[0].partition(".")[0].strip()
    return (sources / top).is_dir() or (sources / f"{top}.py").is_file()
