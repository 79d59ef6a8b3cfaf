"""The longest turns of a reload: which single steps keep other threads waiting, and for how long.

Between two bytecodes of the loading thread, another that wants the interpreter gets it within the switch
interval. What nobody can interrupt is one bytecode: copying a list, growing a dictionary, freeing an object
with all that it holds. This traces every bytecode of a load and prints those that took the most processor
time. It asks for the thread's own time, so it does not matter what else the machine does; tracing makes the
whole load some fifty times slower, but not the single step.

`decode` is the yardstick: decoding a text of a million characters at once, on the same machine.

    python benchmarks/reload_turns.py [--json] [--rules 100000]
"""

from __future__ import annotations

import argparse
import dis
import json
import os
import random
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

from decision import rules
from reload import write

from toolcrib.policy import MODEL, PolicySource
from toolcrib.policy._gentle import gently, retire

WORTH_TELLING = 100e-6
LINES = 12


class Turns:
    """A trace function that notes how long single bytecodes took."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = defaultdict(float)
        self.times: dict[str, int] = defaultdict(int)
        self._before: tuple[FrameType, int, int] | None = None
        self._at = 0.0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Turns:
        took = time.thread_time() - self._at
        if took > WORTH_TELLING and self._before is not None:
            self._note(*self._before, took)
        frame.f_trace_opcodes = True
        self._before = (frame, frame.f_lineno, frame.f_lasti)
        self._at = time.thread_time()
        return self

    def _note(self, frame: FrameType, line: int, at: int, took: float) -> None:
        code = frame.f_code
        name = dis.opname[code.co_code[at]] if at >= 0 else "enter"
        where = f"{Path(code.co_filename).name}:{line} {code.co_name} {name}"
        self.longest[where] = max(self.longest[where], took)
        self.times[where] += 1


def load_traced(source: PolicySource) -> Turns:
    """What `PolicySource` does in its thread once a change was seen, without a gate."""
    turns, seen, holder = Turns(), source.origin.look(), [source._policy]
    sys.settrace(turns)
    try:
        with gently():
            source._take(seen)
        retire(holder)
    finally:
        sys.settrace(None)
    return turns


def decoding() -> float:
    data, took = b"p, role:a, acme, crm.*, read, True, allow, x\n" * 22222, []
    for _ in range(9):
        start = time.thread_time()
        data.decode("utf-8-sig")
        took.append(time.thread_time() - start)
    return min(took)


def measure(count: int) -> dict[str, Any]:
    rows = rules(count, random.Random(count))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.conf").write_text(MODEL)
        os.utime(folder / "model.conf", (1_700_000_000, 1_700_000_000))
        write(folder, rows)
        source = PolicySource(folder)
        write(folder, f"{rows}p, user:extra, *, *, *, True, deny\n")
        turns = load_traced(source)
    longest = sorted(turns.longest.items(), key=lambda one: -one[1])[:LINES]
    return {
        "benchmark": "reload_turns",
        "unit": "microseconds of processor time",
        "rules": count,
        "decode": round(decoding() * 1e6, 1),
        "longest": [
            {"step": step, "times": turns.times[step], "took": round(took * 1e6, 1)} for step, took in longest
        ],
    }


def report(found: dict[str, Any]) -> None:
    print(f"{found['rules']} rules; microseconds of processor time; decoding 1 MB: {found['decode']}")
    for one in found["longest"]:
        print(f"{one['took']:>9} {one['times']:>5} x  {one['step']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rules", type=int, default=100_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = measure(options.rules)
    if options.json:
        json.dump(found, sys.stdout)
        print()
    else:
        report(found)


if __name__ == "__main__":
    main()
