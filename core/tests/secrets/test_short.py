"""What is too short to be redacted is said once, by name and never by value."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from toolcrib.cli.secrets import secrets
from toolcrib.config import Config
from toolcrib.errors import ToolcribWarning
from toolcrib.secrets import LocalProvider, Redactor, Secret
from toolcrib.secrets.redaction import MOST_NAMED, too_short


def warned(redactor: Redactor, value: str, path: str = "db/login") -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        redactor.learn(Secret(value, path=path, version=1))
    assert all(one.category is ToolcribWarning for one in caught)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("q1w2e", ("",)),
        ("123456", ()),
        ("äöüäö", ("",)),  # characters, not bytes
        ('{"user": "svc-crm", "pin": "1234"}', ("pin",)),
        ('{"user": "svc-crm", "code": 5432}', ("code",)),
        ('{"user": "bob", "username": "bob", "client_id": "crib", "port": 5432}', ()),
        ('{"db": {"user": "bob", "users": "bob"}}', ("db.users",)),
        ('{"db": {"pin": "1", "code": "22"}, "long": "123456"}', ("db.pin", "db.code")),
        ('{"codes": ["111", "222", "long-enough"]}', ("codes",)),
        ('["abc", "long-enough"]', ("(a list)",)),
        ('{"on": true, "none": null, "empty": "", "user": "svc-crm"}', ()),
        ('{"sk4711-key-as-a-name": "abc"}', ("(a field)",)),
        ('{"not": json', ()),
        ('{"a": ' * 5000 + "1", ()),
    ],
)
def test_what_is_too_short(value: str, fields: tuple[str, ...]) -> None:
    assert too_short(value) == fields


def test_the_fields_of_a_document_are_named_in_one_warning_without_their_values() -> None:
    value = json.dumps({"user": "svc-crm", "pin": "9317", "code": "q7"})
    (text,) = warned(Redactor(), value)
    assert "'db/login' has fields of fewer than 6 characters, which are not redacted (pin, code)" in text
    assert "9317" not in text and "q7" not in text and "svc-crm" not in text


def test_it_is_said_once_for_each_path_and_field_also_when_the_value_is_rotated() -> None:
    redactor = Redactor()
    assert len(warned(redactor, '{"pin": "1111", "user": "svc-crm"}')) == 1
    assert warned(redactor, '{"pin": "2222", "user": "svc-crm"}') == []
    (text,) = warned(redactor, '{"pin": "3333", "code": "44"}')
    assert "(code)" in text and "pin" not in text
    assert len(warned(redactor, '{"pin": "5555"}', "other/path")) == 1


def test_a_short_whole_value_is_said_once_for_its_path() -> None:
    redactor = Redactor()
    assert len(warned(redactor, "abc1")) == 1
    assert warned(redactor, "abc2") == []
    assert len(warned(redactor, "abc3", "other/path")) == 1


def test_a_long_list_of_fields_is_cut_short() -> None:
    names = [f"field_{chr(97 + number)}" for number in range(MOST_NAMED + 5)]
    (text,) = warned(Redactor(), json.dumps(dict.fromkeys(names, "x")))
    assert "and 5 more" in text and names[MOST_NAMED] not in text


def test_what_is_remembered_as_told_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolcrib.secrets.redaction.MOST_TOLD", 10)
    redactor = Redactor()
    for number in range(50):
        assert len(warned(redactor, f"{number}", f"p/{number}")) == 1
    assert len(redactor._told) <= 11


def test_short_fields_stay_and_their_neighbours_go() -> None:
    redactor = Redactor()
    warned(redactor, '{"pin": "9317", "password": "correct-horse"}')
    assert redactor.clean("9317 correct-horse") == "9317 [secret:db/login]"


# --- the commands


class Desk:
    def __init__(self, folder: Path) -> None:
        file = folder / "toolcrib.toml"
        file.write_text('[crib]\ntenant = "acme"\n[packs.crm.secrets]\ndb = "db/login"\n')
        self.config, self.provider = Config.load(file), LocalProvider(folder / ".toolcrib")

    def secret_provider(self) -> LocalProvider:
        return self.provider

    def record(self, **fields: Any) -> None:
        pass


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("value", "fields", "says"),
    [
        ('{"user": "svc-crm", "pin": "9317"}', ["pin"], "the value has fields of fewer than 6 characters"),
        ("q1w2e", [""], "the value has fewer than 6 characters, so it is not redacted"),
        ("long-enough", [], ""),
    ],
)
def test_check_shows_it_and_is_content(desk: Desk, value: str, fields: list[str], says: str) -> None:
    desk.provider.put("db/login", value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is told once, in the answer
        told = CliRunner().invoke(secrets, ["check"], obj=desk)
        found = CliRunner().invoke(secrets, ["check", "--json"], obj=desk)
    (one,) = json.loads(found.output)["secrets"]
    assert (found.exit_code, one["state"], one["unredacted"]) == (0, "readable", fields)
    assert says in " ".join(one["why"]) and says in " ".join(told.output.split())
    assert "9317" not in told.output + found.output and "q1w2e" not in told.output + found.output


@pytest.mark.parametrize(
    ("value", "noted"), [('{"pin": "9317"}', True), ("q1w2e", True), ("long-enough", False)]
)
def test_storing_one_says_so_at_once(desk: Desk, value: str, noted: bool) -> None:
    result = CliRunner().invoke(secrets, ["set", "db/login"], obj=desk, input=value)
    assert (result.exit_code, result.stdout) == (0, "db/login: version 1 stored\n")
    assert ("not redacted" in result.stderr) is noted and "9317" not in result.stderr
