"""The Docker engine, through its SDK: images are resolved, containers started and removed."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolcrib.errors import SandboxError
from toolcrib_sandbox._channel import Channel
from toolcrib_sandbox._spec import LABEL, Spec

if TYPE_CHECKING:
    from docker.api.client import APIClient

__all__ = ["Engine", "Image"]

LOCAL = "unix:///var/run/docker.sock"
_ANSWER_SECONDS = 60
_RUNTIME = "it does not know the runtime", "See `docker info`; register it, or set [sandbox] runtime"
_SIGNS = (
    (
        "permission denied",
        "this user may not use it",
        "Add the user to the engine's group, or run it rootless",
    ),
    ("no space left", "its disk is full", "Free space under the engine's data folder: `docker system df`"),
    ("unknown or invalid runtime", *_RUNTIME),
    ("unknown runtime", *_RUNTIME),
    ("install paramiko", "ssh is not installed here", "Install toolcrib-sandbox[ssh]"),
    (
        "known_hosts",
        "its host key is not known",
        "Connect once by `ssh` and compare the key, which is then kept",
    ),
    ("does not match", "its host key is another one", "Find out why, before you remove the old one"),
    ("authentication", "it does not let this user in", "Give a key by ssh-agent or in ~/.ssh/config"),
)
"""What an error's text has, in small letters; what that means; what to do."""
_SILENT = "Error while fetching server API version", "Unable to connect to port"


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the engine has it; `digest` is what a registry knows it by, if it came from one."""

    id: str
    digest: str
    pinned: bool
    environment: tuple[str, ...] = ()
    """Names of the variables that the image sets."""


class Engine:
    """One engine, local or remote. May be used from several threads; each has a connection of its own."""

    def __init__(self, host: str = "") -> None:
        self.host = host or os.environ.get("DOCKER_HOST") or LOCAL
        self._own = threading.local()
        self._clients: list[APIClient] = []
        self._lock = threading.Lock()

    @property
    def is_local(self) -> bool:
        """Whether the engine can reach this host's files and sockets."""
        return self.host.startswith("unix:")

    @property
    def api(self) -> APIClient:
        """This thread's client; raises `SandboxError` if the engine cannot be reached."""
        client: APIClient | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = self._connect()
            with self._lock:
                self._clients.append(client)
        return client

    def _connect(self) -> APIClient:
        from docker.api.client import APIClient  # the SDK is slow to import
        from docker.utils import kwargs_from_env

        class Client(APIClient):
            # Else REQUESTS_CA_BUNDLE replaces the engine's authority, and proxies are asked.
            trust_env = property(lambda self: False, lambda self, value: None)

        with self.told("reached"):
            given: dict[str, Any] = {**kwargs_from_env(), "base_url": self.host}
            return Client(**given, version="auto", timeout=_ANSWER_SECONDS)

    @contextlib.contextmanager
    def told(self, doing: str) -> Iterator[None]:
        """Turn what the SDK raises into a `SandboxError` that says what to do."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        try:
            yield
        except Exception as error:
            # Asked now: a first connection by ssh has only just loaded what it raises.
            if not isinstance(error, (DockerException, RequestException, OSError, *_of_ssh())):
                raise
            raise self._error(doing, error) from error

    def _error(self, doing: str, error: Exception) -> SandboxError:
        text = str(error)
        silent = isinstance(error, _not_answering()) or any(sign in text for sign in _SILENT)
        found = [words for sign, *words in _SIGNS if sign in text.lower()]
        if silent:
            found.append(["it does not answer", "Start it, or set DOCKER_HOST or [sandbox] host"])
        found.append([f"it says {text[:400]!r}", "Look at the engine's log; see `toolcrib sandbox check`"])
        what, remedy = found[0]
        return SandboxError(
            f"the Docker engine at {self.host} could not be {doing}: {what}",
            rule="code runs in a sandbox or not at all",
            remedy=remedy,
        )

    def image(self, name: str) -> Image:
        """The image that `name` means now; raises `SandboxError` if there is none, or it cannot be used."""
        from docker.errors import ImageNotFound

        api = self.api
        with self.told("asked for the image"):
            try:
                found = api.inspect_image(name)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                raise SandboxError(
                    f"the engine at {self.host} has no image {name!r}",
                    rule="[sandbox] image names one that the engine has; nothing is pulled unasked",
                    remedy=f"`docker pull {name}`, build one from sandbox/images, or set image = 'local', "
                    "which is made of this machine's own Python",
                ) from None
        if volumes := (found.get("Config") or {}).get("Volumes"):
            raise SandboxError(
                f"the image {name!r} declares the volume {sorted(volumes)[0]!r}",
                rule="a volume would be room on the host's disk that no limit holds",
                remedy="Use an image without VOLUME",
            )
        digests = found.get("RepoDigests") or []
        pinned = "@sha256:" in name or name.startswith("sha256:")
        names = tuple(str(each).partition("=")[0] for each in (found.get("Config") or {}).get("Env") or ())
        return Image(str(found["Id"]), str(digests[0]) if digests else str(found["Id"]), pinned, names)

    def has_image(self, name: str) -> bool:
        """Whether the engine has an image of that name."""
        from docker.errors import ImageNotFound

        api = self.api
        with self.told("asked for the image"):
            try:
                api.inspect_image(name)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return False
            return True

    def info(self) -> dict[str, Any]:
        """What the engine says of itself."""
        api = self.api
        with self.told("asked"):
            found: dict[str, Any] = api.info()
            return found

    def start(self, spec: Spec) -> tuple[str, Channel]:
        """Start a container, attached from before its first instruction."""
        api, name = self.api, ""
        with self.told("asked for a container"):
            try:
                name = spec.create(api)
                params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
                raw = api.attach_socket(name, params=params)
                channel = Channel(raw)
                api.start(name)
            except BaseException:
                if name:
                    with contextlib.suppress(Exception):
                        api.remove_container(name, force=True)
                raise
        return name, channel

    def remove(self, container: str) -> None:
        """Remove a container that may already be going; returns when it is gone."""
        from docker.errors import APIError, NotFound

        api = self.api
        with self.told("asked to remove a container"):
            try:
                api.remove_container(container, force=True)
            except NotFound:
                return
            except APIError as error:
                if error.response is None or error.response.status_code != 409:
                    raise
            with contextlib.suppress(NotFound):  # it is going on its own
                api.wait(container, timeout=30, condition="removed")

    def is_gone(self, container: str, seconds: float) -> bool:
        """Whether the engine removes it, unasked, within this time."""
        from docker.errors import APIError, NotFound
        from requests.exceptions import RequestException

        try:
            self.api.wait(container, timeout=int(seconds), condition="removed")
        except (NotFound, APIError):
            return True
        except RequestException:
            return False
        return True

    def sweep(self) -> None:
        """Remove what a killed owner created and never started; everything else goes with its owner."""
        with contextlib.suppress(SandboxError, Exception):
            for each in self.api.containers(all=True, filters={"label": LABEL, "status": "created"}):
                if _age(each) > 600:
                    self.remove(each["Id"])

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            client.close()


def _age(container: dict[str, Any]) -> float:
    return time.time() - float(container["Created"])


def _of_ssh() -> tuple[type[Exception], ...]:
    """What ssh raises, where it is in use: no relative of any other error here."""
    ssh = sys.modules.get("paramiko.ssh_exception")
    return (ssh.SSHException,) if ssh else ()


def _not_answering() -> tuple[type[Exception], ...]:
    from requests.exceptions import ConnectionError as NoConnection
    from requests.exceptions import Timeout

    return (NoConnection, Timeout, ConnectionError)
