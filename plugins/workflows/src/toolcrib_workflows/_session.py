"""What stands around a job's story: the first lines, and the last."""

from __future__ import annotations

import io
import shlex
import sys

from toolcrib_workflows._jobs import KINDS
from toolcrib_workflows._project import Project
from toolcrib_workflows._report import go_on_from_here, report
from toolcrib_workflows._runs import Run
from toolcrib_workflows._story import Story, console_for, path_words, program, shown
from toolcrib_workflows._summary import summarise

__all__ = ["Session"]

APIS = {"agentchat": "AgentChat", "classic": "the classic API"}


class Session:
    """One run in one process, as it is told to a person, or with `as_json` to a script."""

    def __init__(self, project: Project, run: Run, *, as_json: bool) -> None:
        self._project, self._run, self._as_json = project, run, as_json
        self.story = Story(console_for(io.StringIO() if as_json else sys.stdout))

    def open(self, model: str, *, resumed: bool) -> None:
        """Which model, which folder, which run."""
        run, project = self._run, self._project
        made = "made just now" if project.is_new else "used as it is"
        self.story.opening(
            {
                "Model": model,
                "Project": f"{path_words(project.folder)} ({made})",
                "Task": project.kind.doing.format(subject=run.subject, user=run.user),
                "Run": f"{run.id}, with {APIS[run.api]}",
            }
        )
        if resumed and run.waiting:
            self.story.line(
                f"Going on with this run: it waits for approval {', '.join(run.waiting)}.", "bold"
            )
        elif resumed:
            self.story.line("Going on with this run where it was stopped.", "bold")
        self.story.line("")

    def close(self, code: int) -> int:
        """What came of it; the exit code, which is 1 also where the log does not verify."""
        summary = summarise(self._project.config.state / "audit", self._run.id)
        code = 1 if summary.problem else code
        if self._as_json:
            import json

            facts = {"exit_code": code, "folder": str(self._project.folder.resolve()), **summary.as_json()}
            facts |= {"waiting": list(self._run.waiting), "files": list(self._run.files)}
            sys.stdout.write(json.dumps(facts, indent=2) + "\n")
            return code
        report(self.story, summary)
        for file in self._run.files:
            self.story.command(f"File left: {shown(path_words(self._project.folder / file))}")
        if code == 3:
            self._how_to_answer()
        elif code == 1:
            self.story.line("\nThe run was not brought to its end. To go on with it:")
            self.story.command(self._again())
        else:
            go_on_from_here(
                self.story, self._file, self._run.id, self._again(), explain=self._project.kind.explain
            )
        return code

    @property
    def _file(self) -> str:
        return f"{path_words(self._project.folder)}/toolcrib.toml"

    def _how_to_answer(self) -> None:
        config = f"{program()} -c {shlex.quote(self._file)}"
        self.story.line("")
        for approval in self._run.waiting:
            self.story.line(f"Approval {approval} waits for a human:")
            self.story.command(f"{config} approvals show {approval}")
            self.story.command(f"{config} approvals approve {approval}")
        self.story.line("Then go on with:")
        self.story.command(self._again())

    def _again(self) -> str:
        run = self._run
        kind = KINDS[run.job]
        words = kind.command.split()
        words += ["--dir", path_words(self._project.folder)]
        words += ["--api", run.api] if run.api != "agentchat" else []
        words += [f"--{kind.subject}", run.subject] if run.subject != kind.default else []
        return f"{program()} {shlex.join(words)}"
