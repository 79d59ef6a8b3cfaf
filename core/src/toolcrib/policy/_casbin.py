"""All that touches pycasbin. Imported only when a policy is loaded: it costs 60 ms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

from casbin import Enforcer as _CasbinEnforcer
from casbin import util
from casbin.config import Config
from casbin.persist import Adapter, load_policy_line
from casbin.util import SimpleEval

from toolcrib.errors import PolicyError
from toolcrib.policy._evaluate import harden

__all__ = ["Enforcer", "build", "evaluator", "model_options", "read_line", "rewrite"]


def _check_distribution() -> None:
    """Refuse the frozen twin `casbin`, which installs other files under the same import name."""
    try:
        found = metadata.version("casbin")
    except metadata.PackageNotFoundError:
        return
    raise PolicyError(
        f"the distribution 'casbin' {found} is installed over pycasbin's files",
        rule="policy is loaded by pycasbin>=2.8",
        remedy="pip uninstall casbin pycasbin, then pip install 'pycasbin>=2.8,<3'",
    )


_check_distribution()


class Enforcer(_CasbinEnforcer):  # type: ignore[misc]
    """pycasbin's enforcer without its switch that allows everything, and with bounded conditions."""

    @property
    def enabled(self) -> bool:
        """Always true."""
        return True

    @enabled.setter
    def enabled(self, value: bool) -> None:
        if value is not True:
            raise PolicyError(
                "an enforcer cannot be switched off", rule="a disabled Casbin allows everything"
            )

    @staticmethod
    def _get_expression(expr: str, functions: Any = None) -> Any:
        return harden(_CasbinEnforcer._get_expression(expr, functions))


class _Lines(Adapter):  # type: ignore[misc]
    """Hands pycasbin the lines that were checked, not the file, which may have changed since."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def load_policy(self, model: Any) -> None:
        for line in self._lines:
            load_policy_line(line, model)


def _no_text() -> None:
    """Instead of `print_policy`."""


def build(model_text: str, lines: Sequence[str], functions: Mapping[str, Callable[..., Any]]) -> Enforcer:
    """An enforcer that has loaded `lines`; a g row with tenant * holds in every tenant.

    Raises whatever pycasbin raises; the caller turns that into `PolicyError`.
    """
    enforcer = Enforcer(Enforcer.new_model(text=model_text))
    for name, function in functions.items():
        enforcer.add_function(name, function)
    # Before the rows are loaded: role links are built once, and with it.
    enforcer.add_named_domain_matching_func("g", util.key_match)
    enforcer.set_adapter(_Lines(lines))
    # It makes one text of the whole policy for a log that nobody keeps: 170 ms for 100,000 rows, in which no
    # other thread gets on.
    enforcer.get_model().print_policy = _no_text
    enforcer.load_policy()
    return enforcer


def read_line(model_text: str, kind: str, line: str) -> list[str]:
    """The values that pycasbin reads from one line of this row type; none where it drops it or cannot."""
    model = Enforcer.new_model(text=model_text)
    try:
        load_policy_line(line, model)
    except IndexError:  # a bracket that nothing opened
        return []
    loaded: list[list[str]] = model[kind[0]][kind].policy
    return loaded[0] if loaded else []


def model_options(text: str) -> dict[str, dict[str, str]]:
    """`model.conf` by section and key, as pycasbin's own parser reads it."""
    options: dict[str, dict[str, str]] = Config.new_config_from_text(text)._data
    return options


def rewrite(condition: str) -> str:
    """What pycasbin makes of a condition's text before it parses it (`enforce_ex` and `_get_expression`)."""
    text: str = util.escape_assertion(condition)
    return re.sub(r"!(?!=)", "not ", text.replace("&&", "and").replace("||", "or"))


def evaluator(functions: Mapping[str, Callable[..., Any]]) -> SimpleEval:
    """Casbin's own evaluator, to be given trees that were parsed before."""
    return SimpleEval("", dict(functions))
