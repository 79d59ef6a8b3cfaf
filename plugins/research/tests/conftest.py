"""The same toolkit over both sources; the HTTP one talks to a strict provider on loopback."""

import time

import pytest

from toolcrib import CallContext, Principal
from toolcrib.errors import SecretError
from toolcrib.secrets import Secret
from toolcrib_research import Research, ResearchSettings
from toolcrib_research.embedded import EmbeddedBackend
from toolcrib_research.http import HTTPBackend
from toolcrib_research.testing import TOKEN, FakeProvider


@pytest.fixture
def provider():
    with FakeProvider() as service:
        yield service


@pytest.fixture
def ctx():
    return context()


@pytest.fixture
def make_context():
    return context


def context(token=TOKEN, seconds=30.0):
    """A call context whose secret `research` is `token`."""

    async def fetch(name):
        if name != "research" or token is None:
            raise SecretError(f"no secret {name!r}")
        return Secret(token, path="research/acme", version=1)

    return CallContext(
        tool="research.search_company",
        principal=Principal(agent="researcher", user="alice", tenant="acme"),
        call_id="call-1",
        idempotency_key="run:call-1",
        deadline=time.monotonic() + seconds,
        fetch_secret=fetch,
    )


@pytest.fixture
async def http(provider):
    settings = ResearchSettings(
        backend="http", base_url=f"{provider.url}/v1", timeout=20.0, max_bytes=200_000
    )
    research = Research(HTTPBackend(settings))
    yield research
    await research.close()


@pytest.fixture
async def embedded():
    return Research(EmbeddedBackend())


@pytest.fixture(params=["embedded", "http"])
def research(request):
    return request.getfixturevalue(request.param)
