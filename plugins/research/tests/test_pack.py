"""The pack as the crib sees it: settings, the tool's face, the sample data."""

import importlib.metadata

import pytest

import toolcrib_research
from toolcrib.errors import ConfigError, InvalidArguments
from toolcrib.hookspecs import PACK_API, PackConfig
from toolcrib.tools import tools_of
from toolcrib_research.embedded import EmbeddedBackend
from toolcrib_research.http import HTTPBackend
from toolcrib_research.sample import DEMO_COMPANY, INJECTION, companies


def toolkit(tmp_path, **settings):
    config = PackConfig(pack="research", settings=settings, folder=tmp_path, tenant="acme")
    (kit,) = toolcrib_research.toolcrib_toolkits(config)
    return kit


def test_it_is_found_by_its_entry_point_and_says_its_api():
    (entry,) = importlib.metadata.entry_points(group="toolcrib.packs", name="research")
    assert entry.load() is toolcrib_research
    assert toolcrib_research.PACK_API == PACK_API


def test_one_tool_that_reads_and_whose_results_are_untrusted(tmp_path):
    (tool,) = tools_of(toolkit(tmp_path), pack="research")
    assert (tool.name, tool.effect, tool.labels) == ("research.search_company", "read", {"untrusted"})
    assert tool.targets == ()
    assert set(tool.schema["properties"]) == {"query", "limit"}
    assert tool.schema["required"] == ["query"]
    assert tool.schema["properties"]["query"]["description"].startswith("A company's name")


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"query": "a"}',
        b'{"query": 7}',
        b'{"query": "acme", "limit": 0}',
        b'{"query": "acme", "limit": 21}',
        b'{"query": "acme", "x": 1}',
    ],
)
def test_bad_arguments_are_refused_before_the_tool(tmp_path, raw):
    (tool,) = tools_of(toolkit(tmp_path), pack="research")
    with pytest.raises(InvalidArguments):
        tool.arguments.freeze(tool.name, raw)


def test_without_settings_the_sample_companies_are_searched(tmp_path):
    assert isinstance(toolkit(tmp_path)._backend, EmbeddedBackend)


@pytest.mark.parametrize(
    "url",
    ["https://research.vendor.example/v1", "http://127.0.0.1:8000", "http://localhost", "http://[::1]:1"],
)
def test_usable_urls(tmp_path, url):
    assert isinstance(toolkit(tmp_path, backend="http", base_url=url)._backend, HTTPBackend)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "research.vendor.example",
        "http://research.vendor.example",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "https://u:p@x.example",
        "https://x.example/?a=b",
        "https://",
    ],
)
def test_unusable_urls_are_refused(tmp_path, url):
    with pytest.raises(ConfigError, match="base_url is not usable"):
        toolkit(tmp_path, backend="http", base_url=url)


@pytest.mark.parametrize(
    "settings",
    [{"backend": "carrier pigeon"}, {"base_uri": "x"}, {"timeout": 0.0}, {"max_bytes": -1}, {"timeout": "9"}],
)
def test_wrong_settings_are_refused(tmp_path, settings):
    with pytest.raises(ConfigError):
        toolkit(tmp_path, **settings)


def test_the_sample_is_large_invented_and_the_same_everywhere():
    found = companies()
    assert len(found) >= 200
    assert len({company.domain for company in found}) == len(found)
    assert all(company.domain.endswith(".example") for company in found)
    assert companies.__wrapped__() == found
    assert found[0].name == DEMO_COMPANY


def test_exactly_one_note_gives_orders():
    assert [note.text for company in companies() for note in company.news].count(INJECTION) == 1
