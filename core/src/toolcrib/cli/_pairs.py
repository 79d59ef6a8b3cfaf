"""`NAME=VALUE` on the command line; a value that is not JSON is text."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["pair"]


def pair(text: str, context: click.Context, parameter: click.Parameter) -> tuple[str, Any]:
    """Name and value; `BadParameter` for what does not look as the option's metavar says."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not {parameter.metavar}", context, parameter)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
