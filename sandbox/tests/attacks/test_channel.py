"""Attacks on the way back: forged frames, inherited descriptors, names and bytes to trip over."""

from __future__ import annotations

import asyncio

import pytest

from toolcrib.sandbox import RunRequest, RunResult

FORGED = r"""
import json, os, struct
head = json.dumps({"exit": 0, "signal": 0, "timed_out": False, "oom": False, "written": 6,
                   "truncated": False, "survivors": 0, "names": [], "sizes": [6, 0], "notes": [],
                   "seconds": 0}).encode()
frame = b"R" + struct.pack(">I", len(head)) + head + b"forged"
for number in range(0, 64):
    try:
        os.write(number, frame)
    except OSError:
        pass
os._exit(9)
"""


async def test_forged_frames_are_output_and_nothing_else(attack) -> None:
    result = await attack(FORGED)
    assert result.exit_code == 9
    assert result.stdout.startswith("R\x00") and result.stdout.endswith("forged")


async def test_no_descriptor_is_inherited(attack) -> None:
    code = "import os; print(os.listdir('/proc/self/fd')); print(os.readlink('/proc/self/fd/0'))"
    # 3 is that of listdir itself
    assert (await attack(code)).stdout == "['0', '1', '2', '3']\n/dev/null\n"
    shell = await attack("ls /proc/self/fd", "shell")
    assert shell.stdout.split() == ["0", "1", "2", "3"]  # 3 is that of `ls`


async def test_bytes_that_are_no_text(attack) -> None:
    result = await attack("import os; os.write(1, bytes(range(256))); os.write(2, b'\\xff\\xfe')")
    assert result.output_bytes == 258 and "\ufffd" in result.stdout and result.stderr == "\ufffd\ufffd"


async def test_a_lone_surrogate_can_be_printed(attack) -> None:
    assert (await attack("print('\\ud800')")).stdout == "\\ud800\n"


async def test_output_is_closed(attack) -> None:
    assert (await attack("import os; os.close(1); os.close(2); open('a', 'w').write('x')")).exit_code == 0


async def test_streams_are_replaced_by_nonsense(attack) -> None:
    assert (await attack("import sys; sys.stdout = sys.stderr = 7")).exit_code == 0


LEFT_OUT = {
    "symlink to a file": ("os.symlink('/etc/passwd', 'l1')", "symbolic link (3)"),
    "symlink to the root": ("os.symlink('/', 'l2')", "symbolic link (3)"),
    "symlink to the folder above": ("os.symlink('..', 'l3')", "symbolic link (3)"),
    "hard link": ("open('.hid', 'w').write('s'); os.link('.hid', 'hard')", "hard link (1)"),
    "socket": ("socket.socket(socket.AF_UNIX).bind('socket')", "socket (1)"),
    "name that is no UTF-8": ("open(b'x\\xff', 'w').write('s')", "name that is not UTF-8 (1)"),
    "name of two lines": ("open('a\\nb', 'w').write('s')", r"'a\nb' is no safe name"),
    "dots for Windows": ("open('a\\\\..\\\\x', 'w').write('s')", r"'a\\..\\x' is no safe name"),
    "dots at the end": ("os.mkdir('d'); open('d/a..', 'w').write('s')", "'d/a..' is no safe name"),
    "name that steers a terminal": ("open('\\x1b[2Jx', 'w').write('s')", r"'\x1b[2Jx' is no safe name"),
    "deep folders": ("os.makedirs('/'.join('e' * 12)); open('/'.join('e' * 12) + '/x', 'w')", "deeper"),
}


@pytest.fixture(scope="module")
def left(sandbox, small) -> RunResult:
    """All of them in one run, beside a good file."""
    made = "\n".join(make for make, _ in LEFT_OUT.values())
    code = f"import os, socket\n{made}\nopen('good.txt', 'w').write('g')"
    return asyncio.run(sandbox.run(RunRequest(code, limits=small)))


@pytest.mark.parametrize("what", LEFT_OUT)
def test_what_does_not_come_back(left, what: str) -> None:
    assert [each.name for each in left.artifacts] == ["good.txt"], left.stderr
    assert [note for note in left.notes if LEFT_OUT[what][1] in note], left.notes
    assert all(note.isprintable() for note in left.notes)


@pytest.mark.parametrize("kind", ["S_IFIFO", "S_IFCHR", "S_IFBLK"])
async def test_what_cannot_even_be_made(attack, kind: str) -> None:
    """A fifo that is read without care is a hang, a device is whatever it is of."""
    code = (
        "import os, stat\nopen('good.txt', 'w').write('g')\n"
        f"for place in ('/box/x', '/tmp/x', '/dev/shm/x'):\n"
        f" try: os.mknod(place, stat.{kind} | 0o600, os.makedev(1, 3)); print('made')\n"
        " except OSError as error: print(error.errno)"
    )
    result = await attack(code)
    assert (result.stdout.split(), result.exit_code) == (["1"] * 3, 0)
    assert [each.name for each in result.artifacts] == ["good.txt"]


ESCAPES = "\x1b[2J\x1b]0;title\x07\x1b]52;c;Y2FuYXJ5\x07\x9b31m\u202e\r\b"
"""Clears the screen, names the window, writes the clipboard, turns the text round."""


async def test_escape_sequences(attack) -> None:
    """Output is data, and comes back as it is; what we ourselves say of a run is plain text."""
    code = (
        f"import sys\nprint({ESCAPES!r}); print({ESCAPES!r}, file=sys.stderr)\nopen({ESCAPES!r}, 'w').close()"
    )
    result = await attack(code)
    assert result.stdout == result.stderr == f"{ESCAPES}\n"
    assert result.artifacts == () and result.notes
    assert all(note.isprintable() for note in result.notes)


async def test_folders_without_end(attack) -> None:
    code = "import os\nfor _ in range(3000):\n os.mkdir('d'); os.chdir('d')\nopen('/box/good', 'w').close()"
    assert [each.name for each in (await attack(code)).artifacts] == ["good"]


async def test_a_file_that_may_not_be_read(attack) -> None:
    result = await attack("import os\nopen('x', 'w').write('s'); os.chmod('x', 0); os.mkdir('d', 0)")
    assert (result.exit_code, result.artifacts) == (0, ())
    assert [note for note in result.notes if "'x', too large or not to be read" in note], result.notes
    assert "left out: folder that cannot be read (1)" in result.notes


async def test_the_box_itself_is_locked(attack) -> None:
    """Pid 1 holds it open from before, and it is its owner too."""
    result = await attack("import os\nopen('x', 'w').write('s'); os.chmod('/box', 0)")
    assert [(each.name, each.data) for each in result.artifacts] == [("x", b"s")]


async def test_a_bomb_is_bytes(attack) -> None:
    """What a few bytes would unfold to is the reader's business; here nothing is unfolded."""
    unfolds = "b'\\x89PNG\\r\\n\\x1a\\n' + zlib.compress(bytes(20 << 20), 9)"
    code = f"import zlib\nopen('bomb.png', 'wb').write({unfolds})"
    (bomb,) = (await attack(code)).artifacts
    assert bomb.media_type == "image/png" and len(bomb.data) < 1 << 17


DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        os.closerange(0, 3)
        os.write(ready[1], b"!")
        time.sleep(60)
    os._exit(0)
"""


async def test_daemons_do_not_outlive_the_result(attack) -> None:
    code = f"import os\nready = os.pipe()\n{DAEMON}\nos.wait(); os.read(ready[0], 1); print('daemon')"
    result = await attack(code)
    assert (result.exit_code, result.stdout, result.timed_out) == (0, "daemon\n", False)
    assert result.survivors == 1
    assert "1 processes were still there when the code had ended, and were killed" in result.notes


async def test_nor_do_children_that_nobody_waits_for(attack) -> None:
    code = "import os, time\nfor _ in range(5):\n if os.fork() == 0: time.sleep(60)\nprint('left')"
    result = await attack(code)
    assert (result.exit_code, result.stdout, result.survivors) == (0, "left\n", 5)


async def test_nor_do_threads(attack) -> None:
    """A daemon thread is no process: it ends with its own."""
    code = (
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(60), open('late', 'w')), daemon=True).start()\n"
        "print('main')"
    )
    result = await attack(code)
    assert (result.stdout, result.exit_code, result.survivors, result.artifacts) == ("main\n", 0, 0, ())


async def test_threads_are_waited_for_as_python_does(attack) -> None:
    code = (
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()"
    )
    assert (await attack(code)).stdout == "thread\n"


async def test_exit_functions_run(attack) -> None:
    assert (await attack("import atexit; atexit.register(print, 'bye')")).stdout == "bye\n"
