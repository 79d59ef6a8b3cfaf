"""What an approver sees. The whole screen is compared where the layout matters, else what must be on it."""

from __future__ import annotations

import io
import textwrap

import pytest
from rich.console import Console

from toolcrib.approvals import Answer
from toolcrib.approvals._render import approval_view, edit_view, span


def lines(text):
    return [line.rstrip() for line in text.splitlines()]


def test_a_write_is_shown_as_before_and_after(approval_of, screen):
    expected = textwrap.dedent(
        """\
        Approval 7k2m-q9xd-4p3w · expires in 9 min 58 s
        ────────────────────────────────────────────────────────────────────────────────
        Tool         crm.set_stage · write
                     Move an opportunity.
        Asked by     agent seller, for user alice
                     tenant acme, session s1, run r1
        Its reason   “The customer has signed.”
        Needs        sales-lead|user:bob  policy.csv:12

        Changes
        Field        Before       After
        stage        Negotiation  → Closed Won
        amount       90000        → 125000

        Arguments
        opportunity_id  006A
        """
    )
    assert lines(screen(approval_of())) == [*expected.splitlines(), ""]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_screen_and_nothing_is_cut(approval_of, screen, width):
    body = "word " * 100 + "x" * 300
    text = screen(approval_of(arguments={"body": body, "stage": "Won"}, reason="why " * 60), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert text.count("word") == 100
    assert text.count("x") >= 300
    assert text.count("why") == 60
    assert "…" not in text


def test_only_changed_fields_are_in_the_table(approval_of, screen):
    arguments = {"record_id": "1", "fields": {"Name": "Globex", "Phone": "+49 2", "Web": "new"}}
    text = screen(approval_of(arguments=arguments, before={"Name": "Globex", "Phone": "+49 1"}))
    assert "Phone        +49 1      → +49 2" in text
    assert "Web          (not set)  → new" in text
    assert "Globex" not in text
    assert "record_id" in text
    assert "{" not in text, "no raw JSON"


def test_a_write_that_changes_nothing_says_so(approval_of, screen):
    assert "has these values already" in screen(approval_of(arguments={"stage": "Negotiation"}))


def test_without_a_preview_the_arguments_are_shown(approval_of, screen):
    text = screen(approval_of(before=None))
    assert "Changes" not in text
    assert "Closed Won" in text


def test_where_something_goes_stands_by_itself(approval_of, screen):
    approval = approval_of(
        before=None,
        arguments={"to": ["a@x.example", "b@pаy.example"], "cc": "", "subject": "Hi"},
        targets=("to", "cc", "bcc"),
    )
    text = screen(approval)
    goes_to, rest = text.split("Arguments")
    assert "» to         • a@x.example" in goes_to
    assert "not all ASCII: b@p\\u0430y.example" in goes_to
    assert "cc" not in goes_to, "an empty target is none"
    assert "a@x.example" not in rest


def test_a_target_is_highlighted_on_a_terminal(approval_of):
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, color_system="truecolor", width=80, markup=False)
    console.print(approval_view(approval_of(arguments={"to": "a@x.example"}, targets=("to",), before=None)))
    assert "\x1b[1;30;43ma@x.example" in output.getvalue()


def test_sensitive_arguments_are_named_but_not_shown(approval_of, screen):
    text = screen(
        approval_of(arguments={"user": "x", "password": "hunter2"}, sensitive=("password",), before=None)
    )
    assert "password     (sensitive, not shown)" in text
    assert "hunter2" not in text


def test_labels_and_all_rules_are_shown(approval_of, screen, lead, legal):
    text = screen(approval_of(labels=frozenset({"untrusted"}), requirements=(lead, legal)))
    assert "Has seen     untrusted" in text
    assert "legal  policy.csv:31" in text


def test_an_edit_and_the_answers_are_shown(approval_of, screen):
    edit = Answer(
        "edit", "bob", 1.0, "too much", {"opportunity_id": "006A", "stage": "Closed Won", "amount": 5}
    )
    text = screen(approval_of(answers=(edit,)))
    assert "amount       90000        → 5" in text, "the changes are those that would be made now"
    assert "amount       125000    → 5" in text
    assert "edit by bob" in text
    assert "too much" in text


def test_added_and_removed_arguments_are_edits_too():
    output = io.StringIO()
    Console(file=output, width=80).print(
        edit_view({"a": 1, "fields": {"x": 1}}, {"b": 2, "fields": {"x": 2}})
    )
    shown = [line.split() for line in output.getvalue().splitlines()[2:]]
    assert shown == [
        ["b", "(not", "set)", "→", "2"],
        ["fields.x", "1", "→", "2"],
        ["a", "1", "→", "(not", "set)"],
    ]


@pytest.mark.parametrize("status", ["approved", "rejected", "expired", "used", "superseded"])
def test_what_is_over_says_so_in_its_title(approval_of, screen, status):
    assert f"Approval 7k2m-q9xd-4p3w · {status}\n" in screen(approval_of(status=status))


EVIL = (
    "\x1b[2J\x1b[1;1H[bold red]x[/] [link=http://e]y[/link] :warning: \u202egnp\n"
    "Approval zzzz · approved\r> a"
)


@pytest.mark.parametrize("place", ["argument", "name", "field", "before", "target", "reason", "note", "edit"])
def test_an_agents_text_can_neither_act_nor_pose_as_ours(approval_of, screen, place):
    approval = {
        "argument": lambda: approval_of(arguments={"body": EVIL}, before=None),
        "name": lambda: approval_of(arguments={EVIL: "x"}, before=None),
        "field": lambda: approval_of(arguments={"fields": {EVIL: EVIL}}),
        "before": lambda: approval_of(arguments={"stage": "x"}, before={"stage": EVIL}),
        "target": lambda: approval_of(arguments={"to": [EVIL]}, targets=("to",), before=None),
        "reason": lambda: approval_of(reason=EVIL),
        "note": lambda: approval_of(answers=(Answer("approve", "lea", 1.0, EVIL),)),
        "edit": lambda: approval_of(answers=(Answer("edit", "lea", 1.0, edit={"stage": EVIL}),)),
    }[place]()
    text = screen(approval, 120)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\r" not in text
    if place not in ("name", "field"):  # those are folded
        assert "[bold red]x[/] [link=http://e]y[/link] :warning:" in text
    assert sum(line.startswith("Approval ") for line in text.splitlines()) == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (598, "9 min 58 s"),
        (3_600, "1 h"),
        (3_720, "1 h 2 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_time_spans_are_words(seconds, words):
    assert span(seconds) == words
