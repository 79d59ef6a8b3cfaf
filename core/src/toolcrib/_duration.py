"""Durations as people write them: `90s`, `5m`, `1h`, `7d`."""

from __future__ import annotations

import re

from toolcrib.errors import ConfigError

__all__ = ["seconds"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str, place: str) -> float:
    """The duration in seconds; `place` names the config key in the `ConfigError` of one that does not
    parse.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip())
    if not match or float(match[1]) <= 0:
        raise ConfigError(
            f"{place} = {text!r}",
            rule="a duration is a positive number and s, m, h or d",
            remedy='Write "5m", for example',
        )
    return float(match[1]) * _UNITS[match[2]]
