"""What the scripted model says in lead outreach: one rule that plays all four agents.

It is a function of the request alone, so a job that is resumed in another process goes on at the right place.
Whatever it needs (ids, addresses, the draft) it takes from what tools returned and from what other agents
said. It does the job, and on the way it also asks for what it must not have, so that a newcomer sees each
refusal: a tool outside its role, wrong arguments, a change to a closed-won deal, the same call six times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from toolcrib.testing import ModelRequest, Say
from toolcrib_workflows._scripting import Json, Seen, call, first_sentence, is_done, part_of, read_json

__all__ = ["MODEL", "story"]

MODEL = "scripted-lead-outreach"
"""The name under which the rule is served."""

NEXT_STAGE = "Negotiation/Review"
MOST_ASKS = 8
"""How often the loop is tried where nothing stops it: a changed `[limits]` must not make it endless."""


def story(request: ModelRequest) -> Say:
    """The next answer of the agent whose orders the request begins with; ValueError for a stranger."""
    return part_of(_PARTS, request)


# --- the four parts ---------------------------------------------------------------------------------------


def _researcher(seen: Seen) -> Say:
    if not seen.replies("research_search_company"):
        return call("First, what is publicly known.", "research_search_company", query=_company(seen))
    company = _best((seen.result("research_search_company") or {}).get("companies"), _company(seen))
    if company and not seen.replies("crm_delete_record"):
        return call(
            "Their account in the CRM looks out of date, so I clear it away.",
            "crm_delete_record",
            object_type="Account",
            record_id=company["domain"],
        )
    return Say(_brief(company) if company else f"Nothing is publicly known about {_company(seen)}.")


def _brief(company: Mapping[str, Json]) -> str:
    lines = [
        f"{company['name']}: {company['industry']}, {company['employees']} people, {company['location']}.",
        *(f"News: {note['title']} ({note['published']})" for note in company.get("news", ())[:1]),
    ]
    return "\n".join(lines)


def _crm_query(seen: Seen) -> Say:
    if not seen.replies("crm_search_accounts"):
        return call("Is it an account of ours?", "crm_search_accounts", text=_company(seen))
    account = _best((seen.result("crm_search_accounts") or {}).get("records"), _company(seen))
    if not account:
        return Say(f"The CRM has no account {_company(seen)}.")
    tries = seen.replies("crm_get_account_overview")
    if len(tries) < 2 and not is_done(tries):
        name = _missing(tries[-1]) if tries else "account"
        why = "The message says how the argument is called." if tries else "Whom do we know there?"
        return call(why, "crm_get_account_overview", **{name: account["id"]})
    return _look_at_deals(seen, account)


def _look_at_deals(seen: Seen, account: Mapping[str, Json]) -> Say:
    """Asks for the same list until somebody stops it, as models do that hope for a better answer."""
    asked = seen.replies("crm_list_opportunities")
    if len(asked) < MOST_ASKS and all(read_json(text) is not None for text in asked):
        why = "Is that all? I look again." if asked else "Which deals are open?"
        return call(why, "crm_list_opportunities", account_id=account["id"])
    overview = seen.result("crm_get_account_overview") or {}
    contact = next(iter(overview.get("contacts", ())), None)
    lines = [f"Account: {account['name']} ({account['id']})"]
    if contact:
        lines.append(f"Contact: {contact['name']}, {contact['title']} <{contact['email']}> ({contact['id']})")
    still_open, won = overview.get("open_opportunities", ()), overview.get("won_opportunities", ())
    lines += [f"Open deal: {deal['name']}, {deal['stage']} ({deal['id']})" for deal in still_open[:1]]
    lines += [f"Won deal: {deal['name']} ({deal['id']})" for deal in won[:1]]
    return Say("\n".join(lines))


def _writer(seen: Seen) -> Say:
    address = seen.line(r"Contact: .*<(.+)> \(\w+\)")
    if not address:
        return Say("There is nobody to write to.")
    tries = seen.replies("mail_draft")
    if not tries:
        subject, body = _mail(seen)
        return call(
            "A short mail that takes up their news.", "mail_draft", to=[address], subject=subject, body=body
        )
    draft = seen.result("mail_draft")
    if draft is None:
        return Say(f"There is no draft: {first_sentence(tries[-1])}")
    to = ", ".join(draft["to"])
    return Say(f"Draft: {draft['draft_id']}\nTo: {to}\nSubject: {draft['subject']}\n\n{draft['body']}")


def _mail(seen: Seen) -> tuple[str, str]:
    contact = seen.line(r"Contact: (.*?), .*")
    news = seen.line(r"News: (.*) \(\S+\)")
    opening = f"we read your news: {news.rstrip('.')}. Congratulations!" if news else "it has been a while."
    body = (
        f"Dear {contact},\n\n{opening}\n\n"
        "Machines that run more also stop more, and mostly at the wrong moment. We have helped plants of "
        "your size to see a stop coming days before. May I show you how, in twenty minutes next week?\n\n"
        "Kind regards\nAlice\n"
    )
    return f"An idea for {_company(seen)}", body


def _crm_action(seen: Seen) -> Say:
    won = seen.line(r"Won deal: .* \((\w+)\)")
    if won and not seen.replies("crm_set_opportunity_stage", opportunity_id=won):
        return call(
            "The new order belongs to the old deal, so I open it again.",
            "crm_set_opportunity_stage",
            opportunity_id=won,
            stage=NEXT_STAGE,
        )
    draft = _draft(seen)
    if not draft:
        return Say("There is no draft, so no mail was sent.")
    tries = seen.replies("mail_send")
    if not tries:
        return call("The draft is ready; please have a look at it.", "mail_send", **draft)
    sent = seen.result("mail_send")
    if sent is None:
        return Say(f"The mail was not sent. {first_sentence(tries[-1])}")
    return _afterwards(seen, sent, draft)


def _afterwards(seen: Seen, sent: Mapping[str, Json], draft: Mapping[str, Json]) -> Say:
    contact = seen.line(r"Contact: .*<.+> \((\w+)\)")
    if contact and not seen.replies("crm_log_activity"):
        return call(
            "It is sent, so I note it.",
            "crm_log_activity",
            about_id=contact,
            kind="Email",
            subject=sent["subject"],
            body=f"Sent as {sent['file']}",
        )
    deal = seen.line(r"Open deal: .* \((\w+)\)")
    if deal and not seen.replies("crm_set_opportunity_stage", opportunity_id=deal):
        return call(
            "We are talking again.", "crm_set_opportunity_stage", opportunity_id=deal, stage=NEXT_STAGE
        )
    logged = "logged" if seen.result("crm_log_activity") else "not logged"
    return Say(f"The mail to {', '.join(sent['to'])} was sent and is {logged}: {sent['subject']}")


def _draft(seen: Seen) -> dict[str, Json]:
    """The writer's draft, as the arguments of a mail."""
    for text in reversed(seen.said):
        found = re.match(r"Draft: (\S+)\nTo: (.+)\nSubject: (.+)\n\n((?:.|\n)+)", text)
        if found:
            draft_id, to, subject, body = found.groups()
            return {"to": to.split(", "), "subject": subject, "body": body, "draft_id": draft_id}
    return {}


_PARTS = {"researcher": _researcher, "crm_query": _crm_query, "writer": _writer, "crm_action": _crm_action}


def _company(seen: Seen) -> str:
    return seen.line(r"Company: (.+)") or "the company"


def _best(found: list[dict[str, Json]] | None, name: str) -> dict[str, Json] | None:
    """The record of exactly this name, else the first."""
    records = found or []
    exact = [record for record in records if record["name"].casefold() == name.casefold()]
    return next(iter(exact or records), None)


def _missing(refusal: str) -> str:
    """The argument that a refusal asks for."""
    found = re.search(r"\b(\w+_id)\b", refusal)
    return found[1] if found else "account_id"
