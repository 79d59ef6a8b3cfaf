"""Acts on the policy: permitted by policy, shown, asked for, on record, written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from toolcrib.audit import read
from toolcrib.errors import CallDenied, ConfigError, PolicyError, ToolcribWarning, UnknownTool
from toolcrib.policy import History

FROZEN = "p, *, *, toys.add, *, True, deny"


def table(agent: str, expect: str) -> str:
    """A policy test of one case."""
    case = f"{{name: adds, user: dana, agent: {agent}, tool: toys.add, effect: write, expect: {expect}}}"
    return f"tenant: acme\ncases:\n  - {case}\n"


# --- freeze ------------------------------------------------------------------------------------------


def test_freeze_shows_asks_records_and_writes(bench: Any) -> None:
    before = bench.rows
    done = bench.run("freeze", "toys.add", input="y\n")
    assert done.exit_code == 0, done.output
    assert f"+ {FROZEN}" in done.output
    assert "denied: everybody" in done.output, "what it does, not only which row"
    assert "Freeze toys.add?" in done.output
    assert bench.rows.startswith(before)
    assert FROZEN in bench.rows
    (act,) = bench.acts()
    assert (act["action"], act["by"], act["status"]) == ("policy.freeze", "dana", "done")
    assert act["arguments"] == {"tools": ["toys.add"]}
    assert act["added"] == [FROZEN]
    assert act["rows"] == ["policy.csv:3 (p, user:dana, acme, policy.*, destructive, True, allow)"]


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_nothing_changes(bench: Any, answer: str) -> None:
    before = bench.rows
    assert bench.run("freeze", "toys.add", input=answer).exit_code == 1
    assert bench.rows == before
    assert bench.acts() == []


def test_a_dry_run_asks_for_nothing_and_changes_nothing(make: Callable[..., Any]) -> None:
    bench = make("p, *, acme, toys.*, *, True, allow\n")
    before = bench.rows
    shown = bench.run("freeze", "toys.add", "--dry-run")
    assert (shown.exit_code, FROZEN in shown.output, bench.rows) == (0, True, before)


def test_an_alias_freezes_the_tool_and_a_typing_error_nothing(bench: Any) -> None:
    assert bench.run("freeze", "toys.put", "--yes").exit_code == 0
    assert FROZEN in bench.rows
    assert isinstance(bench.run("freeze", "toys.ad", "--yes").exception, UnknownTool)
    assert bench.run("freeze", "toyz.*", "--yes").exit_code == 2


def test_frozen_tools_are_listed_and_doctor_tells(bench: Any) -> None:
    assert "Nothing is frozen" in bench.run("freeze").output
    bench.run("freeze", "toys.add", "toys.*", "--yes")
    assert orjson.loads(bench.run("freeze", "--json").stdout) == ["toys.add", "toys.*"]
    assert "frozen: toys.add, toys.*" in bench.run("doctor").output


def test_freezing_everything_does_not_lock_its_author_out(bench: Any) -> None:
    before = bench.rows
    assert bench.run("freeze", "*", "--yes").exit_code == 0
    thawed = bench.run("unfreeze", "*", "--yes")
    assert thawed.exit_code == 0, thawed.output
    assert bench.rows == before


def test_freezing_what_is_frozen_is_no_act(bench: Any) -> None:
    bench.run("freeze", "toys.add", "--yes")
    again = bench.run("freeze", "toys.add", "--yes")
    assert (again.exit_code, len(bench.acts())) == (0, 1)
    assert "so already" in again.output


def test_unfreezing_what_is_not_frozen_is_refused(bench: Any) -> None:
    assert isinstance(bench.run("unfreeze", "toys.add", "--yes").exception, PolicyError)


def test_tests_of_the_policy_do_not_keep_a_tool_from_being_frozen(bench: Any) -> None:
    tests = bench.folder / "policies" / "tests"
    tests.mkdir()
    (tests / "toys.yaml").write_text(table("a", "allow"))
    before = bench.rows
    done = bench.run("freeze", "toys.add", "--yes")
    assert done.exit_code == 0, (done.output, done.exception)
    bench.rows = before.replace("toys.*, *, True, allow", "toys.*, read, True, allow")
    refused = bench.run("freeze", "toys.count", "--yes")
    assert isinstance(refused.exception, PolicyError), "an ordinary change against the tests still is"


def test_a_property_keeps_a_violating_rollback_out_but_no_freeze(bench: Any) -> None:
    bench.run("doctor")
    first = entries(bench)[0]["revision"]
    bench.rows += "p, user:eve, acme, *, *, True, deny\n"
    bench.run("doctor")
    rule = '[[property]]\nname = "Not Eve"\nnever_allowed = { to = ["user:eve"] }\n'
    (bench.folder / "policies" / "properties.toml").write_text(rule)
    refused = bench.run("policy", "rollback", first, "--yes")
    assert isinstance(refused.exception, PolicyError)
    assert "'Not Eve' is violated" in str(refused.exception)
    assert bench.run("freeze", "toys.add", "--yes").exit_code == 0


# --- who may -----------------------------------------------------------------------------------------


def test_who_has_no_row_may_not_and_that_is_on_record(make: Callable[..., Any]) -> None:
    bench = make("p, *, acme, toys.*, *, True, allow\n")
    before = bench.rows
    refused = bench.run("freeze", "toys.add", "--yes")
    assert isinstance(refused.exception, CallDenied)
    assert "p, user:dana, acme, policy.freeze, destructive, True, allow" in refused.exception.remedy
    assert bench.rows == before
    (act,) = bench.acts()
    assert (act["status"], act["decision"], act["by"]) == ("denied", "deny", "dana")


def test_the_remedy_is_enough(make: Callable[..., Any]) -> None:
    bench = make("p, *, acme, toys.*, *, True, allow\n")
    refused = bench.run("freeze", "toys.add", "--yes")
    bench.rows += refused.exception.remedy.removeprefix("Add: ") + "\n"
    assert bench.run("freeze", "toys.add", "--yes").exit_code == 0


def test_one_act_may_be_allowed_and_another_not(make: Callable[..., Any]) -> None:
    bench = make("p, oncall, acme, policy.freeze, destructive, True, allow\ng, user:dana, oncall, acme\n")
    assert bench.run("freeze", "toys.add", "--yes").exit_code == 0
    assert isinstance(bench.run("unfreeze", "toys.add", "--yes").exception, CallDenied)


def test_conditions_see_what_is_done(make: Callable[..., Any]) -> None:
    row = 'p, user:dana, acme, policy.freeze, destructive, "toys.add" in r.ctx.args.tools, allow'
    bench = make(f"p, *, acme, toys.*, *, True, allow\n{row}\n")
    assert bench.run("freeze", "toys.add", "--yes").exit_code == 0
    assert isinstance(bench.run("freeze", "toys.count", "--yes").exception, CallDenied)


@pytest.mark.parametrize(
    ("approvers", "may"),
    [("requester", True), ("lead", False), ("lead|requester", True), ("user:dana", False)],
)
def test_a_review_row_asks_for_somebody_else(make: Callable[..., Any], approvers: str, may: bool) -> None:
    rows = "p, *, acme, *, *, True, allow\ng, user:dana, lead, acme\n"
    bench = make(f"{rows}p2, *, acme, policy.freeze, *, True, {approvers}\n")
    done = bench.run("freeze", "toys.add", "--yes")
    assert (done.exit_code == 0) is may
    assert may or "may not freeze toys.add alone" in str(done.exception)


def test_a_refusal_for_a_review_names_who_may_do_it_instead(make: Callable[..., Any]) -> None:
    rows = (
        "p, *, acme, *, *, True, allow\ng, user:erin, lead, acme\ng, user:finn, desk, acme\n"
        "p2, user:dana, acme, policy.freeze, *, True, lead\np2, desk, acme, policy.freeze, *, True, lead\n"
    )
    refused = make(rows).run("freeze", "toys.add", "--yes").exception
    assert isinstance(refused, CallDenied)
    assert refused.remedy == "Let one of these do it, who may alone: user:erin"


def test_who_is_named_may_indeed_do_it(make: Callable[..., Any]) -> None:
    rows = "p, *, acme, *, *, True, allow\ng, user:erin, lead, acme\n"
    rows += "p2, user:dana, acme, policy.freeze, *, True, lead\n"
    assert make(rows, user="erin").run("freeze", "toys.add", "--yes").exit_code == 0


def test_a_refusal_where_nobody_may_alone_says_what_the_rows_ask_for(make: Callable[..., Any]) -> None:
    rows = "p, *, acme, *, *, True, allow\ng, user:erin, lead, acme\np2, *, acme, policy.*, *, True, lead\n"
    refused = make(rows).run("freeze", "toys.add", "--yes").exception
    assert isinstance(refused, CallDenied)
    assert "The rows ask for lead, and nobody whom rows name may do it alone" in refused.remedy


def test_whom_the_config_does_not_map_may_nothing(make: Callable[..., Any]) -> None:
    bench = make(user="")
    assert isinstance(bench.run("freeze", "toys.add", "--yes").exception, ConfigError)


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
def test_a_row_that_is_only_in_a_refused_file_permits_nothing(make: Callable[..., Any]) -> None:
    """Whoever edits the file may write any row; but what permits an act was in force."""
    bench = make("p, *, acme, toys.*, *, True, allow\n")
    bench.run("doctor")
    tests = bench.folder / "policies" / "tests"
    tests.mkdir()
    (tests / "no.yaml").write_text("no table")
    bench.rows += "p, user:dana, acme, policy.*, destructive, True, allow\n"
    (tests / "no.yaml").write_text(table("a", "deny"))
    assert "is not taken" in bench.run("doctor").output
    refused = bench.run("policy", "rollback", entries(bench)[0]["revision"], "--with-tests", "--yes")
    assert isinstance(refused.exception, CallDenied)


# --- rollout -----------------------------------------------------------------------------------------


def test_promote_and_demote_by_command(make: Callable[..., Any]) -> None:
    bench = make("p, user:dana, acme, *, *, True, allow\n")
    assert bench.run("rollout", "promote", "toys.add", "--agent", "a", "--yes").exit_code == 0
    assert "p, agent:a, acme, toys.add, write, True, allow" in bench.rows
    assert "p2, agent:a, acme, toys.add, write, True, requester" in bench.rows
    shown = orjson.loads(bench.run("rollout", "show", "--agent", "a", "--json").stdout)
    assert [(one["tool"], one["stage"]) for one in shown] == [("toys.add", "supervised")]
    fence = ["--fence", "r.ctx.args.box == 'z'"]
    assert bench.run("rollout", "promote", "toys.add", "--agent", "a", *fence, "--yes").exit_code == 0
    assert "autonomous" in bench.run("rollout", "show", "toys.add", "--agent", "a").output
    for _ in range(2):
        assert bench.run("rollout", "demote", "toys.add", "--agent", "a", "--yes").exit_code == 0
    assert "read-only" in bench.run("rollout", "show", "toys.add", "--agent", "a").output
    assert [act["action"] for act in bench.acts()] == ["policy.promote"] * 2 + ["policy.demote"] * 2


def test_two_subjects_at_once_are_wrong_usage(bench: Any) -> None:
    assert bench.run("rollout", "promote", "toys.add", "--agent", "a", "--role", "r").exit_code == 2


def test_json_needs_a_word_that_it_may(bench: Any) -> None:
    assert bench.run("freeze", "toys.add", "--json").exit_code == 2
    told = orjson.loads(bench.run("freeze", "toys.add", "--json", "--dry-run").stdout)
    assert (told["done"], told["added"]) == (False, [FROZEN])
    told = orjson.loads(bench.run("freeze", "toys.add", "--json", "--yes").stdout)
    assert told["done"]
    assert told["changes"]


# --- log and rollback --------------------------------------------------------------------------------


def entries(bench: Any) -> list[dict[str, Any]]:
    return list(orjson.loads(bench.run("policy", "log", "--json").stdout))


def test_the_log_says_who_did_what(bench: Any) -> None:
    assert "No policy was in force yet" in bench.run("policy", "log").output
    bench.run("freeze", "toys.add", "--yes")
    bench.run("unfreeze", "toys.add", "--yes")
    newest, middle, oldest = entries(bench)
    assert (newest["by"], newest["why"]) == ("dana", "unfreeze toys.add")
    assert (middle["why"], middle["added"], middle["removed"]) == ("freeze toys.add", 1, 0)
    assert "narrower" in middle["effect"]
    assert oldest["revision"] == newest["revision"]
    assert middle["revision"] in bench.run("policy", "log").output


def test_a_change_of_the_file_is_in_the_log_too(bench: Any) -> None:
    bench.run("doctor")
    bench.rows += "p, agent:b, acme, toys.add, write, True, deny\n"
    bench.run("doctor")
    newest, _ = entries(bench)
    assert (newest["why"], newest["added"]) == ("changed", 1)


def test_rollback_brings_every_byte_back(bench: Any) -> None:
    bench.rows += "# a remark\r\n\n"
    before = bench.rows
    bench.run("doctor")
    first = entries(bench)[0]["revision"]
    bench.rows += "p, agent:b, acme, toys.add, write, True, deny\n"
    bench.run("doctor")
    done = bench.run("policy", "rollback", first[:6], input="y\n")
    assert done.exit_code == 0, done.output
    assert "- p, agent:b, acme, toys.add, write, True, deny" in done.output
    assert bench.rows.encode() == before.encode()
    assert bench.acts()[-1]["arguments"] == {"revision": first}


def frozen_since(bench: Any) -> str:
    """A revision of before `toys.add` was frozen."""
    bench.run("doctor")
    first = entries(bench)[0]["revision"]
    assert bench.run("freeze", "toys.add", "--yes").exit_code == 0
    return str(first)


def test_a_rollback_keeps_frozen_what_is_frozen_now(bench: Any) -> None:
    first = frozen_since(bench)
    bench.rows += "p, agent:b, acme, toys.add, write, True, deny\n"
    done = bench.run("policy", "rollback", first, "--yes")
    assert done.exit_code == 0, done.output
    assert "Still frozen, as now: toys.add." in done.output
    assert f"- {FROZEN}" not in done.output
    assert "agent:b" not in bench.rows, "all else goes back"
    assert orjson.loads(bench.run("freeze", "--json").stdout) == ["toys.add"]
    assert bench.acts()[-1]["still_frozen"] == ["toys.add"]
    assert bench.run("unfreeze", "toys.add", "--yes").exit_code == 0
    assert entries(bench)[0]["revision"] == first, "and with that right, every byte is back"


@pytest.mark.parametrize("broken", [b"p, half a ro", b"\0\xff\xfe", None], ids=["half", "binary", "gone"])
def test_what_was_frozen_in_force_stays_so_where_the_rows_do_not_load(
    bench: Any, broken: bytes | None
) -> None:
    first = frozen_since(bench)
    path = bench.folder / "policies" / "policy.csv"
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    assert bench.run("policy", "rollback", first, "--yes").exit_code == 0
    assert FROZEN in bench.rows


def test_a_rollback_to_what_was_frozen_adds_nothing_twice(bench: Any) -> None:
    frozen_since(bench)
    (second, _) = entries(bench)
    bench.rows += "p, agent:b, acme, toys.add, write, True, deny\n"
    told = bench.run("policy", "rollback", second["revision"], "--yes", "--json")
    assert orjson.loads(told.stdout)["still_frozen"] == []
    assert bench.rows.count(FROZEN) == 1


def test_neither_rollback_nor_import_nor_promote_is_a_right_to_unfreeze(make: Callable[..., Any]) -> None:
    acts = ("freeze", "rollback", "import", "promote")
    rows = "".join(f"p, user:dana, acme, policy.{act}, destructive, True, allow\n" for act in acts)
    bench = make(f"p, *, acme, toys.*, *, True, allow\n{rows}")
    file = bench.folder / "new.csv"
    file.write_text(bench.rows)
    first = frozen_since(bench)
    assert isinstance(bench.run("unfreeze", "toys.add", "--yes").exception, CallDenied)
    assert bench.run("policy", "rollback", first, "--yes").exit_code == 0
    assert bench.run("policy", "import", str(file), "--yes").exit_code == 0
    promoted = bench.run("rollout", "promote", "toys.add", "--tenant", "*", "--yes")
    assert "says more than that" in str(promoted.exception)
    assert orjson.loads(bench.run("freeze", "--json").stdout) == ["toys.add"]


@pytest.mark.parametrize("broken", [b"p, half a ro", b"\0\xff\xfe", None], ids=["half", "binary", "gone"])
def test_rollback_works_where_what_stands_there_does_not_load(bench: Any, broken: bytes | None) -> None:
    before = bench.rows
    bench.run("doctor")
    path = bench.folder / "policies" / "policy.csv"
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    done = bench.run(
        "policy", "rollback", History(bench.folder / ".toolcrib/policy-history").entries()[0].revision, "-y"
    )
    assert done.exit_code == 0, (done.output, done.exception)
    assert bench.rows == before


def test_rollback_to_what_its_tests_refute_is_refused_unless_they_come_back_too(bench: Any) -> None:
    tests = bench.folder / "policies" / "tests"
    tests.mkdir()
    bench.run("doctor")
    first = entries(bench)[0]["revision"]
    bench.rows += "p, agent:b, acme, toys.add, write, True, deny\n"
    (tests / "new.yaml").write_text(table("b", "deny"))
    assert bench.run("doctor").exit_code == 0
    refused = bench.run("policy", "rollback", first, "-y")
    assert isinstance(refused.exception, PolicyError)
    assert "would not be taken" in str(refused.exception)
    assert bench.run("policy", "rollback", first, "-y", "--with-tests").exit_code == 0
    assert list(tests.iterdir()) == []


# --- tests and properties that are gone -----------------------------------------------------------------

WIDE = "p, *, acme, *, *, True, allow\n"
NOT_EVE = '[[property]]\nname = "Not Eve"\nnever_allowed = { to = ["user:eve"] }\n'


def guarded(bench: Any, what: str) -> Any:
    """The policy's tests or properties, in force; how to take them away and how to bring them back."""
    folder = bench.folder / "policies"
    path = folder / ("tests/toys.yaml" if what == "tests" else "properties.toml")
    path.parent.mkdir(exist_ok=True)
    text = table("a", "allow") if what == "tests" else NOT_EVE
    if what == "properties":
        bench.rows += "p, user:eve, acme, *, *, True, deny\n"
    path.write_text(text)
    assert bench.run("doctor").exit_code == 0
    return path


def take_away(path: Any) -> None:
    path.unlink()
    if path.parent.name == "tests":
        path.parent.rmdir()


def put_back(path: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(table("a", "allow") if path.suffix == ".yaml" else NOT_EVE)


def say_none(path: Any) -> None:
    if path.suffix == ".yaml":
        path.parent.mkdir()
    else:
        path.write_text("property = []\n")


def recorded(bench: Any, action: str) -> list[str]:
    log = bench.folder / ".toolcrib" / "audit"
    return [r["detail"] for r in (read(log) if log.exists() else ()) if r.get("action") == action]


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
@pytest.mark.parametrize("what", ["tests", "properties"])
@pytest.mark.parametrize("mend", [put_back, say_none])
def test_no_change_is_taken_while_what_guarded_the_policy_is_gone(
    bench: Any, what: str, mend: Callable[[Any], None]
) -> None:
    path = guarded(bench, what)
    take_away(path)
    bench.rows += WIDE
    told = bench.run("doctor").output
    assert "is not taken" in told
    assert f"the policy's {what}" in recorded(bench, "policy.unguarded")[-1]
    assert "were in force are gone" in recorded(bench, "policy.failed")[-1]
    assert "changed" not in [one["why"] for one in entries(bench)[: -1 if what == "tests" else -2]]
    mend(path)
    assert "is not taken" not in bench.run("doctor").output
    assert entries(bench)[0]["why"] == "changed"
    assert bool(recorded(bench, "policy.guards")) is (mend is say_none), "fewer guards are on record"


@pytest.mark.parametrize("what", ["tests", "properties"])
def test_the_loss_alone_is_an_alert(bench: Any, what: str) -> None:
    path = guarded(bench, what)
    assert recorded(bench, "policy.unguarded") == []
    take_away(path)
    for _ in range(2):  # it is not forgotten
        with pytest.warns(ToolcribWarning, match=f"the policy's {what}"):
            told = " ".join(bench.run("doctor").output.split())
        assert "were in force are gone: restore" in told
    assert len(recorded(bench, "policy.unguarded")) == 2


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
def test_a_brake_works_without_tests_and_an_act_does_not(bench: Any) -> None:
    take_away(guarded(bench, "tests"))
    refused = bench.run("rollout", "promote", "toys.add", "--agent", "z", "--yes").exception
    assert refused is None or "There is no stage above" in str(refused)
    refused = bench.run("rollout", "demote", "toys.add", "--agent", "z", "--yes").exception
    assert "the policy's tests (1 file) that were in force are gone" in str(refused)
    assert bench.run("freeze", "toys.add", "--yes").exit_code == 0
    assert bench.run("unfreeze", "toys.add", "--yes").exit_code == 0
    bench.rows += WIDE
    refused = bench.run("freeze", "toys.add", "--yes").exception
    assert "are gone" in str(refused), "a freeze takes no other change along"


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
def test_a_rollback_with_tests_brings_them_back_and_meets_todays_properties(bench: Any) -> None:
    path = guarded(bench, "tests")
    bench.rows += "p, user:eve, acme, *, *, True, deny\n"
    bench.run("doctor")
    newest, _ = entries(bench)
    take_away(path)
    bench.rows += WIDE
    assert bench.run("policy", "rollback", newest["revision"], "--with-tests", "--yes").exit_code == 0
    assert path.exists()
    bench.rows += "p, user:finn, acme, *, *, True, deny\n"
    assert "is not taken" not in bench.run("doctor").output
    (bench.folder / "policies" / "properties.toml").write_text(NOT_EVE.replace("user:eve", "user:finn"))
    refused = bench.run("policy", "rollback", newest["revision"], "--with-tests", "--yes").exception
    assert "'Not Eve' is violated" in str(refused)


def test_an_unknown_revision_is_refused(bench: Any) -> None:
    bench.run("doctor")
    assert isinstance(bench.run("policy", "rollback", "ffff", "-y").exception, PolicyError)


def test_import_replaces_all_rows(bench: Any) -> None:
    file = bench.folder / "new.csv"
    file.write_text("p, user:dana, acme, *, *, True, allow\n")
    done = bench.run("policy", "import", str(file), "-y")
    assert done.exit_code == 0, done.output
    assert bench.rows == file.read_text()
    file.write_text("p, nonsense\n")
    assert isinstance(bench.run("policy", "import", str(file), "-y").exception, PolicyError)


def test_a_policy_that_changed_while_the_question_stood_is_not_overwritten(bench: Any) -> None:
    from toolcrib.bench.acts import Desk
    from toolcrib.crib import Crib

    with Crib.from_config(bench.folder / "toolcrib.toml") as crib:
        desk = Desk(crib, "dana")
        before = desk.texts()
        from dataclasses import replace

        from toolcrib.bench.edit import freeze

        after = replace(before, rows=freeze(before.rows, ["toys.add"]))
        proposal = desk.propose("freeze", {"tools": ["toys.add"]}, before, after, why="freeze toys.add")
        decision = desk.permit(proposal)
        bench.rows += "p, agent:b, acme, toys.add, write, True, deny\n"
        with pytest.raises(PolicyError, match="has changed in the meantime"):
            desk.do(proposal, decision)
    assert "agent:b" in bench.rows
    assert FROZEN not in bench.rows


def test_lint_knows_the_objects_of_acts(bench: Any) -> None:
    assert bench.run("policy", "lint").output.startswith("2 rows, no problems")
    bench.rows += "p, user:dana, acme, policy.freez, destructive, True, allow\n"
    assert "no installed tool is policy.freez" in bench.run("policy", "lint").output
