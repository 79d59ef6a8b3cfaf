"""A real engine for tests, shared by every process that runs them at once.

An engine that answers is used as it is. Where none does and we are root, one is started, under a lock, with
its data in a folder of its own; whoever is last stops it, by its pid, and removes the folder. The image is
made of this machine (`local_image`), and removed again unless it was there before.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolcrib.errors import SandboxError
from toolcrib.testing.counterparts import missing
from toolcrib_sandbox import local_image
from toolcrib_sandbox._engine import Engine

__all__ = ["TestEngine", "engine_for_tests", "engine_or_missing"]

_FOLDER = Path(tempfile.gettempdir()) / f"toolcrib-engine-{os.getuid()}"
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class TestEngine:
    """Where the engine is, and the image to run."""

    __test__ = False

    host: str
    image: str


@contextlib.contextmanager
def engine_for_tests() -> Iterator[TestEngine]:
    """An engine with an image, for as long as the block lasts; `SandboxError` says why there is none."""
    with _locked():
        state = _read()
        host = _host(state)
        name = _image(host, state)
        state["users"].append(os.getpid())
        _write(state)
    try:
        yield TestEngine(host, name)
    finally:
        with _locked():
            _leave()


@contextlib.contextmanager
def engine_or_missing() -> Iterator[TestEngine]:
    """The same for a fixture: without an engine its tests are skipped, or fail (`TOOLCRIB_STRICT=1`)."""
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(engine_for_tests())
        except SandboxError as error:
            missing(f"NO SANDBOX WAS TESTED: {error}")
        yield found


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    _FOLDER.mkdir(mode=0o700, exist_ok=True)
    with (_FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read() -> dict[str, Any]:
    """What the others left: a dead process is no user any more."""
    try:
        state: dict[str, Any] = json.loads((_FOLDER / "state.json").read_text())
    except (FileNotFoundError, ValueError):
        return {"users": [], "pid": 0, "host": "", "made": ""}
    state["users"] = [pid for pid in state["users"] if Path(f"/proc/{pid}").exists()]
    return state


def _write(state: dict[str, Any]) -> None:
    (_FOLDER / "state.json").write_text(json.dumps(state))


def _host(state: dict[str, Any]) -> str:
    for host in ([state["host"]] if state["host"] else []) + [Engine().host]:
        if _answers(host):
            return str(host)
    if os.getuid() != 0 or shutil.which("dockerd") is None:
        raise SandboxError(
            f"no Docker engine answers at {Engine().host}",
            rule="these tests need a real engine; as root they start one themselves, if dockerd is installed",
            remedy="Install docker.io, or start an engine and set DOCKER_HOST",
        )
    _start(state)
    return str(state["host"])


def _answers(host: str) -> bool:
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists():
        return False
    engine = Engine(host)
    try:
        engine.info()
        return True
    except SandboxError:
        return False
    finally:
        engine.close()


def _start(state: dict[str, Any]) -> None:
    data = Path(tempfile.mkdtemp(prefix="toolcrib-dockerd-"))
    socket = data / "docker.sock"
    arguments = ["--data-root", data / "data", "--exec-root", data / "exec", "--pidfile", data / "pid"]
    # No network is needed. But without a bridge of its own an engine removes docker0, which may be another's.
    if not Path("/sys/class/net/docker0").exists():
        arguments += ["--bridge", "none", "--iptables=false", "--ip-masq=false"]
    if crun := shutil.which("crun"):
        arguments += ["--add-runtime", f"crun={crun}"]
    with (data / "log").open("w") as log:
        command = [shutil.which("dockerd") or "dockerd", "--host", f"unix://{socket}", *map(str, arguments)]
        started = subprocess.Popen(  # noqa: S603
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    state.update(pid=started.pid, host=f"unix://{socket}", data=str(data))
    _write(state)
    end = time.monotonic() + _START_SECONDS
    while not _answers(state["host"]):
        if started.poll() is not None or time.monotonic() > end:
            last = (data / "log").read_text().strip().splitlines()[-1:]
            _stop(state)
            raise SandboxError(f"dockerd does not start: {last}", remedy="Start one by hand and see")
        time.sleep(0.1)


def _image(host: str, state: dict[str, Any]) -> str:
    engine, name = Engine(host), local_image.name_by_content()
    try:
        with contextlib.suppress(SandboxError):
            return engine.image(name).id
        state["made"] = name
        return local_image.build(engine.api, name)
    finally:
        engine.close()


def _leave() -> None:
    state = _read()
    state["users"] = [pid for pid in state["users"] if pid != os.getpid()]
    _write(state)
    if state["users"]:
        return
    if state["pid"]:
        _stop(state)
    elif state["made"]:
        engine = Engine()
        with contextlib.suppress(Exception):
            engine.api.remove_image(state["made"], force=True)
        engine.close()
    (_FOLDER / "state.json").unlink(missing_ok=True)


def _stop(state: dict[str, Any]) -> None:
    """By the pid that was started, and only if that is still an engine."""
    pid = int(state["pid"])
    with contextlib.suppress(OSError):
        if b"dockerd" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            end = time.monotonic() + 20
            while _runs(pid) and time.monotonic() < end:
                time.sleep(0.05)
    data = Path(state.get("data") or "/nonexistent")
    for mount in reversed(_mounts_below(data)):  # of the host's network, if a container had it
        subprocess.run(["umount", "--lazy", mount], check=False)  # noqa: S603, S607
    shutil.rmtree(data, ignore_errors=True)
    (_FOLDER / "state.json").unlink(missing_ok=True)


def _mounts_below(folder: Path) -> list[str]:
    targets = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [target for target in targets if target.startswith(f"{folder}/")]


def _runs(pid: int) -> bool:
    """Whether it is more than a name that its parent, another process of these tests, has yet to collect."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
