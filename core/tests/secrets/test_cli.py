"""`toolcrib secrets`: values go in through a pipe or a hidden prompt, and come out of no command."""

import json
import os
import stat
import sys

import pexpect
import pytest
from click.testing import CliRunner

from toolcrib.cli.secrets import secrets
from toolcrib.config import Config
from toolcrib.errors import ConfigError, SecretError, SecretRefused
from toolcrib.policy import MODEL, Policy
from toolcrib.secrets import LocalProvider, ProviderStatus, Secret

CONFIG = """
[crib]
tenant = "acme"

[packs.crm.secrets]
salesforce = "crm/{tenant}/salesforce"
mine = "crm/{tenant}/{user}"

[packs.mail]
"""
VALUE = "hunter2-hunter2"


class Desk:
    """What the frame gives a command."""

    def __init__(self, folder, provider=None):
        (folder / "toolcrib.toml").write_text(CONFIG)
        self.config = Config.load(folder / "toolcrib.toml")
        self.provider = provider or LocalProvider(folder / ".toolcrib")
        self.records, self.rows = [], ""

    def secret_provider(self):
        return self.provider

    def policy(self):
        return Policy.of(MODEL, self.rows)

    def record(self, **fields):
        self.records.append(fields)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def run(desk, *args, typed=None):
    return CliRunner().invoke(secrets, args, obj=desk, input=typed)


def test_a_value_from_standard_input_is_stored_and_recorded_without_it(desk):
    result = run(desk, "set", "crm/acme/salesforce", typed=f"{VALUE}\n")
    assert (result.exit_code, result.output) == (0, "crm/acme/salesforce: version 1 stored\n")
    assert desk.provider.get("crm/acme/salesforce").reveal() == VALUE
    assert desk.records == [{"kind": "admin", "action": "secrets.set", "path": "crm/acme/salesforce"}]


def test_a_value_of_several_lines_keeps_them(desk):
    run(desk, "set", "key", typed="-----BEGIN\nabc\n-----END\n\n")
    assert desk.provider.get("key").reveal() == "-----BEGIN\nabc\n-----END\n"


def test_a_value_as_an_argument_is_wrong_usage(desk):
    result = run(desk, "set", "crm/acme/salesforce", VALUE)
    assert result.exit_code == 2
    assert not desk.provider.stored()


@pytest.mark.parametrize(("path", "typed"), [("../x", VALUE), ("crm/acme/x", "")])
def test_a_bad_path_or_an_empty_value_stores_nothing(desk, path, typed):
    result = run(desk, "set", path, typed=typed)
    assert isinstance(result.exception, SecretError)
    assert not desk.provider.stored()


def test_nothing_is_stored_when_it_cannot_be_recorded(desk):
    desk.record = lambda **fields: 1 / 0
    assert run(desk, "set", "a", typed=VALUE).exit_code == 1
    assert not desk.provider.stored()


def test_the_list_has_paths_and_versions(desk):
    assert "No secrets are stored" in run(desk, "list").output
    desk.provider.put("b", VALUE), desk.provider.put("a", VALUE), desk.provider.put("a", VALUE)
    assert run(desk, "list").output == "a  version 2\nb  version 1\n"
    assert json.loads(run(desk, "list", "--json").output) == [
        {"path": "a", "version": 2},
        {"path": "b", "version": 1},
    ]


def test_removing_asks_first_and_is_recorded(desk):
    desk.provider.put("a", VALUE)
    assert run(desk, "rm", "a", typed="n\n").exit_code == 1
    assert desk.provider.has("a")
    assert run(desk, "rm", "a", "--yes").exit_code == 0
    assert not desk.provider.has("a")
    assert desk.records == [{"kind": "admin", "action": "secrets.rm", "path": "a"}]


def test_removing_what_is_not_there_says_so(desk):
    result = run(desk, "rm", "a", "--yes")
    assert isinstance(result.exception, SecretError)
    assert not desk.records


def test_check_shows_paths_and_what_is_missing(desk):
    desk.provider.put("crm/acme/salesforce", VALUE)
    result = run(desk, "check", "--json")
    rows = {row["name"]: row for row in json.loads(result.output)["secrets"]}
    assert result.exit_code == 0
    assert (rows["salesforce"]["path"], rows["salesforce"]["state"]) == ("crm/acme/salesforce", "readable")
    assert (rows["mine"]["state"], rows["mine"]["provider"]) == ("open", "give --user")
    assert VALUE not in result.output


def test_check_exits_with_1_for_what_is_not_readable(desk):
    desk.provider.put("crm/acme/salesforce", VALUE)
    result = run(desk, "check", "--user", "alice", "--json")
    rows = {row["name"]: row for row in json.loads(result.output)["secrets"]}
    assert result.exit_code == 1
    assert "toolcrib secrets set crm/acme/alice" in rows["mine"]["why"][0]
    assert (rows["mine"]["path"], rows["mine"]["provider"]) == ("crm/acme/alice", "not there")
    assert run(desk, "check", "--user", "alice").exit_code == 1


def test_check_prints_a_table_without_values(desk):
    desk.provider.put("crm/acme/salesforce", VALUE)
    output = run(desk, "check").output
    assert "crm/acme/salesforce" in output
    assert "✓" in output
    assert VALUE not in output


AS = ("check", "--user", "alice", "--agent", "writer")
BOTH = (
    "p, user:alice, acme, secret:crm.*, use, True, allow\n"
    "p, agent:writer, acme, secret:crm.{}, use, True, allow"
)


@pytest.mark.parametrize(
    ("rows", "state", "policy", "why"),
    [
        (BOTH.format("salesforce"), "readable", "allowed (policy.csv:1, policy.csv:2)", ""),
        ("", "denied", "no row", "user:alice has no allow row"),
        (BOTH.format("mine"), "denied", "no row", "agent:writer has no allow row"),
        ("p, *, *, *, *, True, deny", "denied", "policy.csv:1", "is denied by policy.csv:1"),
        ("p, *, acme, secret:crm.*, use, r.ctx.args.n == 1, allow", "depends", "depends", "has a condition"),
        (
            "p, *, acme, secret:crm.*, use, True, allow\np2, *, acme, secret:crm.salesforce, use, True, lead",
            "denied",
            "policy.csv:2",
            "Write the row for the tools",
        ),
        (
            "p, *, acme, *, *, True, allow\np3, *, acme, *, 5/day per user",
            "readable",
            "allowed (policy.csv:1)",
            "",
        ),
    ],
)
def test_check_asks_policy_for_user_and_agent(desk, rows, state, policy, why):
    desk.provider.put("crm/acme/salesforce", VALUE)
    desk.provider.put("crm/acme/alice", VALUE)
    desk.rows = rows
    result = run(desk, *AS, "--json")
    found = {row["name"]: row for row in json.loads(result.output)["secrets"]}["salesforce"]
    assert (found["state"], found["policy"], found["provider"]) == (state, policy, "version 1")
    assert why in " ".join(found["why"])
    told = run(desk, *AS)
    assert why.split()[0] in told.output if why else "✓ " in told.output
    assert VALUE not in result.output + told.output


def test_check_exits_with_1_for_what_policy_withholds_and_0_for_what_it_gives(desk):
    for path in ("crm/acme/salesforce", "crm/acme/alice"):
        desk.provider.put(path, VALUE)
    assert run(desk, *AS).exit_code == 1
    desk.rows = "p, *, acme, secret:crm.*, use, True, allow"
    assert run(desk, *AS).exit_code == 0


def test_check_is_on_record_with_whom_it_was_for_and_takes_another_tenant(desk):
    desk.provider.put("crm/globex/salesforce", VALUE)
    result = run(desk, "check", "--tenant", "globex", "--json")
    found = json.loads(result.output)
    assert found["secrets"][1]["path"] == "crm/globex/salesforce"
    assert (found["ok"], found["principal"]["tenant"]) == (True, "globex")
    assert desk.records[-1] == {
        "kind": "admin",
        "action": "secrets.check",
        "checked_as": [None, None, "globex"],
    }


def test_check_tells_what_the_provider_says_of_itself(tmp_path):
    class Vaultlike:
        async def fetch(self, path):
            raise SecretRefused(f"no reading of {path!r} (403)", remedy="Ask")

        async def close(self):
            pass

        async def status(self):
            return ProviderStatus("vaultlike", "https://vault.example", "approle", 3500.0)

    output = run(Desk(tmp_path, Vaultlike()), "check").output
    output = output.replace(" \n", " ")
    assert "vaultlike at https://vault.example · auth: approle · lives for 58 min" in output
    assert "refused" in output
    assert "no reading of 'crm/acme/salesforce' (403)" in output


def test_check_tells_that_the_provider_lets_nobody_in(tmp_path):
    class Closed:
        async def fetch(self, path):
            raise SecretError("sealed", remedy="Unseal it")

        async def status(self):
            raise SecretError("sealed", remedy="Unseal it")

    result = run(Desk(tmp_path, Closed()), "check", "--json")
    assert (result.exit_code, json.loads(result.output)["provider"]["error"]) == (1, "sealed. Unseal it.")


def test_check_names_a_bad_template(tmp_path):
    desk = Desk(tmp_path)
    (tmp_path / "toolcrib.toml").write_text('[packs.crm.secrets]\nx = "a/{session}"\n')
    desk.config = Config.load(tmp_path / "toolcrib.toml")
    result = run(desk, "check")
    assert isinstance(result.exception, ConfigError)
    assert "[packs.crm.secrets] x" in str(result.exception)


def test_other_providers_are_checked_but_not_written(tmp_path):
    class Elsewhere:
        async def fetch(self, path):
            return Secret(VALUE, path=path, version="v7")

    desk = Desk(tmp_path, Elsewhere())
    assert json.loads(run(desk, "check", "--json").output)["secrets"][1]["provider"] == "version v7"
    for args in (["set", "a"], ["list"], ["rm", "a"]):
        result = run(desk, *args, typed=VALUE)
        assert isinstance(result.exception, SecretError)
        assert "not written from here" in str(result.exception)


def test_at_a_terminal_the_value_is_not_echoed(tmp_path):
    (tmp_path / "toolcrib.toml").write_text(CONFIG)
    shell = pexpect.spawn(
        sys.executable,
        [
            "-c",
            "from toolcrib.cli import main; main()",
            "-c",
            str(tmp_path / "toolcrib.toml"),
            "secrets",
            "set",
            "a/b",
        ],
        env={**os.environ, "TERM": "dumb"},
        timeout=60,
        encoding="utf-8",
    )
    seen = ""
    for _ in range(2):
        shell.expect("alue|confirm")
        seen += shell.before
        shell.expect(": ")
        shell.waitnoecho()
        shell.sendline(VALUE)
    shell.expect(pexpect.EOF)
    seen += shell.before
    shell.close()
    assert shell.exitstatus == 0, seen
    assert "a/b: version 1 stored" in seen
    assert VALUE not in seen
    assert LocalProvider(tmp_path / ".toolcrib").get("a/b").reveal() == VALUE
    assert stat.S_IMODE((tmp_path / ".toolcrib/secrets.json").stat().st_mode) == 0o600
