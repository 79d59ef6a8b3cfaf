"""Who answers at this machine: the operating-system user, mapped in the config."""

from __future__ import annotations

from collections.abc import Mapping

from toolcrib.errors import ConfigError
from toolcrib.os_user import system_user
from toolcrib.principal import check_id

__all__ = ["approver_identity"]


def approver_identity(users: Mapping[str, str]) -> str:
    """The user id of whoever runs this process, by `users` (`[approvals.users]`: system user = user id);
    raises `ConfigError`.
    """
    name = system_user()
    if name not in users:
        raise ConfigError(
            f"the operating-system user {name!r} is nobody's user id: it can do or answer nothing",
            rule="[approvals.users] maps operating-system users to user ids",
            remedy=f'Add `{name} = "USER"` under [approvals.users] in toolcrib.toml',
        )
    return check_id("user", users[name])
