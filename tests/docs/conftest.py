"""The pages, their code blocks, and a runner that does what a reader would do: page by page, top to bottom.

How a page is written, so that it can be run (also in CONTRIBUTING.md):

- ```` ```python ```` runs; the blocks of a page share one namespace. A ```` ```text ```` block right after it
  is what it prints.
- `title="FILE"` behind the language writes the block into the page's folder instead.
- ```` ```console ```` with output behind a `$ command`, or marked `run`, runs. In output `…` or `...` is any
  text, a time is any time, and an id such as `7k2m-q9xd-4p3w` is the one that came, also in later commands.
- `no-run` behind the language: not run.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ID = r"[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}"
MOMENT = r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d"
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=indent)```\s*$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    info: str
    text: str
    follows: bool
    """Nothing but blank lines stands between this block and the one before."""

    @property
    def title(self) -> str:
        found = re.search(r'title="([^"]+)"', self.info)
        return found[1] if found else ""

    @property
    def runs(self) -> bool:
        return "no-run" not in self.info.split()

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    names = ["*.md", "core/*.md", "policies/*.md", "sandbox/*.md", "plugins/*/*.md", "docs/**/*.md"]
    names += ["examples/**/*.md", "changelog/*.md", "benchmarks/*.md"]
    return sorted({path for name in names for path in ROOT.glob(name)})


def blocks_of(page: Path) -> list[Block]:
    source, found, end = page.read_text("utf-8"), [], -1
    for match in FENCE.finditer(source):
        language, _, info = match["info"].strip().partition(" ")
        follows = end >= 0 and not source[end : match.start()].strip()
        line = source.count("\n", 0, match.start()) + 1
        text = textwrap.dedent(match["text"])
        found.append(Block(page, line, language, info, text, follows))
        end = match.end()
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))


@dataclass
class Runner:
    """Runs the blocks of one page in `folder`."""

    folder: Path
    environment: dict[str, str]
    programs: Path
    names: dict[str, str] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None

    def run(self, page: Path) -> None:
        blocks = blocks_of(page)
        for block, after in itertools.zip_longest(blocks, blocks[1:]):
            expected = after.text if after and after.follows and after.language == "text" else None
            self.block(block, expected)

    def block(self, block: Block, expected: str | None) -> None:
        if not block.runs:
            return
        if block.title:
            file = self.folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
        elif block.language == "python":
            printed = self.python(block)
            if expected is not None:
                self.compare(block, expected, printed)
        elif block.language == "console":
            self.console(block)

    def python(self, block: Block) -> str:
        """What the block prints. All blocks of a page run in one process, which ends with the page."""
        self.child = self.child or subprocess.Popen(
            [self.programs / "python", Path(__file__).with_name("run_blocks.py")],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.child.stdin and self.child.stdout
        # Blank lines in front, so that a traceback gives the page's line.
        ask = {"page": str(block.page), "source": "\n" * block.line + block.text}
        self.child.stdin.write(json.dumps(ask).encode() + b"\n")
        self.child.stdin.flush()
        killer = threading.Timer(60, self.child.kill)
        killer.start()
        answer = self.child.stdout.readline()
        killer.cancel()
        assert answer, f"{block.place}: the program ended, or did not end within a minute"
        done = json.loads(answer)
        assert not done["error"], f"{block.place}: {done['error']}"
        return str(done["printed"])

    def close(self) -> None:
        if self.child:
            self.child.kill()
            self.child.communicate()

    def console(self, block: Block) -> None:
        commands = list(commands_of(block))
        if "run" not in block.info.split() and not any(output for _, output in commands):
            return  # for the reader only; test_commands checks that what it says exists
        for command, expected in commands:
            assignment = re.fullmatch(r"export (\w+)=(\S+)", command)
            if assignment:
                self.environment[assignment[1]] = assignment[2]
                continue
            done = subprocess.run(
                ["bash", "-c", self.renamed(command)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            shown = done.stdout + done.stderr
            if expected.strip():
                self.compare(block, expected, shown, command)
            else:
                assert done.returncode == 0, f"{block.place}: $ {command}\n{shown}"

    def compare(self, block: Block, expected: str, actual: str, command: str = "") -> None:
        pattern, groups = "", []
        for part in re.split(rf"(…|\.\.\.|{ID}|{MOMENT})", _trimmed(self.renamed(expected))):
            if part in ("…", "..."):
                pattern += ".*?"
            elif re.fullmatch(MOMENT, part):
                pattern += f"(?:{MOMENT})"
            elif re.fullmatch(ID, part) and part not in self.names.values():
                pattern += f"({ID})"
                groups.append(part)
            else:
                pattern += re.escape(part)
        found = re.fullmatch(pattern, _trimmed(actual), re.S)
        assert found, (
            f"{block.place}: {'$ ' + command if command else ''}\nprints:\n{actual}\nnot:\n{expected}"
        )
        self.names.update(zip(groups, found.groups(), strict=True))

    def renamed(self, text: str) -> str:
        for documented, real in self.names.items():
            text = text.replace(documented, real)
        return text


def commands_of(block: Block) -> Iterator[tuple[str, str]]:
    """Each `$ command` with the output that follows it; a line that ends with a backslash goes on."""
    for piece in re.split(r"^\$ ", block.text.replace("\\\n", " "), flags=re.M)[1:]:
        command, _, output = piece.partition("\n")
        yield re.sub(r"\s{2,}# .*", "", command).strip(), output


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.fixture
def runner(tmp_path: Path, programs: Path) -> Iterator[Runner]:
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(tmp_path), "COLUMNS": "100", "NO_COLOR": "1", "LANG": "C.UTF-8"}
    runner = Runner(tmp_path, environment, programs)
    yield runner
    runner.close()


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def all_pages() -> list[Path]:
    return pages()


@pytest.fixture
def find_blocks():
    return blocks_of


@pytest.fixture
def find_commands():
    return commands_of
