"""Ids that people read aloud and type: 60 random bits in Crockford's base 32, in groups of four."""

from __future__ import annotations

import secrets

__all__ = ["as_prefix", "new_id"]

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH, GROUP = 12, 4


def new_id() -> str:
    """Like `7k2m-q9xd-4p3w`."""
    return _grouped("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))


def as_prefix(typed: str) -> str:
    """What a person typed, as the beginning of an id; case and dashes do not matter, `o`, `i` and `l` are
    read as digits.
    """
    plain = typed.strip().lower().replace("-", "").translate(str.maketrans("oil", "011"))
    return _grouped(plain)


def _grouped(plain: str) -> str:
    return "-".join(plain[n : n + GROUP] for n in range(0, len(plain), GROUP))
