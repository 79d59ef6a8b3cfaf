"""The gate for policies of every size: a small one is judged here and now, a large one by another process.

Judging 100,000 rows computes for many seconds. A thread would share the interpreter's lock with decisions
all that time; another process shares nothing with them.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from toolcrib.bench._known_tools import known_tools
from toolcrib.bench.gate import lost_guards, objections
from toolcrib.errors import PolicyError
from toolcrib.packs._apart import search_path
from toolcrib.policy import Governed, Policy, Texts

if TYPE_CHECKING:
    from toolcrib.crib import Crib

__all__ = ["objections_beside", "objections_in"]

LARGE = 200_000
"""Characters of rows from which on another process judges; starting one takes as long as judging so many."""
PATIENCE = 1800.0
"""Seconds after which a policy that is still being judged counts as one that was not let through."""
# -I: what the environment and the current folder say does not count; modules are found where we find them.
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from toolcrib.bench.beside import main; main()"
)


def objections_in(crib: Crib, texts: Texts, policy: Policy) -> list[str]:
    """What speaks against a policy in this crib; where what guarded it is gone, that alone."""
    lost = lost_guards(crib.policy_history, texts, crib.config.policy)
    return lost or objections_beside(texts, policy, list(crib.registry), crib.config.tenant)


def objections_beside(texts: Texts, policy: Policy, tools: Sequence[Governed], tenant: str = "") -> list[str]:
    """What speaks against a policy, as `toolcrib.bench.gate.objections` finds it; whoever decides meanwhile
    does not wait. Raises `PolicyError` if the other process came to no end.
    """
    if len(texts.rows) < LARGE:
        return objections(texts, policy, tools, tenant)
    return _read(_judged(pickle.dumps((texts, known_tools(tools), tenant))))


def _judged(given: bytes) -> bytes:
    """What the other process answers."""
    paths = json.dumps(search_path()).encode()
    try:
        done = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-I", "-X", "utf8", "-c", _BOOT],
            input=b"\n".join((paths, given)), capture_output=True, timeout=PATIENCE, check=False, env={},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_judged(str(error)) from error
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise _not_judged(f"it ended with {done.returncode}: {last or 'it said nothing'}")
    return done.stdout


def _read(answer: bytes) -> list[str]:
    try:
        found = json.loads(answer)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _not_judged(f"it answered {answer[:60]!r}")
    return found


def _not_judged(why: str) -> PolicyError:
    return PolicyError(
        f"the process that judges the policy came to no answer: {why}",
        rule="a policy that could not be judged is not put in force",
        remedy="Run `toolcrib policy lint`, `policy test` and `policy check` by hand, and write it again",
    )


def main() -> None:
    """In the other process: read a policy and the tools from standard input, and write what speaks against
    it to standard output.
    """
    texts, tools, tenant = pickle.load(sys.stdin.buffer)  # noqa: S301 (from the process that started us)
    json.dump(objections(texts, texts.policy(), tools, tenant), sys.stdout)
