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
import threading
import traceback
import types
from typing import Any

__all__ = [
    "BOX",
    "LIBC",
    "become_python",
    "enter",
    "execute",
    "facts",
    "finish",
    "flush",
    "harden",
    "run_shell",
]

BOX = "/box"
CODE = "<code>"
SET_DUMPABLE = 4
LIBC = ctypes.CDLL(None, use_errno=True)
_SHELLS = ("/bin/bash", "/bin/sh")


def harden() -> None:
    """Code in here has our uid: it may not read or trace pid 1, and no signal of its reaches us."""
    LIBC.prctl(SET_DUMPABLE, 0, 0, 0, 0)
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, signal.SIG_IGN)


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


def enter(out: int, err: int, keep: int = -1) -> None:
    """In a child: a session of its own, only its own descriptors, first to go when memory runs out."""
    os.setsid()
    os.dup2(out, 1)
    os.dup2(err, 2)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(3, max(keep, 3))
    os.closerange(keep + 1 if keep >= 3 else 3, most)
    LIBC.prctl(SET_DUMPABLE, 1, 0, 0, 0)
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    os.chdir(BOX)


def become_python() -> dict[str, Any]:
    """The namespace in which Python code runs, as `__main__` of a program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for number, name in ((1, "stdout"), (2, "stderr")):
        binary = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
        text = io.TextIOWrapper(binary, "utf-8", "backslashreplace", line_buffering=True)
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    sys.argv, sys.path[:0] = [""], [BOX]
    return module.__dict__


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
        threading._shutdown()  # type: ignore[attr-defined]
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
