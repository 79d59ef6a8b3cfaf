"""A pack is looked at in a process that has nothing to give away, and cannot harm the one that looks."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from toolcrib.errors import PackError
from toolcrib.packs._inspect import inspect_pack

PROBE = """
import json, os, sys
from pathlib import Path
from toolcrib import Toolkit, tool
from toolcrib.hookspecs import hookimpl
PACK_API = 1
class Kit(Toolkit):
    @tool(effect="read")
    def look(self) -> str:
        '''Look.'''
        return ""
@hookimpl
def toolcrib_toolkits(config):
    seen = {
        "environment": dict(os.environ), "cwd": os.getcwd(), "settings": dict(config.settings),
        "folder": str(config.folder), "tenant": config.tenant, "argv": sys.argv, "home": str(Path.home()),
        "stdin": sys.stdin.read(), "isolated": sys.flags.isolated,
    }
    Path(config.settings["report"]).write_text(json.dumps(seen))
    return [Kit()]
"""


def seen_by_the_pack(shelf, tmp_path: Path, **settings: str) -> dict:
    report = tmp_path / "seen.json"
    shelf.install(source=PROBE)
    shelf.settings("pack_one", report=str(report), **settings)
    inspect_pack(shelf.found(), shelf.config)
    return json.loads(report.read_text())


def test_the_pack_sees_no_secret_of_the_environment(shelf, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-secret")
    monkeypatch.setenv("VAULT_TOKEN", "planted-secret")
    monkeypatch.setenv("PYTHONPATH", "/planted-secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    seen = seen_by_the_pack(shelf, tmp_path)
    assert "planted-secret" not in json.dumps(seen["environment"])
    assert set(seen["environment"]) <= {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "TMPDIR"}
    assert seen["environment"]["LANG"] == "C.UTF-8"


def test_the_pack_gets_its_settings_but_no_secret_paths_and_none_of_the_others(shelf, tmp_path: Path) -> None:
    shelf.settings("pack_two", password="planted-secret")
    seen = seen_by_the_pack(shelf, tmp_path, color="red")
    assert seen["settings"] == {"report": str(tmp_path / "seen.json"), "color": "red"}
    assert seen["tenant"] == "default"
    assert "planted-secret" not in json.dumps(seen)


def test_home_and_data_are_empty_folders_that_go_away(shelf, tmp_path: Path) -> None:
    seen = seen_by_the_pack(shelf, tmp_path)
    assert seen["home"] == seen["cwd"] == seen["folder"] != str(Path.home())
    assert not Path(seen["cwd"]).exists()
    assert not (shelf.config.state / "packs").exists()


def test_the_request_is_not_left_where_the_pack_reads(shelf, tmp_path: Path) -> None:
    seen = seen_by_the_pack(shelf, tmp_path)
    assert seen["stdin"] == ""
    assert "path" not in json.dumps(seen["argv"])
    assert seen["isolated"] == 1


def test_nothing_is_imported_here_and_no_cached_file_is_left(shelf) -> None:
    folder = shelf.install()
    inspect_pack(shelf.found(), shelf.config)
    assert "pack_one" not in sys.modules
    assert not (folder / "__pycache__").exists()


def test_the_report_is_the_pack_as_it_would_be_locked(shelf) -> None:
    shelf.install()
    pack, files = inspect_pack(shelf.found(), shelf.config)
    assert (pack.distribution, pack.version, pack.module) == ("dist-pack-one", "1.0", "pack_one")
    assert pack.files == files.hash
    assert pack.hooks == ("toolcrib_toolkits",)
    assert {name: tool.effect for name, tool in pack.tools.items()} == {
        "pack_one.look": "read",
        "pack_one.shout": "send",
    }
    assert pack.tools["pack_one.look"].description == "Look at a thing."


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise RuntimeError('bad day')", "RuntimeError: bad day"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("PACK_API = 9", "pack API 9"),
        ("raise KeyboardInterrupt", "exit code"),
        ("import os; os._exit(7)", "exit code 7: it said nothing"),
        ("import os, sys; print('last words', file=sys.stderr, flush=True); os._exit(7)", "last words"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
    ],
)
def test_a_broken_pack_is_told_and_not_locked(shelf, source: str, told: str) -> None:
    shelf.install(source=source)
    with pytest.raises(PackError) as caught:
        inspect_pack(shelf.found(), shelf.config)
    assert told in caught.value.what
    assert caught.value.rule
    assert caught.value.remedy


def test_what_a_pack_prints_is_no_part_of_the_report(shelf) -> None:
    noise = "import os, sys\nprint('{\"hooks\": []}')\nos.write(1, b'x' * 1_000_000)\nsys.stdout.flush()\n"
    shelf.install(source=noise + PROBE.replace('Path(config.settings["report"])', 'Path("seen")'))
    pack, _ = inspect_pack(shelf.found(), shelf.config)
    assert pack.hooks == ("toolcrib_toolkits",)


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ("nonsense", "exit code 0"),
        ("[1]", "exit code 0"),
        ("{}", "no proper report"),
        ('{"hooks": 3, "tools": {}}', "no proper report"),
        ('{"hooks": [], "tools": {"a": {"effect": "none"}}}', "no proper report"),
        ('{"problem": {}}', ""),
    ],
)
def test_a_forged_report_is_no_more_than_an_error(shelf, report: str, told: str) -> None:
    forge = f"""
        import os
        for number in range(3, 10):
            try:
                os.write(number, {report.encode()!r})
            except OSError:
                pass
        os._exit(0)
    """
    shelf.install(source=forge)
    with pytest.raises(PackError) as caught:
        inspect_pack(shelf.found(), shelf.config)
    assert told in str(caught.value)


def test_a_pack_that_never_answers_is_ended(shelf, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    source = (
        f"import os, threading\nopen({str(noted)!r}, 'w').write(str(os.getpid()))\nthreading.Event().wait()\n"
    )
    shelf.install(source=source)
    with pytest.raises(PackError, match=r"did not answer within 3 s"):
        inspect_pack(shelf.found(), shelf.config, timeout=3)
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)


def test_a_pack_that_changes_its_own_files_is_refused(shelf) -> None:
    change = "open(__file__, 'a').write('# changed')\n"
    shelf.install(source=change + PROBE.replace('Path(config.settings["report"])', 'Path("seen")'))
    with pytest.raises(PackError, match="changed its own files"):
        inspect_pack(shelf.found(), shelf.config)


def test_an_editable_pack_cannot_be_locked(shelf) -> None:
    shelf.install(direct_url={"dir_info": {"editable": True}})
    with pytest.raises(PackError, match="editable") as caught:
        inspect_pack(shelf.found(), shelf.config)
    assert 'trust = "installed"' in caught.value.remedy


def test_a_bad_name_is_refused_before_anything_runs(shelf) -> None:
    shelf.install(source="raise RuntimeError('ran')")
    info = next(shelf.site.glob("*.dist-info"))
    (info / "entry_points.txt").write_text("[toolcrib.packs]\nlocal = pack_one\n")
    with pytest.raises(PackError, match="'local'"):
        inspect_pack(shelf.found("local"), shelf.config)
