"""What the scripted model says in ticket triage: one rule that plays all four agents.

It is a function of the request alone, like that of lead outreach. On the way it also asks for what it must
not have, so that each refusal is seen: a tool outside an agent's role, and an argument that is called
otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from toolcrib.testing import ModelRequest, Say
from toolcrib_workflows._scripting import Json, Seen, call, first_sentence, is_done, part_of, read_json

__all__ = ["story"]

_KINDS = (
    ("network", ("vpn", "wireless", "network")),
    ("hardware", ("printer", "laptop", "screen", "dock", "badge")),
    ("software", ("mail", "order", "password", "share")),
)
_GROUPS = {"network": "Network", "hardware": "Field Support", "software": "Workplace"}
_PEOPLE = {"network": "ruben", "hardware": "pavel", "software": "tomas"}
"""Who looks after what where there are no groups."""
_URGENT = ("stands still", "customer", "everybody")
_DULL = frozenset({"the", "a", "of", "in", "after", "update", "hall", "prints", "blank", "labels", "label"})


def story(request: ModelRequest) -> Say:
    """The next answer of the agent whose orders the request begins with; ValueError for a stranger."""
    return part_of(_PARTS, request)


def _dispatcher(seen: Seen) -> Say:
    wanted = seen.line(r"Ticket number: (.+)")
    if not seen.replies("itsm_search_tickets"):
        if wanted == "next":
            return call("Which one has waited longest?", "itsm_search_tickets", state="new", limit=50)
        return call("I look it up.", "itsm_search_tickets", text=wanted, limit=5)
    found = (seen.result("itsm_search_tickets") or {}).get("records") or []
    if not found:
        return Say(f"There is no such ticket: {wanted}.")
    ticket_id = found[-1]["id"] if wanted == "next" else found[0]["id"]
    if not seen.replies("itsm_get_ticket"):
        return call("What does it say?", "itsm_get_ticket", ticket_id=ticket_id)
    ticket = seen.result("itsm_get_ticket")
    if ticket is None:
        return Say("The ticket cannot be read.")
    if not seen.replies("itsm_create_change"):
        what = {"title": "Replace what is broken", "description": "A new one would help as well."}
        return call("Why not a new one?", "itsm_create_change", **what)
    category = _category(ticket)
    if not seen.replies("itsm_update_incident"):
        priority = "high" if _has(ticket, _URGENT) else ticket["priority"] or "moderate"
        changes = {"category": category, "priority": priority, "state": "in_progress"}
        return call("I classify it.", "itsm_update_incident", ticket_id=ticket_id, changes=changes)
    words = [word for word in re.findall(r"[^\W\d]{2,}", ticket["title"].casefold()) if word not in _DULL]
    return Say(
        f"Ticket: {ticket['number']} ({ticket_id})\nTitle: {_line(ticket['title'])}\n"
        f"Category: {category}\nWords: {' '.join(words[:2])}"
    )


def _librarian(seen: Seen) -> Say:
    words = seen.line(r"Words: (.+)")
    if not words:
        return Say("There is no ticket.")
    tries = seen.replies("itsm_search_knowledge")
    if not tries:
        return call("Do we know this?", "itsm_search_knowledge", text=words)
    if len(tries) == 1 and not _articles(tries[0]):
        return call("Perhaps with fewer words.", "itsm_search_knowledge", text=words.split()[-1])
    article = next(iter(_articles(tries[-1])), None)
    ticket_id = seen.line(r"Ticket: .* \((\w+)\)")
    if article and not seen.replies("itsm_add_work_note"):
        note = f"There is an article: {article['number']}."
        return call("I note what I found.", "itsm_add_work_note", ticket_id=ticket_id, text=note)
    if article is None:
        return Say("No article.")
    solution = _line(article["text"].rpartition("Solution:")[2])
    return Say(
        f"Article: {_line(article['title'])} ({article['id']})\n"
        f"Solution: {solution[:1].upper()}{solution[1:]}"
    )


def _answerer(seen: Seen) -> Say:
    ticket_id = seen.line(r"Ticket: .* \((\w+)\)")
    if not ticket_id:
        return Say("There is nobody to answer.")
    tries = seen.replies("itsm_add_public_comment")
    if not tries:
        solution = seen.line(r"Solution: (.+)")
        told = solution or "We have not seen this before. A colleague of ours is looking into it now."
        text = f"Hello,\n\nthank you for your report. {told}\n\nKind regards\nYour service desk"
        why = "Please have a look at the answer."
        return call(why, "itsm_add_public_comment", ticket_id=ticket_id, text=text)
    return Say("Answered." if is_done(tries) else f"Not answered. {first_sentence(tries[-1])}")


def _resolver(seen: Seen) -> Say:
    ticket_id, title = seen.line(r"Ticket: .* \((\w+)\)"), seen.line(r"Title: (.+)")
    if not ticket_id:
        return Say("There is nothing to do.")
    article = seen.line(r"Article: (.+) \(\w+\)")
    if not article:
        return _hand_on(seen, ticket_id, title)
    if "Answered." not in seen.said:
        return Say(f"{seen.line('Ticket: (.*) .*')} stays open: the requester was not answered.")
    if not seen.replies("itsm_resolve"):
        note = f"Solved as in the article {article!r}."
        return call("It is answered.", "itsm_resolve", ticket_id=ticket_id, code="solution", notes=note)
    done = seen.result("itsm_resolve")
    tries = seen.replies("itsm_resolve")
    return Say(f"{done['number']} is resolved." if done else f"It stays open. {first_sentence(tries[-1])}")


def _hand_on(seen: Seen, ticket_id: str, title: str) -> Say:
    category = seen.line(r"Category: (.+)")
    if not seen.replies("itsm_create_incident"):
        return call(
            "Somebody has to look at it.",
            "itsm_create_incident",
            title=f"Look into: {title}"[:160],
            description=f"Handed on from {ticket_id}; no article is known.",
            category=category,
            priority="high",
            parent_id=ticket_id,
        )
    child = seen.result("itsm_create_incident")
    if child is None:
        return Say("No child incident could be opened.")
    return _assign(seen, ticket_id, child, category)


def _assign(seen: Seen, ticket_id: str, child: Mapping[str, Json], category: str) -> Say:
    """To the group, by an argument of the wrong name at first; to a person where there are no groups."""
    group = _GROUPS[category]
    tries = seen.replies("itsm_assign")
    if not tries:
        return call(f"This is for {group}.", "itsm_assign", ticket_id=child["id"], team=group)
    if len(tries) == 1 and not is_done(tries):
        return call("The message says how it is called.", "itsm_assign", ticket_id=child["id"], group=group)
    if not is_done(tries):
        who = _PEOPLE[category]
        if not seen.replies("itsm_find_user"):
            return call("There are no groups, so who is it?", "itsm_find_user", text=who)
        people = (seen.result("itsm_find_user") or {}).get("records") or []
        if people and len(tries) == 2:
            return call("It is theirs.", "itsm_assign", ticket_id=child["id"], assignee_id=people[0]["id"])
    if not seen.replies("itsm_add_work_note"):
        note = f"Handed on as {child['number']}."
        return call("I note it on the ticket.", "itsm_add_work_note", ticket_id=ticket_id, text=note)
    given = "given on" if is_done(seen.replies("itsm_assign")) else "opened, but not given to anybody"
    return Say(f"The child incident {child['number']} is {given}.")


_PARTS = {
    "dispatcher": _dispatcher,
    "librarian": _librarian,
    "answerer": _answerer,
    "resolver": _resolver,
}


def _articles(reply: str) -> list[dict[str, Json]]:
    return list((read_json(reply) or {}).get("records") or [])


def _category(ticket: Mapping[str, Json]) -> str:
    return next((kind for kind, words in _KINDS if _has(ticket, words)), "software")


def _has(ticket: Mapping[str, Json], words: tuple[str, ...]) -> bool:
    text = f"{ticket['title']} {ticket['description']}".casefold()
    return any(word in text for word in words)


def _line(text: str) -> str:
    """On one line: what others wrote must not begin a line of the agents' own."""
    return " ".join(text.split())
