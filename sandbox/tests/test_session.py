"""A sandbox that remembers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from toolcrib.errors import InvalidArguments, SandboxError
from toolcrib.sandbox import RunRequest


@pytest.fixture
def ask(small):
    def request(code: str, language="python", **changes):
        return RunRequest(code, language, tenant="acme", limits=replace(small, **changes))

    return request


@pytest.fixture
async def session(sandbox, small):
    opened = await sandbox.session("acme", small)
    yield opened
    await opened.close()


async def test_variables_and_files_stay(session, ask) -> None:
    first = await session.run(ask("x = 41; import math; open('a.txt', 'w').write('a')"))
    assert [each.name for each in first.artifacts] == ["a.txt"]
    second = await session.run(ask("print(x + 1, math.floor(2.5), open('a.txt').read())"))
    assert (second.stdout, second.artifacts) == ("42 2 a\n", ())


async def test_the_last_expression_is_shown_as_at_a_prompt(session, ask) -> None:
    assert (await session.run(ask("x = 6\nx * 7"))).stdout == "42\n"
    assert (await session.run(ask("None"))).stdout == ""


async def test_an_error_leaves_the_variables(session, ask) -> None:
    await session.run(ask("x = 1"))
    failed = await session.run(ask("x = 2\n1 / 0"))
    assert failed.exit_code == 1 and "ZeroDivisionError" in failed.stderr
    assert (await session.run(ask("x"))).stdout == "2\n"


async def test_exit_is_an_exit_code_and_the_session_goes_on(session, ask) -> None:
    await session.run(ask("x = 1"))
    assert (await session.run(ask("import sys; sys.exit(5)"))).exit_code == 5
    assert (await session.run(ask("x"))).stdout == "1\n"


@pytest.mark.parametrize(
    ("code", "note"),
    [
        ("while True: pass", "took too long"),
        ("import os; os._exit(7)", "has ended"),
        ("x = bytearray(1 << 30)\nfor i in range(0, 1 << 30, 4096): x[i] = 1", "has ended"),
    ],
)
async def test_what_ends_the_process_says_so_and_the_next_run_begins_anew(session, ask, code, note) -> None:
    await session.run(ask("y = 1; open('kept', 'w').close()"))
    ended = await session.run(ask(code, wall=2))
    assert [each for each in ended.notes if note in each]
    after = await session.run(ask("import os; print('y' in globals(), os.listdir())"))
    assert after.stdout == "False ['kept']\n"
    assert [each for each in after.notes if "began anew" in each]
    assert (await session.run(ask("1"))).notes == ()


async def test_processes_do_not_outlive_their_run(session, ask) -> None:
    result = await session.run(ask("import subprocess; p = subprocess.Popen(['sleep', '60'])"))
    assert result.survivors == 1
    assert (await session.run(ask("p.poll()"))).stdout == "-9\n"


async def test_shell_shares_the_files(session, ask) -> None:
    await session.run(ask("open('a.txt', 'w').write('hello')"))
    result = await session.run(ask("cat a.txt; exit 3", "shell"))
    assert (result.stdout, result.exit_code) == ("hello", 3)


async def test_output_of_one_run_is_not_that_of_the_next(session, ask) -> None:
    await session.run(ask("print('one' * 10000)"))
    second = await session.run(ask("print('two')"))
    assert (second.stdout, second.output_bytes, second.truncated) == ("two\n", 4, False)


async def test_a_lie_about_the_end_is_a_lie_about_itself(session, ask) -> None:
    code = "import os\nfor n in range(3, 64):\n try: os.write(n, b'\\x09\\x09\\x09')\n except OSError: pass"
    await session.run(ask(code))
    again = await session.run(ask("print('x')"))
    assert again.exit_code in (0, 9, None)


async def test_the_control_socket_is_closed_by_the_code(session, ask) -> None:
    code = "import os, time\nos.closerange(3, 1024)\ntime.sleep(60)"
    assert (await session.run(ask(code, wall=1))).timed_out
    assert (await session.run(ask("print(1)"))).stdout == "1\n"


async def test_one_tenant_and_its_limits(session, ask, small) -> None:
    with pytest.raises(InvalidArguments, match="tenant 'evil'"):
        await session.run(RunRequest("1", tenant="evil", limits=small))
    with pytest.raises(InvalidArguments, match="not those of this session"):
        await session.run(ask("1", memory=128 << 20))


async def test_two_sessions_share_nothing(sandbox, small) -> None:
    one, two = await asyncio.gather(sandbox.session("acme", small), sandbox.session("evil", small))
    await one.run(RunRequest("secret = 1; open('s', 'w').write('s')", tenant="acme", limits=small))
    code = "import os; print('secret' in globals(), os.listdir('/box'))"
    assert (await two.run(RunRequest(code, tenant="evil", limits=small))).stdout == "False []\n"
    await one.close()
    await two.close()


async def test_after_closing(session, ask) -> None:
    await session.close()
    await session.close()
    with pytest.raises(SandboxError, match="ended"):
        await session.run(ask("1"))
