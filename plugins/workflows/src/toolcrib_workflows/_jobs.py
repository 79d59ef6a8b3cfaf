"""The jobs that this pack brings, each as data: its team, its packs, its policy, its sample, its script."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from toolcrib_workflows import _analysis_roles, _roles, _triage_roles
from toolcrib_workflows._roles import Role

__all__ = ["KINDS", "JobKind"]


@dataclass(frozen=True, slots=True)
class JobKind:
    """One job. `subject` is what a run is about: its option's name, its default, and its words.

    `packs` are needed beside `workflows`; the first one holds the records, and while it is embedded they are
    sample data. `sample` is the folder with the project's template and answers; `script` the module whose
    `story` plays the team where there is no model.
    """

    name: str
    help: str
    packs: tuple[str, ...]
    bundle: str
    roles: tuple[Role, ...]
    prompt_version: str
    task_for: Callable[[str], str]
    doing: str
    subject: str
    subject_help: str
    default: str
    sample: str
    script: str
    explain: str

    @property
    def model(self) -> str:
        """The name under which the script is served."""
        return f"scripted-{self.bundle}"

    @property
    def runs_code(self) -> bool:
        """Whether it needs a sandbox."""
        return "code" in self.packs

    @property
    def command(self) -> str:
        """How the job is called on the command line, behind `toolcrib`."""
        return self.name if self.name == "demo" else f"run {self.name}"

    def story(self) -> Any:
        """The script's rule."""
        return importlib.import_module(self.script).story


_OUTREACH = JobKind(
    name="lead-outreach",
    help="Four agents research a company, look it up in the CRM, draft a mail and, once a human has agreed, "
    "send it and log it.",
    packs=("crm", "mail", "research"),
    bundle="lead-outreach",
    roles=_roles.ROLES,
    prompt_version=_roles.PROMPT_VERSION,
    task_for=_roles.task_for,
    doing="outreach to {subject}, for {user}",
    subject="company",
    subject_help="Whom to write to.",
    default=_roles.DEMO_COMPANY,
    sample="outreach",
    script="toolcrib_workflows.script",
    explain="mail.send --agent writer",
)
_TRIAGE = JobKind(
    name="ticket-triage",
    help="Four agents classify a ticket, look for a known solution, answer the requester once a human has "
    "agreed, and resolve the ticket, or open a child incident and assign it.",
    packs=("itsm",),
    bundle="ticket-triage",
    roles=_triage_roles.ROLES,
    prompt_version=_triage_roles.PROMPT_VERSION,
    task_for=_triage_roles.task_for,
    doing="triage of ticket {subject}, for {user}",
    subject="ticket",
    subject_help="The ticket's number; `next` is the one that has waited longest.",
    default=_triage_roles.NEXT,
    sample="triage",
    script="toolcrib_workflows.triage_script",
    explain="itsm.add_public_comment --agent librarian",
)
_ANALYSIS = JobKind(
    name="data-analysis",
    help="Two agents answer a question about the CRM: one finds the rows, the other computes in a sandbox "
    "without a network and draws a chart. Needs a Docker engine.",
    packs=("crm", "code"),
    bundle="data-analysis",
    roles=_analysis_roles.ROLES,
    prompt_version=_analysis_roles.PROMPT_VERSION,
    task_for=_analysis_roles.task_for,
    doing="{subject} For {user}",
    subject="question",
    subject_help="What is to be found out.",
    default=_analysis_roles.QUESTION,
    sample="analysis",
    script="toolcrib_workflows.analysis_script",
    explain="code.run_connected --agent coder",
)

KINDS: Mapping[str, JobKind] = MappingProxyType(
    {job.name: job for job in (_OUTREACH, replace(_OUTREACH, name="demo"), _TRIAGE, _ANALYSIS)}
)
"""Every job by its name."""
