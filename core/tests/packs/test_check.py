"""`toolcrib packs check`: one line a check, and no pack takes the command with it."""

from __future__ import annotations

import json
import os
import select
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolcrib.cli.packs import packs
from toolcrib.errors import PackError
from toolcrib.packs._check import check_apart
from toolcrib.testing._pack_outcome import REMEDIES, Outcome
from toolcrib.testing._pack_report import CHECKS

PACK = '''
from toolcrib import Toolkit, tool
from toolcrib.hookspecs import PackConfig, hookimpl

PACK_API = 1

class Kit(Toolkit):
    def __init__(self, settings):
        self.settings = settings

    @tool(effect="read")
    async def look(self, what: str) -> str:
        """Look at a thing and say what it is.

        Args:
            what: The thing to look at.
        """
        BODY
        return what

@hookimpl
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:
    return [Kit(config.settings)]
'''
SUITE = """
from toolcrib.testing.conformance import PackConformance

class Conformance(PackConformance):
    pack = "pack_one"
    def calls(self):
        return {"look": {"what": "saw"}}
"""
CHEAP = ("schemas", "descriptions", "calls")


def install(shelf, body: str = "pass", suite: str = SUITE, source: str = PACK, **more: str) -> None:
    shelf.install("pack_one", source.replace("BODY", body), files={"pack_one/conformance.py": suite, **more})


def outcomes(*checks: str, **options) -> dict[str, Outcome]:
    return {one.check: one for one in check_apart("pack_one", checks=checks or CHEAP, **options)}


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    only = [part for name in CHEAP for part in ("--only", name)]
    return CliRunner(env={"COLUMNS": "200", **(env or {})}).invoke(packs, ["check", *arguments, *only])


def test_every_check_has_a_remedy_and_they_come_in_their_order() -> None:
    assert list(REMEDIES) == list(CHECKS)


def test_a_good_pack_passes_with_one_line_a_check(shelf) -> None:
    install(shelf)
    result = run("pack_one")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "pack_one", "passed   schemas", "passed   descriptions", "passed   calls", "3 passed",
    ]  # fmt: skip


def test_a_failure_names_the_tool_and_how_to_mend_it(shelf) -> None:
    install(shelf, source=PACK.replace("Look at a thing and say what it is.", "Looks."))
    result = run("pack_one")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[2].startswith(
        "failed   descriptions  pack_one.look: its description 'Looks.' is no sentence"
    )
    assert lines[3].strip() == f"Mend: {REMEDIES['descriptions']}"
    assert lines[-1] == "2 passed, 1 failed"


def test_json_has_every_fact(shelf) -> None:
    install(shelf, body="raise ValueError('no')")
    result = run("pack_one", "--json")
    (report,) = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["pack"], report["passed"]) == ("pack_one", False)
    schemas, _, calls = report["checks"]
    assert schemas == {
        "check": "schemas", "status": "passed", "problems": [], "reason": "", "excused": [], "remedy": "",
    }  # fmt: skip
    assert calls["status"] == "failed" and "ValueError: no" in calls["problems"][0]
    assert calls["remedy"] == REMEDIES["calls"]


def test_junit_has_a_case_for_each_check(shelf, tmp_path: Path) -> None:
    install(shelf, body="raise ValueError('<no> \\x00')")
    file = tmp_path / "report.xml"
    assert run("pack_one", "--junit", str(file)).exit_code == 1
    (suite,) = ET.parse(file).getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("pack_one", "3", "1")
    assert [case.get("name") for case in suite] == list(CHEAP)
    assert "ValueError: <no>" in (suite[2].find("failure").text or "")
    printed = run("pack_one", "--junit", "-")
    assert ET.fromstring(printed.stdout).get("tests") == "3", "nothing else is printed"


def test_what_a_check_says_cannot_steer_a_terminal(shelf) -> None:
    install(shelf, body="raise ValueError('\\x1b[2J all fine\\npassed   everything')")
    output = run("pack_one").stdout
    assert "\x1b" not in output
    assert "\npassed   everything" not in output


# --- packs that would take the command with them


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("import os; os._exit(7)", "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
        ("import sys; sys.exit(0)", "SystemExit"),
        (
            "import sys; print('last words', file=sys.stderr, flush=True); import os; os._exit(3)",
            "last words",
        ),
    ],
)
def test_a_pack_that_ends_its_process_fails_that_check_and_the_others_are_made(shelf, body, told) -> None:
    install(shelf, body)
    found = outcomes("calls", "schemas", "paging")
    assert found["schemas"].status == "passed"
    assert found["calls"].status == "failed"
    assert told in found["calls"].problems[0]


def test_a_pack_that_hangs_is_ended_with_all_that_it_started(shelf, tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    body = (
        f"import os, subprocess, threading; p = subprocess.Popen(['sleep', '600']); "
        f"open({str(noted)!r}, 'a').write(f'{{os.getpid()}} {{p.pid}} '); threading.Event().wait()"
    )
    install(shelf, body)
    found = outcomes("schemas", "calls", seconds=4)
    assert found["schemas"].status == "passed"
    assert "did not end within 4 s" in found["calls"].problems[0]
    pids = [int(pid) for pid in noted.read_text().split()]
    assert len(pids) == 2
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    """False for one that ends: it was killed, and may take a moment to go."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([handle], [], [], 10)[0]
    finally:
        os.close(handle)


def test_after_three_lost_processes_the_rest_is_not_made(shelf) -> None:
    install(shelf, "import os; os._exit(7)")
    told: list[str] = []
    every = check_apart("pack_one", told=lambda outcome: told.append(outcome.check))
    assert [one.check for one in every] == told == list(REMEDIES)
    lost = [one.check for one in every if "exit code 7" in " ".join(one.problems)]
    assert lost == ["calls", "reads", "bad_arguments"]
    assert every[-1].status == "failed" and "was not made" in every[-1].problems[0]


def test_a_pack_that_forks_is_heard_once(shelf, tmp_path: Path) -> None:
    noted = tmp_path / "forked"
    install(shelf, f"import os; pid = os.fork(); pid or open({str(noted)!r}, 'a').write(f'{{os.getpid()}} ')")
    found = check_apart("pack_one", checks=("calls", "schemas"), seconds=20)
    assert [one.check for one in found] == ["schemas", "calls"]
    assert not any(alive(int(pid)) for pid in noted.read_text().split())


def test_what_a_pack_prints_is_no_part_of_the_report(shelf) -> None:
    noise = "import os; print('{}'); os.write(1, b'x' * 1_000_000); os.write(2, b'y' * 1_000_000)"
    install(shelf, noise)
    assert outcomes("calls")["calls"].status == "passed"


PIPES = """
import os

def shout(data):
    for number in range(3, 256):
        try:
            if os.readlink(f"/proc/self/fd/{number}").startswith("pipe:"):
                os.write(number, data)
        except OSError:
            pass
"""


@pytest.mark.parametrize("line", ["nonsense", '{"begin": "policy"}', '{"check": "calls", "status": "great"}'])
def test_a_forged_report_is_a_failure(shelf, line: str) -> None:
    body = f"from pack_one.aid import shout; shout({line.encode()!r} + bytes([10]))"
    install(shelf, body, **{"pack_one/aid.py": PIPES})
    assert "no proper report" in outcomes("calls")["calls"].problems[0]


def test_a_report_without_end_is_cut(shelf) -> None:
    body = "from pack_one.aid import shout; [shout(b'x' * 65536) for _ in range(100)]"
    install(shelf, body, **{"pack_one/aid.py": PIPES})
    assert "reported without end" in outcomes("calls")["calls"].problems[0]


# --- what the pack sees


def test_the_pack_has_no_secret_of_the_caller(shelf, tmp_path: Path, monkeypatch) -> None:
    seen = tmp_path / "seen.json"
    monkeypatch.setenv("VAULT_TOKEN", "planted-secret")
    monkeypatch.setenv("PYTHONPATH", "/planted-secret")
    install(shelf, f"import json, os; json.dump([dict(os.environ), os.getcwd()], open({str(seen)!r}, 'w'))")
    outcomes("calls")
    environment, folder = json.loads(seen.read_text())
    assert set(environment) <= {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "TMPDIR"}
    assert environment["HOME"] == folder and not Path(folder).exists()
    assert "planted-secret" not in seen.read_text()


def test_nothing_is_imported_here(shelf) -> None:
    import sys

    install(shelf)
    outcomes("schemas")
    assert "pack_one" not in sys.modules


# --- backends and settings

BACKENDS = """
from toolcrib.testing.conformance import PackConformance

class Conformance(PackConformance):
    pack = "pack_one"
    def calls(self):
        return {"look": {"what": "saw"}}

class Remote(Conformance):
    settings = {"backend": "remote", "url": "http://127.0.0.1"}
"""
TELL = "raise ValueError(repr(sorted(self.settings.items())))"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "[]"),
        ({"backend": "other"}, "[('backend', 'other')]"),
        ({"backend": "remote", "settings": {"url": 1}}, "[('backend', 'remote'), ('url', 1)]"),
    ],
)
def test_a_backend_has_the_suite_that_names_it(shelf, options, told: str) -> None:
    install(shelf, TELL, BACKENDS)
    assert told in outcomes("calls", **options)["calls"].problems[0]


NEEDS = """
from contextlib import contextmanager
from pathlib import Path
from toolcrib.testing.conformance import PackConformance

class Conformance(PackConformance):
    pack = "pack_one"
    needs = {NEEDS}
    def calls(self):
        return {"look": {"what": "saw"}}
    @contextmanager
    def prepare(self):
        with Path({NOTED!r}).open("a") as noted:
            print("began", file=noted, flush=True)
            yield "a server"
            print("ended", file=noted)
    @contextmanager
    def world(self):
        assert self.prepared == "a server"
        yield None
"""


def needing(tmp_path: Path, needs: dict[str, str]) -> str:
    return NEEDS.replace("{NEEDS}", repr(needs)).replace("{NOTED!r}", repr(str(tmp_path / "noted")))


def test_what_takes_long_is_prepared_once_for_all_checks(shelf, tmp_path: Path) -> None:
    install(shelf, suite=needing(tmp_path, {"json": "pip install it"}))
    result = run("pack_one")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "3 passed")
    assert (tmp_path / "noted").read_text().split().count("began") == 1


def test_a_suite_without_its_counterpart_is_not_green_and_says_what_to_install(shelf, tmp_path: Path) -> None:
    needs = {"no_such_server": "pip install the-server", "json": "pip install it"}
    install(shelf, suite=needing(tmp_path, needs))
    result = run("pack_one")
    assert result.exit_code == 1
    assert "no_such_server is not installed" in result.stdout and "pip install the-server" in result.stdout
    assert "json" not in result.stdout and result.stdout.endswith("1 failed\n")
    assert not (tmp_path / "noted").exists()


def test_settings_on_the_command_line_are_json_or_text(shelf) -> None:
    install(shelf, TELL)
    told = run("pack_one", "--set", "limit=3", "--set", "name=three").stdout
    assert "[('limit', 3), ('name', 'three')]" in told
    assert run("pack_one", "--set", "limit").exit_code == 2


# --- what cannot be checked at all


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        ("import nothing_like_it", "No module named 'nothing_like_it'"),
        ("import os; os._exit(4)", "exit code 4"),
        ("x = 1", "has no attribute 'Conformance'"),
    ],
)
def test_a_suite_that_cannot_be_had_is_told(shelf, suite: str, told: str) -> None:
    install(shelf, suite=suite)
    result = run("pack_one")
    assert result.exit_code == 1
    assert told in result.stdout
    assert result.stdout.endswith("1 failed\n")


def test_a_pack_without_a_suite_is_checked_as_far_as_can_be_seen(shelf) -> None:
    shelf.install("pack_one", PACK.replace("BODY", "pass"))
    found = outcomes()
    assert (found["schemas"].status, found["calls"].status) == ("passed", "failed")
    assert "add one to `calls`" in found["calls"].problems[0]


def test_a_pack_that_is_not_installed_is_told_with_the_nearest_and_the_others_are_checked(shelf) -> None:
    install(shelf)
    result = run("pack_oen", "pack_one")
    assert result.exit_code == 1
    assert "no pack 'pack_oen' is installed" in result.stdout and "'pack_one'" in result.stdout
    assert result.stdout.endswith("3 passed\n")


def test_without_a_name_and_a_project_it_is_every_pack(shelf, tmp_path: Path, monkeypatch) -> None:
    install(shelf)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("nonsense")
    assert run().stdout.startswith("pack_one\n")


PROJECT = """
[project]
name = "dist-here"
version = "3"
entry-points."toolcrib.packs" = {pack_one = "pack_one"}
"""


@pytest.mark.parametrize("sources", ["src", ""])
def test_a_project_is_checked_as_it_stands_and_needs_no_installation(
    shelf, tmp_path, monkeypatch, sources
) -> None:
    monkeypatch.chdir(tmp_path)
    install(shelf, body="raise ValueError('the installed one')")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    package = tmp_path / sources / "pack_one"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PACK.replace("BODY", "pass"))
    (package / "conformance.py").write_text(SUITE)
    before = {path for path in tmp_path.rglob("*") if "site" not in path.parts}
    result = run()
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("pack_one (the project here)\n")
    assert {path for path in tmp_path.rglob("*") if "site" not in path.parts} == before, (
        "it leaves nothing there"
    )
    assert "the installed one" in run("pack_one").stdout, "whoever names a pack means the installed one"


def test_a_project_whose_modules_are_elsewhere_is_told(shelf, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    error = run().exception
    assert isinstance(error, PackError) and "pip install -e ." in error.remedy


def test_where_there_is_no_pack_that_is_a_usage_error(shelf, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 2 and "No pack is installed" in result.stderr


def test_an_unknown_check_is_a_usage_error_with_the_nearest(shelf) -> None:
    install(shelf)
    result = run("pack_one", "--only", "schema")
    assert result.exit_code == 2 and "'schemas'" in result.stderr


def test_no_file_that_a_pack_writes_grows_without_end(shelf) -> None:
    install(shelf, "import resource; raise ValueError(str(resource.getrlimit(resource.RLIMIT_FSIZE)[0]))")
    assert str(256 * 1024 * 1024) in outcomes("calls")["calls"].problems[0]


def test_nothing_is_left_in_the_temporary_folder(shelf, tmp_path: Path, monkeypatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    install(shelf, "import os; os._exit(1)")
    outcomes("calls")
    assert os.listdir(tmp_path / "tmp") == []


def test_the_page_tells_of_every_check_how_to_mend_it() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "pack-conformance.md"
    rows = [line.split(" | ") for line in page.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert {row[0].strip("| `"): row[2].removesuffix(" |") for row in rows} == REMEDIES
