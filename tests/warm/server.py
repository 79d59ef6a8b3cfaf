"""Runs Python programs in forks of itself, with the libraries that they import already imported.

Most of what a short command costs is the import of libraries (pydantic, AutoGen, openai, SQLAlchemy), and
the tests run hundreds of commands. Each one still is a process of its own that ends for good, with its own
arguments, environment, folder and files. Nothing of Toolcrib is imported before the fork, so that a command
finds out by itself what it needs. What is different: it has no controlling terminal.

Usage: server.py SOCKET. Ends when its standard input does. The other end is command.py.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

LIBRARIES = (
    "anyio._backends._asyncio", "asyncio", "autogen_agentchat.agents", "autogen_agentchat.conditions",
    "autogen_agentchat.teams", "autogen_ext.models.openai", "casbin", "docstring_parser", "email.policy",
    "cryptography.hazmat.primitives.serialization", "httpx", "jsonschema_rs", "openai.resources",
    "opentelemetry.sdk.trace", "pydantic.dataclasses", "pydantic.json_schema", "rich.table",
    "sqlalchemy.dialects.sqlite.aiosqlite",
)  # fmt: skip
MOST = 1 << 20
"""Bytes of one request: arguments and environment."""


Request = tuple[list[str], str, dict[str, str]]
"""Words, folder and environment of a command."""


def main() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a fork would lose threads"
    gc.collect()
    gc.freeze()  # else the first collection in each fork would copy all that is shared
    words, folder, environment = serve(sys.argv[1])  # only a fork gets out of it
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    end_with(lambda: run(words))


def end_with(work: Callable[[], object]) -> NoReturn:
    """As Python ends a program, except that it does not take apart all that the libraries have made."""
    code: object = None
    try:
        work()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # waits for threads
    atexit._run_exitfuncs()
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    for file in (sys.stdout, sys.stderr):
        file.flush()
    os._exit((code or 0) & 0xFF)


def run(words: list[str]) -> None:
    """As `toolcrib WORDS…` or `python FILE WORDS…` would be run."""
    path = [os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    first = Path(sys.executable).parent if words[0] == "toolcrib" else Path(words[1]).parent
    sys.path[:1] = [str(first), *path]
    if words[0] == "toolcrib":
        sys.argv = words
        from toolcrib.cli import main

        sys.exit(main())
    sys.argv = words[1:]
    runpy.run_path(words[1], run_name="__main__")


def serve(address: str) -> Request:
    """Fork for each request and tell the asker how it ended; in the fork, return the request."""
    chosen = selectors.DefaultSelector()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen()
        chosen.register(listener, selectors.EVENT_READ)
        chosen.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in chosen.select():
                if key.fileobj == 0:
                    leave(chosen)
                elif key.fileobj is not listener:
                    settle(key, chosen)
                elif request := accept(listener, chosen):
                    return request


def accept(listener: socket.socket, chosen: selectors.BaseSelector) -> Request | None:
    asker, _ = listener.accept()
    data, files, *_ = socket.recv_fds(asker, MOST, 3)
    number, *texts = os.fsdecode(data).split("\0")
    pid = os.fork()
    if pid:
        ended = os.pidfd_open(pid)
        chosen.register(ended, selectors.EVENT_READ, (pid, ended, asker))
        chosen.register(asker, selectors.EVENT_READ, (pid, ended, asker))
        for file in files:
            os.close(file)
        return None
    chosen.close()
    asker.close()
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    words, folder, variables = texts[: int(number)], texts[int(number)], texts[int(number) + 1 :]
    return words, folder, dict(each.split("=", 1) for each in variables)


def settle(key: selectors.SelectorKey, chosen: selectors.BaseSelector) -> None:
    """A fork ended: say how. An asker got a signal, or went away: so does its fork, settled when it ended."""
    pid, ended, asker = key.data
    if key.fileobj is asker:
        got = asker.recv(1)
        if not got:
            chosen.unregister(asker)
        os.kill(pid, got[0] if got else signal.SIGKILL)
        return
    _, status = os.waitpid(pid, 0)
    chosen.unregister(ended)
    os.close(ended)
    if asker.fileno() in chosen.get_map():
        chosen.unregister(asker)
        asker.send(bytes([os.WIFSIGNALED(status), os.WTERMSIG(status) or os.WEXITSTATUS(status)]))
    asker.close()


def leave(chosen: selectors.BaseSelector) -> NoReturn:
    """Whoever started us is done, or was killed."""
    for pid, *_ in {key.data for key in chosen.get_map().values() if key.data}:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


main()
