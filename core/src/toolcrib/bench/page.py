"""The matrix as one HTML page that needs nothing else: no script, no font, no request.

Tools are rows, grouped by pack; subjects are columns. Colour never stands alone: every state has a sign
and a word. What a cell says unfolds when it is pointed at or focused, and leads to the policy rows below,
which are there without a mouse and on paper, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from toolcrib.bench._page_style import STYLE
from toolcrib.bench.cells import Cell, State
from toolcrib.bench.matrix import Matrix, Subject
from toolcrib.decisions import Row
from toolcrib.policy import Governed

__all__ = ["html"]

_SIGNS: dict[State, str] = {"allow": "✓", "review": "◉", "depends": "◇", "deny": "✕"}
_MEANS: dict[State, str] = {
    "allow": "may call it without asking",
    "review": "may call it once a human has agreed",
    "depends": "conditions decide: on arguments, the record, what the session has read",
    "deny": "may not: a row says so",
}
SHOWN_NAMES = 12


_CSP = "default-src 'none'; style-src 'unsafe-inline'"
"""Whatever a name could smuggle in would still load and run nothing."""


def html(matrix: Matrix) -> str:
    """The page, as text to be written as UTF-8."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">',
            f"<title>Who may do what: {escape(matrix.tenant)}</title>",
            f"<style>{STYLE}</style></head><body>",
            *_header(matrix),
            *_switches(),
            *_table(matrix),
            *_subjects(matrix),
            *_rows(matrix),
            "</body></html>\n",
        ]
    )


def _header(matrix: Matrix) -> Iterator[str]:
    packs = sum(1 for _ in matrix.packs())
    yield "<header><p class=kicker>Toolcrib policy</p>"
    yield f"<h1>Who may do what in <em>{escape(matrix.tenant)}</em></h1>"
    yield f"<p class=facts>{len(matrix.tools)} tools of {packs} packs · {len(matrix.subjects)} columns ·"
    yield f"revision <code>{escape(matrix.revision)}</code></p><ul class=legend>"
    counts = matrix.counts()
    for state, count in {**counts, "deny": matrix.forbidden}.items():
        yield _key(state, state, _SIGNS[state], _MEANS[state], count)
    yield _key("none", "nothing", "·", "no row allows it: denied", counts["deny"] - matrix.forbidden)
    yield "</ul><p class=note>A call has a user and an agent. <strong>Both</strong> must be allowed, and the"
    yield "stricter of the two counts; each column is one side of it.</p>"
    if matrix.left_out:
        yield f"<p class=note>{matrix.left_out} users and agents with rows of their own are left out.</p>"
    yield from _unreviewed(matrix)
    yield "</header>"


def _key(kind: str, word: str, sign: str, means: str, count: int) -> str:
    return (
        f"<li class={kind}><b aria-hidden=true>{sign}</b> <span><strong>{word}</strong> {means}</span> "
        f"<i>{count}</i></li>"
    )


def _unreviewed(matrix: Matrix) -> Iterator[str]:
    """A line for each tool; the single pairs are `who-can`'s to tell."""
    found = matrix.unreviewed
    if not found:
        yield "<p class=calm>✓ Nothing that leaves the organisation or cannot be undone runs before a human"
        yield "has agreed.</p>"
        return
    yield "<section class=alarm><h2>Not always seen by a human first</h2><ul>"
    for tool, pairs in found[:SHOWN_NAMES]:
        users = dict.fromkeys(one for pair in pairs for one in pair.users)
        agents = dict.fromkeys(one for pair in pairs for one in pair.agents)
        who = f"{_listed(tuple(users), 4)} by {_listed(tuple(agents), 4)}"
        words = f": {pairs[0].cell.words}" if len(pairs) == 1 else ""
        yield f'<li><a href="#{_anchor(tool)}">{escape(tool.name)}</a> {_effect(tool)}'
        yield f"<strong>{escape(who)}</strong>{escape(words)}</li>"
    if len(found) > SHOWN_NAMES:
        yield f"<li>and {len(found) - SHOWN_NAMES} more tools</li>"
    yield "</ul></section>"


def _listed(names: Sequence[str], most: int = SHOWN_NAMES) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _switches() -> Iterator[str]:
    """Filters that need no script."""
    yield "<div class=switches role=group aria-label=Filter>"
    yield "<label><input type=checkbox id=risky> only send and destructive</label>"
    yield "<label><input type=checkbox id=granted> hide what nobody may</label></div>"


def _table(matrix: Matrix) -> Iterator[str]:
    yield '<div class=frame tabindex=0 role=region aria-label="Roles and tools"><table class=matrix>'
    yield "<thead><tr><th scope=col class=corner>Tool</th>"
    for number, subject in enumerate(matrix.subjects):
        kind = f"<small>{'' if subject.kind == 'everybody' else escape(subject.kind)}</small>"
        name = _name(subject).rpartition(":")[2]
        yield f'<th scope=col><a href="#s{number}"><span>{escape(name)}</span>{kind}</a></th>'
    yield "</tr></thead>"
    span = len(matrix.subjects) + 1
    for pack, tools in matrix.packs():
        yield f"<tbody><tr class=pack><th scope=rowgroup colspan={span}><span>{escape(pack)}</span></th></tr>"
        for tool in tools:
            yield from _tool(matrix, tool)
        yield "</tbody>"
    yield "</table></div>"


def _tool(matrix: Matrix, tool: Governed) -> Iterator[str]:
    cells = matrix.row(tool)
    classes = ["risky"] if tool.effect in ("send", "destructive") else []
    classes += ["closed"] if all(cell.state == "deny" for cell in cells) else []
    yield f'<tr class="{" ".join(classes)}"><th scope=row><span class=name>{escape(tool.name)}</span>'
    yield f"{_effect(tool)}</th>"
    for subject, cell in zip(matrix.subjects, cells, strict=True):
        yield _cell(subject, tool, cell)
    yield "</tr>"


def _cell(subject: Subject, tool: Governed, cell: Cell) -> str:
    name = escape(_name(subject), quote=True)
    if not _says(cell):
        return f'<td class=none><span aria-label="{name}: nothing allows it">·</span></td>'
    lines = [f"{_name(subject)} · {tool.name}", cell.words, *cell.limits, ""]
    lines += [f"{row.place}  {', '.join((row.kind, *row.values))}" for row in cell.rows]
    why = escape("\n".join(lines), quote=True).replace("\n", "&#10;")
    word = "if" if cell.state == "depends" else cell.state
    quota = '<sup aria-hidden=true title="limited">#</sup>' if cell.limits else ""
    label = escape("; ".join((cell.words, *cell.limits)), quote=True)
    return (
        f'<td class="{cell.state}"><a href="#{_anchor(tool)}" data-why="{why}" aria-label="{name}: {label}">'
        f"<b>{_SIGNS[cell.state]}</b><span>{word}</span>{quota}</a></td>"
    )


def _says(cell: Cell) -> bool:
    return cell.state != "deny" or cell.forbidden


def _subjects(matrix: Matrix) -> Iterator[str]:
    yield "<section><h2>Who is who</h2><dl class=people>"
    for number, subject in enumerate(matrix.subjects):
        held = _listed(subject.members) or ("nobody" if subject.kind == "role" else "")
        kind = "" if subject.kind == "everybody" else f" <small>{escape(subject.kind)}</small>"
        name = _name(subject).rpartition(":")[2]
        yield f'<div id="s{number}"><dt>{escape(name)}{kind}</dt>'
        yield f"<dd>{escape(held)}</dd></div>"
    yield "</dl></section>"


def _rows(matrix: Matrix) -> Iterator[str]:
    """Every tool with the rows that say what the table shows."""
    yield "<section class=reasons><h2>Why: the policy rows</h2>"
    for tool in matrix.tools:
        pairs = [
            (one, cell) for one, cell in zip(matrix.subjects, matrix.row(tool), strict=True) if _says(cell)
        ]
        if not pairs:
            continue
        yield f'<article id="{_anchor(tool)}"><h3>{escape(tool.name)} {_effect(tool)}</h3><ul class=said>'
        yield from _said(pairs)
        yield "</ul><ol class=rows>"
        yield from (_row(row) for row in _in_order(cell for _, cell in pairs))
        yield "</ol></article>"
    yield "</section>"


def _said(pairs: Iterable[tuple[Subject, Cell]]) -> Iterator[str]:
    """Subjects that fare alike in one line."""
    alike: dict[tuple[State, str, tuple[str, ...]], list[str]] = {}
    for subject, cell in pairs:
        alike.setdefault((cell.state, cell.words, cell.limits), []).append(_name(subject))
    for (state, words, limits), names in alike.items():
        quota = f" <em>{escape('; '.join(limits))}</em>" if limits else ""
        yield f"<li class={state}><b aria-hidden=true>{_SIGNS[state]}</b> "
        yield f"<strong>{escape(_listed(names))}</strong>: {escape(words)}{quota}</li>"


def _in_order(cells: Iterable[Cell]) -> list[Row]:
    return sorted(dict.fromkeys(row for cell in cells for row in cell.rows), key=lambda row: row.line)


def _row(row: Row) -> str:
    text = ", ".join((row.kind, *row.values))
    return f"<li><small>{escape(row.place)}</small><code>{escape(text)}</code></li>"


def _effect(tool: Governed) -> str:
    return f'<span class="effect {escape(tool.effect)}">{escape(tool.effect)}</span>'


def _name(subject: Subject) -> str:
    return "everybody" if subject.kind == "everybody" else subject.name


def _anchor(tool: Governed) -> str:
    return f"t-{escape(tool.name, quote=True)}"
