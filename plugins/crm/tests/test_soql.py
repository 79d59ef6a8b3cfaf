"""Nothing that is written into a query can become anything but text: our builder, two parsers that know
nothing of it. The values are of public lists (`toolcrib.testing.injections`), and some of our own.
"""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.errors import VendorRefused
from toolcrib.testing.injections import INJECTIONS
from toolcrib_crm import soql
from toolcrib_crm.query import Compare, Group, In, Like, Not, Order, Query, Wild
from toolcrib_crm.sample import DEMO
from toolcrib_crm.schema import OBJECTS
from toolcrib_crm.testing._soql import SOQLError, plan, string_values

LEAD, DEAL = OBJECTS["Lead"], OBJECTS["Opportunity"]
NAME = LEAD.field("name")

OURS = [
    "'",
    "''",
    "\\",
    "\\'",
    "\\\\'",
    "' OR '1'='1",
    "' OR Name LIKE '%",
    "\\' OR Id != '",
    "x' LIMIT 1 --",
    "x'/*",
    "x' // y",
    "'); DELETE FROM Lead; --",
    "' UNION SELECT Id FROM User WHERE Name = '",
    "%' OR Name LIKE '%",
    '"',
    '" OR ""="',
    "`",
    "%",
    "_",
    "%_%",
    "\\%",
    "\\_",
    "100%",
    "‘ OR ’1’=’1",
    "＇ OR 1=1",
    "ʼ",
    "\u02b9 \uff07 \u2032",
    "line\nbreak",
    "line\r\nbreak",
    "tab\there",
    "\b\f\v",
    "\0",
    "a\0' OR 'b",
    "\x1b[31m",
    "\x7f\x85\x9f",
    "\u2028\u2029",
    "\ufeff",
    "\u202e' RO",
    "\u200b\u200d",
    "שלום",
    "مرحبا",
    "😀",
    "👩‍👩‍👧‍👦' OR '",
    "e\u0301",
    "\\u0027 OR \\u0027",
    "\\n",
    ":variable",
    "{!$User.Id}",
    "(SELECT Id FROM Contacts)",
    "NULL",
    "TRUE",
    "2026-01-01",
    "${7*7}",
    "<script>alert(1)</script>",
    "%27%20OR%201=1",
    "+OR+1=1",
    "a" * 3000 + "'",
]
VALUES = [*OURS, *(value for values in INJECTIONS.values() for value in values)]


def query_with(value):
    return Query(LEAD, (LEAD.field("id"), NAME), Compare(NAME, "=", value), (), 5)


@pytest.mark.parametrize("value", VALUES)
def test_the_fakes_parser_reads_the_value_back(value):
    text = soql.render(query_with(value))
    assert string_values(text) == [value]
    read = plan(text)
    assert (read.target, read.fields, read.limit) == ("Lead", ("Id", "Name"), 5)


@pytest.mark.parametrize("value", VALUES)
def test_the_independent_parser_reads_the_value_back(soql_parser, value):
    answer = soql_parser(soql.render(query_with(value)))
    assert answer["ok"], answer["error"]
    assert answer["strings"] == [value]


@pytest.mark.parametrize("value", VALUES)
def test_the_value_finds_itself_and_nothing_else(value):
    records = [{"Id": "1", "Name": value}, {"Id": "2", "Name": "somebody"}, {"Id": "3", "Name": None}]
    for condition in (
        Compare(NAME, "=", value),
        Like(NAME, (value,)),
        Like(NAME, (Wild.ANY, value, Wild.ANY)),
    ):
        found = plan(soql.render(Query(LEAD, (NAME,), condition))).run(records)
        assert [record["Id"] for record in found] == ["1"], condition


KINDS = {**INJECTIONS, "ours": [value[:70] for value in OURS if value.strip()]}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_value_goes_in_and_comes_out_of_a_crm(world, ctx, kind):
    """All the way: written as a lead's company, found by a query, and nothing else is."""
    for number, value in enumerate(KINDS[kind]):
        made = await world.crm.create_lead(f"Injected {number}", value, ctx=ctx)
        assert (await world.crm.get_record("Lead", made.id, ctx=ctx)).company == value
        query = f"SELECT id, company FROM Lead WHERE company = {soql.quote(value)}"
        found = await world.crm.run_query(query, ctx=ctx)
        assert [(row["id"], row["company"]) for row in found.rows] == [(made.id, value)]
        assert (await world.crm.search_contacts(value, limit=3, ctx=ctx)).records == () or value.isalnum()
        assert (await world.crm.search_accounts(value, limit=3, ctx=ctx)).records == () or value.isalnum()


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
def test_any_text_is_read_back_by_both(soql_parser_or_none, value):
    text = soql.render(query_with(value))
    assert string_values(text) == [value]
    if soql_parser_or_none is not None:
        answer = soql_parser_or_none(text)
        assert (answer["ok"], answer["strings"]) == (True, [value]), (text, answer)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(VendorRefused, match="not Unicode"):
        soql.quote("a\ud800b")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (False, "FALSE"),
        (-3, "-3"),
        (10**15, "1000000000000000"),
        (1e22, "10000000000000000000000"),
        (1e-7, "0.0000001"),
        (2.5, "2.5"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:04:05Z"),
        ("it's", r"'it\'s'"),
    ],
)
def test_literals(value, written):
    assert soql.literal(value) == written


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_infinity_is_written(value):
    with pytest.raises(VendorRefused):
        soql.literal(value)


def test_every_clause_satisfies_the_independent_parser(soql_parser):
    amount, closes, won = DEAL.field("amount"), DEAL.field("close_date"), DEAL.field("is_won")
    terms = (
        Compare(amount, ">=", 2.5),
        Compare(closes, "<", date(2026, 1, 1)),
        Compare(DEAL.field("created_at"), ">", datetime(2026, 1, 1, tzinfo=UTC)),
        Not(Compare(won, "=", True)),
        Not(Group("OR", (Compare(won, "=", False), Compare(amount, "=", None)))),
        In(DEAL.field("id"), (DEMO.open_opportunity_id, DEMO.won_opportunity_id)),
        In(DEAL.field("stage"), ("Closed Won", None), negated=True),
        Like(DEAL.field("account_name"), (Wild.ANY, "50%_", Wild.ONE)),
    )
    order = (Order(amount, True), Order(closes, False, True))
    for where in (*terms, Group("AND", terms), Group("OR", terms)):
        text = soql.render(Query(DEAL, tuple(DEAL.fields.values()), where, order, 7))
        answer = soql_parser(text)
        assert answer["ok"], (text, answer["error"])
        plan(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Id FROM User",
        "SELECT Secret__c FROM Lead",
        "SELECT Id FROM Lead WHERE Name = 'a' AND Name = 'b' OR Name = 'c'",
        "SELECT Id FROM Lead WHERE NOT Name = 'a'",
        'SELECT Id FROM Lead WHERE Name = "a"',
        "SELECT Id FROM Lead WHERE Name = 5",
        "SELECT Id FROM Lead WHERE Id = 'x'",
        "SELECT Id FROM Lead WHERE Name = 'a\nb'",
        r"SELECT Id FROM Lead WHERE Name = 'a\q'",
        "SELECT Id FROM Lead WHERE Name = 'a",
        "SELECT Id FROM Lead WHERE NumberOfEmployees = 1e5",
        "SELECT Id, Id FROM Lead",
        "SELECT Id FROM Lead; SELECT Id FROM Account",
        "SELECT Id FROM Lead -- x",
        "DELETE FROM Lead",
    ],
)
def test_the_fakes_parser_is_strict(text):
    with pytest.raises(SOQLError):
        plan(text)
