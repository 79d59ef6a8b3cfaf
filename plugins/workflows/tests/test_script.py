"""The script: a function of the messages alone, which takes what it needs from what tools returned."""

from __future__ import annotations

import json

import pytest

from toolcrib.testing import ModelRequest
from toolcrib_workflows._roles import ROLES, task_for
from toolcrib_workflows.script import MOST_ASKS, story

COMPANY = {
    "name": "Acme Anvils", "domain": "acme-anvils.example", "industry": "Manufacturing", "employees": 12,
    "location": "Graz, Austria", "news": [{"title": "A bigger anvil", "published": "2026-10-01"}],
}  # fmt: skip
FOUND = json.dumps({"companies": [COMPANY], "message": "1 found"})
ACCOUNT = json.dumps({"records": [{"id": "001X", "name": "Acme Anvils"}]})
OVERVIEW = json.dumps(
    {
        "contacts": [{"id": "003X", "name": "Ann Vil", "title": "Smith", "email": "ann@acme-anvils.example"}],
        "open_opportunities": [{"id": "006O", "name": "New deal", "stage": "Proposal"}],
        "won_opportunities": [{"id": "006W", "name": "Old deal"}],
    }
)
CRM = (
    "Account: Acme Anvils (001X)\nContact: Ann Vil, Smith <ann@acme-anvils.example> (003X)\n"
    "Open deal: New deal, Proposal (006O)\nWon deal: Old deal (006W)"
)
DRAFT = "Draft: draft-7\nTo: ann@acme-anvils.example\nSubject: Hello\n\nDear Ann,\n\nhello.\n"
SENT = {"to": ["ann@acme-anvils.example"], "subject": "Hello, edited", "file": "m.eml"}


def ask(agent, *seen, company="Acme Anvils"):
    """What `agent` says after the task and `seen`: texts of others; (tool, arguments, reply) of its own."""
    role = next(role for role in ROLES if role.name == agent)
    messages = [
        {"role": "system", "content": role.system_message},
        {"role": "user", "content": task_for(company)},
    ]
    for number, each in enumerate(seen):
        if isinstance(each, str):
            messages.append({"role": "user", "content": each})
            continue
        tool, arguments, reply = each
        call = {"id": f"c{number}", "function": {"name": tool, "arguments": json.dumps(arguments)}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": reply})
    return story(ModelRequest({"model": "m", "messages": messages}))


def called(say):
    (call,) = say.calls
    return call.name, call.arguments


SEARCHED = ("research_search_company", {"query": "Acme Anvils"}, FOUND)
REFUSED = ("crm_delete_record", {}, "DENIED: no.")
IS_ACCOUNT = ("crm_search_accounts", {"text": "Acme Anvils"}, ACCOUNT)
MISTAKEN = (
    "crm_get_account_overview", {"account": "001X"}, "INVALID ARGUMENTS: 'account_id' is missing.",
)  # fmt: skip
SEEN = ("crm_get_account_overview", {"account_id": "001X"}, OVERVIEW)
LISTED = ("crm_list_opportunities", {"account_id": "001X"}, '{"records": []}')
STOPPED = ("crm_list_opportunities", {"account_id": "001X"}, "STOPPED: asked 6 times.")
WON = ("crm_set_opportunity_stage", {"opportunity_id": "006W", "stage": "x"}, "DENIED: policy.csv:62.")
MAILED = ("mail_send", {"subject": "Hello"}, json.dumps(SENT))
LOGGED = ("crm_log_activity", {"about_id": "003X"}, '{"id": "00T1"}')
MOVED = ("crm_set_opportunity_stage", {"opportunity_id": "006O", "stage": "x"}, '{"id": "006O"}')


def test_the_same_messages_get_the_same_answer():
    assert ask("crm_query", IS_ACCOUNT) == ask("crm_query", IS_ACCOUNT)


def test_whoever_is_not_in_the_play_gets_no_line():
    for orders in ("You are a helpful assistant.", ""):
        with pytest.raises(ValueError, match="no part"):
            story(ModelRequest({"model": "m", "messages": [{"role": "system", "content": orders}]}))


def test_every_role_has_a_part():
    for role in ROLES:
        assert ask(role.name).calls or ask(role.name).text


@pytest.mark.parametrize(
    ("agent", "seen", "tool", "arguments"),
    [
        ("researcher", [], "research_search_company", {"query": "Acme Anvils"}),
        (
            "researcher",
            [SEARCHED],
            "crm_delete_record",
            {"object_type": "Account", "record_id": "acme-anvils.example"},
        ),
        ("crm_query", [], "crm_search_accounts", {"text": "Acme Anvils"}),
        ("crm_query", [IS_ACCOUNT], "crm_get_account_overview", {"account": "001X"}),
        ("crm_query", [IS_ACCOUNT, MISTAKEN], "crm_get_account_overview", {"account_id": "001X"}),
        ("crm_query", [IS_ACCOUNT, MISTAKEN, SEEN], "crm_list_opportunities", {"account_id": "001X"}),
        ("crm_query", [IS_ACCOUNT, MISTAKEN, SEEN, LISTED], "crm_list_opportunities", {"account_id": "001X"}),
        (
            "crm_action",
            [CRM, DRAFT],
            "crm_set_opportunity_stage",
            {"opportunity_id": "006W", "stage": "Negotiation/Review"},
        ),
        (
            "crm_action",
            [CRM, DRAFT, WON],
            "mail_send",
            {
                "to": ["ann@acme-anvils.example"],
                "subject": "Hello",
                "body": "Dear Ann,\n\nhello.\n",
                "draft_id": "draft-7",
            },
        ),
        (
            "crm_action",
            [CRM, DRAFT, WON, MAILED],
            "crm_log_activity",
            {"about_id": "003X", "kind": "Email", "subject": "Hello, edited", "body": "Sent as m.eml"},
        ),
        (
            "crm_action",
            [CRM, DRAFT, WON, MAILED, LOGGED],
            "crm_set_opportunity_stage",
            {"opportunity_id": "006O", "stage": "Negotiation/Review"},
        ),
    ],
)
def test_each_step_takes_its_ids_from_what_came_before(agent, seen, tool, arguments):
    assert called(ask(agent, *seen)) == (tool, arguments)


def test_the_writer_takes_up_the_news():
    brief = ask("researcher", SEARCHED, REFUSED).text
    tool, arguments = called(ask("writer", brief, CRM))
    assert (tool, arguments["to"]) == ("mail_draft", ["ann@acme-anvils.example"])
    assert "A bigger anvil" in arguments["body"] and arguments["body"].startswith("Dear Ann Vil,")


def test_a_draft_is_handed_on_as_it_is_kept():
    kept = {
        "draft_id": "draft-9",
        "to": ["ann@acme-anvils.example"],
        "subject": "S",
        "body": "B: one\n\ntwo\n",
    }
    handed = ask("writer", CRM, ("mail_draft", {}, json.dumps(kept))).text
    _, arguments = called(ask("crm_action", CRM, handed, WON))
    assert arguments == kept


@pytest.mark.parametrize(
    ("agent", "seen", "words"),
    [
        ("researcher", [SEARCHED, REFUSED], "Acme Anvils: Manufacturing, 12 people"),
        ("crm_query", [IS_ACCOUNT, MISTAKEN, SEEN, STOPPED], CRM),
        ("crm_query", [IS_ACCOUNT, MISTAKEN, SEEN, *[LISTED] * MOST_ASKS], CRM),
        ("crm_action", [CRM, DRAFT, WON, MAILED, LOGGED, MOVED], "was sent and is logged: Hello, edited"),
    ],
)
def test_it_comes_to_an_end(agent, seen, words):
    say = ask(agent, *seen)
    assert not say.calls and words in say.text


@pytest.mark.parametrize(
    ("agent", "seen", "words"),
    [
        ("researcher", [("research_search_company", {}, '{"companies": []}')], "Nothing is publicly known"),
        ("researcher", [("research_search_company", {}, "DENIED: no.")], "Nothing is publicly known"),
        ("crm_query", [("crm_search_accounts", {}, '{"records": []}')], "no account Acme Anvils"),
        ("crm_query", [IS_ACCOUNT, MISTAKEN, MISTAKEN, STOPPED], "Account: Acme Anvils (001X)"),
        ("writer", ["The CRM has no account."], "nobody to write to"),
        ("writer", [CRM, ("mail_draft", {}, "DENIED: not you. Ask again.")], "no draft: not you."),
        ("crm_action", [CRM, "There is nobody to write to.", WON], "no mail was sent"),
        ("crm_action", [CRM, DRAFT, WON, ("mail_send", {}, "REJECTED BY A HUMAN: no.")], "was not sent. no."),
        ("crm_action", [CRM, DRAFT, WON, ("mail_send", {}, "WAITING FOR APPROVAL: x")], "was not sent. x"),
    ],
)
def test_it_ends_in_words_where_something_is_refused_or_missing(agent, seen, words):
    say = ask(agent, *seen)
    assert not say.calls and words in say.text


def test_a_remark_behind_the_result_does_no_harm():
    edited = ("mail_send", {}, f"{json.dumps(SENT)}\n[a human changed the arguments; what ran was {{}}]")
    _, arguments = called(ask("crm_action", CRM, DRAFT, WON, edited))
    assert arguments["subject"] == "Hello, edited"


def test_a_found_company_of_another_name_is_second_choice():
    other = {**COMPANY, "name": "Acme Anvils & Sons"}
    found = json.dumps({"companies": [other, COMPANY]})
    say = ask("researcher", ("research_search_company", {}, found), REFUSED)
    assert say.text.startswith("Acme Anvils:")


def test_contents_in_parts_are_read_too():
    parts = [{"type": "text", "text": CRM}]
    role = ROLES[2]
    messages = [
        {"role": "system", "content": role.system_message},
        {"role": "user", "content": task_for("Acme Anvils")},
        {"role": "user", "content": parts},
    ]
    assert called(story(ModelRequest({"model": "m", "messages": messages})))[0] == "mail_draft"
