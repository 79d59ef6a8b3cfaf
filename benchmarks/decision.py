"""One decision (user and agent, p + p2 + p3, no condition) beside plain pycasbin, in one run.

- `first`: neither user nor agent has asked for anything before, so their roles are walked too
- `unmemoised`: they have, but this call (subjects, tenant, tool, effect) was never asked: its rows are
  looked up in the index and the decision is made. The aim (p50 < 10 us at 100,000 rules) is about this one
- `memoised`: the same call again
- `condition`: memoised, and a deny row's condition is evaluated each time
- `pycasbin`: plain Casbin for the p rows of both subjects alone
- `fast_enforcer`, `cedarpy`: the neighbours in `_neighbours.py`, for the p rows alone too (dependency group
  `bench`); their answers have to be ours

Times are in microseconds, over distinct calls in random order.

    python benchmarks/decision.py [--json] [--large]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from _neighbours import beside
from _reference import beside_aim, told, unit

from toolcrib.effects import EFFECTS, Effect
from toolcrib.policy import Facts, Policy
from toolcrib.policy._model import MODEL
from toolcrib.principal import Principal

PACKS = [f"pack{number}" for number in range(40)]
NAMES = [f"tool{number}" for number in range(25)]
ROLES = [f"role{number}" for number in range(20)]
AIM, AIM_CONDITION = 10.0, 40.0
"""Microseconds at 100,000 rules."""
CASBIN_SECONDS = 6.0
"""Plain Casbin gets as many calls as fit in here; at 100,000 rules that is a handful."""


@dataclass(frozen=True)
class Tool:
    name: str
    effect: Effect
    labels: frozenset[str] = frozenset()
    idempotent: bool = False
    pack: str = "pack"


def tools() -> list[Tool]:
    return [
        Tool(f"{pack}.{name}", EFFECTS[(i + j) % 4])
        for i, pack in enumerate(PACKS)
        for j, name in enumerate(NAMES)
    ]


def rules(count: int, chance: random.Random, *, condition: str = "") -> str:
    """`count` distinct p, p2 and p3 rows over users and roles of many tenants, and g rows for them."""
    tenants = [f"tenant{number}" for number in range(max(2, min(500, count // 50)))]
    rows = dict.fromkeys([f"p, *, *, *, *, {condition}, deny"] if condition else [])
    while len(rows) < count:
        kind = chance.choices(("allow", "deny", "p2", "p3"), (84, 6, 5, 5))[0]
        subject = chance.choice(ROLES) if chance.random() < 0.5 else f"user:u{chance.randrange(10_000)}"
        tenant = "*" if chance.random() < 0.02 else chance.choice(tenants)
        pack = chance.choice(PACKS)
        name = f"{pack}.{chance.choice(NAMES)}" if chance.random() < 0.6 else f"{pack}.*"
        act = chance.choice(("*", *EFFECTS))
        head = f"{subject}, {tenant}, {name}"
        row = {
            "p2": f"p2, {head}, {act}, True, requester|role1",
            "p3": f"p3, {head}, {chance.randrange(1, 99)}/day per user",
        }.get(kind, f"p, {head}, {act}, True, {kind}")
        rows[row] = None
    links = dict.fromkeys(
        f"g, user:u{u}, {chance.choice(ROLES)}, {tenants[u % len(tenants)]}" for u in range(count // 4)
    )
    links |= dict.fromkeys(
        f"g, agent:a{number}, {role}, *" for number in range(50) for role in (f"team{number % 5}", "agents")
    )
    for pack in PACKS:  # what every call of an agent meets: an allow row, a review of what leaves, a quota
        rows |= dict.fromkeys(f"p, team{number}, *, {pack}.*, *, True, allow" for number in range(5))
        rows |= {f"p2, agents, *, {pack}.*, send, True, requester|role1": None}
        rows |= {f"p3, agents, *, {pack}.*, 100/hour per agent": None}
    return "\n".join([*rows, *links]) + "\n"


def calls(count: int, rows: str, chance: random.Random) -> list[tuple[Principal, Tool]]:
    """Distinct calls, three of four aimed at a row that allows the user something, directly or by a role."""
    every = tools()
    holders: dict[tuple[str, str], list[str]] = {}
    granted: list[list[str]] = []
    for kind, *values in (line.split(", ") for line in rows.split("\n")):
        if kind == "g":
            holders.setdefault((values[1], values[2]), []).append(values[0])
        elif kind == "p" and values[0][:4] in ("role", "user"):
            granted.append(values)
    found: dict[tuple[Any, ...], tuple[Principal, Tool]] = {}
    while len(found) < count:
        subject, tenant, name, act, *_ = chance.choice(granted)
        users = [subject] if subject[:5] == "user:" else holders.get((subject, tenant), ["user:stranger"])
        fitting = [tool for tool in every if _fits(tool, name, act)] if chance.random() < 0.75 else every
        if fitting:
            tool, tenant = chance.choice(fitting), tenant.replace("*", "tenant1")
            who = Principal(f"a{chance.randrange(50)}", chance.choice(users).removeprefix("user:"), tenant)
            found[who.subjects, who.tenant, tool.name] = (who, tool)
    return list(found.values())


def _fits(tool: Tool, name: str, act: str) -> bool:
    return act in ("*", tool.effect) and (
        tool.name == name or (name[-1] == "*" and tool.name.startswith(name[:-1]))
    )


def microseconds(work: Callable[[Any], object], items: Sequence[Any]) -> list[float]:
    clock, took = time.perf_counter_ns, []
    for item in items:
        start = clock()
        work(item)
        took.append((clock() - start) / 1000)
    return took


def summary(took: list[float]) -> dict[str, float]:
    took = sorted(took)
    return {"p50_us": round(statistics.median(took), 2), "p99_us": round(took[int(len(took) * 0.99)], 2)}


def decider(policy: Policy, facts: Facts) -> Callable[[tuple[Principal, Tool]], object]:
    def decide(call: tuple[Principal, Tool]) -> object:
        return policy.decide(policy.candidates(*call), facts)

    return decide


def casbin_p50(rows: str, asked: Sequence[tuple[Principal, Tool]]) -> dict[str, float]:
    """Plain pycasbin, which gets the rows from its own string adapter."""
    import casbin
    from casbin import util
    from casbin.persist.adapters import StringAdapter

    model = casbin.Enforcer.new_model(text=MODEL)
    enforcer = casbin.Enforcer(
        model, StringAdapter("\n".join(line for line in rows.split("\n") if line[:2] in ("p,", "g,")))
    )
    enforcer.add_named_domain_matching_func("g", util.key_match)
    took: list[float] = []
    end = time.perf_counter() + CASBIN_SECONDS
    for who, tool in asked:
        warm = time.perf_counter()
        for subject in who.subjects:  # the role graph of this tenant is not what is compared
            enforcer.rm_map["g"].has_link(subject, "role0", who.tenant)
        end += time.perf_counter() - warm
        start = time.perf_counter_ns()
        for subject in who.subjects:
            enforcer.enforce(subject, who.tenant, tool.name, tool.effect, None)
        took.append((time.perf_counter_ns() - start) / 1000)
        if time.perf_counter() > end and len(took) >= 3:
            break
    return {"p50_us": round(statistics.median(took), 1), "calls": len(took)}


def measure(size: int, *, beside_casbin: bool = True) -> dict[str, Any]:
    chance = random.Random(size)
    rows = rules(size, chance)
    start = time.perf_counter()
    policy = Policy.of(MODEL, rows)
    compile_seconds = time.perf_counter() - start
    gc.collect()
    asked = calls(min(4000, size * 2), rows, chance)
    decide = decider(policy, Facts({}))
    decide((Principal("warm", "up", "nowhere"), tools()[0]))
    first = microseconds(decide, asked)
    policy = Policy.of(MODEL, rows)
    decide = decider(policy, Facts({}))
    gc.collect()
    for who, _ in asked:
        policy.candidates(who, Tool("another.tool", "read"))
    cold = microseconds(decide, asked)
    warm = microseconds(decide, asked)
    verdicts = [policy.decide(policy.candidates(*call), Facts({})).verdict for call in asked]
    condition = 'has(r.ctx, "args.amount") and r.ctx.args.amount > 1000'
    judged = (
        Policy.of(MODEL, rules(size, random.Random(size), condition=condition)) if size <= 100_000 else None
    )
    result: dict[str, Any] = {
        "rules": size,
        "compile_s": round(compile_seconds, 3),
        "first": summary(first),
        "unmemoised": summary(cold),
        "memoised": summary(warm),
        "verdicts": {verdict: verdicts.count(verdict) for verdict in ("allow", "review", "deny")},
    }
    if judged is not None:
        with_condition = decider(judged, Facts({"amount": 10}))
        undecided = [call for call in asked if judged.candidates(*call).reads]
        result["condition"] = summary(microseconds(with_condition, undecided or asked))
    if size == 100_000:
        one = unit()
        result["beside_aim"] = {
            "unmemoised decision": beside_aim(result["unmemoised"]["p50_us"], AIM, one),
            "decision with a condition": beside_aim(result["condition"]["p50_us"], AIM_CONDITION, one),
        }
    if beside_casbin:
        result["pycasbin"] = casbin_p50(rows, asked)
        result["pycasbin_over_unmemoised"] = round(
            result["pycasbin"]["p50_us"] / result["unmemoised"]["p50_us"]
        )
        result["pycasbin_over_memoised"] = round(result["pycasbin"]["p50_us"] / result["memoised"]["p50_us"])
        for name, one in beside(rows, asked, [verdict != "deny" for verdict in verdicts]).items():
            result[name] = one
            if isinstance(one, dict):
                result[f"{name}_over_unmemoised"] = round(one["p50_us"] / result["unmemoised"]["p50_us"])
    return result


def strangers(count: int) -> dict[str, float]:
    """Memory after decisions for tenants that nobody has heard of."""
    policy = Policy.of(MODEL, rules(1000, random.Random(1)))
    tool, facts = tools()[0], Facts({})
    tracemalloc.start()
    sizes = []
    for number in range(count):
        policy.decide(policy.candidates(Principal("a1", "u1", f"stranger{number}"), tool), facts)
        if number + 1 in (count // 2, count):
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0] / 2**20)
    tracemalloc.stop()
    return {"tenants": count, "MiB_at_half": round(sizes[0], 1), "MiB_at_end": round(sizes[1], 1)}


def report(results: dict[str, Any]) -> None:
    columns = ("first", "unmemoised", "memoised", "condition", "pycasbin", "fast_enforcer", "cedarpy")
    print(f"{'rules':>9} {'compile':>9} " + " ".join(f"{name:>14}" for name in columns))
    for one in results["decision"]:
        cells = [_cell(one.get(name, "-")) for name in columns]
        print(f"{one['rules']:>9} {one['compile_s']:>7} s " + " ".join(cells))
        ratios = [
            (name, one[f"{name}_over_unmemoised"]) for name in columns if f"{name}_over_unmemoised" in one
        ]
        print(f"{'':>20}" + "; ".join(f"{name} takes {ratio} x unmemoised" for name, ratio in ratios))
        for name, found in one.get("beside_aim", {}).items():
            print(told(name, found))
    memory = results["strangers"]
    print(f"unknown tenants: {memory}")


def _cell(one: Any) -> str:
    return f"{one['p50_us']:>11} us" if isinstance(one, dict) else f"{one:>14}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--large", action="store_true", help="also a million rules, without plain pycasbin")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = {
        "decision": [measure(size) for size in (1_000, 10_000, 100_000)],
        "strangers": strangers(1_000_000 if options.large else 200_000),
    }
    if options.large:
        results["decision"].append(measure(1_000_000, beside_casbin=False))
    if options.json:
        json.dump(results, sys.stdout)
        print()
    else:
        report(results)


if __name__ == "__main__":
    main()
