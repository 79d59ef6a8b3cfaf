"""`[sandbox]` in `toolcrib.toml`, read strictly."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from toolcrib.errors import ConfigError
from toolcrib_sandbox._check import PROTECTIONS

__all__ = ["LOCAL_IMAGE", "DockerSettings"]

LOCAL_IMAGE = "local"
"""What `image` says for an image of this machine's own Python."""


@dataclass(frozen=True, slots=True)
class DockerSettings:
    """What `[sandbox] provider = "docker"` reads.

    `image` is a name or, better, a digest; it is resolved once, and every container is made from that digest.
    `local` is an image of this machine's own Python, made when it is not there: nothing is pulled.
    `runtime` is one that the engine knows (`runsc`, `crun`); empty is the engine's default. `tier` is
    `single-use` (a container for every run) or `burst` (a container for a tenant, namespaces for every run).
    `containers` may exist at once, `preheated` of them wait for work, kept per distinct limits; a run waits
    at most `queue_seconds` for one, and at most `queue` runs wait. `preload` are modules that the image has
    and every run wants. `waive` names protections that runs may lack here; `toolcrib sandbox check` lists
    them. `host` is the engine's address; empty is `DOCKER_HOST`, or the local socket.
    """

    image: str = "toolcrib-sandbox:minimal"
    runtime: str = ""
    tier: Literal["single-use", "burst"] = "single-use"
    containers: int = 8
    preheated: int = 2
    queue: int = 100
    queue_seconds: float = 30.0
    start_seconds: float = 30.0
    burst_runs: int = 1000
    preload: tuple[str, ...] = ()
    waive: tuple[str, ...] = ()
    host: str = ""

    def __post_init__(self) -> None:
        for name, least in (("containers", 1), ("preheated", 0), ("queue", 0), ("burst_runs", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"[sandbox] {name} = {getattr(self, name)}", rule=f"it is at least {least}")
        for name in ("queue_seconds", "start_seconds"):
            if not 0 < getattr(self, name) <= 600:
                raise ConfigError(f"[sandbox] {name} = {getattr(self, name)}", rule="above 0, at most 600")
        for name in self.waive:
            if name not in PROTECTIONS:
                raise ConfigError(
                    f"[sandbox] waive: {name!r} is no protection",
                    rule=f"protections: {', '.join(PROTECTIONS)}",
                    remedy=f"Did you mean {near[0]!r}?"
                    if (near := get_close_matches(name, PROTECTIONS, 1))
                    else "",
                )
        if self.preheated >= self.containers and self.containers > 1:
            raise ConfigError(
                f"[sandbox] preheated = {self.preheated} with containers = {self.containers}",
                rule="preheated containers are some of all, so that different limits find room",
                remedy=f"Set preheated below {self.containers}",
            )
