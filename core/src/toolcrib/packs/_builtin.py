"""What core itself brings through its hooks: opened like a pack, but installed with core, so never locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolcrib.hookspecs import PackConfig
from toolcrib.packs._discover import Found
from toolcrib.packs._open import Contributions, open_pack

if TYPE_CHECKING:
    from toolcrib.config import Config

__all__ = ["builtin"]

NAME = "toolcrib"
MODULE = "toolcrib.secrets._builtin"
"""Says `PACK_API` and implements hooks, as a pack's module does."""


def builtin(config: Config) -> Contributions:
    """The built-in contributions; none of them connects to anything before it is used."""
    from importlib.metadata import distribution

    core = distribution(NAME)
    found = Found(NAME, MODULE, NAME, core.version, core)
    return open_pack(found, PackConfig(NAME, {}, config.state, config.tenant))
