import pytest

from toolcrib.kit import Client, SecretHeader
from toolcrib.testing import FakeService, make_context

TOKEN = "token-of-the-vendor"


@pytest.fixture
def vendor():
    with FakeService() as service:
        yield service
    assert not service.failures


@pytest.fixture
def ctx():
    return make_context(secrets={"vendor": TOKEN})


@pytest.fixture
async def make_client(vendor):
    made = []

    def make(**settings):
        settings = {"vendor": "Acme", "credentials": SecretHeader("vendor"), "timeout": 20.0, **settings}
        made.append(Client(settings.pop("base_url", f"{vendor.url}/api"), **settings))
        return made[-1]

    yield make
    for client in made:
        await client.close()


@pytest.fixture
def client(make_client):
    return make_client()
