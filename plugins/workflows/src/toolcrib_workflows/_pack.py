"""The jobs that this pack brings. Nothing heavy is imported before one of them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolcrib.hookspecs import Workflow, hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["toolcrib_workflows"]


@hookimpl
def toolcrib_workflows() -> list[Workflow]:
    """Lead outreach, the same job as a demo, ticket triage, and data analysis."""
    return [
        Workflow(
            "lead-outreach", "Research a company, draft a mail, have a human see it, send it.", _outreach
        ),
        Workflow(
            "ticket-triage",
            "Classify a ticket, answer it with a human's yes, resolve it or hand it on.",
            _triage,
        ),
        Workflow("data-analysis", "Answer a question about the CRM in a sandbox, with a chart.", _analysis),
        Workflow("demo", "Lead outreach on sample data: see what is allowed, refused and approved.", _demo),
    ]


def _outreach() -> click.Command:
    from toolcrib_workflows._command import job_command

    return job_command("lead-outreach", "toolcrib-outreach")


def _triage() -> click.Command:
    from toolcrib_workflows._command import job_command

    return job_command("ticket-triage", "toolcrib-triage")


def _analysis() -> click.Command:
    from toolcrib_workflows._command import job_command

    return job_command("data-analysis", "toolcrib-analysis")


def _demo() -> click.Command:
    from toolcrib_workflows._command import job_command

    return job_command("demo", "toolcrib-demo")
