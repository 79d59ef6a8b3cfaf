"""The way to the fake for the public client alone, which speaks through `requests`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

__all__ = ["loopback_session"]


def loopback_session(base_url: str) -> requests.Session:
    """A session that takes `base_url` for all of HTTPS."""
    session = requests.Session()
    session.mount("https://", LoopbackAdapter(base_url))
    return session


class LoopbackAdapter(HTTPAdapter):
    """Sends what is meant for `https://HOST` to the fake, HOST in the header, so that clients need no other
    address.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """See `HTTPAdapter.send`; plain HTTP is refused, since Salesforce does not speak it."""
        url = urlsplit(str(request.url))
        if url.scheme != "https":
            raise requests.exceptions.InvalidSchema(f"Salesforce is met over https, not {url.scheme}")
        request.headers["Host"] = url.netloc
        request.url = f"{self._base_url}{url.path}" + (f"?{url.query}" if url.query else "")
        return super().send(request, *args, **kwargs)
