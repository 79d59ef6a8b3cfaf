"""The query language: what it takes, what it refuses, and that both backends answer alike."""

import string
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolcrib.errors import VendorRefused
from toolcrib_crm import soql
from toolcrib_crm.query import Compare, Group, In, Like, Not, Order, Query, Wild, parse
from toolcrib_crm.sample import DEMO
from toolcrib_crm.schema import OBJECTS

DEAL = OBJECTS["Opportunity"]


def test_a_query_becomes_data():
    query = parse(
        "select name, StageName FROM opportunity WHERE stage = 'Closed Won' AND "
        "(amount > 1000.5 OR amount < 2) ORDER BY Amount DESC, name LIMIT 5"
    )
    assert query == Query(
        DEAL,
        (DEAL.field("name"), DEAL.field("stage")),
        Group(
            "AND",
            (
                Compare(DEAL.field("stage"), "=", "Closed Won"),
                Group(
                    "OR", (Compare(DEAL.field("amount"), ">", 1000.5), Compare(DEAL.field("amount"), "<", 2))
                ),
            ),
        ),
        (Order(DEAL.field("amount"), True, True), Order(DEAL.field("name"))),
        5,
    )


def test_names_are_ours_or_salesforces_in_any_case():
    ours = parse("SELECT account_name FROM Contact")
    assert parse("SELECT Account.Name FROM contact") == ours == parse("select ACCOUNT.NAME from CONTACT")
    assert parse("SELECT Subject FROM Task") == parse("SELECT subject FROM Activity")


def test_literals_keep_their_types():
    query = parse(
        "SELECT id FROM Opportunity WHERE is_won = true AND close_date >= 2026-01-31 AND "
        "created_at < 2026-02-03T04:05:06+02:00 AND next_step = null AND amount IN (1, -2.5)"
    )
    assert isinstance(query.where, Group)
    assert [getattr(term, "value", None) or getattr(term, "values", None) for term in query.where.terms] == [
        True,
        date(2026, 1, 31),
        datetime(2026, 2, 3, 2, 5, 6, tzinfo=UTC),
        None,
        (1, -2.5),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"'it\'s'", "it's"),
        (r"'a\\'", "a\\"),
        (r"'\n\R\t\"'", '\n\r\t"'),
        (r"'\u00e9\u0000'", "é\0"),
        ("'--;/*#'", "--;/*#"),
        ("'‘curly’ ＇wide＇'", "‘curly’ ＇wide＇"),
        ("'100%_'", "100%_"),
    ],
)
def test_strings_unescape_as_in_soql(text, value):
    where = parse(f"SELECT id FROM Lead WHERE name = {text}").where
    assert isinstance(where, Compare)
    assert where.value == value


def test_wildcards_of_like_are_told_from_text():
    where = parse(r"SELECT id FROM Lead WHERE name LIKE '%50\%\_a_\\%'").where
    assert where == Like(OBJECTS["Lead"].field("name"), (Wild.ANY, "50%_a", Wild.ONE, "\\", Wild.ANY))


def test_a_short_id_is_made_whole():
    where = parse(f"SELECT id FROM Account WHERE id = '{DEMO.account_id[:15]}'").where
    assert isinstance(where, Compare)
    assert where.value == DEMO.account_id


BAD = {
    "": "SELECT should be",
    "DELETE FROM Account": "SELECT should be",
    "SELECT * FROM Account": "cannot be read at character 7",
    "SELECT id FROM Account; DROP TABLE x": "cannot be read at character 22",
    "SELECT id FROM Account -- x": "cannot be read",
    "SELECT id FROM Account /* x */": "cannot be read",
    "SELECT id FROM User": "no object 'User'",
    "SELECT id FROM sqlite_master": "no object",
    "SELECT password FROM Account": "no field 'password'",
    "SELECT COUNT() FROM Account": "no field|should be",
    "SELECT id FROM Account WHERE": "the end where a field name",
    "SELECT id FROM Account WHERE name": "operator",
    "SELECT id FROM Account WHERE name = ": "cannot stand beside name",
    "SELECT id FROM Account WHERE name = 5": "write 'text'",
    "SELECT id FROM Account WHERE name = 'x": "cannot be read at character 36",
    "SELECT id FROM Account WHERE name = 'x' OR": "the end",
    "SELECT id FROM Account WHERE name = 'x' name": "end of the query",
    "SELECT id FROM Account WHERE name = 'a\nb'": "cannot be read",
    r"SELECT id FROM Account WHERE name = '\q'": r"escape \\q",
    r"SELECT id FROM Account WHERE name = '\%'": r"escape \\%",
    "SELECT id FROM Account WHERE id = 'x'": "not a record id",
    "SELECT id FROM Account WHERE id LIKE '001%'": "text field",
    "SELECT id FROM Account WHERE id > '001000000000001'": "use = or !=",
    "SELECT id FROM Account WHERE employees = '5'": "a number",
    "SELECT id FROM Account WHERE employees > NULL": "use = or !=",
    "SELECT id FROM Account WHERE name = (SELECT name FROM Lead)": "cannot stand",
    "SELECT id FROM Account WHERE name IN ()": "cannot stand",
    "SELECT id FROM Opportunity WHERE close_date = 2026-02-30": "is no date",
    "SELECT id FROM Opportunity WHERE close_date = TODAY": "YYYY-MM-DD",
    "SELECT id FROM Opportunity WHERE is_won = 'true'": "TRUE or FALSE",
    "SELECT id FROM Account LIMIT 0": "1 or more",
    "SELECT id FROM Account LIMIT 1.5": "1 or more",
    "SELECT id FROM Account LIMIT -1": "1 or more",
    "SELECT id FROM Account LIMIT 5 OFFSET 5": "end of the query",
    "SELECT id FROM Account FOR UPDATE": "end of the query",
    "SELECT id FROM Account WHERE " + "(" * 30 + "id = null" + ")" * 30: "nests too deep",
    "SELECT id FROM Account WHERE " + "NOT " * 500 + "id = null": "nests too deep",
    "SELECT id FROM Account WHERE employees IN (" + ",".join(["1"] * 201) + ")": "at most 200",
    "SELECT id FROM Account " + " " * 5000: "at most 4,000",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_not_in_the_language_is_refused(text):
    with pytest.raises(VendorRefused, match=BAD[text]) as refused:
        parse(text)
    assert refused.value.happened is False
    assert refused.value.remedy


# --- any query at all -----------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.text(
    string.punctuation + "\\'\"%_\n\r\t\0\u2028", max_size=8
)
VALUES = {
    "string": texts,
    "id": st.just(DEMO.account_id),
    "integer": st.integers(-(10**6), 10**6),
    "number": st.floats(-1e9, 1e9).map(lambda number: round(number, 3) + 0.0),
    "boolean": st.booleans(),
    "date": st.dates(date(1970, 1, 1), date(2999, 1, 1)),
    "datetime": st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
}


def leaves(spec):
    def of(field):
        values = VALUES[field.type]
        ops = ["=", "!="] if field.type in ("boolean", "id") else ["=", "!=", "<", "<=", ">", ">="]
        made = st.builds(Compare, st.just(field), st.sampled_from(ops), values)
        made |= st.builds(Compare, st.just(field), st.sampled_from(["=", "!="]), st.none())
        made |= st.builds(
            In, st.just(field), st.lists(values, min_size=1, max_size=3).map(tuple), st.booleans()
        )
        if field.type == "string":
            made |= st.builds(
                Like, st.just(field), st.lists(texts | st.sampled_from(Wild), max_size=4).map(joined)
            )
        return made

    return st.sampled_from(list(spec.fields.values())).flatmap(of)


def joined(parts):
    """Neighbouring texts as one, as a parser must see them."""
    whole = []
    for part in parts:
        if isinstance(part, str) and whole and isinstance(whole[-1], str):
            whole[-1] += part
        elif part != "":
            whole.append(part)
    return tuple(whole)


def groups(terms):
    return st.builds(
        Group, st.sampled_from(["AND", "OR"]), st.lists(terms, min_size=2, max_size=3).map(tuple)
    )


def queries(spec):
    conditions = st.recursive(leaves(spec), lambda terms: groups(terms) | st.builds(Not, terms), max_leaves=4)
    fields = st.sampled_from(list(spec.fields.values()))
    return st.builds(
        Query,
        st.just(spec),
        st.lists(fields, min_size=1, max_size=4, unique=True).map(tuple),
        st.none() | conditions,
        st.lists(st.builds(Order, fields, st.booleans(), st.booleans()), max_size=2).map(tuple),
        st.none() | st.integers(1, 50),
    )


any_query = st.sampled_from(list(OBJECTS.values())).flatmap(queries)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(any_query)
def test_every_query_survives_being_written_and_read(query):
    text = soql.render(query)
    if len(text) <= 4000:
        assert parse(text) == query


async def test_both_backends_answer_alike(embedded, salesforce, ctx):
    for text in (
        "SELECT id, employees FROM Account WHERE employees >= 540 AND country != 'Germany' ORDER BY name",
        "SELECT id, is_won, account_name FROM Opportunity WHERE NOT (stage LIKE 'Closed%' OR amount > 50000)",
        "SELECT name FROM Opportunity WHERE next_step = NULL AND close_date < 2026-10-01 ORDER BY id DESC",
        "SELECT id, rating FROM Lead WHERE rating != 'hot' ORDER BY rating, id LIMIT 60",
        "SELECT id FROM Lead WHERE rating NOT IN ('HOT', 'cold') ORDER BY rating DESC NULLS FIRST, id",
        "SELECT id FROM Lead WHERE rating IN (NULL, 'Warm') ORDER BY id",
        "SELECT id FROM Contact WHERE name LIKE '_d_ %' AND created_at > 2025-01-01T00:00:00Z ORDER BY id",
        "SELECT who_id FROM Activity WHERE body LIKE '%March%' ORDER BY activity_date, id LIMIT 25",
        f"SELECT id FROM Activity WHERE account_id IN ('{DEMO.account_id}') AND kind = 'email' ORDER BY id",
    ):
        one, two = await embedded.crm.run_query(text, ctx=ctx), await salesforce.crm.run_query(text, ctx=ctx)
        assert one == two, text
        assert one.rows, text


@settings(max_examples=60, deadline=None)
@given(query=any_query)
def test_any_query_finds_the_same_in_both(query, both_stores):
    """Not only that both run: the fake's own reading of the SOQL takes the same records as our SQL."""
    sql_rows, soql_rows = both_stores(query)
    assert sql_rows == soql_rows


@pytest.fixture(scope="session")
def both_stores(tmp_path_factory):
    from toolcrib_crm import sample
    from toolcrib_crm.embedded import _Store
    from toolcrib_crm.testing import FakeSalesforce
    from toolcrib_crm.testing._soql import plan

    store, fake = _Store(tmp_path_factory.mktemp("crm") / "crm-x.db"), FakeSalesforce()
    fake.load(sample.records())
    seen = {spec.vendor: fake.store.all(spec.vendor) for spec in OBJECTS.values()}

    def run(query):
        by_id = Query(query.target, (query.target.field("id"),), query.where)
        found = plan(soql.render(by_id)).run(seen[query.target.vendor])
        return [row["id"] for row in store.fetch(by_id)], [row["Id"] for row in found]

    yield run
    store.close()
