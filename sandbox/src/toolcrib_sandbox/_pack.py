"""What the pack gives: the sandbox that `[sandbox] provider = "docker"` names."""

from __future__ import annotations

from collections.abc import Mapping

from toolcrib.hookspecs import hookimpl
from toolcrib.sandbox import OpenSandbox, Sandbox, SandboxConfig

__all__ = ["toolcrib_sandboxes"]


@hookimpl
def toolcrib_sandboxes() -> Mapping[str, OpenSandbox]:
    """The Docker engine, by name."""
    return {"docker": _docker}


def _docker(config: SandboxConfig) -> Sandbox:
    from toolcrib_sandbox.docker import DockerSandbox
    from toolcrib_sandbox.settings import DockerSettings

    return DockerSandbox(config.parse(DockerSettings))
