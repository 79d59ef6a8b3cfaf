"""The sample data: much, the same everywhere, invented."""

import hashlib
import json
import re
import subprocess
import sys

import pytest

from toolcrib_crm.sample import DEMO, make_id, records
from toolcrib_crm.schema import OBJECTS, check_id, id_suffix


def test_there_is_enough():
    counts = {kind: len(rows) for kind, rows in records().items()}
    assert counts["Account"] >= 200
    assert counts["Contact"] >= 600
    assert counts["Opportunity"] >= 400
    assert counts["Activity"] >= 2000
    assert counts["Lead"] >= 100
    assert sum(row["stage"] == "Closed Won" for row in records()["Opportunity"]) >= 10


def digest():
    return hashlib.sha256(json.dumps(records(), sort_keys=True).encode()).hexdigest()


def test_another_process_makes_the_same():
    program = (
        "import hashlib, json; from toolcrib_crm.sample import records; "
        "print(hashlib.sha256(json.dumps(records(), sort_keys=True).encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest()


def test_another_seed_makes_others_under_the_same_ids():
    other = records(7)
    assert [row["id"] for row in other["Account"]] == [row["id"] for row in records()["Account"]]
    assert other["Account"] != records()["Account"]
    assert other["Account"][0]["name"] == DEMO.company


def test_ids_are_one_of_a_kind_and_links_lead_somewhere():
    ids = [row["id"] for rows in records().values() for row in rows]
    known = set(ids)
    assert len(ids) == len(known)
    for kind, rows in records().items():
        for row in rows:
            assert check_id(OBJECTS[kind], row["id"]) == row["id"]
            for link in ("account_id", "who_id", "related_id"):
                assert row.get(link) is None or row[link] in known


def test_every_record_fits_its_model():
    for kind, rows in records().items():
        spec = OBJECTS[kind]
        for row in rows:
            for name, value in row.items():
                field = spec.fields[name]
                assert (
                    value is None or name in ("id", "is_converted") or field.accept(value, kind) is not None
                )


def test_all_of_it_is_invented():
    everything = json.dumps(records())
    assert not re.findall(r"[\w-]+\.(?:com|net|org|io|de|uk)\b", everything)
    assert all(".example" in row["email"] for row in [*records()["Contact"], *records()["Lead"]])
    assert all("555 01" in row["phone"] for row in [*records()["Contact"], *records()["Account"]])
    names = [row["name"] for row in records()["Account"]]
    assert len(names) == len(set(names))


def test_the_named_records_are_what_they_are_named():
    by_id = {row["id"]: row for rows in records().values() for row in rows}
    assert by_id[DEMO.account_id]["name"] == DEMO.company
    assert DEMO.domain in by_id[DEMO.account_id]["website"]
    assert by_id[DEMO.contact_id]["email"] == DEMO.contact_email
    assert by_id[DEMO.second_contact_id]["account_id"] == DEMO.account_id
    assert by_id[DEMO.won_opportunity_id]["stage"] == "Closed Won"
    assert "Closed" not in by_id[DEMO.open_opportunity_id]["stage"]
    assert (by_id[DEMO.lead_id]["company"], by_id[DEMO.lead_id]["email"]) == (DEMO.company, DEMO.lead_email)
    assert "IGNORE" in by_id[DEMO.injected_lead_id]["description"]


@pytest.mark.parametrize(
    # Pairs from Salesforce's own documentation of the 18-character id.
    ("short", "suffix"),
    [("0016000000IZ3vv", "AAD"), ("a0FD00000046oDR", "MAY")],
)
def test_the_suffix_of_an_id_is_salesforces(short, suffix):
    assert id_suffix(short) == suffix


def test_ids_count_up():
    assert make_id("Lead", 1) != make_id("Lead", 2)
    assert make_id("Lead", 7).startswith("00QTC")
