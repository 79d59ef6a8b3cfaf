"""Every link between pages leads somewhere, and every name that onboarding gives exists where it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

LINK = re.compile(r"\[(?P<text>[^\]\n]+)\]\((?P<target>[^)\s]+)\)")
NAME = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)?)`")


def prose(page: Path) -> str:
    """The page without its code blocks and inline code that merely looks like a link."""
    return re.sub(r"^ *```.*?^ *```\s*$", "", page.read_text("utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(prose(page)):
        target, _, anchor = link["target"].partition("#")
        if "://" in target:
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{page}: {link[0]} leads nowhere"
        if anchor:
            assert anchor in anchors(there), f"{page}: {link[0]}: there is no such heading"


def test_every_page_is_reached_from_the_map(root: Path) -> None:
    start = root / "docs" / "index.md"
    seen, ahead = {start}, [start]
    while ahead:
        page = ahead.pop()
        targets = {
            (page.parent / link["target"].partition("#")[0]).resolve() for link in LINK.finditer(prose(page))
        }
        new = {path for path in targets if path.suffix == ".md" and path.is_file()} - seen
        seen |= new
        ahead += new
    lost = set((root / "docs").rglob("*.md")) - seen
    assert not lost, f"no page links to {sorted(str(path.relative_to(root)) for path in lost)}"


def test_onboarding_names_what_exists(root: Path) -> None:
    page = root / "docs" / "onboarding.md"
    named = 0
    for link in LINK.finditer(prose(page)):
        name = NAME.fullmatch(link["text"])
        file = (page.parent / link["target"]).resolve()
        if name and file.suffix == ".py":
            assert name[1] in defined(file), f"{link['target']} has no {name[1]}"
            named += 1
    assert named >= 25


def test_onboarding_follows_the_steps_that_execute_takes(root: Path) -> None:
    """The page's eleven steps are the executor's, in its order."""
    source = (root / "core/src/toolcrib/executor/_executor.py").read_text()
    execute = next(node for node in ast.walk(ast.parse(source)) if getattr(node, "name", "") == "execute")
    called = [
        node.func.attr
        for node in ast.walk(execute)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    taken = [
        name for name in re.findall(r"self\.(?:_\w+\.)?(\w+)\(case", ast.unparse(execute)) if name in called
    ]
    page = (root / "docs" / "onboarding.md").read_text()
    steps = re.search(r"^1\. .*?(?=^Cancellation)", page, re.M | re.S)
    assert steps is not None
    told = re.sub(r"\s+", " ", steps[0])
    words = {
        "_find": "**Find**",
        "_validate": "**Validate**",
        "_decide": "**Decide**",
        "_preview": "**Preview**",
    }
    words |= {"recall": "**Recall**", "_limit": "**Limit**", "_review": "**Review**", "_commit": "**Commit**"}
    words |= {"run": "**Run**", "settle": "**Settle**"}
    order = [told.index(words[name]) for name in taken if name in words]
    assert len(order) == len(words), f"execute takes {taken}"
    assert order == sorted(order)
    assert len(re.findall(r"^\d+\. ", steps[0], re.M)) == 11


def defined(file: Path) -> set[str]:
    """`Name` and `Class.method` of everything defined at the top of a module."""
    names = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        for inner in getattr(node, "body", ()) if isinstance(node, ast.ClassDef) else ():
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(f"{node.name}.{inner.name}")  # type: ignore[attr-defined]
    return names
