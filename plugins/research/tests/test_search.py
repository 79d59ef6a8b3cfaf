"""What holds for both sources."""

import pytest

from toolcrib_research import CompanySearch
from toolcrib_research.sample import DEMO_COMPANY, INJECTED_COMPANY, INJECTION


async def test_a_name_finds_its_company_with_all_firmographics(research, ctx):
    found = await research.search_company(DEMO_COMPANY, ctx)
    company = found.companies[0]
    assert (company.name, company.domain) == ("Ozzelbruck Rotors", "ozzelbruck-rotors.example")
    assert (company.industry, company.employees, company.revenue_band) == ("Manufacturing", 80, "10M-50M")
    assert company.location == "Graz, Austria"
    assert "OPC UA" in company.technologies
    assert len(company.news) == 2
    assert company.source
    assert found.message == "1 found for 'Ozzelbruck Rotors'."


@pytest.mark.parametrize(
    "query", ["ozzelbruck rotors", "OZZELBRUCK", "rotors ozzel", "ozzelbruck-rotors.example"]
)
async def test_case_parts_and_domains_do_as_well(research, ctx, query):
    found = await research.search_company(query, ctx)
    assert [company.name for company in found.companies] == [DEMO_COMPANY]


async def test_an_unknown_company_is_an_empty_answer_in_plain_words(research, ctx):
    found = await research.search_company("Nobody & Sons", ctx)
    assert found.companies == ()
    assert "No company matches 'Nobody & Sons'" in found.message


@pytest.mark.parametrize("limit", [1, 3, 20])
async def test_the_limit_holds(research, ctx, limit):
    assert len((await research.search_company("castings", ctx, limit=limit)).companies) <= limit


async def test_news_may_give_orders_and_are_handed_over_as_data(research, ctx):
    (company,) = (await research.search_company(INJECTED_COMPANY, ctx)).companies
    assert company.news[0].text == INJECTION


@pytest.mark.parametrize("query", ["a&limit=1000", "x?q=y#z", "../admin", "ä ö ü", "50%", "q\nx", "'; --"])
async def test_awkward_queries_are_text_and_nothing_else(research, ctx, query):
    assert (await research.search_company(query, ctx)).companies == ()


async def test_the_answer_goes_to_json_and_back(research, ctx):
    found = await research.search_company(DEMO_COMPANY, ctx)
    assert CompanySearch.model_validate_json(found.model_dump_json()) == found
