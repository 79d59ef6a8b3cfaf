"""From a question to a chart: rows from the CRM, a program in a container, a file that people can open."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import signal
from collections import Counter
from xml.etree import ElementTree

import pexpect
import pytest
from click.testing import CliRunner

from toolcrib.cli._main import cli
from toolcrib_crm.sample import records as crm_records

SVG = "{http://www.w3.org/2000/svg}"


def worth_by_stage() -> dict[str, tuple[float, int]]:
    """What the chart must say, computed here from the same sample data."""
    worth: Counter[str] = Counter()
    deals: Counter[str] = Counter()
    for row in crm_records()["Opportunity"]:
        if not row["stage"].startswith("Closed") and str(row["close_date"]) <= "2026-12-31":
            worth[row["stage"]] += row["amount"] or 0
            deals[row["stage"]] += 1
    return {stage: (worth[stage], deals[stage]) for stage in worth}


def chart_of(desk) -> bytes:
    (path,) = desk.project.glob("files/*/open-deals.svg")
    return path.read_bytes()


def test_the_chart_says_what_the_crm_has(finished) -> None:
    desk, story = finished
    chart = chart_of(desk)
    texts = [each.text or "" for each in ElementTree.fromstring(chart).iter(f"{SVG}text")]
    expected = worth_by_stage()
    assert len(expected) > 3
    for stage, (worth, deals) in expected.items():
        assert f"{worth / 1e6:.2f} ({deals})" == texts[texts.index(stage) + 1]
    total, number = (sum(each[n] for each in expected.values()) for n in (0, 1))
    assert f"Total: {total:,.0f} in {number} deals" in story


def test_the_chart_is_kept_by_digest_and_its_path_is_printed(finished) -> None:
    desk, story = finished
    chart = chart_of(desk)
    digest = hashlib.sha256(chart).hexdigest()
    kept = desk.project / ".toolcrib" / "artifacts" / "tenant-acme" / digest
    assert kept.read_bytes() == chart
    (path,) = re.findall(r"^File left: (.+)$", story, re.MULTILINE)
    assert (desk.here / path).read_bytes() == chart
    (outcome,) = [
        r for r in desk.records(kind="outcome", tool="code.run_python") if r["notes"]["sandbox"]["files"]
    ]
    assert outcome["notes"]["sandbox"]["files"] == [{"digest": digest, "bytes": len(chart)}]
    assert outcome["notes"]["sandbox"]["image"].startswith("sha256:")
    assert outcome["notes"]["sandbox"]["egress"] == []


def test_the_rows_of_the_crm_went_into_the_sandbox_as_a_file(finished) -> None:
    desk, _ = finished
    intents = desk.records(kind="intent", tool="code.run_python", agent="coder")
    assert len(intents) == 2  # the first asked for a library that the image does not have
    rows = list(csv.DictReader(io.StringIO(intents[-1]["arguments"]["files"]["deals.csv"])))
    assert len(rows) == sum(deals for _, deals in worth_by_stage().values())
    assert set(rows[0]) == {"stage", "close_date", "amount"}


def test_a_program_that_failed_is_told_and_was_mended(finished) -> None:
    _, story = finished
    assert re.search(r"exit code 1: ModuleNotFoundError: No module named 'matplotlib'", story)


@pytest.mark.parametrize(
    ("status", "agent", "tool"),
    [
        ("done", "analyst", "crm.run_query"),
        ("denied", "analyst", "crm.create_lead"),
        ("denied", "coder", "code.run_connected"),
        ("done", "coder", "code.run_python"),
    ],
)
def test_every_outcome_is_on_the_log_and_in_the_story(finished, status: str, agent: str, tool: str) -> None:
    desk, story = finished
    found = desk.records(status=status, agent=agent, tool=tool)
    assert found and {record["user"] for record in found} == {"alice"}
    assert re.search(rf"{re.escape(tool)} .* {status}$", story, re.MULTILINE)
    if status == "denied":
        assert desk.records(kind="intent", tool=tool) == []


@pytest.mark.parametrize("words", [("lint",), ("test",)], ids=str)
def test_the_policy_that_it_brings_is_clean_where_its_packs_are_installed(finished, words) -> None:
    desk, _ = finished
    done = CliRunner().invoke(cli, ["-c", str(desk.project / "toolcrib.toml"), "policy", *words])
    assert done.exit_code == 0, done.output
    assert not re.search(r" (error|warning) TC|failed|TC600", done.output), done.output


def test_a_run_that_was_killed_goes_on_where_it_was_in_the_classic_api(desk) -> None:
    job = ("--api", "classic", "--question", "What are they worth, by month?")
    person = desk.at_terminal(*job)
    try:
        person.expect(r"code\.run_python .*done")
        person.kill(signal.SIGKILL)
        person.expect(pexpect.EOF)
    finally:
        person.close(force=True)
    done = desk.analyse(*job, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["by_status"] == {"done": 3, "denied": 2} and told["log"]["ok"]
    assert len(desk.records(kind="intent", tool="crm.run_query")) == 1
    (path,) = told["files"]
    texts = [each.text for each in ElementTree.parse(desk.project / path).iter(f"{SVG}text")]
    assert "Open deals of this year, by month" in texts and {"2026-11", "2026-12"} <= set(texts)


def test_without_an_engine_it_says_what_is_missing_and_what_to_do(without_engine) -> None:
    desk = without_engine
    done = desk.analyse()
    assert done.returncode == 1
    assert f"Error: the Docker engine at {desk.host} could not be reached: it does not answer" in done.stderr
    assert "Remedy: Start it, or set DOCKER_HOST" in done.stderr and "Traceback" not in done.stderr
    assert not [*(desk.project / ".toolcrib").glob("runs/*.json")], "nothing to go on with"


def test_it_is_among_the_jobs() -> None:
    listed = CliRunner().invoke(cli, ["run", "--help"])
    assert re.search(r"^\s+data-analysis\s+Answer a question about the CRM", listed.stdout, re.MULTILINE)
