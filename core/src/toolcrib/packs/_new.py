"""A new pack's project, copied from `_template`: a pack that works, and passes its checks, as it is.

The template is no text with holes but a real project, called `newpack`, that is linted and tested as such;
a new one differs from it by its name alone.
"""

from __future__ import annotations

import keyword
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from toolcrib.errors import PackError
from toolcrib.packs._discover import check_name, discover

__all__ = ["TEMPLATE", "new_pack"]

TEMPLATE = Path(__file__).parent / "_template"
_PREFIX, _STAND_IN = "toolcrib-", "newpack"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_RENAMED = {"gitignore": ".gitignore", "github": ".github"}
"""What must not have its name already where the template lies: it would be obeyed there."""


def new_pack(name: str, parent: Path) -> tuple[str, Path]:
    """Make the project of a new pack in `parent`; the pack's name, and the project's folder.

    `name` is the pack's or the distribution's: `my-desk` and `toolcrib-my-desk` are the pack `my_desk`.
    Raises `PackError` for a name that cannot be used or is taken, and for a folder that is there already.
    """
    pack = _checked(name)
    dist = _PREFIX + pack.replace("_", "-")
    _refuse_taken(pack, dist)
    folder = parent / dist
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()  # fails for whatever is there, also for a link to nowhere
    except OSError as error:
        raise PackError(
            f"{folder} cannot be made: {error.strerror}",
            rule="a new pack gets a new folder; nothing is ever overwritten",
            remedy="Choose another name, or another place: --dir FOLDER",
        ) from error
    try:
        for source, target in _files(pack):
            _copy(source, folder / target, pack, dist)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return pack, folder


def _checked(name: str) -> str:
    """The pack's name: the first segment of its tools' names, and the end of a Python package's name."""
    short = name.removeprefix(_PREFIX)
    pack = short.replace("-", "_")
    try:
        check_name(pack)
        fits = _NAME.fullmatch(short) and not keyword.iskeyword(short)
    except PackError:
        fits = None
    if not fits:
        raise PackError(
            f"{name[:80]!r} cannot be a pack's name",
            rule="a new pack's name has at most 32 of a-z and 0-9, begins with a letter, may have single "
            "dashes inside, and is not local, trust, or a word of Python's own",
            remedy="For example: toolcrib packs new weather",
        )
    return pack


def _refuse_taken(pack: str, dist: str) -> None:
    rivals = discover().get(pack)
    owner = rivals[0].distribution if rivals else dist
    try:
        version = distribution(owner).version
    except PackageNotFoundError:
        return
    raise PackError(
        f"{pack!r} is taken by {owner} {version}, which is installed",
        rule="a pack's name has one owner",
        remedy="Choose another name",
    )


def _files(pack: str) -> Iterator[tuple[Path, Path]]:
    """Each file of the template, and where it goes; not what an installer or a linter left beside them."""
    for source in sorted(TEMPLATE.rglob("*")):
        inside = source.relative_to(TEMPLATE)
        if source.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside.parts):
            parts = [_RENAMED.get(part, part.replace(_STAND_IN, pack)) for part in inside.parts]
            yield source, Path(*parts)


def _copy(source: Path, target: Path, pack: str, dist: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text("utf-8").replace(_PREFIX + _STAND_IN, dist).replace(_STAND_IN, pack)
    target.write_text(text, "utf-8")
