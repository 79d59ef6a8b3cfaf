"""The job itself: a team works until it is done, and stops whenever a human is needed.

    begin or go on -> agents work -> a call is parked -> the run is saved -> a human is asked -> go on

The run is saved before each call as well, so that it can be killed anywhere.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from toolcrib.approvals import (
    Answer,
    AnswersChannel,
    ApprovalChannel,
    Review,
    TerminalChannel,
    approver_identity,
)
from toolcrib.artifacts import ArtifactStore, StoredArtifact, files_of
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.errors import ConfigError, PackError, SandboxError, ToolcribError
from toolcrib.sandbox import RunRequest
from toolcrib_workflows._human import Human
from toolcrib_workflows._jobs import KINDS, JobKind
from toolcrib_workflows._models import Endpoint
from toolcrib_workflows._project import Project, sample_answers
from toolcrib_workflows._runs import Run
from toolcrib_workflows._story import Story, path_words, shown
from toolcrib_workflows._talk import Talk, TalkFailed, WatchedCrib

__all__ = ["DONE", "FAILED", "WAITING", "Job"]

DONE, FAILED, WAITING = 0, 1, 3
"""Exit codes, as everywhere in `toolcrib`."""


class Job:
    """One run in one process.

    Approvals are answered from the file `answers`; without one by whoever sits at `terminal`; where nobody
    does, by the sample answers, but only if the records are sample data as well.
    """

    def __init__(
        self,
        project: Project,
        run: Run,
        endpoint: Endpoint,
        story: Story,
        *,
        answers: Path | None = None,
        terminal: TextIO = sys.stdout,
    ) -> None:
        self._project, self._run, self._endpoint, self._story = project, run, endpoint, story
        self._kind = KINDS[run.job]
        self._channel = self._channel_for(answers, terminal)
        self._crib = WatchedCrib(
            project.config,
            channels=[self._channel] if self._channel else [],
            before=self._before,
            after=self._after,
        )
        self._talk: Talk | None = None
        self._statuses: set[str] = set()

    async def work(self) -> int:
        """Work at the run as far as it goes now; the exit code."""
        try:
            _require(self._crib, self._kind)
            if self._kind.runs_code:
                await self._try_sandbox()
            self._talk = talk = self._new_talk()
            return await self._drive(talk, Human(self._crib, self._channel, self._story))
        finally:
            if self._talk is not None:
                await self._talk.close()
            await asyncio.to_thread(self._crib.close)

    async def _drive(self, talk: Talk, human: Human) -> int:
        if self._run.talk is None:
            await self._save(talk, "running")
        else:
            await talk.load(self._run.talk)
        while True:
            if not talk.waiting:
                try:
                    await talk.go_on()
                except TalkFailed as error:
                    self._story.line(f"The agents could not go on: {error}", "bold red")
                    return FAILED
            await self._save(talk, "waiting" if talk.waiting else "done")
            if not talk.waiting:
                return FAILED if self._statuses & {"ambiguous", "unavailable"} else DONE
            for approval in talk.waiting:
                if not await human.settle(approval):
                    return WAITING
            await talk.settle()

    async def _save(self, talk: Talk, status: Any, caller: str | None = None) -> None:
        begun = caller is not None or self._run.talk is not None or status != "running"
        self._run.talk = await talk.save(caller) if begun else None
        self._run.status, self._run.waiting = status, talk.waiting
        await asyncio.to_thread(self._run.save, self._project.runs)

    async def _before(self, call: ToolCall) -> None:
        assert self._talk is not None
        if not self._talk.waiting:
            await self._save(self._talk, "running", call.principal.agent)

    def _after(self, call: ToolCall, result: ToolResult) -> None:
        self._statuses.add(result.status)
        self._story.called(call, result)
        for each in files_of(result):
            self._copy(call.principal.tenant, each)

    def _copy(self, tenant: str, artifact: StoredArtifact) -> None:
        """Put a file that a run left where people find it: the store knows digests, no names."""
        store = ArtifactStore(self._project.config.state / "artifacts").of(tenant)
        try:
            path = store.copy(artifact.digest, self._project.files / self._run.id, artifact.name)
        except (ToolcribError, OSError) as error:
            self._story.line(f"A file of the run cannot be shown: {shown(str(error))}", "yellow")
            return
        self._run.files = (*dict.fromkeys((*self._run.files, str(path.relative_to(self._project.folder)))),)
        self._story.left(path, artifact.media_type, artifact.size)

    async def _try_sandbox(self) -> None:
        """Find out now whether code can be run here, not after the agents have worked for it."""
        try:
            await self._crib.sandbox.run(RunRequest("pass", tenant=self._crib.config.tenant))
        except (SandboxError, ConfigError) as error:
            place = path_words(self._project.folder)
            raise type(error)(
                error.what,
                rule=error.rule or f"{self._kind.name} runs code in a sandbox",
                remedy=f"{error.remedy}. No agent has begun; the project is in {place}",
            ) from error

    def _new_talk(self) -> Any:
        principals = [
            self._crib.principal(role.name, self._run.user, session=self._run.id, run=self._run.id)
            for role in self._kind.roles
        ]
        build: Callable[..., Any]
        if self._run.api == "classic":
            from toolcrib_workflows._classic import ClassicTalk as build
        else:
            from toolcrib_workflows._agentchat import AgentChatTalk as build
        task = self._kind.task_for(self._run.subject)
        return build(self._crib, principals, self._endpoint, self._kind, task, self._story.said)

    def _channel_for(self, answers: Path | None, terminal: TextIO) -> ApprovalChannel | None:
        users = self._project.config.approvals.users
        if answers is not None:
            return _Read(answers, approver_identity(users), self._story, f"Answered from {answers}.")
        if sys.stdin.isatty() and terminal.isatty():
            return TerminalChannel(approver_identity(users), output=terminal)
        if not self._project.is_sample:
            return None
        how = "Nobody sits at a terminal here, so the sample answers that ship with this pack are taken."
        return _Read(sample_answers(self._kind), approver_identity(users), self._story, how)


class _Read:
    """Answers from a file, with the question printed: otherwise nobody would see what was answered."""

    def __init__(self, file: Path, approver: str, story: Story, how: str) -> None:
        self.approver = approver
        self._story, self._how = story, how
        self._channel = AnswersChannel(
            file, approver=approver, on_problem=lambda text: story.line(text, "yellow")
        )

    async def ask(self, review: Review) -> Answer | None:
        """The file's next answer."""
        self._story.question(review.approval, self._how)
        return await self._channel.ask(review)


_DISTRIBUTIONS = {"code": "toolcrib-sandbox"}


def _require(crib: WatchedCrib, kind: JobKind) -> None:
    """Say what is wrong with the crib's packs now, not as a refusal of each call."""
    found = {pack.name: pack for pack in crib.packs.packs}
    for name in kind.packs:
        pack = found.get(name)
        if pack is None or pack.status != "active":
            raise PackError(
                pack.reason if pack else f"pack {name!r} is not installed",
                rule=f"{kind.name} needs the packs {', '.join(kind.packs)}",
                remedy=pack.remedy if pack else f"pip install {_DISTRIBUTIONS.get(name, f'toolcrib-{name}')}",
            )
