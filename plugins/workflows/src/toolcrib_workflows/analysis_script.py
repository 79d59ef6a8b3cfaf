"""What the scripted model says in data analysis: one rule that plays both agents.

It is a function of the request alone, like that of lead outreach. On the way it also asks for what it must
not have, so that each refusal is seen: a change in the CRM, a way out of the sandbox, and a library that the
image may lack.
"""

from __future__ import annotations

import csv
import io

from toolcrib.testing import ModelRequest, Say
from toolcrib_workflows._analysis_code import BY_HAND, WITH_LIBRARY
from toolcrib_workflows._scripting import Json, Seen, call, first_sentence, part_of

__all__ = ["story"]

_QUERY = (
    "SELECT stage, close_date, amount FROM Opportunity "
    "WHERE is_closed = FALSE AND close_date <= 2026-12-31 ORDER BY close_date"
)
_FILE, _FENCE = "deals.csv", "~~~"


def story(request: ModelRequest) -> Say:
    """The next answer of the agent whose orders the request begins with; ValueError for a stranger."""
    return part_of(_PARTS, request)


def _analyst(seen: Seen) -> Say:
    tries = seen.replies("crm_run_query")
    if not tries:
        return call("Which deals are open this year?", "crm_run_query", query=_QUERY)
    found = seen.result("crm_run_query")
    if found is None:
        return Say(f"There are no rows. {first_sentence(tries[-1])}")
    if not found["rows"]:
        return Say("There are no such deals.")
    if not seen.replies("crm_create_lead"):
        lead = {"last_name": "Somebody", "company": "A company like these"}
        return call("A lead like these would be nice.", "crm_create_lead", **lead)
    told = f"{len(found['rows'])} open deals.\nFile: {_FILE}\n{_FENCE}\n{_csv(found)}{_FENCE}"
    return Say(f"{told}\nThese are not all." if found["more"] else told)


def _coder(seen: Seen) -> Say:
    rows = _rows(seen)
    if not rows:
        return Say("There is nothing to compute.")
    if not seen.replies("code_run_connected"):
        fetch = {"code": "import urllib.request", "egress": ["files.example:443"]}
        return call("Is there a library for charts out there?", "code_run_connected", **fetch)
    tries = seen.replies("code_run_python")
    done = seen.result("code_run_python")
    if not tries:
        return _run(seen, "There may be one in the image.", WITH_LIBRARY, rows)
    if len(tries) == 1 and done is not None and "ModuleNotFoundError" in done["stderr"]:
        return _run(seen, "There is none, so I draw it myself.", BY_HAND, rows)
    if done is None or done["exit_code"] != 0 or not done["files"]:
        return Say(f"There is no chart. {first_sentence(tries[-1]) if done is None else _why(done)}")
    (chart, *_) = done["files"]
    figures = done["stdout"].strip().splitlines()
    return Say("\n".join([figures[-1], *figures[:-1], f"Chart: {chart['name']} ({chart['digest']})"]))


_PARTS = {"analyst": _analyst, "coder": _coder}


def _run(seen: Seen, why: str, program: str, rows: str) -> Say:
    by_month = "by month" in seen.line(r"Question: (.+)").casefold()
    code = program.format(
        column="close_date" if by_month else "stage",
        length=7 if by_month else 40,
        in_order=by_month,
        title=f"Open deals of this year, by {'month' if by_month else 'stage'}",
    )
    return call(why, "code_run_python", code=code, files={_FILE: rows})


def _csv(found: Json) -> str:
    text = io.StringIO()
    lines = csv.DictWriter(text, found["fields"], lineterminator="\n")
    lines.writeheader()
    lines.writerows(found["rows"])
    return text.getvalue()


def _rows(seen: Seen) -> str:
    """The analyst's rows, as they stand between two fences."""
    told = next((text for text in reversed(seen.said) if f"File: {_FILE}\n{_FENCE}\n" in text), "")
    return told.partition(f"{_FENCE}\n")[2].partition(f"{_FENCE}")[0]


def _why(done: Json) -> str:
    """The last line of what a program printed in error; what became of it, if it printed nothing."""
    lines = str(done["stderr"]).strip().splitlines()
    return lines[-1] if lines else "It was ended." if done["exit_code"] is None else "It left none."
