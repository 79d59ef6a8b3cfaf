"""Runs the Python blocks of one page in one namespace; the other end is `Runner.python` in conftest.py.

Reads one JSON object a line: `page` and `source`. Answers with one line: what was printed, and the traceback
if there was one.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import sys
import traceback
import types


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a block starts (a server, a shell) cannot write between the answers
    page = types.ModuleType("page")
    sys.modules["page"] = page
    with asyncio.Runner() as loop:
        for line in sys.stdin:
            print(json.dumps(run(json.loads(line), page, loop)), file=answers, flush=True)


def run(ask: dict, page: types.ModuleType, loop: asyncio.Runner) -> dict:
    printed, error = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            code = compile(ask["source"], ask["page"], "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if code.co_flags & inspect.CO_COROUTINE:
                loop.run(eval(code, page.__dict__))
            else:
                exec(code, page.__dict__)
        except BaseException:
            error = traceback.format_exc()
    return {"printed": printed.getvalue(), "error": error}


main()
