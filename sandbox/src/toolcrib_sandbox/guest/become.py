"""What pid 1 makes of itself, and what a child makes of itself before it runs foreign code."""

from __future__ import annotations

import ast
import atexit
import builtins
import contextlib
import ctypes
import io
import linecache
import os
import resource
import signal
import sys
import traceback
import types
from _signal import SIG_DFL, SIG_IGN  # type: ignore[import-not-found]
from _signal import signal as set_signal  # the public one turns numbers into names first, each time
from typing import Any

__all__ = [
    "BOX",
    "LIBC",
    "Program",
    "enter",
    "execute",
    "facts",
    "finish",
    "flush",
    "harden",
    "run_shell",
    "write",
]

BOX = "/box"
CODE = "<code>"
SET_DUMPABLE = 4
LIBC = ctypes.CDLL(None, use_errno=True)
_DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
_IGNORED = tuple(map(int, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}))
_SHELLS = ("/bin/bash", "/bin/sh")


def harden() -> None:
    """Code in here has our uid: it may not read or trace pid 1, and no signal of its reaches us."""
    LIBC.prctl(SET_DUMPABLE, 0, 0, 0, 0)
    for number in _IGNORED:
        set_signal(number, SIG_IGN)


def facts() -> dict[str, Any]:
    """What the host checks of every sandbox before it uses it."""
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    with open("/proc/net/dev") as file:
        links = sorted(line.split(":")[0].strip() for line in file if ":" in line)
    wanted = ("Uid", "CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    found: dict[str, Any] = {name: status.get(name, "").strip() for name in wanted}
    readonly = bool(os.statvfs("/").f_flag & os.ST_RDONLY)
    return {**found, "links": links, "readonly": readonly, "python": sys.version.split()[0]}


def write(path: str, data: bytes) -> None:
    """Set a file of the kernel's."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def enter(out: int, err: int, keep: int) -> None:
    """In a child: a session of its own, only its own descriptors, first to go when memory runs out."""
    os.setsid()
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(3, keep)
    os.closerange(keep + 1, _DESCRIPTORS)
    LIBC.prctl(SET_DUMPABLE, 1, 0, 0, 0)
    for number in _IGNORED:
        set_signal(number, SIG_DFL)
    with contextlib.suppress(OSError):
        write("/proc/self/oom_score_adj", b"1000")
    os.chdir(BOX)


class Program:
    """What Python code finds: its streams, and a `__main__`. Made once, by pid 1; each child becomes one."""

    def __init__(self) -> None:
        reader, writer = os.pipe()  # streams ask once what they are on
        for number in (1, 2):
            os.dup2(writer, number)
        self._streams = [
            io.TextIOWrapper(
                io.BufferedWriter(io.FileIO(number, "w", closefd=False)),
                "utf-8",
                "backslashreplace",
                line_buffering=True,
            )
            for number in (1, 2)
        ]
        for number in (1, 2):
            os.dup2(0, number)
        os.close(reader)
        os.close(writer)
        self._module = types.ModuleType("__main__")
        self._module.__dict__["__builtins__"] = builtins

    def become(self) -> dict[str, Any]:
        """In a child: the namespace in which code runs. Pid 1 itself looks for no module in the box."""
        set_signal(signal.SIGINT, signal.default_int_handler)
        set_signal(signal.SIGPIPE, SIG_IGN)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc]
        sys.modules["__main__"] = self._module
        sys.argv, sys.path[:0] = [""], [BOX]
        return self._module.__dict__


def execute(code: bytes, namespace: dict[str, Any], show: bool) -> int:
    """Run as a program would be, and give its exit code; `show` prints the value of a last expression, as
    at a prompt.
    """
    try:
        text = code.decode("utf-8")
        linecache.cache[CODE] = (len(text), None, text.splitlines(True), CODE)
        compiled = _shown(text) if show else compile(text, CODE, "exec", dont_inherit=True)
        exec(compiled, namespace)  # noqa: S102 - what a sandbox is for
        return 0
    except SystemExit as error:
        return _exit_code(error.code)
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != CODE:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace)
        return 1


def _shown(text: str) -> types.CodeType:
    tree = ast.parse(text, CODE)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body[-1]
        hook = ast.parse("__import__('sys').displayhook", mode="eval").body
        last.value = ast.copy_location(ast.Call(hook, [last.value], []), last.value)
        ast.fix_missing_locations(tree)
    return compile(tree, CODE, "exec", dont_inherit=True)


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 255
    print(code, file=sys.stderr)
    return 1


def flush() -> None:
    """Whatever state foreign code left the streams in."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()


def finish(status: int) -> None:
    """End as the interpreter would: wait for threads, run exit functions, flush."""
    try:
        if threading := sys.modules.get("threading"):  # if nobody imported it, there are none
            threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    flush()
    os._exit(status)


def run_shell(code: bytes) -> None:
    """Become a shell that runs `code`."""
    shell = next((path for path in _SHELLS if os.path.exists(path)), "/bin/sh")
    try:
        os.execve(shell, [shell, "-c", code.decode("utf-8")], dict(os.environ))  # noqa: S606
    except (OSError, ValueError) as error:
        os.write(2, f"{shell}: {error}\n".encode())
    os._exit(126)
