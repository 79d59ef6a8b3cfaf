"""`toolcrib policy who-can|what-can|matrix|diff`, against real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from toolcrib.bench.tools import NamedTool
from toolcrib.cli.policy import policy
from toolcrib.errors import ConfigError, PolicyError
from toolcrib.policy import MODEL

ROWS = """\
g, user:alice, sales, acme
g, user:dana, lead, acme
g, agent:sender, sending, acme
p, sales, acme, crm.*, read, True, allow
p, sales, acme, mail.send, send, True, allow
p, sending, acme, mail.*, *, True, allow
p2, *, acme, mail.send, send, r.ctx.args.n > 5, requester|lead
p3, *, acme, mail.send, 20/day per user
p, *, acme, crm.drop, *, True, deny
"""
TOOLS = [
    NamedTool("crm.get", "read"),
    NamedTool("crm.list", "read"),
    NamedTool("crm.drop", "destructive"),
    NamedTool("mail.send", "send"),
]


class Desk:
    tenant = "acme"

    def __init__(self, folder: Path) -> None:
        self.policy_folder, self.folder = folder, folder.parent / "state"
        self.registry = TOOLS
        self.secret_names = frozenset[str]()

    def crib(self) -> Any:
        return self


class NoDesk:
    """Outside of a crib."""

    tenant = policy_folder = folder = property(lambda self: self.crib())

    def crib(self) -> Any:
        raise ConfigError("there is no toolcrib.toml")


def write(folder: Path, rows: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.conf").write_text(MODEL)
    (folder / "policy.csv").write_text(rows)
    return folder


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(write(tmp_path / "policies", ROWS))


@pytest.fixture
def run(desk: Desk) -> Any:
    def command(*arguments: str, code: int = 0, at: Any = desk, columns: int = 120) -> str:
        result = CliRunner().invoke(policy, arguments, obj=at, env={"COLUMNS": str(columns)})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return command


# --- who-can ----------------------------------------------------------------------------------------------


def test_who_can(run: Any) -> None:
    output = run("who-can", "mail.send")
    assert output.startswith("mail.send (send) in tenant acme\n")
    for line in ("sales", "sending", "agent:sender", "user:alice"):
        assert line in output
    assert "allow; review by requester|lead when r.ctx.args.n > 5; 20/day per user" in output
    assert "alice" in output.split("each user by each agent")[1]
    assert "requester, dana" in output


def test_who_can_where_only_one_side_may(run: Any) -> None:
    output = run("who-can", "crm.get")
    assert "user:alice" in output
    assert "No call is possible" in output


def test_who_can_a_tool_that_nobody_may(run: Any) -> None:
    assert "No call is possible" in run("who-can", "crm.drop")


def test_who_can_a_tool_that_is_not_installed(run: Any) -> None:
    with pytest.raises(PolicyError, match="Did you mean"):
        run("who-can", "crm.gett")
    assert "user:alice" in run("who-can", "crm.other", "--effect", "read")


def test_who_can_as_json_and_elsewhere(run: Any, tmp_path: Path) -> None:
    found = json.loads(run("who-can", "mail.send", "--json"))
    assert found["pairs"][0]["users"] == ["alice"]
    other = write(tmp_path / "other", "p, user:eve, globex, *, *, True, allow\n")
    output = run("who-can", "mail.send", "--policy", str(other), "--tenant", "globex")
    assert "user:eve" in output


# --- what-can ---------------------------------------------------------------------------------------------


def test_what_can_a_role_do(run: Any) -> None:
    output = run("what-can", "sales")
    assert "crm.get, crm.list" in output
    assert "2 allow, 1 depends, 1 deny" in output
    assert "Denied: crm.drop." in output


def test_what_can_user_and_agent_do_together(run: Any) -> None:
    output = run("what-can", "--user", "alice", "--agent", "sender")
    assert "user:alice holds sales" in output
    assert "agent:sender holds sending" in output
    assert "1 depends, 3 deny" in output


def test_what_can_shows_denied_tools_one_by_one(run: Any) -> None:
    assert "by policy.csv:9" in run("what-can", "user:alice", "--all")


def test_what_can_somebody_unknown_do(run: Any) -> None:
    output = run("what-can", "--user", "stranger")
    assert "No row names them" in output
    assert "4 deny" in output
    assert "No row names them" not in run("what-can", "*")


def test_what_can_as_json(run: Any) -> None:
    found = json.loads(run("what-can", "user:alice", "--json"))
    states = {one["name"]: one["state"] for one in found["tools"]}
    assert states == {"crm.drop": "deny", "crm.get": "allow", "crm.list": "allow", "mail.send": "depends"}
    assert found["roles"] == {"user:alice": ["sales"]}


@pytest.mark.parametrize(
    ("asked", "note"),
    [
        (("what-can", "alice"), "no row names the role alice; did you mean user:alice?"),
        (("what-can", "user:alcie"), "no row names user:alcie; did you mean user:alice?"),
        (("what-can", "sale"), "no row names the role sale; did you mean sales?"),
        (("what-can", "--user", "sender"), "no row names user:sender; did you mean agent:sender?"),
        (("what-can", "user:qqqq"), "no row names user:qqqq"),
        (("what-can", "user:alice", "--tenant", "amce"), "no row names the tenant amce; did you mean acme?"),
        (("matrix", "--tenant", "nix"), "no row names the tenant nix"),
        (("who-can", "mail.send", "--tenant", "nix"), "no row names the tenant nix"),
    ],
)
def test_a_name_that_no_row_knows_is_noted(desk: Desk, asked: tuple[str, ...], note: str) -> None:
    found = CliRunner().invoke(policy, asked, obj=desk)
    assert (found.exit_code, found.stderr) == (0, f"note: {note}\n")
    assert note not in found.stdout
    told = CliRunner().invoke(policy, [*asked, "--json"], obj=desk)
    assert json.loads(told.stdout)["notes"] == [note]


@pytest.mark.parametrize(
    "asked",
    [
        ("what-can", "user:alice"),
        ("what-can", "lead"),
        ("what-can", "*"),
        ("what-can", "user:none"),
        ("what-can", "--user", "alice", "--agent", "sender"),
        ("matrix",),
        ("who-can", "mail.send", "--tenant", "acme"),
    ],
)
def test_a_name_that_a_row_knows_is_not(desk: Desk, asked: tuple[str, ...]) -> None:
    found = CliRunner().invoke(policy, [*asked, "--json"], obj=desk)
    assert (found.stderr, json.loads(found.stdout)["notes"]) == ("", [])


def test_a_user_of_another_tenant_is_none_of_this_one(run: Any, desk: Desk) -> None:
    write(desk.policy_folder, ROWS + "g, user:zoe, sales, globex\n")
    assert "note: no row names user:zoe" in run("what-can", "user:zoe")
    assert "note:" not in run("what-can", "user:zoe", "--tenant", "globex")


def test_who_can_call_an_installed_tool_is_asked_by_its_own_effect(run: Any, desk: Desk) -> None:
    assert "crm.get has the effect read, not write" in run("who-can", "crm.get", "--effect", "write", code=2)
    assert run("who-can", "crm.get", "--effect", "read") == run("who-can", "crm.get")
    desk.registry = []
    assert "(write)" in run("who-can", "crm.get", "--effect", "write"), "where nobody knows better"


@pytest.mark.parametrize("arguments", [[], ["sales", "--user", "alice"]])
def test_what_can_needs_one_way_of_naming(run: Any, arguments: list[str]) -> None:
    assert "Name either PRINCIPAL" in run("what-can", *arguments, code=2)


# --- matrix -----------------------------------------------------------------------------------------------


def test_matrix_at_the_terminal(run: Any) -> None:
    for columns in (80, 120):
        output = run("matrix", columns=columns)
        assert max(map(len, output.splitlines())) <= columns
        assert "A  * (everybody)" in output
        assert "sales: user:alice" in output
        (line,) = [line for line in output.splitlines() if line.startswith("  get, list")]
        assert line.split()[-3:] == ["·", "✓", "·"]
        assert "✕" in output


def test_a_page_that_cannot_be_written_is_a_clear_error(run: Any, tmp_path: Path) -> None:
    there = tmp_path / "gone" / "x.html"
    assert f"{there} cannot be written: No such file or directory" in run(
        "matrix", "--html", str(there), code=1
    )
    there.parent.mkdir()
    assert f"Wrote {there}" in run("matrix", "--html", str(there))


def test_a_page_may_go_to_stdout(run: Any) -> None:
    assert "<!doctype html>" in run("matrix", "--html", "-").lower()


def test_a_matrix_with_many_roles_and_tools_stays_narrow(run: Any, desk: Desk) -> None:
    rows = "".join(f"p, role{number}, acme, pack{number % 7}.*, *, True, allow\n" for number in range(60))
    write(desk.policy_folder, rows)
    desk.registry = [
        NamedTool(f"pack{number % 7}.tool_with_a_long_name_{number}", "write") for number in range(500)
    ]
    output = run("matrix", columns=80)
    assert max(map(len, output.splitlines())) <= 80
    assert len(output.splitlines()) < 300
    assert "+71" in output


SECRET_ROWS = """\
p, sales, acme, secret:crm.salesforce, use, True, allow
p, sending, acme, secret:mail.*, use, r.ctx.tool.effect == 'read', allow
p, user:dana, acme, secret:crm.*, use, True, deny
"""


def test_secrets_stand_beside_the_tools(run: Any, desk: Desk) -> None:
    write(desk.policy_folder, ROWS + SECRET_ROWS)
    desk.secret_names = frozenset({"mail.smtp"})
    found = json.loads(run("what-can", "sales", "--json"))["tools"]
    assert {one["name"]: (one["effect"], one["state"]) for one in found if one["effect"] == "use"} == {
        "secret:crm.salesforce": ("use", "allow"),
        "secret:mail.smtp": ("use", "deny"),
    }
    assert "secret:crm.salesforce" in run("what-can", "sales")
    assert "r.ctx.tool.effect == 'read'" in run("what-can", "agent:sender", "--all", columns=200)
    output = run("matrix")
    assert [line.split()[0] for line in output.splitlines() if line.startswith("secret:")] == [
        "secret:crm",
        "secret:mail",
    ]
    (line,) = [line for line in output.splitlines() if line.startswith("  salesforce")]
    assert line.split()[1] == "use" and "✓" in line and "✕" in line
    cells = json.loads(run("matrix", "--json"))["cells"]
    told = {(one["subject"], one["state"]) for one in cells if one["tool"] == "secret:crm.salesforce"}
    assert told == {("sales", "allow"), ("user:dana", "deny")}


def test_a_list_of_tools_brings_no_secrets_of_this_crib(run: Any, desk: Desk, tmp_path: Path) -> None:
    write(desk.policy_folder, ROWS + SECRET_ROWS)
    desk.secret_names = frozenset({"mail.smtp"})
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([{"name": "crm.get", "effect": "read"}]))
    found = json.loads(run("what-can", "sales", "--json", "--tools", str(tools)))["tools"]
    assert [one["name"] for one in found] == ["crm.get", "secret:crm.salesforce"]


def test_matrix_as_a_page_and_as_json(run: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("matrix", "--html", str(page)) == f"Wrote {page}\n"
    assert page.read_text().startswith("<!doctype html>")
    assert len(json.loads(run("matrix", "--json"))["tools"]) == 4


def test_tools_from_a_list(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "tools.json"
    file.write_text(json.dumps([{"name": "erp.pay", "effect": "write", "labels": ["x"], "wire_name": "y"}]))
    assert "erp" in run("matrix", "--tools", str(file), at=Desk(tmp_path / "policies"))


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '[{"name": "a.b"}]', '[{"name": "a.b", "effect": "x"}]', "3"]
)
def test_a_list_that_is_none(run: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "tools.json"
    file.write_text(text)
    with pytest.raises(PolicyError, match="is not a list of tools"):
        run("matrix", "--tools", str(file))


def test_without_tools_there_is_no_matrix(run: Any, desk: Desk) -> None:
    desk.registry = []
    with pytest.raises(PolicyError, match="no tools are installed"):
        run("matrix")


# --- diff -------------------------------------------------------------------------------------------------


def test_diff_of_the_same_policy(run: Any, desk: Desk, tmp_path: Path) -> None:
    other = write(tmp_path / "other", "# remark\n" + "\n".join(reversed(ROWS.splitlines())))
    assert run("diff", str(other)) == "No call is decided in another way.\n"


def test_diff_tells_what_changes_worst_first(run: Any, desk: Desk, tmp_path: Path) -> None:
    new = write(
        tmp_path / "new",
        ROWS.replace("p, *, acme, crm.drop, *, True, deny\n", "p, sales, acme, crm.drop, *, True, allow\n")
        + "p, *, acme, crm.get, *, True, deny\n",
    )
    output = run("diff", str(desk.policy_folder), str(new), code=1)
    first, second = output.index("▲ allowed: sales"), output.index("▼ denied: sales")
    assert first < second
    assert "crm.drop (destructive)" in output
    assert "deny by policy.csv:9 → allow" in output
    assert "1 wider, 1 narrower" in output


def test_diff_needs_no_crib(run: Any, tmp_path: Path) -> None:
    old, new = (
        write(tmp_path / "old", ROWS),
        write(tmp_path / "new", ROWS + "p, x, acme, erp.*, *, True, allow\n"),
    )
    output = run("diff", str(old), str(new), at=NoDesk(), code=1)
    assert "erp.* (any effect)" in output
    assert "who: nobody yet" in output


def test_diff_of_a_role_that_is_renamed_says_who_holds_it(run: Any, desk: Desk, tmp_path: Path) -> None:
    new = write(tmp_path / "new", (ROWS + "g, user:dana, sales, acme\n").replace("sales", "vendors"))
    write(desk.policy_folder, ROWS + "g, user:dana, sales, acme\n")
    files = (str(desk.policy_folder), str(new))
    output = run("diff", *files, code=1)
    assert "who: user:alice, user:dana, for whom this alone changes nothing" in output.partition("vendors")[2]
    assert "who: nobody any more (user:alice, user:dana, for whom this alone changes nothing)" in output
    assert "nobody yet" not in output
    held = {
        one["subject"]: one["holders"] for one in json.loads(run("diff", *files, "--json", code=1))["changes"]
    }
    both = ["user:alice", "user:dana"]
    assert held == {"vendors": {"before": [], "after": both}, "sales": {"before": both, "after": []}}


def test_diff_of_a_role_that_changes_says_who_meets_it(run: Any, desk: Desk, tmp_path: Path) -> None:
    new = write(tmp_path / "new", ROWS + "p, sales, acme, crm.set, write, True, allow\n")
    files = (str(desk.policy_folder), str(new))
    assert "who: user:alice" in [line.strip() for line in run("diff", *files, code=1).splitlines()]
    (change, *_) = json.loads(run("diff", *files, "--json", code=1))["changes"]
    assert (change["principals"], change["holders"]) == (["user:alice"], {"before": [], "after": []})


def test_diff_of_single_files_takes_the_shipped_model(run: Any, tmp_path: Path) -> None:
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text(ROWS)
    other.write_text(ROWS.replace("20/day", "30/day"))
    assert "20/day per user" in run("diff", str(one), str(other), code=1)


def test_diff_with_a_revision_that_was_in_force(run: Any, desk: Desk) -> None:
    from toolcrib.policy import FolderOrigin, History

    texts = FolderOrigin(desk.policy_folder).read()
    History(desk.folder / "policy-history").keep(texts, texts.policy())
    revision = texts.policy().revision
    assert run("diff", revision[:6]) == "No call is decided in another way.\n"
    write(desk.policy_folder, ROWS.replace("20/day", "30/day"))
    assert "30/day per user" in run("diff", revision, code=1)
    assert "not in the history" in run("diff", "abcdef", code=2)


def test_diff_as_json(run: Any, desk: Desk, tmp_path: Path) -> None:
    new = write(tmp_path / "new", ROWS + "p, user:bob, globex, *, *, True, allow\n")
    found = json.loads(run("diff", str(desk.policy_folder), str(new), "--json", code=1))
    assert {one["tenant"] for one in found["changes"]} == {"globex"}
    assert found["changes"][0]["effect"] == "destructive"
    assert found["old"] != found["new"]
    assert (
        json.loads(run("diff", str(desk.policy_folder), str(new), "--tenant", "acme", "--json"))["changes"]
        == []
    )


def test_diff_of_what_cannot_be_read_is_2(run: Any, desk: Desk, tmp_path: Path) -> None:
    assert "nowhere" in run("diff", str(tmp_path / "nowhere"), code=2)
    bad = write(tmp_path / "bad", "nonsense\n")
    assert "unknown row type" in run("diff", str(bad), code=2)


def test_many_alike_are_told_together(run: Any, desk: Desk, tmp_path: Path) -> None:
    desk.registry = [NamedTool(f"erp.t{number}", "write") for number in range(300)]
    new = write(tmp_path / "new", ROWS + "p, sales, acme, erp.*, write, True, allow\n")
    output = run("diff", str(desk.policy_folder), str(new), code=1, columns=80)
    assert "tools: erp.* (write), among them 300 by name" in output
    assert len(output.splitlines()) < 12
