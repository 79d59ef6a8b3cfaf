"""How commands speak: JSON for scripts, rich text for people, and nothing that a tool's text could inject."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["as_json", "console", "emit_json", "plain"]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""The `--json` option, the same everywhere."""


def emit_json(value: Any) -> None:
    """Print `value` as one JSON document; whatever could steer a terminal is escaped (C1, bidi controls)."""
    import orjson

    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()
    click.echo(re.sub(r"[^\n -~]", _escape, text))


def _escape(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]


def console(*, stderr: bool = False) -> Console:
    """A rich console that takes text as text: no markup, no emoji codes, no highlighting of values."""
    from rich.console import Console

    return Console(
        file=sys.stderr if stderr else sys.stdout, markup=False, emoji=False, highlight=False, soft_wrap=False
    )


def plain(text: Any) -> str:
    """`text` with control characters made visible, so that what an agent wrote cannot move the cursor."""
    return "".join(c if c.isprintable() or c in "\n" else repr(c)[1:-1] for c in str(text))
