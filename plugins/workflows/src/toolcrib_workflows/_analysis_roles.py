"""Who does what in data analysis: the agents' names (as the policy knows them), their orders, the task."""

from __future__ import annotations

from toolcrib_workflows._roles import Role

__all__ = ["PROMPT_VERSION", "QUESTION", "ROLES", "task_for"]

QUESTION = "What are the open deals of this year worth, by stage?"
"""What the script can answer; also with `by month` in it."""

PROMPT_VERSION = "data-analysis-1"
"""Goes to the audit log with every call; changes with every change of the orders below."""

ROLES = (
    Role(
        "analyst",
        "Finds the records that a question is about.",
        "Find in the CRM what the question of the task is about, with one run_query that selects only the "
        "fields that are needed and has an ORDER BY. You change nothing. Then answer with a line "
        "`File: NAME.csv` and behind it all rows as CSV, with the fields as first line, between two lines of "
        "three tildes. If not all rows came back, say so behind it.",
    ),
    Role(
        "coder",
        "Computes, and draws the chart.",
        "Answer the question by a Python program that reads the analyst's file from the working directory, "
        "prints the figures, one line each, and leaves a chart with title, labels and values. Run it with "
        "run_python, and give it the analyst's rows as `files`. Only what is in the image can be imported; "
        "where a library is missing, write the chart as SVG yourself. When a run fails, read what it printed "
        "and mend the program. Then answer with the figures in a few lines, and `Chart: NAME (DIGEST)`.",
    ),
)


def task_for(question: str) -> str:
    """The first message of the team."""
    return f"Answer a question about our CRM with figures and a chart.\nQuestion: {question}"
