"""Who does what in ticket triage: the agents' names (as the policy knows them), their orders, the task."""

from __future__ import annotations

from toolcrib_workflows._roles import Role

__all__ = ["NEXT", "PROMPT_VERSION", "ROLES", "task_for"]

NEXT = "next"
"""The ticket that has waited longest."""

PROMPT_VERSION = "ticket-triage-1"
"""Goes to the audit log with every call; changes with every change of the orders below."""

ROLES = (
    Role(
        "dispatcher",
        "Finds the ticket and classifies it.",
        "Find the ticket of the task with search_tickets (for `next`: the last of those in state new), and "
        "read it. Set its category and priority with update_incident where they are wrong, and its state to "
        "in_progress. Then answer with these lines, one each: `Ticket: NUMBER (ID)`, `Title: TITLE`, "
        "`Category: CATEGORY`, `Words: TWO OR THREE WORDS` that a knowledge article about it would have.",
    ),
    Role(
        "librarian",
        "Looks for a known solution.",
        "Search the knowledge for the dispatcher's words, and with fewer words if nothing is found. Where an "
        "article fits the ticket, answer with a line `Article: TITLE (ID)` and a line `Solution: TEXT` that "
        "says in a few plain sentences what the requester has to do. Where none fits, answer `No article.`",
    ),
    Role(
        "answerer",
        "Answers the requester.",
        "Write the requester a short, friendly answer with add_public_comment: the librarian's solution, "
        "or, where there is none, that colleagues are looking into it. A human sees it first and may change "
        "it. Answer with `Answered.` once it was sent, or with what prevented it.",
    ),
    Role(
        "resolver",
        "Resolves the ticket, or hands it on.",
        "Where there was a solution and the requester was answered, resolve the ticket with code solution "
        "and a note that names the article. Where there was none, open a child incident of the ticket with "
        "create_incident, assign it to the group or person that looks after such things, and say so on the "
        "ticket in a work note. Then say in one sentence what came of it.",
    ),
)


def task_for(ticket: str) -> str:
    """The first message of the team."""
    return f"Deal with a ticket of the service desk.\nTicket number: {ticket}"
