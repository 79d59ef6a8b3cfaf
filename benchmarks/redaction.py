"""Redaction: megabytes per second beside a loop of `str.replace` and one regular expression of all values.

    python benchmarks/redaction.py [--megabytes 4] [--json]

The text is CRM records as JSON, with a value every 100 kB. The loop and the expression look for each value
as it is and in four encodings (base64, URL, JSON, hex); the redactor finds these and all others that it
knows, over line breaks and in either case, and token shapes. `ratio` is the redactor's speed over theirs.
`automaton` is a bare `ahocorasick` search for the values as they are, which replaces nothing, `find` one
`bytes.find` of a byte that does not occur: what any search of this kind costs on this machine.
`record` is what one audit record of 1 kB costs in microseconds when there is nothing in it to find,
`learning` what it takes of the caller's thread to take in one more value, the first hundred and near the most
that are known, with the longest; `process` counts the thread that builds as well. Times are processor time,
so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import string
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from ahocorasick_rs import BytesAhoCorasick, Implementation

from toolcrib.secrets import Redactor, Secret
from toolcrib.secrets.redaction import MOST_KNOWN

COUNTS = (1, 10, 100, 1000)
AIM = 200.0
ROUNDS = 5


def values(count: int) -> list[str]:
    chance = random.Random(4)
    alphabet = string.ascii_letters + string.digits + "/+_-"
    return ["".join(chance.choices(alphabet, k=chance.choice((20, 32, 40, 64)))) for _ in range(count)]


def text_of(size: int, known: list[str]) -> str:
    chance = random.Random(7)
    words = (
        "opportunity",
        "closed",
        "won",
        "renewal",
        "please",
        "call",
        "the",
        "customer",
        "about",
        "invoice",
    )
    out: list[str] = []
    written, next_value = 0, 0
    while written < size:
        record = {
            "id": "006" + "".join(chance.choices(string.ascii_letters + string.digits, k=15)),
            "amount": chance.randrange(10**6) / 100,
            "stage": chance.choice(("Prospecting", "Negotiation", "Closed Won")),
            "note": " ".join(chance.choices(words, k=14)),
        }
        if written >= next_value:
            record["note"] += " " + chance.choice(known)
            next_value += 100_000
        out.append(json.dumps(record))
        written += len(out[-1]) + 1
    return "\n".join(out)


def encodings(value: str) -> list[str]:
    data = value.encode()
    forms = (value, b64encode(data).decode(), quote(value, safe=""), json.dumps(value)[1:-1], data.hex())
    return list(dict.fromkeys(forms))


def redactor_of(known: list[str], *, shapes: bool = True) -> Redactor:
    redactor = Redactor(shapes=shapes)
    for number, value in enumerate(known):
        redactor.learn(Secret(value, path=f"bench/{number}", version=1))
    return redactor


def by_replace(known: list[str]) -> Callable[[str], str]:
    forms = [form for value in known for form in encodings(value)]

    def clean(text: str) -> str:
        for form in forms:
            text = text.replace(form, "[secret]")
        return text

    return clean


def by_expression(known: list[str]) -> Callable[[str], str]:
    forms = sorted((form for value in known for form in encodings(value)), key=len, reverse=True)
    shape = re.compile("|".join(map(re.escape, forms)))
    return lambda text: shape.sub("[secret]", text)


def by_automaton(known: list[str]) -> Callable[[str], object]:
    automaton = BytesAhoCorasick([value.encode() for value in known], implementation=Implementation.DFA)
    return lambda text: automaton.find_matches_as_indexes(text.encode())


def by_find(text: str) -> object:
    return text.encode().find(b"\xff")


def speed(clean: Callable[[str], object], text: str, rounds: int = ROUNDS) -> float:
    """Megabytes per second, the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.thread_time()
        clean(text)
        best = min(best, time.thread_time() - start)
    return len(text) / best / 1e6


def measure_speed(megabytes: float) -> list[dict[str, Any]]:
    rows = []
    for count in COUNTS:
        known = values(count)
        text = text_of(int(megabytes * 1e6), known)
        part = text[: max(100_000, len(text) // count)]  # what takes seconds is measured on less
        redactor = redactor_of(known)
        for _ in range(3):
            redactor.clean(text)  # what was learned last settles into one automaton
        ours = speed(redactor.clean, text)
        replace = speed(by_replace(known), part)
        expression = speed(by_expression(known), part, 2)
        automaton, find = speed(by_automaton(known), text), speed(by_find, text)
        rows.append(
            {
                "secrets": count,
                "redactor": round(ours),
                "replace": round(replace, 1),
                "expression": round(expression, 1),
                "automaton": round(automaton),
                "find": round(find),
                "ratio_to_automaton": round(ours / automaton, 2),
                "ratio_to_find": round(ours / find, 3),
                "ratio_to_replace": round(ours / replace, 2),
                "ratio_to_expression": round(ours / expression, 1),
            }
        )
    return rows


RECORD = {
    "kind": "outcome",
    "id": "7k2m-q9xd-4p3w",
    "tool": "crm.set_opportunity_stage",
    "pack": "crm",
    "effect": "write",
    "user": "alice@acme.example",
    "agent": "sales_action",
    "tenant": "acme",
    "session": "3f0c9d5e",
    "arguments": {
        "opportunity_id": "006Dn000003Xy7PIAS",
        "stage": "Closed Won",
        "note": "signed today " * 30,
    },
    "roles": {"user:alice@acme.example": ["role:sales"], "agent:sales_action": ["role:worker"]},
    "rows": ["policy.csv:12: p, role:sales, acme, crm.*, write, True, allow", "policy.csv:20: p2, *, acme"],
    "revision": "5c1f" * 16,
    "duration_us": 5312,
}


def microseconds(work: Callable[[], object], times: int = 4000) -> float:
    """Median."""
    taken = []
    for _ in range(times):
        start = time.thread_time_ns()
        work()
        taken.append(time.thread_time_ns() - start)
    return statistics.median(taken) / 1000


def measure_record() -> dict[str, float]:
    nothing, marks, hundred = Redactor(shapes=False), Redactor(), redactor_of(values(100))
    hundred.clean("x" * 10**7)
    return {
        "bytes": len(json.dumps(RECORD)),
        "nothing_learned_no_shapes": round(microseconds(lambda: nothing.clean_value(RECORD)), 2),
        "shapes_only": round(microseconds(lambda: marks.clean_value(RECORD)), 2),
        "100_secrets": round(microseconds(lambda: hundred.clean_value(RECORD)), 2),
    }


def measure_learning() -> dict[str, dict[str, float]]:
    """Milliseconds for each value."""
    redactor, spans = Redactor(), []
    for number, value in enumerate(values(MOST_KNOWN)):
        secret = Secret(value, path=f"bench/{number}", version=1)
        start, whole = time.thread_time(), time.process_time()
        redactor.learn(secret)
        spans.append((time.thread_time() - start, time.process_time() - whole))
    return {name: _milliseconds(part) for name, part in (("first", spans[:100]), ("last", spans[-200:]))}


def _milliseconds(spans: list[tuple[float, float]]) -> dict[str, float]:
    own, process = ([1000 * span for span in each] for each in zip(*spans, strict=True))
    return {
        "median": round(statistics.median(own), 2),
        "mean": round(statistics.mean(own), 2),
        "longest": round(max(own), 2),
        "process": round(statistics.mean(process), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=4)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, record, learning = measure_speed(options.megabytes), measure_record(), measure_learning()
    if options.json:
        found = {"benchmark": "redaction", "unit": "MB/s", "speed": rows}
        print(json.dumps({**found, "record": record, "learning": learning}))
        return
    for row in rows:
        print(
            f"{row['secrets']:5} secrets: {row['redactor']:4} MB/s,"
            f" ×{row['ratio_to_replace']} a loop of replaces ({row['replace']}),"
            f" ×{row['ratio_to_expression']} one expression ({row['expression']}),"
            f" ×{row['ratio_to_automaton']} a bare automaton ({row['automaton']}),"
            f" ×{row['ratio_to_find']} bytes.find ({row['find']})"
        )
    print(f"aim at 100 secrets: {AIM:g} MB/s")
    print(
        f"a record of {record['bytes']} bytes: {record['nothing_learned_no_shapes']} µs with nothing to find,"
    )
    print(
        f"  {record['shapes_only']} µs with token shapes, {record['100_secrets']} µs with 100 secrets as well"
    )
    for name, of in (("first", "the first 100"), ("last", f"the last 200 of {MOST_KNOWN}")):
        one = learning[name]
        print(
            f"learning one of {of}: {one['median']} ms, mean {one['mean']}, longest {one['longest']},"
            f" with the thread that builds {one['process']}"
        )


if __name__ == "__main__":
    main()
