"""The tool through a whole crib: its label grows on the session, its secret stays inside."""

import importlib.resources

import pytest

from toolcrib import Crib, Principal
from toolcrib.secrets import LocalProvider
from toolcrib.testing import FakeService, Reply

MODEL = (importlib.resources.files("toolcrib_policies") / "model.conf").read_text()
ROWS = """
p, *, *, research.*, read, not ('untrusted' in r.ctx.labels and r.ctx.args.query == 'second'), allow
p, *, *, secret:research.research, use, True, allow
"""
CONFIG = """
[crib]
tenant = "acme"
[packs]
trust = "installed"
[packs.research]
{settings}
[packs.research.secrets]
research = "research/{{tenant}}"
"""
ALICE = Principal(agent="researcher", user="alice", tenant="acme", session="s", run="r")
TOKEN = "token-of-the-provider"


@pytest.fixture
def crib_of(tmp_path):
    def make(settings=""):
        (tmp_path / "policies").mkdir()
        (tmp_path / "policies" / "model.conf").write_text(MODEL)
        (tmp_path / "policies" / "policy.csv").write_text(ROWS.lstrip())
        (tmp_path / "toolcrib.toml").write_text(CONFIG.format(settings=settings))
        return Crib.from_config(tmp_path / "toolcrib.toml")

    return make


async def test_what_was_read_counts_against_the_session(crib_of):
    with crib_of() as crib:
        first = await crib.call("research.search_company", {"query": "Ozzelbruck"}, ALICE)
        second = await crib.call("research.search_company", {"query": "second"}, ALICE)
        assert (first.status, first.labels) == ("done", {"untrusted"})
        assert first.value["companies"][0]["name"] == "Ozzelbruck Rotors"
        assert second.status == "denied"


class Parrot(FakeService):
    """A provider that repeats the token it was sent."""

    def __init__(self):
        super().__init__()
        self.route("GET", "/companies", self.search)

    def search(self, request):
        company = {"domain": "a.example", "industry": "x", "employees": 1, "revenue_band": "unknown"}
        company |= {"name": f"you sent {request.bearer}", "location": "x", "source": "x"}
        return Reply.json({"companies": [company]})


async def test_a_provider_that_repeats_the_token_does_not_show_it_to_a_model(crib_of, tmp_path):
    LocalProvider(tmp_path / ".toolcrib").put("research/acme", TOKEN)
    with Parrot() as parrot, crib_of(f'backend = "http"\nbase_url = "{parrot.url}"') as crib:
        result = await crib.call("research.search_company", {"query": "acme"}, ALICE)
        assert parrot.requests[0].bearer == TOKEN
    assert result.value["companies"][0]["name"] == "you sent [secret:research/acme]"
    assert TOKEN not in result.text
    for file in (tmp_path / ".toolcrib").rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


async def test_without_its_secret_nothing_is_asked_and_the_path_is_named(crib_of):
    with Parrot() as parrot, crib_of(f'backend = "http"\nbase_url = "{parrot.url}"') as crib:
        result = await crib.call("research.search_company", {"query": "acme"}, ALICE)
        assert result.is_error
        assert "research/acme" in result.text
        assert not parrot.requests


async def test_a_provider_that_is_down_for_a_moment_is_asked_again(crib_of, tmp_path):
    LocalProvider(tmp_path / ".toolcrib").put("research/acme", TOKEN)
    with Parrot() as parrot, crib_of(f'backend = "http"\nbase_url = "{parrot.url}"') as crib:
        parrot.fail(503, headers={"retry-after": "0"})
        result = await crib.call("research.search_company", {"query": "acme"}, ALICE)
    assert (result.status, result.attempts) == ("done", 2)
