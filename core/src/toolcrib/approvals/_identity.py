"""Who answers at this machine: the operating-system user, mapped in the config.

The user comes from the password database by uid, never from `$USER`, which anybody can set.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from toolcrib.errors import ConfigError
from toolcrib.principal import check_id

__all__ = ["approver_identity"]


def approver_identity(users: Mapping[str, str]) -> str:
    """The user id of whoever runs this process, by `users` (`[approvals.users]`: system user = user id);
    raises `ConfigError`.
    """
    name = _system_user()
    if name not in users:
        raise ConfigError(
            f"the operating-system user {name!r} is nobody's user id, so it cannot answer approvals",
            rule="[approvals.users] maps operating-system users to user ids",
            remedy=f'Add `{name} = "USER"` under [approvals.users] in toolcrib.toml',
        )
    return check_id("user", users[name])


def _system_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a uid without an entry, as in some containers
        return str(os.getuid())
