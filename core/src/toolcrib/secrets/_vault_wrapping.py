"""Wrapping tokens: what is behind one comes out once, so a second reader does not go unnoticed.

Before it is unwrapped, a token is looked up: whoever took out what was in it and wrapped it again would leave
another creation path. A token that is no good any more was used by somebody else, or came too late; nobody
can tell which, so the worse is assumed and said.
"""

from __future__ import annotations

from collections.abc import Callable

from toolcrib.errors import SecretRefused
from toolcrib.secrets._vault_http import Answer, Http

__all__ = ["unwrap"]


def unwrap(
    http: Http, token: str, deadline: float, *, what: str, made: Callable[[str], bool], means: str
) -> Answer:
    """What is behind a wrapping token of `what`; `SecretRefused` for one that was used, or not `made` there.

    `means` says what a wrong one would have been made for, e.g. "a secret id of this mount".
    """
    looked = http.send("post", "sys/wrapping/lookup", deadline, json={"token": token})
    path = str((looked.body.get("data") or {}).get("creation_path", ""))
    if looked.status == 200 and not made(path):
        raise _wrong(what, f"was not made for {means}")
    answer = http.send("post", "sys/wrapping/unwrap", deadline, token=token, repeat=False)
    if looked.status != 200 or answer.status != 200:
        raise _wrong(what, "has ended or was used before")
    return answer


def _wrong(what: str, why: str) -> SecretRefused:
    return SecretRefused(
        f"the wrapping token of {what} {why}",
        rule="what is wrapped is unwrapped once, by whom it is for",
        remedy=f"If you did not unwrap it, somebody else has it: revoke or change {what}, then look who reads"
        " along between Vault and here",
    )
