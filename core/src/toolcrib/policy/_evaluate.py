"""Evaluating a condition over one call.

The evaluator is Casbin's own (simpleeval), over trees that were parsed when the policy was loaded. It
keeps the names it works on in itself, so each thread has its own: a shared one would now and then decide
by another call's arguments.
"""

from __future__ import annotations

import ast
import operator
import threading
from collections.abc import Callable, Mapping
from typing import Any

from toolcrib.policy._conditions import Condition
from toolcrib.policy._namespace import Absent, Namespace, Opened, has

__all__ = ["FUNCTIONS", "Raised", "evaluate", "harden"]

FUNCTIONS: Mapping[str, Callable[..., Any]] = {"has": has}
"""What a condition may call, in the index and in plain Casbin."""

MAX_OPERAND = 10**30


class Raised(Exception):
    """A condition could not be evaluated; the text says why without quoting any value."""


class _Every:
    """Every attribute name."""

    def __contains__(self, name: object) -> bool:
        return True


def _on_numbers(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`compute` for numbers of moderate size: `"%999999999d" % 5` would fill the memory, 9**9**9 the
    afternoon.
    """

    def guarded(left: Any, right: Any) -> Any:
        for side in (left, right):
            if not isinstance(side, int | float) or abs(side) > MAX_OPERAND:
                raise TypeError("arithmetic takes numbers of moderate size")
        return compute(left, right)

    return guarded


_ARITHMETIC = {
    ast.Add: _on_numbers(operator.add),
    ast.Sub: _on_numbers(operator.sub),
    ast.Mult: _on_numbers(operator.mul),
    ast.Div: _on_numbers(operator.truediv),
    ast.FloorDiv: _on_numbers(operator.floordiv),
    ast.Mod: _on_numbers(operator.mod),
}


def harden(evaluator: Any) -> Any:
    """Casbin's evaluator with attributes of `r.ctx` only and with arithmetic on numbers only."""
    evaluator.allowed_attrs = {Namespace: _Every()}
    evaluator.operators.update(_ARITHMETIC)
    return evaluator


_local = threading.local()


def _evaluator() -> Any:
    found = getattr(_local, "evaluator", None)
    if found is None:
        from toolcrib.policy._casbin import evaluator

        found = _local.evaluator = harden(evaluator(FUNCTIONS))
    return found


def evaluate(condition: Condition, context: Namespace) -> bool:
    """Whether the condition holds; raises `Raised`.

    What counts as true is pycasbin's rule (`enforce_ex`): a bool, or a float other than 0; anything else
    raises.
    """
    evaluator = _evaluator()
    evaluator.names = {"r_ctx": context}
    try:
        result = evaluator._eval(condition.tree)
    except Opened:
        raise
    except Exception as error:
        raise Raised(explain(error)) from None
    if isinstance(result, bool):
        return result
    if isinstance(result, float):
        return result != 0
    raise Raised(f"it came to a {type(result).__name__} instead of true or false")


def explain(error: Exception) -> str:
    """Why a condition raised, in words, without a value: the previewed record is not the agent's to see."""
    if isinstance(error, Absent):
        return f"r.ctx.{error.path} is absent"
    if isinstance(error, ZeroDivisionError):
        return "it divides by zero"
    if isinstance(error, TypeError):
        return "it compares values of unlike types"
    if type(error).__name__ == "FeatureNotAvailable":
        return "it reads an attribute of a plain value"
    return f"{type(error).__name__} was raised"
