"""Roles × tools, as data and as a page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from toolcrib.bench.matrix import Matrix, matrix
from toolcrib.bench.page import html
from toolcrib.bench.tools import NamedTool
from toolcrib.policy import MODEL, Policy

TOOLS = [
    NamedTool("mail.send", "send"),
    NamedTool("crm.get", "read"),
    NamedTool("crm.set", "write"),
    NamedTool("crm.drop", "destructive"),
]
ROWS = """\
g, user:alice, sales, acme
g, user:dana, lead, acme
g, sales, staff, acme
g, user:eve, spies, globex
p, staff, acme, crm.*, read, True, allow
p, sales, acme, crm.set, write, r.ctx.args.note != "<b>", allow
p, sales, acme, mail.send, send, True, allow
p, agent:sender, acme, mail.*, *, True, allow
p2, sales, acme, mail.send, send, r.ctx.args.n > 5, lead
p3, *, acme, mail.send, 20/day per user
"""


def made(rows: str = ROWS, **options: Any) -> Matrix:
    return matrix(Policy.of(MODEL, rows), TOOLS, "acme", **options)


def test_columns_are_roles_that_may_do_something_and_who_has_rows() -> None:
    found = made()
    assert [(one.name, one.kind, one.members) for one in found.subjects] == [
        ("sales", "role", ("user:alice",)),
        ("staff", "role", ("user:alice",)),
        ("agent:sender", "agent", ()),
    ]


def test_with_people_everybody_has_a_column() -> None:
    names = [one.name for one in made(people=True).subjects]
    assert names == ["sales", "staff", "agent:sender", "user:alice", "user:dana"]


def test_rows_for_everybody_have_a_column_where_they_decide() -> None:
    assert made(ROWS + "p, *, acme, crm.drop, *, True, deny\n").subjects[0].kind == "everybody"
    assert made(ROWS + "p, *, acme, crm.get, *, True, allow\n").subjects[0].kind == "everybody"


def test_too_many_people_are_counted_unless_asked_for() -> None:
    rows = ROWS + "".join(f"p, user:u{number}, acme, crm.get, *, True, allow\n" for number in range(50))
    found = made(rows)
    assert (len(found.subjects), found.left_out) == (2, 51)
    assert "51 users and agents" in html(found)
    assert (len(made(rows, people=True).subjects), made(rows, people=True).left_out) == (55, 0)


def test_cells() -> None:
    found = made()
    assert [tool.name for tool in found.tools] == ["crm.drop", "crm.get", "crm.set", "mail.send"]
    assert found.cell("sales", "crm.get").state == "allow"
    assert found.cell("sales", "crm.set").state == "depends"
    assert found.cell("staff", "crm.set").state == "deny"
    assert found.cell("sales", "mail.send").limits == ("20/day per user",)
    assert found.counts() == {"allow": 3, "review": 0, "depends": 2, "deny": 7}
    assert found.forbidden == 0
    assert [(pack, len(tools)) for pack, tools in found.packs()] == [("crm", 3), ("mail", 1)]


def test_what_no_human_sees_first_is_asked_of_real_pairs() -> None:
    ((tool, (pair,)),) = made().unreviewed
    assert (tool.name, pair.users, pair.agents) == ("mail.send", ("alice",), ("sender",))
    assert made(ROWS + "p2, agent:sender, acme, mail.*, *, True, lead\n").unreviewed == ()


def test_as_dict_is_plain_and_leaves_out_what_nothing_allows() -> None:
    found = json.loads(json.dumps(made().as_dict()))
    assert {(one["subject"], one["tool"]) for one in found["cells"]} == {
        ("sales", "crm.get"),
        ("sales", "crm.set"),
        ("sales", "mail.send"),
        ("staff", "crm.get"),
        ("agent:sender", "mail.send"),
    }
    assert found["unreviewed"] == [{"tool": "mail.send", "users": ["alice"], "agents": ["sender"]}]


# --- the page ---------------------------------------------------------------------------------------------

VOID = {"meta", "input", "br", "link", "img"}


class Page(HTMLParser):
    """What the page holds; raises where a tag is not closed by its partner."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.styles = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.styles += data
        else:
            self.text += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page() -> Page:
    return Page(html(made(ROWS + "p, *, acme, crm.drop, *, True, deny\n")))


def test_the_page_is_whole_and_asks_for_nothing(page: Page) -> None:
    names = {tag for tag, _ in page.tags}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "form", "base"})
    for tag, attributes in page.tags:
        assert not {"src", "srcset", "action", "style"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page.styles
    assert "@import" not in page.styles
    (policy,) = [one for one in page.named("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy["content"]


def test_links_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {one["href"][1:] for one in page.named("a")} <= set(ids)


def test_every_tool_has_a_row_and_every_subject_a_column(page: Page) -> None:
    scopes = [one.get("scope") for one in page.named("th")]
    assert scopes.count("col") == 1 + 4
    assert scopes.count("row") == 4
    assert scopes.count("rowgroup") == 2
    assert len(page.named("td")) == 4 * 4


def test_a_cell_says_its_state_in_colour_sign_and_word_and_why(page: Page) -> None:
    assert {one["class"] for one in page.named("td")} == {"allow", "depends", "deny", "none"}
    why = [one["data-why"] for one in page.named("a") if "data-why" in one]
    sent = next(text for text in why if text.startswith("sales · mail.send"))
    assert "allow; review by lead when r.ctx.args.n > 5" in sent
    assert "policy.csv:9  p2, sales, acme, mail.send, send, r.ctx.args.n > 5, lead" in sent
    assert "20/day per user" in sent
    for sign in "✓◇✕":
        assert sign in page.text


def test_the_row_list_says_it_without_a_mouse(page: Page) -> None:
    assert "policy.csv:7" in page.text
    assert "p, sales, acme, mail.send, send, True, allow" in page.text
    assert "Not always seen by a human first" in page.text
    assert "alice by sender" in page.text


def test_what_rows_say_is_text_and_nothing_else() -> None:
    text = html(made())
    assert '<b>"' not in text
    assert 'r.ctx.args.note != "<b>"' in Page(text).text
    evil = [NamedTool('x."><script>alert(1)</script>', "read")]
    page = Page(html(matrix(Policy.of(MODEL, "p, a, acme, *, *, True, allow\n"), evil, "acme")))
    assert not page.named("script")


def test_it_is_light_dark_and_printable(page: Page) -> None:
    for needed in ("prefers-color-scheme:dark", "@media print", "position:sticky", "focus-visible"):
        assert needed in page.styles


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_state_can_be_read_in_light_and_dark(page: Page) -> None:
    import re

    found = dict[str, list[str]]()
    for name, colour in re.findall(r"--([a-z-]+):(#[0-9a-f]{6})\b", page.styles):
        found.setdefault(name, []).append(colour)
    for state in ("allow", "review", "depends", "deny"):
        assert len(found[state]) == 2
        for colour, back in zip(found[state], found[f"{state}-bg"], strict=True):
            assert contrast(colour, back) >= 4.5, (state, colour, back)


def test_nothing_to_show_is_a_page_too() -> None:
    assert Page(html(made(""))).named("table")
    assert "Nothing that leaves the organisation" in Page(html(made(""))).text
