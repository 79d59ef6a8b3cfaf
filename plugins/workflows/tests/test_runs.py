"""Runs on the disk: whole or not at all, found again, worked at by one process."""

from __future__ import annotations

import json

import pytest

from toolcrib.errors import ConfigError, StateError
from toolcrib_workflows._runs import choose, hold, new_run, unfinished


def saved(folder, *, api="agentchat", subject="Acme", status="running", **more):
    run = new_run("demo", api, subject, "alice")
    run.status = status
    for name, value in more.items():
        setattr(run, name, value)
    run.save(folder)
    return run


def pick(folder, *, subject=None, api=None, user=None, new=False):
    return choose(folder, job="demo", subject=subject, api=api, user=user, new=new)


def test_a_run_comes_back_as_it_was(tmp_path):
    run = saved(tmp_path, waiting=("a", "b"), status="waiting", talk={"z": 1, "a": [{"text": "ü"}]})
    assert unfinished(tmp_path) == [run]
    assert list(unfinished(tmp_path)[0].talk) == ["z", "a"]  # the order tells the order of the agents


def test_saving_again_replaces_it_and_leaves_nothing_else(tmp_path):
    run = saved(tmp_path)
    run.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [f"{run.id}.json"]
    assert (tmp_path / f"{run.id}.json").stat().st_mode & 0o777 == 0o600


def test_a_finished_run_is_not_found(tmp_path):
    saved(tmp_path, status="done")
    assert unfinished(tmp_path) == []
    assert unfinished(tmp_path / "none") == []


def test_ids_may_stand_in_policy_and_differ():
    ids = {new_run("demo", "classic", "x", "alice").id for _ in range(50)}
    assert len(ids) == 50


def test_the_latest_fitting_run_is_gone_on_with(tmp_path):
    first = saved(tmp_path)
    second = saved(tmp_path, api="classic")
    third = saved(tmp_path, subject="Other")
    assert pick(tmp_path) == (third, True)
    assert pick(tmp_path, api="classic") == (second, True)
    assert pick(tmp_path, subject="Acme", api="agentchat") == (first, True)


@pytest.mark.parametrize("wanted", [{"new": True}, {"subject": "Third"}, {"user": "dana"}])
def test_otherwise_a_new_one_is_begun(tmp_path, wanted):
    old = saved(tmp_path)
    run, resumed = pick(tmp_path, **wanted)
    assert not resumed and run.id != old.id and run.talk is None
    assert run.subject == wanted.get("subject", "Ozzelbruck Rotors")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "id": "x"}'])
def test_a_run_that_cannot_be_read_is_told(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(StateError, match=r"x\.json is no run"):
        unfinished(tmp_path)


def test_a_run_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        new_run("demo", "classic", "x", "alice").save(tmp_path / "file")


def test_a_run_of_another_version_is_refused(tmp_path):
    run = saved(tmp_path)
    file = tmp_path / f"{run.id}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": 99}))
    with pytest.raises(StateError, match="another version"):
        unfinished(tmp_path)


def test_one_process_works_at_a_run(tmp_path):
    refused = pytest.raises(ConfigError, match="under way in another process")
    with hold(tmp_path, "r1"), hold(tmp_path, "r2"), refused, hold(tmp_path, "r1"):
        pass
    with hold(tmp_path, "r1"):
        pass


def test_a_run_of_the_first_version_is_gone_on_with(tmp_path):
    run = saved(tmp_path, subject="Acme")
    file = tmp_path / f"{run.id}.json"
    old = json.loads(file.read_text())
    old["company"] = old.pop("subject")
    file.write_text(json.dumps({**old, "version": 1}))
    assert unfinished(tmp_path) == [run]


def test_a_run_of_another_job_is_not_gone_on_with(tmp_path):
    run = new_run("ticket-triage", "agentchat", "INC0000242", "alice")
    run.save(tmp_path)
    assert choose(tmp_path, job="demo", subject=None, api=None, user=None, new=False)[1] is False
    again = choose(tmp_path, job="ticket-triage", subject=None, api=None, user=None, new=False)
    assert again == (run, True)
