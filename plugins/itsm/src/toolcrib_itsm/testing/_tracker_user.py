"""Somebody who uses a tracker in Roundup's own way, to open issues and to see what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from toolcrib_itsm.testing._roundup import RoundupTracker

__all__ = ["TrackerUser"]


class TrackerUser:
    """Somebody outside the desk unless `username` says otherwise; `rest` is logged in. Close it, or use
    `with`.
    """

    def __init__(self, tracker: RoundupTracker, username: str = "user11") -> None:
        self.username = username
        self.rest = httpx.Client(
            base_url=f"{tracker.url}/rest/data",
            auth=(username, tracker.password),
            headers={"X-Requested-With": "rest", "Origin": tracker.url, "Referer": f"{tracker.url}/"},
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.rest.close()

    def opens(self, title: str, text: str) -> str:
        """The id of a new issue."""
        message = self._make("msg", {"content": text, "author": self.username})
        return self._make("issue", {"title": title, "messages": [message], "priority": "bug"})

    def reads(self, issue: str) -> list[str]:
        """The text of all messages on it that this person is shown."""
        linked = self.rest.get(f"/issue/{issue}").json()["data"]["attributes"]["messages"]
        replies = [self.rest.get(f"/msg/{each['id']}", params={"@verbose": 3}) for each in linked]
        return [
            reply.json()["data"]["attributes"]["content"] for reply in replies if reply.status_code == 200
        ]

    def _make(self, kind: str, values: dict[str, Any]) -> str:
        made: dict[str, dict[str, str]] = self.rest.post(f"/{kind}", json=values).json()
        return made["data"]["id"]
