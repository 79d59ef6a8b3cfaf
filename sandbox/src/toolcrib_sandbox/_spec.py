"""What a container is made of: every flag stands here, none is left to the engine's defaults."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from toolcrib.errors import InvalidArguments
from toolcrib.sandbox import Limits

if TYPE_CHECKING:
    from docker.api.client import APIClient

__all__ = ["LABEL", "MIB", "MODULES", "Spec", "spec_for"]

MIB = 1024 * 1024
UID = 10001
LABEL = "toolcrib.sandbox"
SHARES = {"/box": (5, 16384), "/tmp": (2, 4096), "/dev/shm": (1, 1024)}  # noqa: S108 - inside the container
"""Where a run can write: eighths of the disk limit, and inodes."""
MODULES = ("become", "channel", "files", "watching", "relay", "ahead", "runs", "session", "burst", "main")
"""The guest's modules, in the order in which they need one another."""
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/box",
    "TMPDIR": "/tmp",  # noqa: S108 - inside the container
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp",  # noqa: S108 - inside the container
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Of the last two the values are those of `Spec.environment`."""
_BOOT = """import json,sys,types
given=json.loads(sys.argv[1])
for name in ('toolcrib_sandbox','toolcrib_sandbox.guest'): sys.modules[name]=types.ModuleType(name)
for name,text in given['modules']:
    module=sys.modules[name]=types.ModuleType(name)
    exec(compile(text,name,'exec'),module.__dict__)
module.main(given['preload'],given['mounts'])
"""


@dataclass(frozen=True, slots=True)
class Spec:
    """All that two runs must have in common to be served by containers of one kind.

    No tenant: a preheated container is nobody's until it is taken, and gone after. `image` is a digest.
    """

    image: str
    memory: int
    disk: int
    cpus: float
    processes: int
    runtime: str = ""
    nested: bool = False
    preload: tuple[str, ...] = ()
    socket: str = ""
    """A unix socket of the host, the only way out of a container that may reach something."""

    @property
    def mounts(self) -> dict[str, str]:
        """Where a run can write, with the options of each tmpfs."""
        return {
            path: f"size={self.disk * eighths // 8},nr_inodes={inodes},mode=0700,uid={UID},gid={UID}"
            for path, (eighths, inodes) in SHARES.items()
        }

    @property
    def box_size(self) -> int:
        """Bytes that fit into `/box`."""
        return self.disk * SHARES["/box"][0] // 8

    @property
    def environment(self) -> dict[str, str]:
        """What programs find. Libraries that count the host's processors would start a thread for each."""
        threads = "1" if self.nested else str(max(1, int(self.cpus)))
        return {**ENVIRONMENT, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}

    def create(self, api: APIClient) -> str:
        """Create the container, not started; its id."""
        made = api.create_container(
            image=self.image,
            entrypoint=["python3", "-I", "-B", "-c", _BOOT],
            command=[guest_argument(self.preload, tuple(self.mounts.items()) if self.nested else ())],
            user=f"{UID}:{UID}",
            working_dir="/box",
            hostname="sandbox",
            environment=self.environment,
            stdin_open=True,  # with StdinOnce: the container ends when its owner does
            network_disabled=True,
            use_config_proxy=False,
            healthcheck={"test": ["NONE"]},
            stop_signal="SIGKILL",
            labels={LABEL: "1"},
            host_config=self._host_config(api),
        )
        return str(made["Id"])

    def _host_config(self, api: APIClient) -> dict[str, Any]:
        from docker.types import LogConfig, Mount, Ulimit

        way_out = [Mount("/run/egress.sock", self.socket, type="bind", read_only=True)] if self.socket else []
        tmpfs = {path: f"rw,noexec,nosuid,nodev,{options}" for path, options in self.mounts.items()}
        config: dict[str, Any] = api.create_host_config(
            auto_remove=True,
            network_mode="none",
            ipc_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true", f"seccomp={profile(self.nested)}"],
            read_only=True,
            tmpfs=tmpfs,
            mounts=way_out,
            mem_limit=self.memory,
            memswap_limit=self.memory,  # no swap on top
            nano_cpus=int(self.cpus * 1e9),
            pids_limit=self.processes + 1 + (1 if self.nested else 0) + (32 if self.socket else 0),
            oom_score_adj=500,  # sandboxes go before anything of the host's
            ulimits=[
                Ulimit(name="nofile", soft=1024, hard=1024),
                Ulimit(name="fsize", soft=self.disk, hard=self.disk),
                Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="memlock", soft=65536, hard=65536),
                Ulimit(name="msgqueue", soft=0, hard=0),
            ],
            log_config=LogConfig(type="none"),
            runtime=self.runtime or None,
            privileged=False,
        )
        return config


def spec_for(
    limits: Limits, *, image: str, runtime: str = "", nested: bool = False, preload: tuple[str, ...] = ()
) -> Spec:
    """The container for these limits; raises `InvalidArguments` for what no container can hold.

    Files live in memory, so at most half of it may be disk: full disks are then told, not died of.
    """
    for name, least, most in (
        ("memory", 32 * MIB, 1 << 40),
        ("disk", MIB, 1 << 40),
        ("output", 1, 64 * MIB),
        ("wall", 0.01, 86_400),
        ("cpus", 0.01, 512),
        ("processes", 1, 10_000),
        ("artifacts", 0, 10_000),
    ):
        if not least <= getattr(limits, name) <= most:
            raise InvalidArguments(
                f"limits: {name} = {getattr(limits, name)}",
                rule=f"{name} is from {least} to {most}",
                remedy="Ask for another limit",
            )
    return Spec(
        image=image,
        memory=limits.memory,
        disk=min(limits.disk, limits.memory // 2),
        cpus=limits.cpus,
        processes=limits.processes,
        runtime=runtime,
        nested=nested,
        preload=preload,
    )


@cache
def guest_argument(preload: tuple[str, ...], mounts: tuple[tuple[str, str], ...] = ()) -> str:
    """The guest's source, as the one argument that its container is started with; where runs are nested,
    what each mounts.
    """
    folder = files("toolcrib_sandbox.guest")
    modules = [
        (f"toolcrib_sandbox.guest.{name}", (folder / f"{name}.py").read_text("utf-8")) for name in MODULES
    ]
    return json.dumps({"modules": modules, "preload": preload, "mounts": dict(mounts)})


@cache
def profile(nested: bool) -> str:
    """The system calls that are let through, as the engine wants them."""
    name = "burst.json" if nested else "strict.json"
    return json.dumps(json.loads((files("toolcrib_sandbox") / "profiles" / name).read_text("utf-8")))
