"""Where the files lie."""

from __future__ import annotations

from pathlib import Path

__all__ = ["bundle", "model", "names"]

_HERE = Path(__file__).parent


def model() -> Path:
    """`model.conf`: the model that every bundle here is written for."""
    return _HERE / "model.conf"


def names() -> tuple[str, ...]:
    """The sample bundles, by name."""
    return tuple(sorted(folder.name for folder in (_HERE / "bundles").iterdir() if folder.is_dir()))


def bundle(name: str) -> Path:
    """The folder of a bundle: `model.conf`, `policy.csv` and `tests/`; raises `KeyError` for an unknown name.

    Copy it to start a policy of your own; the installed files are overwritten by the next release.
    """
    if name not in names():
        raise KeyError(f"there is no bundle {name!r}; there is: {', '.join(names())}")
    return _HERE / "bundles" / name
