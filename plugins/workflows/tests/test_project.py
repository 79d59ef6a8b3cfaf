"""The project: made once, complete, valid, and never written over."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from toolcrib.approvals import AnswersChannel, approver_identity
from toolcrib.crib import Crib
from toolcrib.errors import ConfigError
from toolcrib_workflows import _project
from toolcrib_workflows._jobs import KINDS
from toolcrib_workflows._project import open_project, sample_answers

PACKS = ("crm", "mail", "research", "workflows")


def make(folder: Path | None):
    return open_project(folder, job="demo", fresh="toolcrib-demo")


def test_it_is_a_valid_crib_in_park_mode(tmp_path):
    project = make(tmp_path / "p")
    config = project.config
    assert project.is_new and (config.tenant, config.approvals.mode) == ("acme", "park")
    assert config.model is None
    assert set(PACKS) <= set(config.packs)
    with Crib(config) as crib:
        principal = crib.principal("crm_action", "alice")
        assert {"mail.send", "crm.log_activity"} <= {tool.name for tool in crib.tools_for(principal)}


def test_the_present_user_is_alice(tmp_path):
    config = make(tmp_path / "p").config
    assert config.approvals.users == {pwd.getpwuid(os.getuid()).pw_name: "alice"}
    assert approver_identity(config.approvals.users) == "alice"


def test_a_user_name_with_odd_characters_is_still_toml(tmp_path, monkeypatch):
    monkeypatch.setattr(_project, "system_user", lambda: 'o"dd.\\user')
    assert make(tmp_path / "p").config.approvals.users == {'o"dd.\\user': "alice"}


def test_the_template_explains_every_table(tmp_path):
    text = (make(tmp_path / "p").folder / "toolcrib.toml").read_text()
    for table in ("crib", "packs", "packs.crm", "policy", "secrets", "approvals", "limits", "model"):
        assert f"[{table}]" in text
    assert "{" not in text and "toolcrib demo --dir ." in text


def test_packs_from_wheels_are_locked_and_only_editable_ones_are_not(tmp_path, monkeypatch):
    locked: list[tuple[Path, list[str]]] = []
    monkeypatch.setattr(_project, "_is_editable", lambda pack: pack == "crm")
    monkeypatch.setattr(_project, "_lock", lambda file, packs: locked.append((file, packs)))
    config = make(tmp_path / "p").config
    assert {name: config.packs[name].trust for name in PACKS} == {
        "crm": "installed", "mail": "locked", "research": "locked", "workflows": "locked"
    }  # fmt: skip
    assert locked == [(tmp_path / "p" / "toolcrib.toml", ["mail", "research", "workflows"])]


def test_a_pack_that_cannot_be_locked_is_told(tmp_path):
    make(tmp_path / "p")
    with pytest.raises(_project.PackError, match="nonsense"):
        _project._lock(tmp_path / "p" / "toolcrib.toml", ["nonsense"])


def test_an_existing_project_is_used_as_it_is(tmp_path):
    first = make(tmp_path / "p")
    file = first.folder / "toolcrib.toml"
    file.write_text(file.read_text().replace('"acme"', '"globex"', 1))
    (first.folder / "policies" / "policy.csv").write_text("# mine\n")
    again = make(tmp_path / "p")
    assert not again.is_new and again.config.tenant == "globex"
    assert (first.folder / "policies" / "policy.csv").read_text() == "# mine\n"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "p").mkdir()
    assert make(tmp_path / "p").is_new


def test_the_folder_that_the_command_runs_in_is_taken(tmp_path):
    """To find its jobs it opens the packs, and each gets an empty folder."""
    (tmp_path / ".toolcrib" / "packs" / "itsm").mkdir(parents=True)
    assert make(tmp_path).is_new


@pytest.mark.parametrize("file", ["state.db", "packs/itsm/itsm-acme.db"])
def test_the_state_of_another_project_is_something_else(tmp_path, file):
    (tmp_path / ".toolcrib" / file).parent.mkdir(parents=True)
    (tmp_path / ".toolcrib" / file).write_text("x")
    with pytest.raises(ConfigError, match="is not empty"):
        make(tmp_path)


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty"):
        make(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_is_no_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match="--dir"):
        make(file)


def test_fresh_folders_are_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [make(None).folder.name for _ in range(3)]
    assert names == ["toolcrib-demo", "toolcrib-demo-2", "toolcrib-demo-3"]


def test_a_distant_crm_gets_no_sample_answers(tmp_path):
    project = make(tmp_path / "p")
    assert project.is_sample
    file = project.folder / "toolcrib.toml"
    file.write_text(file.read_text().replace('backend = "embedded"', 'backend = "salesforce"', 1))
    assert not make(tmp_path / "p").is_sample


@pytest.mark.parametrize("name", KINDS)
def test_the_sample_answers_are_valid(name):
    assert AnswersChannel(sample_answers(KINDS[name]), approver="alice").left == 1


def test_the_project_of_a_triage_has_a_desk_and_no_crm(tmp_path):
    project = open_project(tmp_path / "p", job="ticket-triage", fresh="")
    assert set(project.config.packs) == {"itsm", "workflows"}
    assert project.is_sample
    text = (project.folder / "toolcrib.toml").read_text()
    assert "toolcrib run ticket-triage --dir ." in text and "{" not in text.replace("{tenant}", "")
    (project.folder / "toolcrib.toml").write_text(text.replace('"embedded"', '"roundup"', 1))
    assert not open_project(tmp_path / "p", job="ticket-triage", fresh="").is_sample
    with Crib(project.config) as crib:
        principal = crib.principal("answerer", "alice")
        assert [tool.name for tool in crib.tools_for(principal)] == ["itsm.add_public_comment"]


def test_the_project_of_an_analysis_has_a_sandbox_that_pulls_nothing(tmp_path):
    project = open_project(tmp_path / "p", job="data-analysis", fresh="")
    assert set(project.config.packs) == {"crm", "code", "workflows"}
    assert project.config.sandbox.provider == "docker"
    assert project.config.sandbox.settings["image"] == "local"
    assert project.is_sample and project.kind.runs_code and not KINDS["ticket-triage"].runs_code
    with Crib(project.config) as crib:
        offered = {
            agent: [tool.name for tool in crib.tools_for(crib.principal(agent, "alice"))]
            for agent in ("analyst", "coder")
        }
    assert offered == {"analyst": ["crm.describe_object", "crm.run_query"], "coder": ["code.run_python"]}
