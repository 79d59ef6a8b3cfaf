"""A small crib in a folder of the test's own: policy rows in, crib out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolcrib.crib import Crib

if TYPE_CHECKING:
    from toolcrib.approvals import ApprovalChannel

__all__ = ["make_crib", "write_crib"]


def write_crib(folder: Path, rows: str, *, config: str = "") -> Path:
    """Write `toolcrib.toml` (tenant `acme`, plus `config`) and a policy of `rows`; the config's path."""
    from toolcrib.policy._model import MODEL

    policies = folder / "policies"
    policies.mkdir(parents=True, exist_ok=True)
    (policies / "model.conf").write_text(MODEL)
    (policies / "policy.csv").write_text(textwrap.dedent(rows).strip() + "\n")
    file = folder / "toolcrib.toml"
    file.write_text('[crib]\ntenant = "acme"\n' + textwrap.dedent(config))
    return file


def make_crib(folder: Path, rows: str, *, config: str = "", channels: Sequence[ApprovalChannel] = ()) -> Crib:
    """The crib of `write_crib`."""
    return Crib.from_config(write_crib(folder, rows, config=config), channels=channels)
