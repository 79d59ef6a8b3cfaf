"""The name of a path in a key vault, where names are of letters, digits and `-`, and case does not count."""

from __future__ import annotations

import re

from toolcrib.errors import SecretError

__all__ = ["MAX_NAME", "secret_name"]

MAX_NAME = 127
"""Characters of a secret's name in Key Vault."""

_ODD = re.compile(r"[^a-z0-9/-]|(?<![a-z0-9])-|-(?![a-z0-9])|-(?=x[0-9a-f]{2})")
"""What is written as its code: all but small letters, digits, `/`, and `-` where it cannot be misread."""


def secret_name(path: str) -> str:
    """`crm/acme/api-key` is `crm--acme--api-key`; no two paths have one name.

    `/` becomes `--`; any character but small letters, digits and a `-` between two of them becomes `-xHH`,
    its code in hexadecimal. `SecretError` where the name would be too long.
    """
    odd = _ODD.sub(lambda found: f"\0x{ord(found[0]):02x}", path)
    name = odd.replace("/", "--").replace("\0", "-")
    if len(name) > MAX_NAME:
        raise SecretError(
            f"{path!r} is too long for Key Vault: its name there would have {len(name)} characters",
            rule=f"a name in Key Vault has at most {MAX_NAME} characters",
            remedy="Use a shorter path, with small letters and digits",
        )
    return name
