"""The story: one line per call, in its columns, with nothing that could deceive."""

from __future__ import annotations

import io

import pytest

from toolcrib import Principal, ToolCall, ToolResult
from toolcrib.adapters._shared import parse_arguments
from toolcrib_workflows._story import WORDS, Story, brief, console_for, path_words, program, shown


@pytest.fixture
def page():
    return io.StringIO()


@pytest.fixture
def story(page, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return Story(console_for(page))


def tell(story, status="done", *, agent="crm_action", tool="crm.log_activity", text="{}", **arguments):
    call = ToolCall(tool, arguments, Principal(agent, "alice"))
    story.called(call, ToolResult(call.call_id, tool, status, text))


def test_a_call_is_one_line_in_its_columns(story, page):
    tell(story, kind="Email")
    assert (
        page.getvalue().rstrip("\n")
        == "crm_action  crm.log_activity           kind=Email                      done"
    )


def test_an_agent_is_named_where_it_begins(story, page):
    for agent in ("writer", "writer", "researcher"):
        tell(story, agent=agent)
    assert [line[:10].strip() for line in page.getvalue().splitlines()] == ["writer", "", "researcher"]


@pytest.mark.parametrize("status", WORDS)
def test_every_status_has_a_word_that_fits(story, page, status):
    tell(story, status, text="WORD: what. Rule: why. Do this.", body="x" * 500)
    lines = page.getvalue().splitlines()
    assert lines[0].rstrip().endswith(WORDS[status][0]) and max(map(len, lines)) <= 80
    refused = status not in ("done", "pending")
    assert [line.strip() for line in lines[1:]] == (["└ what (why)"] if refused else [])


def test_what_agents_write_cannot_move_the_cursor_or_colour_the_screen(story, page):
    evil = "\x1b[2J\r\x07[bold red]x[/]\u202e\u200b"
    tell(story, "denied", tool=evil, text=f"DENIED: {evil}", **{"n\x1b": evil})
    story.said("writer", evil)
    story.opening({"Task": evil})
    assert not set(page.getvalue()) & set("\x1b\r\x07\u202e\u200b")
    assert "\\x1b" in page.getvalue() and "[bold red]x[/]" in page.getvalue()


def test_malformed_arguments_are_called_so(story, page):
    call = ToolCall("crm.x", parse_arguments("{nonsense"), Principal("writer", "alice"))
    story.called(call, ToolResult("c", "crm.x", "invalid", "INVALID ARGUMENTS: not JSON."))
    assert "(malformed)" in page.getvalue()


def test_names_are_left_out_where_there_is_no_room():
    arguments = {"opportunity_id": "006", "stage": "Won"}
    assert brief(arguments, 40) == "opportunity_id=006, stage=Won"
    assert brief(arguments, 20) == "006, Won"
    assert brief({"to": ["a@x", "b@x"], "n": None}, 40) == "to=a@x+b@x, n=None"


def test_an_answer_is_its_first_line(story, page):
    story.said("researcher", "\n  \nFirst line\nsecond line")
    assert "“First line”" in page.getvalue() and "second" not in page.getvalue()
    story.said("researcher", "y" * 300)
    assert len(page.getvalue().splitlines()[-1]) <= 80


@pytest.mark.parametrize(("columns", "width"), [("20", 60), ("80", 80), ("200", 100)])
def test_the_width_follows_the_terminal_within_reason(page, monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    assert console_for(page).width == width


def test_shown():
    assert shown("a\tb\nc\x00\u2028") == "a b c\\x00\\u2028"


def test_the_program_is_named_so_that_the_shell_finds_this_one(tmp_path, monkeypatch):
    ours = tmp_path / "bin" / "toolcrib"
    ours.parent.mkdir()
    ours.write_text("#!/bin/sh\n")
    ours.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(ours.with_name("python")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert program() == "bin/toolcrib"
    monkeypatch.setenv("PATH", str(ours.parent))
    assert program() == "toolcrib"


def test_paths_are_as_one_would_type_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert path_words(tmp_path / "a" / "b") == "a/b"
    assert path_words(tmp_path.parent) == str(tmp_path.parent)
