"""One request to Vault: retried while that can help, and judged.

Tried again, with jitter and within the deadline, are 429, 5xx and connections that fail. A sealed Vault and a
certificate that nobody vouches for are not: waiting mends neither. No redirect is followed, since the token
would go along, and nothing of the environment (proxies, .netrc, CA bundles) changes where a token is sent.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

from toolcrib._retry_after import retry_after
from toolcrib.errors import SecretError
from toolcrib.secrets._vault_settings import VaultSettings

__all__ = ["Answer", "Http"]

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between tries: doubled each time, with jitter."""
CONNECT = 3.0
"""Seconds for one connection to be made."""
_AGAIN = (412, 429, 500, 502, 503, 504)
"""412: a standby has not caught up yet."""


class Answer:
    """Status, JSON body and headers of a reply."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        try:
            body = response.json()
        except ValueError:
            body = None
        self.body: dict[str, Any] = body if isinstance(body, dict) else {}

    @property
    def errors(self) -> str:
        """What Vault says is wrong, in short. It quotes no secret, but may quote what it was sent: see
        `is_sealed`, and do not show it.
        """
        found = self.body.get("errors")
        return "; ".join(map(str, found)) if isinstance(found, list) else ""

    @property
    def is_sealed(self) -> bool:
        """Whether Vault is there but locked."""
        return self.status == 503 and "sealed" in self.errors.lower()

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait."""
        return retry_after(self.headers.get("Retry-After"))


class Http:
    """Sends requests; safe in threads."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._adapter: Any = None

    def send(
        self,
        method: str,
        url: str,
        deadline: float,
        *,
        token: str = "",
        json: Any = None,
        repeat: bool = True,
        wrap: str = "",
    ) -> Answer:
        """The answer to a request for `/v1/` + `url`, good or bad; `SecretError` if there is none by
        `deadline` (`time.monotonic()`) or Vault cannot work. With `wrap` a good one is a wrapping token.
        """
        tries = 0
        while True:
            tries += 1
            answer, why = self._try(method, url, deadline, token, json, wrap)
            if answer is not None and answer.is_sealed:
                raise self._error("is sealed", "no secret can be had from a sealed Vault", "Unseal it")
            if answer is not None and (answer.status not in _AGAIN or not repeat):
                return self._checked(answer)
            asked = answer.retry_after if answer is not None else None
            pause = _pause(tries) if asked is None else asked
            if not repeat or time.monotonic() + pause >= deadline:
                raise self._gave_up(answer, why, tries)
            time.sleep(pause)

    def close(self) -> None:
        """Close the connections."""
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            adapter.close()

    def late(self, what: str) -> SecretError:
        """The error for what took too long."""
        return self._error(
            f"did not answer within {self._settings.timeout} ({what})",
            "a fetch ends by its deadline",
            "Look at Vault's load and the network, or raise timeout",
        )

    def _try(
        self, method: str, url: str, deadline: float, token: str, json: Any, wrap: str
    ) -> tuple[Answer | None, str]:
        import requests

        rest = max(deadline - time.monotonic(), 0.05)
        headers = {"X-Vault-Token": token} if token else {}
        if wrap:
            headers["X-Vault-Wrap-TTL"] = wrap
        try:
            response = self._open().request(
                method,
                f"/v1/{url}",
                headers=headers,
                raise_exception=False,
                json=json,
                timeout=(min(CONNECT, rest), rest),
            )
            return Answer(response), ""
        except requests.exceptions.SSLError as error:
            raise self._untrusted(error) from None
        except requests.exceptions.Timeout:
            return None, "did not answer in time"
        except requests.exceptions.RequestException as error:
            return None, f"cannot be reached ({type(error).__name__})"
        except OSError as error:  # a file that TLS needs
            raise self._error(
                f"cannot be asked: {error}",
                "ca_file, client_cert and client_key are files that this process can read",
                "Correct the paths in [secrets]",
            ) from None

    def _open(self) -> Any:
        if self._adapter is None:
            import requests
            from hvac.adapters import RawAdapter

            settings, session = self._settings, requests.Session()
            session.trust_env = False
            session.verify = str(settings.ca_file) if settings.ca_file else True
            if settings.client_cert and settings.client_key:
                session.cert = (str(settings.client_cert), str(settings.client_key))
            self._adapter = RawAdapter(
                base_uri=settings.url,
                namespace=settings.namespace or None,
                session=session,
                allow_redirects=False,
            )
        return self._adapter

    def _checked(self, answer: Answer) -> Answer:
        if 300 <= answer.status < 400:
            raise self._error(
                "answers with a redirect",
                "no redirect is followed, since the token would go along",
                "Set address to where Vault itself answers (the active node, or a load balancer)",
            )
        return answer

    def _gave_up(self, answer: Answer | None, why: str, tries: int) -> SecretError:
        times = f" ({tries} tries)" if tries > 1 else ""
        what = why if answer is None else f"answers {answer.status}"
        error = self._error(f"{what}{times}", "no secret without Vault", "Look at Vault and the network")
        error.retry_after = answer.retry_after if answer is not None else None
        return error

    def _untrusted(self, error: Exception) -> SecretError:
        host = "hostname" if "hostname" in str(error).lower() or "doesn't match" in str(error) else ""
        return self._error(
            "shows a certificate for another host" if host else "shows a certificate that is not trusted",
            "Vault proves who it is before a token is sent",
            "Set ca_file to the authority that signed it, and address to the name it was made for",
        )

    def _error(self, what: str, rule: str, remedy: str) -> SecretError:
        return SecretError(f"Vault at {self._settings.url} {what}", rule=rule, remedy=remedy)


def _pause(tries: int) -> float:
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - no secret hangs on it
    return min(LONGEST_PAUSE, float(FIRST_PAUSE * 2 ** (tries - 1))) * jitter
