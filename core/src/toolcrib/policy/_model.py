"""`model.conf`: the shipped model, or one that plain Casbin decides."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolcrib._nearest import did_you_mean
from toolcrib.errors import PolicyError
from toolcrib.policy._conditions import ROOTS
from toolcrib.policy._problems import Problem

__all__ = ["MODEL", "Model", "read_model"]

MODEL = """\
[request_definition]
r = sub, dom, obj, act, ctx

[policy_definition]
p  = sub, dom, obj, act, when, eft
p2 = sub, dom, obj, act, when, approvers
p3 = sub, dom, obj, quota

[role_definition]
g = _, _, _

[policy_effect]
e  = some(where (p.eft == allow)) && !some(where (p.eft == deny))
e2 = some(where (p.eft == allow))

[matchers]
m  = (p.act == "*" || r.act == p.act) && (p.dom == "*" || r.dom == p.dom) && keyMatch(r.obj, p.obj) \
&& (p.sub == "*" || g(r.sub, p.sub, r.dom)) && eval(p.when)
m2 = (p2.act == "*" || r.act == p2.act) && (p2.dom == "*" || r.dom == p2.dom) && keyMatch(r.obj, p2.obj) \
&& (p2.sub == "*" || g(r.sub, p2.sub, r.dom)) && eval(p2.when)
"""
"""The model that the index compiles."""

_KEYS = {
    "request_definition": ("r",),
    "policy_definition": ("p", "p2", "p3"),
    "role_definition": ("g",),
    "policy_effect": ("e", "e2"),
    "matchers": ("m", "m2"),
}
_REQUEST = ["sub", "dom", "obj", "act", "ctx"]
_EFFECTS = (
    "some(where(p.eft==allow))",
    "some(where(p.eft==allow))&&!some(where(p.eft==deny))",
    "priority(p.eft)||deny",
)
_ROLES = {2: ["grantee", "role"], 3: ["grantee", "role", "dom"]}
_ADVICE = "Use the model of toolcrib-policies, or mend this one"
_P2_END = "approvers"
_EVAL = re.compile(r"\beval\(\s*p2?\.(\w+)\s*\)")

Options = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be decided: `columns` by row type, `shipped` if the index can compile it.

    `conditions` are the columns that the matchers evaluate, `reads` the roots of `r.ctx` that the matchers
    themselves read.
    """

    text: str
    columns: Mapping[str, Sequence[str]]
    shipped: bool
    conditions: frozenset[str] = frozenset({"when"})
    reads: frozenset[str] = frozenset()


def read_model(text: str, file: str = "model.conf") -> Model:
    """Recognise or accept a model; raises `PolicyError` for one that could not be decided safely."""
    from toolcrib.policy._casbin import model_options

    try:
        options = model_options(text)
    except Exception as error:
        raise _bad(file, f"does not parse: {error}", "model.conf is Casbin's own format") from None
    _check_keys(options, file)
    if _normal(options) == _normal(model_options(MODEL)):
        # Casbin wants its effects letter by letter; what only differs in white space is loaded as shipped.
        return Model(MODEL, _columns(options, file), shipped=True)
    return _custom(text, options, file)


def _normal(options: Options) -> dict[tuple[str, str], str]:
    return {
        (section, key): _squeezed(value) for section, keys in options.items() for key, value in keys.items()
    }


def _squeezed(value: str) -> str:
    """Without white space, except inside quotes."""
    parts = value.split('"')
    return '"'.join(part if index % 2 else "".join(part.split()) for index, part in enumerate(parts))


def _check_keys(options: Options, file: str) -> None:
    for section, keys in options.items():
        if section not in _KEYS:
            what = f"unknown section [{section}]"
            raise _bad(file, what, "Casbin ignores sections it does not know", did_you_mean(section, _KEYS))
        for key in keys:
            if key not in _KEYS[section]:
                what = f"unknown definition {key!r} in [{section}]"
                raise _bad(file, what, f"[{section}] defines {', '.join(_KEYS[section])}")
    for section, key in (
        ("request_definition", "r"),
        ("policy_definition", "p"),
        ("policy_effect", "e"),
        ("matchers", "m"),
    ):
        if not options.get(section, {}).get(key):
            raise _bad(file, f"[{section}] {key} is missing", "a model has r, p, e and m")


def _columns(options: Options, file: str) -> dict[str, list[str]]:
    columns = {kind: _tokens(value) for kind, value in options["policy_definition"].items()}
    roles = options.get("role_definition", {}).get("g")
    if roles is not None:
        count = len(_tokens(roles))
        if _squeezed(roles) not in ("_,_", "_,_,_"):
            raise _bad(file, f"role definition {roles!r}", "g = _, _ or g = _, _, _ (with tenant)")
        columns["g"] = _ROLES[count]
    return columns


def _tokens(value: str) -> list[str]:
    return [token.strip() for token in value.split(",")]


def _custom(text: str, options: Options, file: str) -> Model:
    """A model that is not ours: accepted only where a missing or failing row still means no."""
    if _tokens(options["request_definition"]["r"]) != _REQUEST:
        raise _bad(file, "another request definition", f"every call is asked as r = {', '.join(_REQUEST)}")
    effect = _squeezed(options["policy_effect"]["e"])
    if effect not in _EFFECTS:
        rule = "nothing matched means no, so the effect needs an allow; known are " + "; ".join(_EFFECTS)
        raise _bad(file, f"policy effect {options['policy_effect']['e']!r}", rule)
    columns = _columns(options, file)
    if "allow" in effect and "&&" in effect and "eft" not in columns["p"]:
        raise _bad(file, "p has no column eft", "deny rows need one")
    _check_reviews(columns, options, file)
    if columns.get("p3") not in (None, ["sub", "dom", "obj", "quota"]):
        raise _bad(file, "another p3", "p3 = sub, dom, obj, quota; Toolcrib matches it itself")
    matchers = options["matchers"]
    for key, value in matchers.items():
        _check_matcher(key, value, file)
    joined = " ".join(matchers.values())
    reads = frozenset(re.findall(r"\br\.ctx\.(\w+)", joined)) & frozenset(ROOTS)
    return Model(text, columns, False, frozenset({"when", *_EVAL.findall(joined)}), reads)


def _check_reviews(columns: Mapping[str, Sequence[str]], options: Options, file: str) -> None:
    if "p2" not in columns:
        return
    if (
        columns["p2"][-1] != _P2_END
        or "m2" not in options["matchers"]
        or "e2" not in options["policy_effect"]
    ):
        raise _bad(file, "p2 without m2, e2 or approvers", "p2 ends with approvers and is matched by m2")


def _check_matcher(key: str, value: str, file: str) -> None:
    """It must parse as pycasbin will see it; else every decision would raise."""
    from toolcrib.policy._casbin import rewrite

    try:
        ast.parse(rewrite(_EVAL.sub("(True)", value)), mode="eval")
    except SyntaxError as error:
        raise _bad(
            file, f"matcher {key} does not parse: {error.msg}", "a matcher is one expression"
        ) from None


def _bad(file: str, what: str, rule: str, remedy: str = _ADVICE) -> PolicyError:
    return Problem(file, 0, 0, what, rule, remedy).error()
