"""A strict provider on loopback for tests: the embedded companies over HTTP, and nothing else."""

from __future__ import annotations

from toolcrib.testing import FakeService, Reply, Request, ServiceRefused
from toolcrib_research.models import RESULT_CAP, Company
from toolcrib_research.sample import companies

__all__ = ["TOKEN", "FakeProvider"]

TOKEN = "token-of-the-provider"  # noqa: S105 (of a provider that lives as long as a test)


class FakeProvider(FakeService):
    """`GET /v1/companies?q=...&limit=...` with `TOKEN` as bearer token; both parameters are needed."""

    def __init__(self) -> None:
        super().__init__()
        self.route("GET", "/v1/companies", self._search)

    def _search(self, request: Request) -> Reply:
        if request.bearer != TOKEN:
            raise ServiceRefused(401, {"error": "bad token"})
        asked = request.query
        if set(asked) != {"q", "limit"} or not 1 <= int(asked["limit"]) <= RESULT_CAP:
            raise ServiceRefused(422, {"error": "q and limit are needed"})
        name, words = asked["q"].lower(), asked["q"].lower().split()
        found = [each for each in companies() if _is_meant(each, words)]
        found.sort(key=lambda company: (company.name.lower() != name, company.name))
        return Reply.json({"companies": [each.model_dump(mode="json") for each in found], "took_ms": 3})


def _is_meant(company: Company, words: list[str]) -> bool:
    return words == [company.domain] or all(word in company.name.lower() for word in words)
