"""Holds the pack to what every pack is held to, over both sources."""

from click.testing import CliRunner

from toolcrib.cli.packs import packs
from toolcrib_research.conformance import HTTP, Conformance


class TestEmbedded(Conformance):
    """Every check of the kit."""


class TestHTTP(HTTP):
    """Every check of the kit."""


def test_the_shipped_suite_starts_its_provider_itself():
    asked = ["research", "--backend", "http", "--only", "secrets", "--only", "calls"]
    result = CliRunner().invoke(packs, ["check", *asked])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "research (http)",
        "passed   calls",
        "passed   secrets",
        "2 passed",
    ]
