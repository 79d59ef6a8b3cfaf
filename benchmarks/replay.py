"""Replaying a large audit log against a changed policy, beside reading the same log and doing nothing.

    python benchmarks/replay.py [--records 1000000] [--processes 2] [--json]

The log holds intents, outcomes and refusals of 200 users and 20 agents; arguments differ from call to call.
Two policies are tried: `rows` (the lead-outreach shape, 100 roles, few conditions) and `conditions` (every
call meets conditions on an argument, on labels and on the record before). The floor reads every line and
parses it. All in one run; the log is verified first in each replay.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from toolcrib.audit._record import encode
from toolcrib.audit._store import Store
from toolcrib.bench.replay import Replay, ToolFacts, replay
from toolcrib.policy import MODEL

BATCH = 1000
USERS, AGENTS = 200, 20
TOOLS = {
    "crm.get_record": "read",
    "crm.update_record": "write",
    "crm.set_opportunity_stage": "write",
    "mail.send": "send",
    "web.fetch": "read",
}
FACTS = {
    name: ToolFacts(frozenset({"untrusted"} if name == "web.fetch" else ()), False, name.startswith("crm.s"))
    for name in TOOLS
}


def record(number: int) -> dict[str, Any]:
    """An intent and its outcome by turns; every tenth call is a refusal."""
    call = number // 2
    name = list(TOOLS)[call % len(TOOLS)]
    base: dict[str, Any] = {
        "id": f"bench-{call:x}",
        "call": f"call-{call:016x}",
        "tool": name,
        "pack": name.partition(".")[0],
        "pack_version": "0.1.0",
        "effect": TOOLS[name],
        "user": f"u{call % USERS}",
        "agent": f"a{call % AGENTS}",
        "tenant": "acme",
        "session": f"s-{call % 5000}",
        "run": f"run-{call // 100}",
    }
    if number % 2:
        labels = {"labels": ["untrusted"]} if name == "web.fetch" else {}
        return base | {"kind": "outcome", "status": "done", "attempts": 1, "duration_us": 1500} | labels
    denied = call % 10 == 9
    return base | {
        "kind": "refusal" if denied else "intent",
        "roles": {f"user:u{call % USERS}": ["sales"], f"agent:a{call % AGENTS}": ["worker"]},
        "arguments": {
            "id": f"006A{call:07}",
            "amount": call % 100_000,
            "note": "The customer confirmed by mail",
        },
        "decision": "deny" if denied else "allow",
        "rows": [] if denied else ["policy.csv:12 (p, sales, acme, crm.*, write, True, allow)"],
        "revision": "0123456789ab",
        "inputs": {"has(before.stage)": True, "before.stage": "Proposal"},
    }


def build(folder: Path, records: int) -> int:
    store = Store(folder, segment_bytes=64 * 1024 * 1024, sync=False, writer="bench")
    for start in range(0, records, BATCH):
        store.commit([encode(record(number)) for number in range(start, min(start + BATCH, records))])
    store.close()
    return sum(path.stat().st_size for path in folder.glob("*.jsonl"))


def policies(folder: Path) -> dict[str, Path]:
    roles = [f"g, user:u{number}, role{number % 100}, acme" for number in range(USERS)]
    rows = [*roles, "p, *, acme, crm.*, *, True, allow", "p, *, acme, web.*, read, True, allow"]
    rows += [f"p, role{number}, acme, mail.send, send, True, allow" for number in range(0, 100, 2)]
    conditions = [
        *rows,
        'p, *, acme, crm.*, *, has(r.ctx, "args.amount") and r.ctx.args.amount > 90000, deny',
        'p, *, acme, crm.*, *, has(r.ctx, "before.stage") and r.ctx.before.stage == "Closed Won", deny',
        'p2, *, acme, *, *, "untrusted" in r.ctx.labels, lead',
    ]
    made = {}
    for name, lines in (("rows", rows), ("conditions", conditions)):
        made[name] = folder / name
        made[name].mkdir()
        (made[name] / "model.conf").write_text(MODEL)
        (made[name] / "policy.csv").write_text("\n".join(lines) + "\n")
    return made


def floor(folder: Path) -> float:
    start = time.perf_counter()
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                orjson.loads(line)
    return time.perf_counter() - start


def timed(log: Path, policy: Path, processes: int) -> tuple[float, Replay]:
    start = time.perf_counter()
    found = replay(log, policy, tools=FACTS, processes=processes)
    return time.perf_counter() - start, found


def measure(records: int, processes: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "audit"
        size = build(log, records)
        floor(log)  # warms the page cache for all
        results: dict[str, Any] = {}
        for label, policy in policies(Path(name)).items():
            for count in sorted({1, processes}):
                seconds, found = timed(log, policy, count)
                tally = found.tally
                results[f"{label}, {count} process{'es' if count > 1 else ''}"] = {
                    "seconds": round(seconds, 2),
                    "seconds_per_million": round(seconds / records * 1e6, 2),
                    "decided": tally.decided,
                    "changed": tally.changed,
                    "unknown": tally.unknown,
                }
        return {
            "benchmark": "policy replay",
            "records": records,
            "megabytes": round(size / 1e6, 1),
            "floor": {"what": "read lines + parse each", "seconds": round(floor(log), 2)},
            "results": results,
            "aim": "1M records in < 60 s",
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.records, options.processes)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{found['records']:,} records, {found['megabytes']} MB")
    print(f"{found['floor']['what']:<26} {found['floor']['seconds']:>7} s (the floor)")
    for name, one in found["results"].items():
        print(f"{name:<26} {one['seconds']:>7} s  {one['changed']:>8,} changed  {one['unknown']:>8,} unknown")
    print(f"aim {found['aim']}")


if __name__ == "__main__":
    main()
