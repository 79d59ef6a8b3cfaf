"""Files that a run left: told, kept with the run, and never a way out of the project."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from toolcrib.artifacts import ArtifactStore, files_of
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.principal import Principal
from toolcrib_workflows._job import Job
from toolcrib_workflows._models import Endpoint
from toolcrib_workflows._project import open_project
from toolcrib_workflows._runs import Run, new_run, unfinished
from toolcrib_workflows._story import Story, console_for

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
CALL = ToolCall("code.run_python", {"code": "1"}, Principal("coder", "alice", "acme"))


@pytest.fixture
def printed() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def job(tmp_path: Path, printed: io.StringIO) -> Job:
    project = open_project(tmp_path / "p", job="data-analysis", fresh="")
    run = new_run("data-analysis", "agentchat", "?", "alice")
    return Job(project, run, Endpoint("http://none", "none", "none", ""), Story(console_for(printed)))


def result(job: Job, name: str, **value: object) -> ToolResult:
    kept = ArtifactStore(job._project.config.state / "artifacts").of("acme").keep("x", SVG)
    file = {"name": name, "digest": kept.digest, "media_type": "image/svg+xml", "size": len(SVG)}
    return ToolResult("c1", "code.run_python", "done", "{}", value={"exit_code": 0, **value, "files": [file]})


def test_a_file_is_copied_told_and_kept_with_the_run(job: Job, printed: io.StringIO) -> None:
    for _ in range(2):
        job._after(CALL, result(job, "plots/a.svg"))
    run: Run = job._run
    assert run.files == (f"files/{run.id}/plots/a.svg",)
    assert (job._project.folder / run.files[0]).read_bytes() == SVG
    assert "image/svg+xml, 41 bytes" in " ".join(printed.getvalue().split())  # wherever the line breaks
    run.save(job._project.runs)
    assert unfinished(job._project.runs)[0].files == run.files


@pytest.mark.parametrize("name", ["../a.svg", "/etc/a.svg", ".."])
def test_a_name_that_leads_elsewhere_is_told_and_nothing_is_written(
    job: Job, printed: io.StringIO, name: str
) -> None:
    job._after(CALL, result(job, name))
    assert job._run.files == () and "cannot be shown" in printed.getvalue()
    assert not list(job._project.folder.rglob("a.svg"))


def test_a_name_cannot_steer_the_terminal(job: Job, printed: io.StringIO) -> None:
    job._after(CALL, result(job, "a\x1b[2J.svg"))
    assert "\x1b" not in printed.getvalue()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"exit_code": 1, "stderr": "Traceback\nKeyError: 'x'\n"}, "exit code 1: KeyError: 'x'"),
        ({"exit_code": 3, "stderr": ""}, "exit code 3"),
        ({"exit_code": None, "timed_out": True}, "its time was up"),
        ({"exit_code": None, "timed_out": False}, "it was ended"),
    ],
)
def test_how_a_program_ended_is_told(job: Job, printed: io.StringIO, value: dict, told: str) -> None:
    job._after(CALL, result(job, "a.svg", **value))
    assert told in printed.getvalue()


@pytest.mark.parametrize("value", [None, "x", {}, {"files": "x"}, {"files": [{"name": "x"}]}, {"files": [1]}])
def test_other_results_leave_no_files(value: object) -> None:
    assert files_of(ToolResult("c1", "mail.send", "done", "", value=value)) == ()


def test_a_refusal_leaves_no_files(job: Job) -> None:
    done = result(job, "a.svg")
    assert files_of(done) and not files_of(ToolResult("c1", "x", "denied", "", value=done.value))
