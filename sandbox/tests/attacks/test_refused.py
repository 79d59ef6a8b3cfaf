"""What is not to be had in a sandbox, each by its name; and that it is to be had where nothing protects.

All are tried in one run, each in a process of its own, and tell how far they came. An attack that is refused
here proves something only if it works elsewhere: the same text runs as root in a container without our flags.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator

import pytest

from toolcrib.sandbox import RunRequest
from toolcrib_sandbox._engine import Engine
from toolcrib_sandbox._spec import ENVIRONMENT

NUMBERS = """
NUMBERS = {
    "io_uring_setup": (425, 425), "bpf": (321, 280), "perf_event_open": (298, 241), "add_key": (248, 217),
    "userfaultfd": (323, 282), "init_module": (175, 105), "finit_module": (313, 273),
    "clock_settime": (227, 112), "pidfd_getfd": (438, 438), "open_by_handle_at": (304, 265),
}
"""
TOOLS = """
import ctypes, errno, glob, json, os, platform, socket, stat
L = ctypes.CDLL(None, use_errno=True)

def done(result):
    # The filter answers before the kernel has looked at anything; any other error comes from the kernel.
    if result == -1 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS):
        raise OSError(ctypes.get_errno(), "refused")

def call(name, *arguments):
    done(L.syscall(NUMBERS[name][platform.machine() == "aarch64"], *arguments))

def set_it(path):
    os.close(os.open(path, os.O_WRONLY))

def reach(host, port, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as made:
        made.settimeout(2)
        made.connect((host, port))
        made.send(b"x")

def ptrace():
    if (pid := os.fork()) == 0:
        os.pause() if hasattr(os, "pause") else __import__("signal").pause()
    try:
        done(L.ptrace(16, pid, 0, 0))
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0x40000000)  # __WALL: also if it was traced

def release_agent():
    found = glob.glob("/sys/fs/cgroup/**/release_agent", recursive=True)
    [set_it(path) for path in found] or done(L.mount(b"x", b"/tmp", b"cgroup", 0, b"memory"))

def tried(attack):
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            attack()
            told = "possible"
        except Exception as error:
            told = errno.errorcode.get(getattr(error, "errno", 0) or 0, type(error).__name__)
        os.write(writer, told.encode())
        os._exit(0)
    os.close(writer)
    told = os.read(reader, 100).decode()
    os.close(reader)
    os.wait()
    return told or "killed"
"""

ATTACKS = {
    "mount": "done(L.mount(b'x', b'/box', b'tmpfs', 0, None))",
    "unshare": "done(L.unshare(0x10000000))",
    "setns": "done(L.setns(os.open('/proc/self/ns/uts', os.O_RDONLY), 0))",
    "ptrace": "ptrace()",
    "bpf": "call('bpf', 5, None, 0)",
    "perf": "call('perf_event_open', None, 0, -1, -1, 0)",
    "userfaultfd": "call('userfaultfd', 0)",
    "io_uring": "call('io_uring_setup', 1, ctypes.create_string_buffer(256))",
    "keyring": "call('add_key', b'user', b'x', b'y', 1, -2)",
    "modules": "call('init_module', None, 0, b'')",
    "modules from a file": "call('finit_module', -1, b'', 0)",
    "clock": "call('clock_settime', 0, None)",
    "personality": "done(L.personality(0x0040000))",
    "files by handle": "call('open_by_handle_at', -1, None, 0)",
    "core_pattern": "set_it('/proc/sys/kernel/core_pattern')",
    "sysrq": "set_it('/proc/sysrq-trigger')",
    "release_agent": "release_agent()",
    "mknod": "os.mknod('/box/disk', stat.S_IFBLK | 0o600, os.makedev(7, 0))",
    "mkfifo": "os.mkfifo('/box/fifo')",
    "setuid": "os.setuid(0)",
    "setgid": "os.setgroups([0])",
    "docker.sock": "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
    "metadata service": "reach('169.254.169.254', 80)",
    "LAN": "reach('10.0.0.1', 80)",
    "the engine's gateway": "reach('172.17.0.1', 80)",
    "DNS": "socket.getaddrinfo('example.org', 80)",
    "UDP": "reach('192.0.2.53', 53, socket.SOCK_DGRAM)",
    "raw sockets": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "packet sockets": "socket.socket(17, socket.SOCK_RAW)",
    "vsock": "socket.socket(40, socket.SOCK_STREAM)",
    "netlink": "socket.socket(16, socket.SOCK_RAW)",
    "abstract sockets of the host": "socket.socket(socket.AF_UNIX).connect(GIVEN[0])",
    "loopback of the host": "reach('127.0.0.1', GIVEN[1])",
}
ANYWHERE = (
    *("mount", "unshare", "setns", "ptrace", "bpf", "perf", "keyring", "clock", "personality"),
    *("files by handle", "core_pattern", "release_agent", "mknod", "mkfifo", "setuid", "setgid"),
    *("raw sockets", "packet sockets", "netlink"),
)
"""What every kernel lets root do in a container without our flags; none of it is carried through."""


def program(names: object, given: object = ("", 0)) -> str:
    tries = ",\n".join(f"    {name!r}: lambda: {ATTACKS[name]}" for name in names)
    ends = f"TRIES = {{\n{tries}\n}}\nprint(json.dumps({{name: tried(TRIES[name]) for name in TRIES}}))\n"
    return f"{NUMBERS}{TOOLS}GIVEN = {given!r}\n{ends}"


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, int]]:
    """An abstract socket and a port of this host that anybody here can reach."""
    with socket.socket(socket.AF_UNIX) as abstract, socket.create_server(("127.0.0.1", 0)) as tcp:
        abstract.bind("")  # the kernel chooses a name
        abstract.listen()
        name, port = abstract.getsockname(), tcp.getsockname()[1]
        socket.socket(socket.AF_UNIX).connect(name)
        socket.create_connection(("127.0.0.1", port)).close()
        yield name.decode("latin-1"), port


@pytest.fixture(scope="module")
def outcomes(sandbox, small) -> dict[str, str]:
    async def run() -> dict[str, str]:
        result = await sandbox.run(RunRequest(program(ATTACKS, given), limits=small))
        after = await sandbox.run(RunRequest("print('well')", limits=small))
        assert (after.stdout, after.exit_code) == ("well\n", 0)
        assert (result.exit_code, result.stderr, result.survivors) == (0, "", 0)
        return json.loads(result.stdout)

    with listening() as given:
        return asyncio.run(run())


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_refused(outcomes, name: str) -> None:
    assert outcomes[name] not in (
        "possible",
        "killed",
        "NameError",
        "AttributeError",
        "TypeError",
        "KeyError",
    )


@pytest.fixture(scope="module")
def bare(engine) -> dict[str, str]:
    """The same in a container that nothing protects, without a network."""
    asking = Engine(engine.host)
    config = asking.api.create_host_config(
        network_mode="none",
        cap_add=["SYS_ADMIN", "SYS_MODULE", "SYS_TIME", "SYS_PTRACE", "DAC_READ_SEARCH"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
    )
    config |= {"MaskedPaths": [], "ReadonlyPaths": []}  # not `privileged`: some hosts cannot give all of it
    made = asking.api.create_container(
        engine.image, ["-c", program(ANYWHERE)], entrypoint=["python3"], user="0:0", host_config=config
    )
    try:
        asking.api.start(made["Id"])
        asking.api.wait(made["Id"], timeout=60)
        return json.loads(asking.api.logs(made["Id"]))
    finally:
        asking.api.remove_container(made["Id"], force=True, v=True)
        asking.close()


@pytest.mark.parametrize("name", ANYWHERE)
def test_it_works_where_nothing_protects(bare, name: str) -> None:
    assert bare[name] == "possible"


async def test_environment(attack, monkeypatch) -> None:
    """Of the host's environment nothing comes in, whichever way code looks for it."""
    monkeypatch.setenv("TOOLCRIB_CANARY", "canary")
    code = "import os\nprint(*os.environ)\nprint(b'canary' in open('/proc/self/environ', 'rb').read())"
    names, canary = (await attack(code)).stdout.splitlines()
    assert set(names.split()) <= {*ENVIRONMENT, "HOSTNAME", "LC_CTYPE"}
    assert canary == "False" and "canary" not in (await attack("env", "shell")).stdout
