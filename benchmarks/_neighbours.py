"""pycasbin's FastEnforcer and Cedar, given the p rows of `decision.py` and asked for both subjects."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from toolcrib.effects import EFFECTS
from toolcrib.policy._model import MODEL

SECONDS = 2.0
"""Each neighbour gets as many calls as fit in here."""


def beside(rows: str, asked: Sequence[tuple[Any, Any]], allowed: Sequence[bool]) -> dict[str, Any]:
    """What each neighbour takes; where one is not installed or has too many rows to bear, why there is
    nothing. `allowed` is what the policy answered, which the neighbour has to answer too.
    """
    count = rows.count("\np, ")
    return {
        "fast_enforcer": _timed(_fast_enforcer, "casbin", rows, asked[:10], allowed),
        "cedarpy": _timed(_cedar, "cedarpy", rows, asked[:200], allowed)
        if count <= 20_000
        else "too many rows",
    }


def _timed(
    build: Callable[..., Any], module: str, rows: str, asked: Sequence[Any], allowed: Sequence[bool]
) -> Any:
    if find_spec(module) is None:
        return "not installed"
    start = time.perf_counter()
    ask = build(rows, asked)
    built = time.perf_counter() - start
    took: list[float] = []
    end = time.perf_counter() + SECONDS
    for call, want in zip(asked, allowed, strict=False):
        start_ns = time.perf_counter_ns()
        got = ask(*call)
        took.append((time.perf_counter_ns() - start_ns) / 1000)
        if got is not want:
            raise AssertionError(f"{module} answers {got} for {call}")
        if time.perf_counter() > end and len(took) >= 3:
            break
    return {"p50_us": round(statistics.median(took), 1), "calls": len(took), "load_s": round(built, 2)}


def _values(rows: str, kind: str) -> list[list[str]]:
    return [line.split(", ")[1:] for line in rows.split("\n") if line.startswith(f"{kind}, ")]


def _fast_enforcer(rows: str, asked: Sequence[Any]) -> Callable[[Any, Any], bool]:
    """Keyed by tenant and effect. It finds no `*` under a key, so such rows are written out: for each effect,
    and for each tenant that is asked for. Every condition of these rows is True, so its
    matcher leaves them out: else it would parse one for each row.
    """
    import casbin
    from casbin import util
    from casbin.model import FastModel
    from casbin.persist.adapters import StringAdapter

    tenants = dict.fromkeys(who.tenant for who, _ in asked)
    lines = [
        f"p, {subject}, {one}, {name}, {effect}, {when}, {eft}"
        for subject, tenant, name, act, when, eft in _values(rows, "p")
        for one in (tenants if tenant == "*" else (tenant,))
        for effect in (EFFECTS if act == "*" else (act,))
    ]
    lines += ["g, " + ", ".join(link) for link in _values(rows, "g")]
    model = FastModel([1, 3])
    model.load_model_from_text(MODEL.replace(" && eval(p.when)", ""))
    enforcer = casbin.FastEnforcer(model, StringAdapter("\n".join(lines)), cache_key_order=[1, 3])
    enforcer.add_named_domain_matching_func("g", util.key_match)
    for who, _ in asked:  # the role graph of each tenant is not what is compared
        enforcer.rm_map["g"].has_link(who.subjects[0], "role0", who.tenant)

    def ask(who: Any, tool: Any) -> bool:
        return all(
            enforcer.enforce(subject, who.tenant, tool.name, tool.effect, None) for subject in who.subjects
        )

    return ask


def _cedar(rows: str, asked: Sequence[Any]) -> Callable[[Any, Any], bool]:
    """A row is a policy by scope alone, as Cedar likes it best: subjects and roles are entities of a tenant,
    beneath themselves in `*`; tools are beneath their pack. Both sets are parsed once.
    """
    import cedarpy

    lines = []
    for subject, tenant, name, act, _, eft in _values(rows, "p"):
        what = "" if act == "*" else f' == Action::"{act}"'
        who = f'principal in Subject::"{subject}|{tenant}"'
        lines.append(
            f'{"permit" if eft == "allow" else "forbid"}({who}, action{what}, resource in Tool::"{name}");'
        )
    policies = cedarpy.PolicySet.from_str("\n".join(lines))
    entities = cedarpy.Entities.from_json_str(json.dumps(_entities(rows, asked)))

    def ask(who: Any, tool: Any) -> bool:
        about = {"action": f'Action::"{tool.effect}"', "resource": f'Tool::"{tool.name}"', "context": {}}
        requests = [{"principal": f'Subject::"{subject}|{who.tenant}"', **about} for subject in who.subjects]
        return all(one.allowed for one in cedarpy.is_authorized_batch(requests, policies, entities))

    return ask


def _entities(rows: str, asked: Sequence[Any]) -> list[dict[str, Any]]:
    parents: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    everywhere: dict[str, list[str]] = {}
    for subject, role, tenant in _values(rows, "g"):
        if tenant == "*":
            everywhere.setdefault(subject, []).append(role)
        parents.setdefault(("Subject", f"{subject}|{tenant}"), {})["Subject", f"{role}|{tenant}"] = None
        parents.setdefault(("Subject", f"{role}|{tenant}"), {})["Subject", f"{role}|*"] = None
    for who, tool in asked:
        for subject in who.subjects:
            above = parents.setdefault(("Subject", f"{subject}|{who.tenant}"), {})
            above["Subject", f"{subject}|*"] = None
            for role in everywhere.get(subject, ()):
                above["Subject", f"{role}|{who.tenant}"] = None
        parents["Tool", tool.name] = {("Tool", tool.name.partition(".")[0] + ".*"): None}
    for above in list(parents.values()):
        for one in above:
            parents.setdefault(one, {})
    for own, above in parents.items():
        above.pop(own, None)
    return [
        {"uid": _uid(own), "attrs": {}, "parents": [_uid(one) for one in above]}
        for own, above in parents.items()
    ]


def _uid(entity: tuple[str, str]) -> dict[str, str]:
    return {"type": entity[0], "id": entity[1]}
