"""Attacks on the kernel, on pid 1 and on the host's settings, beside those that the self test tries."""

from __future__ import annotations

import json
import platform
from importlib.resources import files

import pytest

from toolcrib_sandbox._check import PROBED

PROBE = (files("toolcrib_sandbox.guest") / "probe.py").read_text("utf-8")
CTYPES = "import ctypes, os\nL = ctypes.CDLL(None, use_errno=True)\n"


async def test_nothing_that_the_self_test_tries_is_possible(attack) -> None:
    found = json.loads((await attack(PROBE)).stdout)
    assert set(found) == set(PROBED)
    assert {name: detail for name, (holds, detail) in found.items() if not holds} == {}


DENIED = {
    "personality": "L.personality(0x0040000)",
    "io_uring_register": "L.syscall(427, -1, 0, 0, 0)",
    "memfd_create": "L.memfd_create(b'x', 0)",
    "move_mount": "L.syscall(429, -1, b'', -1, b'', 0)",
    "pivot_root": "L.syscall(155, b'/box', b'/box')",
    "umount": "L.umount2(b'/box', 2)",
    "delete_module": "L.syscall(176, b'x', 0)",
    "finit_module": "L.syscall(313, -1, b'', 0)",
    "kexec_file_load": "L.syscall(320, -1, -1, 0, b'', 0)",
    "adjtimex": "L.syscall(159, 0)",
    "settimeofday": "L.syscall(164, 0, 0)",
    "process_vm_writev": "L.syscall(311, 1, 0, 0, 0, 0, 0)",
    "kcmp": "L.syscall(312, 1, 1, 0, 0, 0)",
    "name_to_handle_at": "L.syscall(303, -100, b'/', 0, 0, 0)",
    "quotactl": "L.syscall(179, 0, 0, 0, 0)",
    "acct": "L.acct(b'/box/acct')",
    "iopl": "L.syscall(172, 3)",
    "modify_ldt": "L.syscall(154, 0, 0, 0)",
    "request_key": "L.syscall(249, b'user', b'x', 0, 0)",
    "fanotify_init": "L.syscall(300, 0, 0)",
    "seccomp listener": "L.syscall(317, 1, 8, 0)",
    "shmget": "L.shmget(1, 4096, 0o1666)",
    "msgget": "L.msgget(1, 0o1666)",
    "semget": "L.semget(1, 1, 0o1666)",
    "mq_open": "L.syscall(240, b'q', 0o102, 0o600, 0)",
    "mknod fifo": "L.mknod(b'/box/f', 0o10600, 0)",
    "sched_setscheduler": "L.sched_setscheduler(0, 1, ctypes.byref(ctypes.c_int(1)))",
    "clone3": "L.syscall(435, 0, 0)",
    "pidfd_getfd": "L.syscall(438, 0, 0, 0)",
    "process_madvise": "L.syscall(440, 0, 0, 0, 0, 0)",
    "mount_setattr": "L.syscall(442, -1, b'', 0, 0, 0)",
    "quotactl_fd": "L.syscall(443, -1, 0, 0, 0)",
    "memfd_secret": "L.syscall(447, 0)",
    "process_mrelease": "L.syscall(448, 0, 0)",
    "set_mempolicy_home_node": "L.syscall(450, 0, 0, 0, 0)",
    "map_shadow_stack": "L.syscall(453, 0, 4096, 0)",
    "statmount": "L.syscall(457, 0, 0, 0, 0)",
    "listmount": "L.syscall(458, 0, 0, 0, 0)",
    "lsm_set_self_attr": "L.syscall(460, 0, 0, 0, 0)",
    "setxattrat": "L.syscall(463, -1, b'', 0, b'x', 0, 0)",
    "open_tree_attr": "L.syscall(467, -1, b'', 0, 0, 0)",
    "a number that is none yet": "L.syscall(999)",
    "a unix socket is no tipc pair": "L.socketpair(30, 1, 0, 0)",
    "sctp": "L.socket(2, 1, 132)",
    "mptcp": "L.socket(10, 1, 262)",
    "udplite": "L.socket(2, 2, 136)",
    "ping": "L.socket(2, 2, 1)",
    "l2tp": "L.socket(2, 2, 115)",
    "rds": "L.socket(21, 5, 0)",
    "smc": "L.socket(43, 1, 0)",
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are the numbers of x86-64")
async def test_calls_that_are_refused(attack) -> None:
    """In one run: each fails with EPERM or ENOSYS, as the filter answers, whatever the arguments."""
    lines = [
        f"ctypes.set_errno(0); print({name!r}, {call}, ctypes.get_errno(), sep='|')"
        for name, call in DENIED.items()
    ]
    result = await attack(CTYPES + "\n".join(lines))
    told = [line.split("|") for line in result.stdout.splitlines()]
    assert [name for name, _, _ in told] == list(DENIED), result.stderr
    assert [line for line in told if line[1] != "-1" or line[2] not in ("1", "38")] == []


async def test_calls_of_another_width_end_the_program(attack) -> None:
    result = await attack(CTYPES + "print(L.syscall(0x40000000 | 39))")
    assert (result.stdout, result.exit_code) == ("", 128 + 31)


async def test_32_bit_calls_end_the_program(attack) -> None:
    code = CTYPES + (
        "import mmap\nm = mmap.mmap(-1, 4096, prot=7)\n"
        "m.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"  # mov eax, 20 (getpid); int 0x80; ret
        "f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\nprint(f())"
    )
    result = await attack(code)
    # SIGSYS of the filter, or SIGSEGV where the kernel itself has no such calls.
    assert result.stdout == "" and result.exit_code in (128 + 31, 128 + 11)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        pytest.param("1", ("on\nstill\n", 0), id="pid 1"),
        pytest.param("-1", ("on\nstill\n", 0), id="all but itself"),
        pytest.param("0", ("on\n", 128 + 9), id="its group"),
    ],
)
async def test_everything_is_killed(attack, target: str, told: tuple[str, int]) -> None:
    code = "import os, time\nif os.fork() == 0: time.sleep(60)\nprint('on', flush=True)\n"
    result = await attack(f"{code}os.kill({target}, 9)\nprint('still')")
    assert (result.stdout, result.exit_code) == told
    assert not result.timed_out and not result.out_of_memory


async def test_pid_1_gets_every_signal(attack) -> None:
    code = "import os\nfor n in range(1, 65):\n try: os.kill(1, n)\n except OSError: pass\nprint('done')"
    result = await attack(code)
    assert (result.stdout, result.exit_code, result.timed_out) == ("done\n", 0, False)


PIDFD = """
import os, signal
for name in sorted(os.listdir("/proc"), key=len):
    if name.isdigit() and name != os.readlink("/proc/self"):
        for open_it in (lambda: os.open(f"/proc/{name}", os.O_DIRECTORY), lambda: os.pidfd_open(int(name))):
            try:
                signal.pidfd_send_signal(open_it(), 9)
            except OSError:
                pass
print("done")
"""


async def test_processes_of_ours_are_killed_by_descriptor(attack) -> None:
    """In a burst the outer pid 1 is to be seen in /proc, but is out of reach of the inner namespace."""
    result = await attack(PIDFD)
    assert (result.stdout, result.exit_code, result.timed_out) == ("done\n", 0, False), result.stderr


async def test_limits_and_priority_of_pid_1_stay(attack) -> None:
    code = (
        "import os, resource\n"
        "for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU, resource.RLIMIT_AS, 1):\n"
        " try: print(resource.prlimit(1, what, (0, 0)))\n except OSError as e: print(e.errno)\n"
        "for which, who in ((0, 1), (1, 1), (2, os.getuid())):\n"
        " try: os.setpriority(which, who, 19); print('set')\n except OSError as e: print(e.errno)\n"
    )
    assert (await attack(code)).stdout.split() == ["1"] * 7


async def test_a_crash_is_told_as_a_shell_would(attack) -> None:
    result = await attack(CTYPES + "L.abort()")
    assert result.exit_code == 128 + 6 and not result.out_of_memory
    assert (await attack(CTYPES + "ctypes.string_at(0)")).exit_code == 128 + 11
    assert (await attack("kill -TERM $$", "shell")).exit_code == 128 + 15


PROC = """
import os
own = os.readlink("/proc/self")
for pid in sorted(name for name in os.listdir("/proc") if name.isdigit() and name != own):
    for name in ("environ", "mem", "maps", "fd/0", "root/etc", "cwd", "exe"):
        path = f"/proc/{pid}/{name}"
        try:
            os.stat(path) if "/" in name or name in ("cwd", "exe") else open(path, "rb").read(1)
            print("open", path)
        except OSError:
            pass
"""


async def test_proc_of_others_is_closed(attack) -> None:
    result = await attack(PROC)
    assert (result.stdout, result.exit_code) == ("", 0)
