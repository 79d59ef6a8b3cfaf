"""What the pack gives: the sandbox that `[sandbox] provider = "docker"` names, and the tools of `code`."""

from __future__ import annotations

from collections.abc import Mapping

from toolcrib import Toolkit
from toolcrib.hookspecs import PackConfig, hookimpl
from toolcrib.sandbox import OpenSandbox, Sandbox, SandboxConfig

__all__ = ["toolcrib_sandboxes", "toolcrib_toolkits"]


@hookimpl
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:
    """The tools that run code, in whichever sandbox the crib has."""
    from toolcrib_sandbox.code import CodeSettings, CodeTools

    return [CodeTools(config.parse(CodeSettings))]


@hookimpl
def toolcrib_sandboxes() -> Mapping[str, OpenSandbox]:
    """The Docker engine, by name."""
    return {"docker": _docker}


def _docker(config: SandboxConfig) -> Sandbox:
    from toolcrib_sandbox.docker import DockerSandbox
    from toolcrib_sandbox.proxy import ProxyGateway
    from toolcrib_sandbox.settings import DockerSettings

    return DockerSandbox(config.parse(DockerSettings), gateway=ProxyGateway())
