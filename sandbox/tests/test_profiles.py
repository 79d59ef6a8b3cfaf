"""The system-call filters as tables: against libseccomp's numbers for both processors, and rule by rule."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import struct
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from toolcrib.testing.counterparts import missing
from toolcrib_sandbox.guest import burst
from toolcrib_sandbox.guest.probe import CALLS

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X86_ONLY = {
    "access": "faccessat", "alarm": "setitimer", "arch_prctl": None, "chmod": "fchmodat",
    "chown": "fchownat", "creat": "openat", "dup2": "dup3", "epoll_create": "epoll_create1",
    "epoll_wait": "epoll_pwait", "eventfd": "eventfd2", "fork": "clone", "getdents": "getdents64",
    "getpgrp": "getpgid", "inotify_init": "inotify_init1", "lchown": "fchownat", "link": "linkat",
    "lstat": "newfstatat", "mkdir": "mkdirat", "open": "openat", "pause": "ppoll", "pipe": "pipe2",
    "poll": "ppoll", "readlink": "readlinkat", "rename": "renameat", "rmdir": "unlinkat",
    "select": "pselect6", "signalfd": "signalfd4", "stat": "newfstatat", "symlink": "symlinkat",
    "time": "clock_gettime", "unlink": "unlinkat", "utime": "utimensat", "utimes": "utimensat",
    "vfork": "clone",
}  # fmt: skip
"""What arm64 never had, and what its C library calls instead."""
NEWER = {"fchmodat2"}
"""Has a number (452 everywhere) that an older libseccomp does not know yet."""
NEVER = (
    "io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd",
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
    "pidfd_getfd", "kcmp", "umount2", "pivot_root", "chroot", "setns", "unshare", "open_tree",
    "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
    "statmount", "listmount", "memfd_create", "memfd_secret", "keyctl", "add_key", "request_key",
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "clock_settime",
    "clock_adjtime", "adjtimex", "settimeofday", "reboot", "swapon", "swapoff", "syslog", "acct",
    "quotactl", "quotactl_fd", "mknod", "mknodat", "name_to_handle_at", "open_by_handle_at",
    "fanotify_init", "fanotify_mark", "seccomp", "modify_ldt", "iopl", "ioperm", "shmget", "shmat",
    "msgget", "semget", "mq_open", "lookup_dcookie", "vmsplice", "remap_file_pages", "migrate_pages",
    "move_pages", "mbind", "set_mempolicy", "sched_setscheduler", "sched_setparam", "sched_setattr",
    "sethostname", "setdomainname", "vhangup", "nfsservctl", "uselib", "ustat", "sysfs", "personality",
    "io_setup", "lsm_set_self_attr", "map_shadow_stack", "uretprobe", "setxattr", "lsetxattr",
    "fsetxattr", "setxattrat", "removexattr",
)  # fmt: skip
"""Reaches deep into the kernel, or into what is another's. `personality` may only be asked."""


def profile(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files("toolcrib_sandbox") / "profiles" / f"{name}.json").read_text())
    return found


def rules(name: str, call: str) -> list[dict[str, Any]]:
    return [rule for rule in profile(name)["syscalls"] if call in rule["names"]]


@pytest.fixture(scope="module")
def number() -> Callable[[str, str], int]:
    """libseccomp's number of a call, as the engine's runtime looks it up; below 0 where there is none."""
    library = ctypes.util.find_library("seccomp")
    if library is None:
        missing("libseccomp, which comes with every container runtime")
    resolve = ctypes.CDLL(library).seccomp_syscall_resolve_name_arch
    resolve.argtypes, resolve.restype = [ctypes.c_uint32, ctypes.c_char_p], ctypes.c_int
    return lambda machine, name: int(resolve(ARCHITECTURES[machine], name.encode()))


@pytest.fixture(params=["strict", "burst"])
def name(request: Any) -> str:
    return str(request.param)


def test_every_name_is_a_call_of_x86_64(name: str, number: Any) -> None:
    """A misspelt name would be a rule that silently is not there."""
    names = [call for rule in profile(name)["syscalls"] for call in rule["names"]]
    assert {call for call in names if number("x86_64", call) < 0} <= NEWER


def test_on_arm64_only_what_it_never_had_is_missing_and_its_successor_is_there(
    name: str, number: Any
) -> None:
    names = {call for rule in profile(name)["syscalls"] for call in rule["names"]}
    assert {call for call in names if number("aarch64", call) < 0} - NEWER == set(X86_ONLY) & names
    successors = {X86_ONLY[call] for call in names & set(X86_ONLY)} - {None}
    assert successors <= names
    assert [call for call in successors if number("aarch64", call) < 0] == []


@pytest.mark.parametrize("machine", sorted(ARCHITECTURES))
def test_our_own_numbers_are_the_kernels(number: Any, machine: str) -> None:
    """Of the second filter, and of what the self test tries."""
    audit, calls = burst.MACHINES[machine]
    assert audit == ARCHITECTURES[machine]
    assert {call: number(machine, call) for call in calls} == calls
    column = ("x86_64", "aarch64").index(machine)
    tried = {call: both[column] for call, both in CALLS.items()}
    assert {call: number(machine, call) for call in tried} == tried


def test_what_is_not_named_is_refused(name: str) -> None:
    found = profile(name)
    assert (found["defaultAction"], found["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    assert [each["architecture"] for each in found["archMap"]] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]
    assert all(each["subArchitectures"] == [] for each in found["archMap"]), "no 32 bits, no x32"


@pytest.mark.parametrize("call", NEVER)
def test_what_no_program_needs_is_not_let_through(name: str, call: str) -> None:
    found = [rule for rule in rules(name, call) if rule["action"] == "SCMP_ACT_ALLOW"]
    if call == "personality":
        assert [rule["args"] for rule in found] == [[{"index": 0, "value": 0xFFFFFFFF, "op": "SCMP_CMP_EQ"}]]
    else:
        assert found == []


def test_clone3_is_said_not_to_exist(name: str) -> None:
    """Its flags are in memory: a filter that lets it through lets every namespace through."""
    assert [(rule["action"], rule["errnoRet"]) for rule in rules(name, "clone3")] == [("SCMP_ACT_ERRNO", 38)]


def test_clone_makes_no_namespace_in_the_strict_one() -> None:
    (rule,) = rules("strict", "clone")
    flags = {"index": 0, "value": burst.NESTING, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    assert rule["args"] == [flags]
    assert burst.NAMESPACES & ~burst.NESTING == 0


def test_the_burst_one_lets_through_what_nesting_needs_and_nothing_else() -> None:
    def allowed(name: str) -> set[str]:
        return {call for rule in profile(name)["syscalls"] for call in rule["names"] if call != "clone"}

    assert allowed("burst") - allowed("strict") == {"capset", "mount"}
    assert allowed("strict") - allowed("burst") == set()


def test_sockets_are_unix_tcp_and_udp(name: str) -> None:
    """Any other family or protocol would have the kernel load a module for whoever asks."""
    found = {
        tuple((each["index"], each["value"]) for each in rule["args"])
        for rule in rules(name, "socket")
        if all(each["op"] == "SCMP_CMP_EQ" for each in rule["args"])
    }
    assert len(found) == len(rules(name, "socket")) == 7
    assert found == {((0, 1),)} | {((0, family), (2, way)) for family in (2, 10) for way in (0, 6, 17)}
    assert [rule["args"] for rule in rules(name, "socketpair")] == [
        [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]
    ]


# --- the second filter, as the kernel would run it

KILL, REFUSE, ALLOW = 0x80000000, 0x00050001, 0x7FFF0000


def run(program: bytes, number: int, arch: int, *arguments: int) -> int:
    """What classic BPF answers for a call; only the four instructions that the filter is made of."""
    data = struct.pack("<iIQ6Q", number, arch, 0, *arguments, *([0] * (6 - len(arguments))))
    lines = [struct.unpack_from("HBBI", program, at) for at in range(0, len(program), 8)]
    at = loaded = 0
    while True:
        code, yes, no, value = lines[at]
        at += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
        elif code == 0x15:
            at += yes if loaded == value else no
        elif code == 0x45:
            at += yes if loaded & value else no
        else:
            assert code == 0x06
            return int(value)


@pytest.fixture(params=sorted(ARCHITECTURES))
def second(request: Any) -> Callable[..., int]:
    program = burst.instructions(request.param)
    audit, calls = burst.MACHINES[request.param]

    def ask(call: str | int, *arguments: int, arch: int = audit) -> int:
        return run(program, calls[call] if isinstance(call, str) else call, arch, *arguments)

    return ask


def test_the_second_filter_takes_nesting_away_again(second: Callable[..., int]) -> None:
    assert second("mount") == second("capset") == REFUSE
    for bit in range(32):
        flag = 1 << bit
        assert second("clone", flag | 17) == (REFUSE if flag & burst.NESTING else ALLOW), hex(flag)
    assert second("clone", 17) == ALLOW
    assert second(0) == ALLOW, "the rest is the first filter's matter"


def test_another_architecture_is_the_end(second: Callable[..., int]) -> None:
    for arch in (0x40000003, 0x40000028, 0):
        assert second(0, arch=arch) == KILL
