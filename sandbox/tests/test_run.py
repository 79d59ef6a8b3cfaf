"""One run: what goes in, what comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolcrib.errors import InvalidArguments
from toolcrib.sandbox import RunRequest


async def test_two_runs_share_nothing(sandbox, small) -> None:
    await sandbox.run(RunRequest("open('/tmp/x', 'w').write('1'); y = 1", limits=small))
    code = "import os\nprint(os.listdir('/tmp'), os.listdir('/box'), 'y' in globals())"
    assert (await sandbox.run(RunRequest(code, limits=small))).stdout == "[] [] False\n"


async def test_inputs_are_files_and_come_back_only_if_changed(sandbox, small) -> None:
    inputs = {"data/a.txt": b"a", "b.txt": b"b"}
    code = "print(open('data/a.txt').read())\nopen('b.txt', 'a').write('!')"
    result = await sandbox.run(RunRequest(code, inputs=inputs, limits=small))
    assert result.stdout == "a\n"
    assert [(each.name, each.data) for each in result.artifacts] == [("b.txt", b"b!")]


async def test_an_input_can_be_imported(sandbox, small) -> None:
    request = RunRequest("import helper\nprint(helper.X)", inputs={"helper.py": b"X = 42"}, limits=small)
    assert (await sandbox.run(request)).stdout == "42\n"


async def test_shell(sandbox, small) -> None:
    result = await sandbox.run(RunRequest("echo $HOME; cd /tmp && pwd; exit 7", "shell", limits=small))
    assert (result.stdout, result.exit_code) == ("/box\n/tmp\n", 7)


async def test_a_traceback_shows_the_line_and_nothing_of_ours(sandbox, small) -> None:
    result = await sandbox.run(RunRequest("def f():\n    return 1 / 0\nf()", limits=small))
    assert result.exit_code == 1
    assert "return 1 / 0" in result.stderr and 'File "<code>", line 3' in result.stderr
    assert "guest" not in result.stderr and "toolcrib" not in result.stderr


@pytest.mark.parametrize(
    ("code", "says"),
    [("x = 'a\0b'", "NUL"), ("x = '\ud800'", "UTF-8"), ("#" * (10 << 20), "10485760 bytes")],
)
async def test_code_that_cannot_be_run_is_refused_before_a_container_is_taken(
    sandbox, small, code, says
) -> None:
    with pytest.raises(InvalidArguments, match=says):
        await sandbox.run(RunRequest(code, limits=small))


async def test_a_limit_that_no_container_holds_is_refused(sandbox, small) -> None:
    with pytest.raises(InvalidArguments, match="memory"):
        await sandbox.run(RunRequest("1", limits=replace(small, memory=1)))
