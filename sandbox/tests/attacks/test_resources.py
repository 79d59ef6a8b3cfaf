"""Attacks that use more than they were given. The host stays well, and the result says what happened."""

from __future__ import annotations

import pytest

FILL = """
import errno
try:
    with open("{path}", "wb", buffering=0) as file:
        for _ in range(200):
            if file.write(bytes(1 << 20)) < 1 << 20:
                raise OSError(errno.ENOSPC, "short")
except OSError as error:
    print(errno.errorcode[error.errno])
"""


async def test_memory_is_filled(attack) -> None:
    result = await attack("x = []\nwhile True: x.append(bytearray(1 << 20))")
    assert result.out_of_memory and result.exit_code is None and not result.timed_out
    assert any("memory was full" in note for note in result.notes)


async def test_memory_is_filled_by_a_child(attack) -> None:
    code = """
import os
if os.fork() == 0:
    x = []
    while True:
        x.append(bytearray(1 << 20))
os.wait()
print("on")
"""
    result = await attack(code)
    assert (result.out_of_memory, result.stdout, result.exit_code) == (True, "on\n", 0)


@pytest.mark.parametrize("path", ["/box/x", "/tmp/x", "/dev/shm/x"])
async def test_a_disk_is_filled(attack, path: str) -> None:
    result = await attack(FILL.format(path=path), artifacts=0)
    assert (result.stdout, result.exit_code) == ("ENOSPC\n", 0)


async def test_inodes_are_used_up(attack) -> None:
    code = "try:\n for n in range(9999): open(f'/dev/shm/{n}', 'w')\nexcept OSError as e: print(e.errno, n)"
    number, made = (await attack(code)).stdout.split()
    assert int(number) == 28 and int(made) < 2000


async def test_ten_thousand_artifacts(attack) -> None:
    result = await attack("for i in range(10000): open(f'f{i:05}', 'w').close()")
    assert result.exit_code == 0
    assert [each.name for each in result.artifacts] == [f"f{i:05}" for i in range(8)]
    assert any("9992 files more" in note for note in result.notes)


async def test_a_huge_artifact(attack) -> None:
    code = "f = open('sparse', 'wb'); f.truncate(1 << 22); f.close()\nopen('small.txt', 'w').write('s')"
    result = await attack(code)
    assert sum(len(each.data) for each in result.artifacts) <= 16 << 20
    assert "small.txt" in [each.name for each in result.artifacts]


async def test_sparse_files_beyond_the_disk_limit_do_not_come_back(attack) -> None:
    code = "for i in range(4):\n f = open(f'sparse{i}', 'wb'); f.truncate(9 << 20); f.close()"
    result = await attack(code)
    assert len(result.artifacts) == 1
    assert any("too large" in note for note in result.notes)


async def test_fork_bomb(attack) -> None:
    code = "import os\nwhile True:\n try: os.fork()\n except OSError: pass"
    result = await attack(code, wall=1.5)
    assert result.timed_out and result.exit_code is None


async def test_thread_bomb(attack) -> None:
    code = (
        "import threading, time\nn = 0\ntry:\n while n < 500:\n"
        "  threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); n += 1\n"
        "except RuntimeError: print(n)"
    )
    assert (await attack(code)).stdout == "15\n"  # and the first makes the 16 that `processes` allows


async def test_descriptor_bomb(attack) -> None:
    code = "import os\ntry:\n while True: os.dup(0)\nexcept OSError as e: print(e.errno)"
    assert (await attack(code)).stdout == "24\n"


@pytest.mark.parametrize("number", [1, 2])
async def test_a_flood_is_cut_and_counted(attack, number: int) -> None:
    code = f"import os\nfor _ in range(800): os.write({number}, b'x' * 65536)"
    result = await attack(code)
    text = (result.stdout, result.stderr)[number - 1]
    assert 0 < len(text) <= 4096 and set(text) == {"x"}
    assert result.truncated and result.output_bytes == 800 * 65536 and result.exit_code == 0


async def test_a_flood_of_stdout_does_not_hide_stderr(attack) -> None:
    result = await attack("print('x' * (1 << 20)); raise SystemExit('the reason')")
    assert "the reason" in result.stderr


async def test_signals_are_ignored_at_the_end_of_time(attack) -> None:
    code = """
import signal
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
"""
    result = await attack(code, wall=0.7)
    assert result.timed_out and result.durations.run < 10


async def test_output_before_the_end_of_time_comes_back(attack) -> None:
    result = await attack("print('so far')\nwhile True: pass", wall=0.7)
    assert result.timed_out and result.stdout == "so far\n"
