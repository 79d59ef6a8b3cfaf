"""Hooks, config keys, commands and errors are documented, and what pages say of commands is true."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click

from toolcrib import _config_file, config, errors, hookspecs
from toolcrib.cli._main import cli
from toolcrib.packs._new import new_pack


def reference(root: Path, name: str) -> str:
    return (root / "docs" / "reference" / f"{name}.md").read_text()


def test_generated_pages_are_what_the_code_says(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, root / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_is_documented(root: Path) -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith("toolcrib_")]
    assert len(hooks) >= 6
    for page in ("hooks", "packs"):
        assert [name for name in hooks if f"`{name}" not in reference(root, page)] == []


def test_every_config_key_is_documented(root: Path) -> None:
    tables = [_config_file.CribTable, _config_file.PolicyTable, config.ModelSettings, config.AuditSettings]
    tables += [config.ApprovalSettings, config.LimitSettings, config.SecretSettings]
    keys = {field.name for table in tables for field in dataclasses.fields(table)} - {"settings"}
    page = reference(root, "config")
    assert [key for key in sorted(keys) if f"| `{key}` |" not in page] == []
    assert [table for table in _config_file.TABLES if f"`[{table}]`" not in page] == []


def test_every_error_is_documented(root: Path) -> None:
    page = reference(root, "errors")
    assert [name for name in errors.__all__ if f"`{name}`" not in page] == []


def test_every_command_is_documented(root: Path) -> None:
    page = reference(root, "cli")
    assert [path for path, _ in commands(cli) if f"# `{' '.join(path)}`\n" not in page] == []


def commands(group: click.Group, path: tuple[str, ...] = ()):
    context = click.Context(cli)
    for name in [] if path == ("run",) else group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


SPOKEN = re.compile(r"`(toolcrib [^`\n]+)`")


def test_commands_on_pages_exist_with_their_options(page: Path, find_blocks, find_commands) -> None:
    """Also where nothing is run: a name in prose, a block without output, one marked no-run."""
    known = {path for path, _ in commands(cli)}
    for text in [*spoken(page), *shown(page, find_blocks, find_commands)]:
        words = shlex.split(text.replace("…", "x"))[1:]
        while words and words[0] in ("-c", "--config"):
            words = words[2:]
        path = tuple(word for word in words if re.fullmatch(r"[a-z][a-z-]*", word))
        if not path or words[0].startswith("-") or "|" in text:
            continue
        if path[0] in ("run", "demo"):
            continue  # jobs have options of their own, which their pack documents and tests
        found = next((path[:depth] for depth in (2, 1) if path[:depth] in known), None)
        assert found, f"{page.name}: `{text}`: there is no such command"
        options_exist(found, words, f"{page.name}: `{text}`")


def options_exist(path: tuple[str, ...], words: list[str], place: str) -> None:
    command = dict(commands(cli))[path]
    assert command is not None
    assert not isinstance(command, click.Group) or words[len(path) :] in ([], ["--help"]), f"{place}: which?"
    options = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in {*options, "--help"}, f"{place}: there is no {word}"


def spoken(page: Path) -> list[str]:
    text = re.sub(r"^ *```.*?^ *```\s*$", "", page.read_text("utf-8"), flags=re.M | re.S)
    return [] if page.name == "cli.md" else SPOKEN.findall(text)


def shown(page: Path, find_blocks, find_commands) -> list[str]:
    found = []
    for block in find_blocks(page):
        if block.language in ("console", "sh"):
            lines = [command for command, _ in find_commands(block)] or block.text.splitlines()
            found += [part for line in lines for part in re.findall(r"\btoolcrib (?:-|[a-z])[^;&|>#]*", line)]
    return [text for text in found if "$(" not in text and "toolcrib-" not in text.split()[0]]


def test_the_tutorial_pack_is_the_one_in_examples(root: Path, runner, find_blocks, find_commands) -> None:
    """A new pack, with what the page writes and appends, is the example; its README says more."""
    new_pack("notes", runner.folder)
    for block in find_blocks(root / "docs" / "tutorial" / "first-pack.md"):
        if block.title:
            runner.block(block, None)
        for command, _ in find_commands(block) if block.language == "console" else ():
            if re.match(r"\(.*\) >> toolcrib-notes/", command):
                subprocess.run(["bash", "-c", command], cwd=runner.folder, check=True)
    example, project = root / "examples" / "first-pack", runner.folder / "toolcrib-notes"
    tracked = subprocess.run(["git", "ls-files"], cwd=example, capture_output=True, text=True, check=True)
    assert set(tracked.stdout.split()) == {str(path.relative_to(project)) for path in files(project)}
    for path in files(project):
        name = path.relative_to(project)
        same = name.name == "README.md" or path.read_text() == (example / name).read_text()
        assert same, f"{name} differs from examples/first-pack"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
