"""The Docker sandbox: code that a model wrote runs in a fresh, hardened container."""

from toolcrib_sandbox._pack import toolcrib_sandboxes, toolcrib_toolkits
from toolcrib_sandbox.docker import DockerSandbox
from toolcrib_sandbox.settings import DockerSettings

__all__ = [
    "PACK_API",
    "DockerSandbox",
    "DockerSettings",
    "toolcrib_sandboxes",
    "toolcrib_toolkits",
]

PACK_API = 1
