"""Tries, inside a sandbox, what a sandbox should not let happen.

Sent as the code of an ordinary run; prints one JSON object: protection to [holds, detail].
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import json
import os
import platform
import resource
import socket
import stat
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["CALLS", "main"]

LIBC = ctypes.CDLL(None, use_errno=True)
CALLS: dict[str, tuple[int, int]] = {
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "unshare": (272, 97),
    "setns": (308, 268),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "init_module": (175, 105),
    "kexec_load": (246, 104),
    "clock_settime": (227, 112),
    "memfd_secret": (447, 447),
    "open_by_handle_at": (304, 265),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "chroot": (161, 51),
}
"""Numbers on x86-64 and on arm64."""
FAMILIES = {"packet": 17, "netlink": 16, "vsock": 40, "alg": 38, "bluetooth": 31, "xdp": 44, "can": 29}
NEW_USER = 0x10000000
WRITABLE = ("/box", "/tmp", "/dev/shm")  # noqa: S108 - inside the container
Finding = tuple[bool, str]


def _error(call: Callable[[], Any]) -> str:
    """The name of the error that `call` ends with, "" if it has none."""
    try:
        call()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return ""


def _open(path: str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.read(descriptor, 1) if flags == os.O_RDONLY else None
    finally:
        os.close(descriptor)


def _set(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.write(descriptor, b"0")
    finally:
        os.close(descriptor)


def _all_fail(tries: dict[str, Callable[[], Any]]) -> Finding:
    went = [name for name, call in tries.items() if not _error(call)]
    return not went, f"possible: {', '.join(went)}" if went else f"{len(tries)} ways tried, none goes"


def _status(*names: str) -> list[str]:
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    return [lines.get(name, "").strip() for name in names]


def user() -> Finding:
    """Not root, and no way to become it."""
    holds, detail = _all_fail({"setuid": lambda: os.setuid(0), "setgid": lambda: os.setgid(0)})
    return holds and os.getuid() == 10001 == os.geteuid(), f"uid {os.getuid()}; {detail}"


def capabilities() -> Finding:
    """No capability, and none to be had by executing something."""
    found = _status("CapEff", "CapPrm", "CapBnd", "CapAmb")
    privs = LIBC.prctl(39, 0, 0, 0, 0)
    return not any(int(each or "0", 16) for each in found) and privs == 1, f"{found[0]}, no_new_privs {privs}"


def root_filesystem() -> Finding:
    """Read-only, and nothing else of it can be written."""
    places = ("/", "/etc", "/usr", "/var", "/run", "/dev", "/proc", "/sys", "/root", "/opt")
    holds, detail = _all_fail(
        {path: partial(_open, f"{path}/toolcrib", os.O_WRONLY | os.O_CREAT) for path in places}
    )
    return holds and bool(os.statvfs("/").f_flag & os.ST_RDONLY), detail


def _of_the_host() -> list[Any]:
    """Where this host's sandbox listens, a port and an abstract socket, if it could tell."""
    with contextlib.suppress(OSError, ValueError), open("/box/host.json") as file:
        given: list[Any] = json.load(file)
        return given
    return []


def network() -> Finding:
    """No link but loopback, and nothing answers or can be sent to; of the host, not even its loopback."""

    def reach(kind: int, address: tuple[str, int]) -> None:
        with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, kind) as made:
            made.settimeout(2)
            made.connect(address)
            made.send(b"x")

    def meet(name: str) -> None:
        with socket.socket(socket.AF_UNIX) as made:
            made.connect(name)

    for port, name in _of_the_host():
        holds, detail = _all_fail(
            {
                "loopback of the host": partial(reach, socket.SOCK_STREAM, ("127.0.0.1", port)),
                "abstract sockets of the host": partial(meet, f"\0{name}"),
            }
        )
        if not holds:
            return False, detail  # and send nothing into a network that is not ours
    with open("/proc/net/dev") as file:
        links = [line.split(":")[0].strip() for line in file if ":" in line]
    targets = {
        "gateway": "172.17.0.1",
        "metadata": "169.254.169.254",
        "outside": "192.0.2.1",
        "IPv6": "2001:db8::1",
    }
    holds, detail = _all_fail(
        {
            f"{name}/{kind.name}": partial(reach, kind, (host, 53))
            for name, host in targets.items()
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        }
    )
    return holds and links in ([], ["lo"]), f"links {links}; {detail}"


def socket_families() -> Finding:
    """Only unix, IPv4 and IPv6, and no raw ones: vsock needs no network to reach the host."""
    tries: dict[str, Callable[[], Any]] = {
        name: partial(socket.socket, number, socket.SOCK_DGRAM) for name, number in FAMILIES.items()
    }
    tries["raw"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    tries["sctp"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
    tries["vsock stream"] = lambda: socket.socket(40, socket.SOCK_STREAM)
    return _all_fail(tries)


def system_calls() -> Finding:
    """What reaches deep into the kernel is refused before the kernel looks at it."""
    column = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
    if column is None:
        return False, f"no numbers for {platform.machine()}"

    def attempt(number: int) -> None:
        ctypes.set_errno(0)
        if LIBC.syscall(number, -1, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() not in (
            errno.EPERM,
            errno.ENOSYS,
        ):
            return
        raise OSError(ctypes.get_errno(), "refused")

    return _all_fail({name: partial(attempt, both[column]) for name, both in CALLS.items()})


def namespaces() -> Finding:
    """No new namespaces, in which a process would be root again."""

    def clone() -> None:
        number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
        pid = LIBC.syscall(number, NEW_USER | 17, 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        if pid < 0:
            raise OSError(ctypes.get_errno(), "refused")
        os.waitpid(pid, 0)

    def unshare() -> None:
        if LIBC.unshare(NEW_USER) != 0:
            raise OSError(ctypes.get_errno(), "refused")

    return _all_fail({"clone": clone, "unshare": unshare})


def runner() -> Finding:
    """Pid 1 cannot be read, written, traced, limited or stopped."""
    tries: dict[str, Callable[[], Any]] = {
        name: partial(_open, f"/proc/1/{name}", os.O_RDONLY)
        for name in ("mem", "environ", "maps", "stack", "auxv")
    }
    tries["fd"] = lambda: os.listdir("/proc/1/fd")
    tries["limits"] = lambda: resource.prlimit(1, resource.RLIMIT_CORE, (0, 0))  # harms nothing where it goes
    for number in (9, 15, 19):
        with contextlib.suppress(OSError):
            os.kill(1, number)
    return _all_fail(tries)


def devices() -> Finding:
    """No device of the host, and none to be made."""
    known = {
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "console",
        "core",
        "fd",
        "stdin",
        "stdout",
        "stderr",
    }
    known |= {"ptmx", "pts", "shm", "mqueue"}
    surplus = sorted(set(os.listdir("/dev")) - known)
    kinds = {"block": stat.S_IFBLK, "character": stat.S_IFCHR}
    holds, detail = _all_fail(
        {
            name: partial(os.mknod, f"/box/{name}", kind | 0o600, os.makedev(1, 1))
            for name, kind in kinds.items()
        }
    )
    return holds and not surplus, f"{detail}{'; also there: ' + ', '.join(surplus) if surplus else ''}"


def kernel_settings() -> Finding:
    """Nothing of /proc and /sys can be set."""
    paths = ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory"]
    paths += [
        "/proc/sys/kernel/domainname",
        "/sys/kernel/uevent_helper",
        "/proc/1/oom_score_adj",
    ]
    paths += glob.glob("/sys/fs/cgroup/*/release_agent") + glob.glob("/sys/fs/cgroup/cgroup.procs")
    return _all_fail({path: partial(_set, path) for path in paths})


def host_secrets() -> Finding:
    """No engine socket, and (the host looks at this) no environment but the image's."""
    paths = (
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/.dockerenv.sock",
    )
    there = [path for path in paths if os.path.exists(path)]
    return (
        not there,
        f"there: {', '.join(there)}" if there else f"environment: {' '.join(sorted(os.environ))}",
    )


def processes_of_others() -> Finding:
    """A pid namespace of its own."""
    count = sum(name.isdigit() for name in os.listdir("/proc"))
    return count <= 4 and os.getpid() < 1000, f"{count} processes to be seen"


def programs() -> Finding:
    """What is written cannot be executed."""

    def execute(folder: str) -> None:
        path = f"{folder}/probe.sh"
        with open(path, "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod(path, 0o700)
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(OSError):
                os.execv(path, [path])  # noqa: S606
            os._exit(126)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 126:
            raise PermissionError(errno.EACCES, "refused")

    return _all_fail({folder: partial(execute, folder) for folder in WRITABLE})


def open_files() -> Finding:
    """A limit on descriptors."""
    kept: list[int] = []
    try:
        while len(kept) < 5000:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return error.errno == errno.EMFILE, f"{len(kept)} open"
    finally:
        for descriptor in kept:
            os.close(descriptor)
    return False, "5000 open"


def disk() -> Finding:
    """A limit on bytes and on files, wherever something can be written."""
    details, holds = [], True
    for folder in WRITABLE:
        limits = os.statvfs(folder)
        size = limits.f_blocks * limits.f_frsize
        code = _error(partial(_fill, f"{folder}/fill", size + (1 << 20)))
        with contextlib.suppress(OSError):
            os.unlink(f"{folder}/fill")
        holds = holds and code in ("ENOSPC", "EFBIG") and 0 < limits.f_files <= 20_000
        details.append(f"{folder} {size >> 20} MiB, {limits.f_files} files")
    return holds, "; ".join(details)


def _fill(path: str, size: int) -> None:
    with open(path, "wb", buffering=0) as file:
        for _ in range(size // (1 << 20) + 1):
            if file.write(bytes(1 << 20)) < 1 << 20:
                raise OSError(errno.ENOSPC, "full")


def main() -> None:
    """Try everything and print it."""
    found = {}
    for probe in (
        *(
            user,
            capabilities,
            root_filesystem,
            network,
            socket_families,
            system_calls,
            namespaces,
            runner,
            devices,
        ),
        *(kernel_settings, host_secrets, processes_of_others, programs, open_files, disk),
    ):
        try:
            found[probe.__name__.replace("_", "-")] = probe()
        except Exception as error:
            found[probe.__name__.replace("_", "-")] = (
                False,
                f"could not be tried: {type(error).__name__}: {error}",
            )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
