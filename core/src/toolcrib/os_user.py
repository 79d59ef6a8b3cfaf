"""Who runs this process: by uid from the password database, never from `$USER`, which anybody can set."""

from __future__ import annotations

import os
import pwd

__all__ = ["system_user"]


def system_user() -> str:
    """The name of the operating-system user, or the uid as text if it has none (as in some containers)."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
