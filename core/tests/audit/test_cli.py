"""`toolcrib audit`: what a person and a script see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from toolcrib.audit import AuditLog, PublicKey, SigningKey, read, verify
from toolcrib.cli.audit import audit
from toolcrib.errors import AuditError

Run = Callable[..., Result]


@pytest.fixture
def cli(tmp_path: Path, folder: Path) -> Run:
    keys = tmp_path / "keys"

    def signer() -> SigningKey:
        return SigningKey.load_or_create(keys / "audit.key", audit_folder=folder)

    desk = SimpleNamespace(audit_folder=folder, keys_folder=keys, audit_signer=signer)

    def run(*arguments: object, width: int = 100) -> Result:
        runner = CliRunner(env={"COLUMNS": str(width)})
        return runner.invoke(audit, [str(argument) for argument in arguments], obj=desk)

    return run


@pytest.fixture
def story(folder: Path) -> Path:
    """A call that was allowed, one denied, one approved with an edit, one still running, and an
    administrative act.
    """
    log = AuditLog(folder, durability="written")
    ask = {"user": "alice", "agent": "sales", "tenant": "acme"}
    first, second, third, fourth = (
        {"id": f"{n}", "call": f"c{n}", "tool": tool, **ask}
        for n, tool in enumerate(("crm.get_record", "crm.delete", "mail.send", "crm.search"), 1)
    )
    answered = {"approval": "a1", "approver": ["bob"], "edited": {"asked": {}}}
    for record in (
        {"kind": "intent", "decision": "allow", "run": "r1", **first},
        {"kind": "outcome", "status": "done", "run": "r1", **first},
        {"kind": "refusal", "decision": "deny", "status": "denied", **second},
        {"kind": "approval", "action": "requested", "approval": "a1", **third},
        {"kind": "intent", "decision": "review", **answered, **third},
        {"kind": "outcome", "status": "done", **third},
        {"kind": "intent", "decision": "allow", **fourth},
        {"kind": "admin", "action": "packs.lock"},
    ):
        log.append_blocking(record)
    log.close()
    return folder


def words(result: Result, containing: str) -> list[str]:
    return next(line.split() for line in result.output.splitlines() if containing in line)


# --- show -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("story")
def test_show_makes_one_line_of_a_call(cli: Run):
    result = cli("show")
    assert result.exit_code == 0
    assert words(result, "crm.get_record")[1:] == ["alice", "·", "sales", "crm.get_record", "allow", "done"]
    assert words(result, "crm.delete")[-2:] == ["deny", "denied"]
    assert words(result, "mail.send  ")[-4:] == ["review", "done", "bob", "(edited)"]
    assert words(result, "crm.search")[-2:] == ["allow", "running?"]
    assert words(result, "packs.lock")[1:] == ["packs.lock"]
    assert "opened" not in result.output


@pytest.mark.usefixtures("story")
def test_show_is_oldest_first_and_ends_with_the_newest(cli: Run):
    found = json.loads(cli("show", "--json").output)
    assert [row.get("call", row.get("action")) for row in found] == [
        "c1",
        "c2",
        "c3",
        "c3",
        "c4",
        "packs.lock",
    ]
    assert [
        row.get("call", row.get("action")) for row in json.loads(cli("show", "-n", 2, "--json").output)
    ] == [
        "c4",
        "packs.lock",
    ]
    assert [row["call"] for row in json.loads(cli("show", "--run", "r1", "--json").output)] == ["c1"]
    assert json.loads(cli("show", "--all", "--json").output)[0]["event"] == "opened"


def test_show_of_an_empty_log(cli: Run, folder: Path):
    folder.mkdir()
    assert "Nothing is on the log yet" in cli("show").output
    assert json.loads(cli("show", "--json").output) == []


def test_show_completes_a_call_whose_intent_lies_further_back(cli: Run, folder: Path):
    log = AuditLog(folder, durability="written")
    log.append_blocking({"kind": "intent", "id": "slow", "tool": "slow", "decision": "review"})
    for n in range(30):
        log.append_blocking(
            {"kind": "refusal", "id": f"{n}", "tool": "t", "decision": "deny", "status": "denied"}
        )
    log.append_blocking({"kind": "outcome", "id": "slow", "tool": "slow", "status": "done"})
    log.close()
    assert words(cli("show", "-n", 3), "slow")[-2:] == ["review", "done"]


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("width", [80, 100, 200])
def test_show_fits_the_terminal(cli: Run, width: int):
    for command in ("show", "query"):
        lines = cli(command, width=width).output.splitlines()
        assert max(map(len, lines)) <= width
        assert all(word in lines[0] for word in ("time", "who", "decision", "outcome"))


EVIL = "\x1b[2J\x1b]0;title\x07\r\x9b31m[bold red]x[/] :skull:\u202e"


@pytest.mark.parametrize("command", ["show", "query", "query --full", "show --json", "query --json"])
def test_what_an_agent_wrote_cannot_reach_the_terminal(cli: Run, folder: Path, command: str):
    log = AuditLog(folder, durability="written")
    fields = ("call", "tool", "user", "agent", "status", "decision", "reason", "approver", "id", EVIL)
    log.append_blocking({"kind": "refusal", **dict.fromkeys(fields, EVIL), "arguments": {EVIL: [EVIL]}})
    log.append_blocking({"kind": EVIL})
    log.close()
    result = cli(*command.split(), width=300)
    assert result.exit_code == 0
    if "--json" in command:
        assert not set("\x1b\x07\r") & set(result.output)
    else:
        assert not {c for c in result.output if not c.isprintable()} - {"\n"}
        assert "[bold red]x[/] :skull:" in result.output.replace("\n", "")


# --- query ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--tool", "crm.*"], ["c1", "c1", "c2", "c4"]),
        (["--tool", "mail.send"], ["c3", "c3", "c3"]),
        (["--status", "denied"], ["c2"]),
        (["--kind", "approval"], ["c3"]),
        (["--approval", "a1"], ["c3", "c3"]),
        (["--call", "c1"], ["c1", "c1"]),
        (["--user", "alice", "--agent", "sales", "--status", "done"], ["c1", "c3"]),
        (["--user", "nobody"], []),
        (["--tool", "crm.*", "--limit", "2"], ["c2", "c4"]),
        (["--since", "2020-01-01", "--status", "denied"], ["c2"]),
        (["--until", "2020-01-01"], []),
    ],
    ids=str,
)
def test_query_filters(cli: Run, options: list[str], wanted: list[str]):
    assert [record["call"] for record in json.loads(cli("query", *options, "--json").output)] == wanted
    assert f"{len(wanted)} record{'' if len(wanted) == 1 else 's'}" in cli("query", *options).output


@pytest.mark.usefixtures("story")
def test_query_shows_every_field_when_asked(cli: Run):
    output = cli("query", "--approval", "a1", "--full").output
    assert 'approver         ["bob"]' in output and "requested" in output and "prev" in output


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("options", [["--since", "yesterday"], ["--limit", "0"], ["--nonsense", "x"]])
def test_wrong_usage_exits_with_2(cli: Run, options: list[str]):
    assert cli("query", *options).exit_code == 2


# --- verify -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("story")
def test_verify_of_a_good_log(cli: Run):
    result = cli("verify")
    assert result.exit_code == 0
    assert "✓ 9 records in 1 segment" in result.output and "No checkpoint covers any record" in result.output
    found = json.loads(cli("verify", "--json").output)
    assert (found["ok"], found["records"], found["problem"]) == (True, 9, None)


def test_verify_names_the_first_bad_record(cli: Run, story: Path):
    path = story / "000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"decision":"deny"', b'"decision":"okay"'))
    result = cli("verify")
    assert result.exit_code == 1
    assert (
        "✗ edited: 000001.jsonl:4, record 4" in result.output and "Good before it: 3 records" in result.output
    )
    found = json.loads(cli("verify", "--json").output)
    assert (found["ok"], found["problem"]["what"], found["problem"]["seq"]) == (False, "edited", 4)


@pytest.mark.usefixtures("story")
def test_verify_against_shipped_checkpoint_and_pinned_key(cli: Run, tmp_path: Path, folder: Path):
    shipped = tmp_path / "elsewhere" / "checkpoint.json"
    assert cli("checkpoint", "--out", shipped).exit_code == 0
    pinned = ["--public-key", tmp_path / "keys" / "audit.pub", "--checkpoint", shipped]
    assert cli("verify", *pinned).exit_code == 0
    path = folder / "000001.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
    for file in (folder / "checkpoints").iterdir():
        file.unlink()
    assert cli("verify").exit_code == 0
    result = cli("verify", *pinned)
    assert result.exit_code == 1 and "✗ cut: 000001.jsonl, record 6" in result.output


@pytest.mark.usefixtures("story")
def test_verify_with_another_key_fails(cli: Run, tmp_path: Path):
    cli("checkpoint")
    SigningKey.load_or_create(tmp_path / "other").public.export(tmp_path / "other.pub")
    result = cli("verify", "--public-key", tmp_path / "other.pub")
    assert result.exit_code == 1 and "bad signature" in result.output
    assert cli("verify", "--public-key", tmp_path / "absent").exit_code == 2


def test_verify_without_a_log_is_an_error(cli: Run, folder: Path):
    result = cli("verify")
    assert result.exit_code == 1
    assert isinstance(result.exception, AuditError) and str(folder) in str(result.exception)


# --- checkpoint -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("story")
def test_checkpoint_signs_and_puts_itself_on_the_log(cli: Run, tmp_path: Path, folder: Path):
    result = cli("checkpoint", "--out", tmp_path / "shipped.json")
    assert result.exit_code == 0 and "1 to 9" in result.output and "shipped.json" in result.output
    act = list(read(folder))[-1]
    assert (act["kind"], act["action"], act["records"]) == ("admin", "audit.checkpoint", 9)
    assert act["out"].endswith("shipped.json") and act["user"]
    found = verify(folder, public_key=PublicKey.load(tmp_path / "keys" / "audit.pub"))
    assert found.ok and found.protected == 9
    assert (folder / "checkpoints" / "000000000009.json").read_bytes() == (
        tmp_path / "shipped.json"
    ).read_bytes()


@pytest.mark.usefixtures("story")
def test_checkpoint_as_json(cli: Run, tmp_path: Path):
    found = json.loads(cli("checkpoint", "--json").output)
    assert found["records"] == 9 and found["public_key"] == str(tmp_path / "keys" / "audit.pub")


def test_no_checkpoint_is_signed_over_a_changed_log(cli: Run, story: Path, tmp_path: Path):
    path = story / "000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"alice", b"mall0", 1))
    result = cli("checkpoint", "--out", tmp_path / "shipped.json")
    assert result.exit_code == 1 and "No checkpoint was signed" in result.output
    assert not (tmp_path / "shipped.json").exists() and not (tmp_path / "keys").exists()
    assert json.loads(cli("checkpoint", "--json").output)["ok"] is False


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    ("option", "word", "meant"), [("--status", "deny", "denied"), ("--kind", "refused", "refusal")]
)
def test_query_refuses_a_word_that_no_record_can_have(cli: Run, option: str, word: str, meant: str):
    """Else a typo would read as: nothing was denied."""
    result = cli("query", option, word)
    assert result.exit_code == 2
    assert meant in result.output
