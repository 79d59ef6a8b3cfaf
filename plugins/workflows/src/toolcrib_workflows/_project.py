"""The folder that a job works in: a complete crib, made once and never overwritten."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from toolcrib.config import Config
from toolcrib.errors import ConfigError, PackError
from toolcrib.os_user import system_user
from toolcrib_workflows._jobs import KINDS, JobKind

__all__ = ["Project", "open_project", "sample_answers"]


@dataclass(frozen=True, slots=True)
class Project:
    """A crib's folder; `is_new` if it was made just now."""

    folder: Path
    config: Config
    is_new: bool
    kind: JobKind

    @property
    def runs(self) -> Path:
        """Where unfinished and finished runs are kept."""
        return self.config.state / "runs"

    @property
    def files(self) -> Path:
        """Where files that code left are put, a folder for each run."""
        return self.folder / "files"

    @property
    def is_sample(self) -> bool:
        """Whether the records are sample data, so that answers which nobody gave can do no harm."""
        pack = self.config.packs.get(self.kind.packs[0])
        return pack is None or pack.settings.get("backend", "embedded") == "embedded"


def open_project(folder: Path | None, *, job: str, fresh: str) -> Project:
    """The project in `folder`, made if the folder is empty or not there; None: a fresh folder named `fresh`.

    Raises `ConfigError` for a folder that holds something else.
    """
    kind = KINDS[job]
    if folder is None:
        folder = _fresh_folder(fresh)
    file = folder / "toolcrib.toml"
    if file.exists():
        return Project(folder, Config.load(file), is_new=False, kind=kind)
    if folder.exists() and not _is_empty(folder):
        raise ConfigError(
            f"{str(folder)!r} is not empty, and there is no toolcrib.toml in it",
            rule="a job runs in a project of its own, and never writes over other files",
            remedy="Name another folder with --dir, or leave --dir out for a fresh one",
        )
    _write(folder, kind)
    return Project(folder, Config.load(file), is_new=True, kind=kind)


def _is_empty(folder: Path) -> bool:
    """True for a folder with nothing in it. The command itself may have made the packs' empty folders in
    `.toolcrib` by the time it asks, where it is run in this very folder.
    """
    if not folder.is_dir() or any(item.name != ".toolcrib" for item in folder.iterdir()):
        return False
    state = folder / ".toolcrib"
    return not state.is_symlink() and all(item.is_dir() for item in state.rglob("*"))


def sample_answers(kind: JobKind) -> Path:
    """The job's answers that ship with this pack."""
    return Path(str(resources.files("toolcrib_workflows") / "sample" / kind.sample / "answers.toml"))


def _fresh_folder(name: str) -> Path:
    """A new folder in the current one, `name` or `name-2`, ...; in the temporary folder where that fails."""
    here = Path.cwd()
    if not os.access(here, os.W_OK):
        return Path(tempfile.mkdtemp(prefix=f"{name}-"))
    number = 1
    while True:
        folder = here / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _write(folder: Path, kind: JobKind) -> None:
    """Write the project; the config comes last, so that a folder with a config is complete."""
    from toolcrib_policies import bundle

    packs = (*kind.packs, "workflows")
    editable = {pack for pack in packs if _is_editable(pack)}
    answers = sample_answers(kind)
    template = answers.with_name("toolcrib.toml").read_text("utf-8")
    trust = {f"trust_{pack}": _DEVELOPMENT if pack in editable else "" for pack in packs}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(
            bundle(kind.bundle), folder / "policies", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copyfile(answers, folder / "answers.toml")
        text = template.format(job=kind.command, system_user=json.dumps(system_user()), **trust)
        (folder / "toolcrib.toml").write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(
            f"the project cannot be made in {str(folder)!r}: {error.strerror}",
            remedy="Name a folder that you may write to with --dir",
        ) from error
    _lock(folder / "toolcrib.toml", [pack for pack in packs if pack not in editable])


_DEVELOPMENT = '\ntrust = "installed"              # for development: an editable install cannot be locked'


def _lock(file: Path, packs: list[str]) -> None:
    """Lock the packs through the command line, which looks at each in a process of its own."""
    if not packs:
        return
    program = "from toolcrib.cli import main; main()"
    arguments = ["-c", str(file), "packs", "lock", *packs, "--yes"]
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-P", "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PackError(
            f"the packs {', '.join(packs)} could not be locked: {done.stderr.strip() or done.stdout.strip()}",
            rule="installed is not trusted",
            remedy=f"See `toolcrib -c {file} packs lock`",
        )


def _is_editable(pack: str) -> bool:
    """Whether the pack's distribution is an editable install, by its own metadata (PEP 610)."""
    for point in metadata.entry_points(group="toolcrib.packs", name=pack):
        text = point.dist.read_text("direct_url.json") if point.dist else None
        if text and json.loads(text).get("dir_info", {}).get("editable"):
            return True
    return False
