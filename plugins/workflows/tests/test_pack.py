"""The pack as the crib sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

import toolcrib_workflows
from toolcrib.config import Config
from toolcrib.packs import load_packs


def test_it_brings_the_jobs(tmp_path: Path):
    packs = load_packs(Config(tmp_path / "toolcrib.toml", state=tmp_path / ".toolcrib", trust="installed"))
    assert {"demo", "lead-outreach", "ticket-triage", "data-analysis"} == set(packs.workflows())
    assert toolcrib_workflows.PACK_API == 1


def test_looking_at_the_jobs_imports_no_framework():
    program = (
        "import sys, toolcrib_workflows as w\n"
        "for job in w.toolcrib_workflows(): job.command()\n"
        "print([m for m in ('autogen', 'autogen_agentchat', 'openai', 'toolcrib.crib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_help_of_each_job_names_its_options_and_exit_codes():
    for job in toolcrib_workflows.toolcrib_workflows():
        text = CliRunner().invoke(job.command(), ["--help"]).output
        subject = {"ticket-triage": "--ticket", "data-analysis": "--question"}.get(job.name, "--company")
        for word in (subject, "--dir", "--api", "--answers", "--new", "--json", "3 waiting"):
            assert word in text


def test_an_unknown_api_is_wrong_usage():
    (job, *_) = toolcrib_workflows.toolcrib_workflows()
    done = CliRunner().invoke(job.command(), ["--api", "ag3"])
    assert done.exit_code == 2
