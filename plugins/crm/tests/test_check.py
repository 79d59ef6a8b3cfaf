"""`toolcrib packs check crm --backend salesforce`: the shipped suite, as an operator runs it."""

import json

from click.testing import CliRunner

from toolcrib.cli.packs import packs


def test_the_shipped_suite_meets_the_fake_and_needs_no_account():
    only = [part for name in ("calls", "secrets") for part in ("--only", name)]
    result = CliRunner().invoke(packs, ["check", "crm", "--backend", "salesforce", "--json", *only])
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    assert [(one["check"], one["status"]) for one in report["checks"]] == [
        ("calls", "passed"),
        ("secrets", "passed"),  # the embedded backend has none, and skips this
    ]


def test_a_setting_that_the_vendor_does_not_know_turns_it_red():
    wrong = ["--set", 'external_id="Missing__c"', "--only", "calls"]
    result = CliRunner().invoke(packs, ["check", "crm", "--backend", "salesforce", *wrong])
    assert result.exit_code == 1
    assert "crm.create_lead: a good call fails" in result.stdout
