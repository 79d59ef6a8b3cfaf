"""The frame, and the commands that have no room of their own: init, doctor, tools."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from toolcrib.cli._main import COMMANDS, cli
from toolcrib.cli._print import emit_json, plain
from toolcrib.config import Config
from toolcrib.errors import ConfigError
from toolcrib.os_user import system_user
from toolcrib.testing.cribs import write_crib


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_loads_and_says_the_same_as_the_help(name: str) -> None:
    import click

    command = cli.get_command(click.Context(cli), name)  # type: ignore[attr-defined]
    assert command is not None
    assert command.name == name


def test_help_lists_every_command_without_importing_one() -> None:
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom toolcrib.cli._main import cli, COMMANDS\n"
        "out = CliRunner().invoke(cli, ['--help']).output\n"
        "assert all(name in out for name in COMMANDS), out\n"
        "loaded = {'rich', 'pydantic', 'casbin', 'sqlalchemy', 'cryptography'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_unknown_command_is_wrong_usage(run: Any) -> None:
    assert run("nonsense").exit_code == 2
    asked = run("tool")
    assert asked.exit_code == 2
    assert "Did you mean 'tools'?" in asked.output


def test_our_errors_are_told_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "toolcrib", "-c", str(tmp_path / "none.toml"), "tools", "list"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Error: there is no config file" in done.stderr
    assert "Remedy: Make one with `toolcrib init`" in done.stderr
    assert "Traceback" not in done.stderr


def test_init_makes_a_crib_that_opens_and_denies_everything(tmp_path: Path, run: Any) -> None:
    made = run("init", str(tmp_path), "--tenant", "globex")
    assert made.exit_code == 0, made.output
    config = Config.load(tmp_path / "toolcrib.toml")
    assert config.tenant == "globex"
    assert config.approvals.users
    looked = run("doctor")
    assert looked.exit_code == 0, looked.output
    assert "every call is denied" in looked.output


def test_init_never_overwrites(tmp_path: Path, run: Any) -> None:
    (tmp_path / "policies").mkdir()
    mine = tmp_path / "policies" / "policy.csv"
    mine.write_text("p, *, acme, local.x, read, True, allow\n")
    again = run("init", str(tmp_path))
    assert isinstance(again.exception, ConfigError)
    assert mine.read_text().startswith("p, *")


def test_tools_list_and_show(crib_with_pack: Path, run: Any) -> None:
    listed = run("tools", "list")
    assert "toys.count" in listed.output
    assert "How many toys there are." in listed.output
    mine = orjson.loads(run("tools", "list", "--agent", "visitor", "--json").stdout)
    assert [tool["name"] for tool in mine] == ["toys.count"]
    assert mine[0]["schema"]["required"] == ["box"]
    assert mine[0]["fills_defaults"] is True
    assert mine[0]["preview"] is False
    shown = run("tools", "show", "toys.count")
    for part in ("read", "box", "required", "Which box.", "confidential"):
        assert part in shown.output
    assert orjson.loads(run("tools", "show", "toys_count", "--json").stdout)["name"] == "toys.count"


def test_tools_call_says_how_it_ended_by_its_exit_code(crib_with_pack: Path, run: Any) -> None:
    done = run(
        "tools",
        "call",
        "toys.count",
        "--agent",
        "keeper",
        "--user",
        "ann",
        "--arg",
        "box=red",
        "--arg",
        "limit=7",
    )
    assert (done.exit_code, done.output.strip()) == (0, '{"box":"red","count":7}')
    denied = run("tools", "call", "toys.add", "--agent", "visitor", "--arg", "box=red")
    assert denied.exit_code == 1
    assert "DENIED" in denied.output
    waits = run(
        "tools", "call", "toys.add", "--agent", "keeper", "--user", "ann", "--arg", "box=red", "--json"
    )
    assert waits.exit_code == 3
    assert orjson.loads(waits.stdout)["approval"]
    assert run("tools", "call", "toys.add", "--agent", "keeper", "--arg", "nonsense").exit_code == 2


def test_a_call_from_the_command_line_goes_on_once_it_was_approved(crib_with_pack: Path, run: Any) -> None:
    asked = ["tools", "call", "toys.add", "--agent", "keeper", "--user", "ann", "--arg", "box=red"]
    waits = run(*asked)
    assert waits.exit_code == 3
    approval = re.search(r"approvals show (\S+)", waits.output)
    key = re.search(r"--key (\S+)", waits.output)
    assert approval and key
    crib_with_pack.write_text(f'{crib_with_pack.read_text()}\n[approvals.users]\n"{system_user()}" = "ann"\n')
    assert run("approvals", "approve", approval[1]).exit_code == 0
    done = run(*asked, "--key", key[1])
    assert (done.exit_code, done.output.strip()) == (0, "added to red")


def test_a_long_result_is_never_broken_into_lines(crib_with_pack: Path, run: Any) -> None:
    box = "x" * 300
    done = run("tools", "call", "toys.count", "--agent", "keeper", "--user", "ann", "--arg", f"box={box}")
    assert orjson.loads(done.stdout) == {"box": box, "count": 3}


def test_a_tool_that_is_not_there_has_the_nearest_as_its_remedy(crib_with_pack: Path, run: Any) -> None:
    assert "toys.count" in run("tools", "show", "toys.cont").exception.remedy
    asked = run("tools", "call", "toys.cont", "--agent", "keeper", "--user", "ann")
    assert asked.output.rstrip().endswith("Did you mean 'toys.count'?")
    assert "toys.count" in run("policy", "explain", "toys.cont", "--agent", "keeper").exception.remedy


def test_no_tools_are_explained(crib_with_pack: Path, run: Any) -> None:
    config = crib_with_pack.read_text()
    crib_with_pack.write_text(config.replace('trust = "installed"', 'trust = "locked"'))
    listed = run("tools", "list")
    assert "toys" in listed.output
    assert "toolcrib packs list" in listed.output


def levels(run: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in orjson.loads(run("doctor", "--json").stdout):
        found.setdefault(finding["part"], set()).add(finding["level"])
    return found


def test_doctor_is_content_with_a_good_crib(crib_with_pack: Path, run: Any) -> None:
    run("tools", "call", "toys.count", "--agent", "keeper", "--user", "ann", "--arg", "box=red")
    assert run("doctor").exit_code == 0
    assert "bad" not in set.union(*levels(run).values())


def test_doctor_names_a_policy_that_does_not_load(tmp_path: Path, run: Any) -> None:
    write_crib(tmp_path, "p, *, acme, local.x, read, True, Allow")
    looked = run("doctor")
    assert looked.exit_code == 1
    assert "policy.csv:1" in looked.output


def test_doctor_names_a_config_that_does_not_load(tmp_path: Path, run: Any) -> None:
    (tmp_path / "toolcrib.toml").write_text("[crbi]\n")
    looked = run("doctor")
    assert looked.exit_code == 1
    assert "crib" in looked.output


def test_doctor_names_a_log_that_was_tampered_with(crib_with_pack: Path, run: Any, tmp_path: Path) -> None:
    for _ in range(2):
        run("tools", "call", "toys.count", "--agent", "keeper", "--user", "ann", "--arg", "box=red")
    segment = tmp_path / ".toolcrib" / "audit" / "000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"keeper"', b'"beeper"', 1))
    looked = run("doctor")
    assert looked.exit_code == 1
    assert "audit" in looked.output


def test_doctor_shows_what_waits_and_what_is_quarantined(
    crib_with_pack: Path, run: Any, tmp_path: Path
) -> None:
    run("tools", "call", "toys.add", "--agent", "keeper", "--user", "ann", "--arg", "box=red")
    assert "toolcrib approvals show" in run("doctor").output
    (tmp_path / "site" / "toy_box_pack.py").write_text("raise SystemExit\n")
    config = crib_with_pack.read_text()
    crib_with_pack.write_text(config.replace('trust = "installed"', 'trust = "locked"'))
    looked = run("doctor")
    assert "toys is quarantined" in looked.output
    assert "toolcrib packs lock" in looked.output


def test_text_of_tools_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain("a\x1b[31mb\x07\x9bc\nd") == "a\\x1b[31mb\\x07\\x9bc\nd"
    emit_json({"x": "\x1b[2J\x9b2J\x7f"})
    out = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in out)
    assert orjson.loads(out) == {"x": "\x1b[2J\x9b2J\x7f"}


def test_an_error_cannot_steer_the_terminal(monkeypatch, capsys) -> None:
    from toolcrib.cli import _main
    from toolcrib.errors import PackError

    def fails(**_: object) -> None:
        raise PackError("pack \x1b[2J says\x9b", rule="r\x07", remedy="m")

    monkeypatch.setattr(_main, "cli", fails)
    with pytest.raises(SystemExit):
        _main.main()
    told = capsys.readouterr().err
    assert "\\x1b[2J says\\x9b" in told
    assert not {"\x9b", "\x07"} & set(told) and "\x1b[2J" not in told
