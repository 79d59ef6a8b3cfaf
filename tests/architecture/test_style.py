"""The shape of the code, where it can be counted."""

from __future__ import annotations

import ast
import re
import statistics
from pathlib import Path

import pytest

MODULE_LINES, FUNCTION_LINES, CONTENTS_LINES = 400, 60, 40


def test_modules_can_be_read_in_one_sitting(modules) -> None:
    assert {module.name: module.lines for module in modules if module.lines > MODULE_LINES} == {}
    assert statistics.median(module.lines for module in modules) <= 120


def test_functions_are_short(modules) -> None:
    lengths = {
        f"{module.name}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for module in modules
        for node in module.functions
    }
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES} == {}
    assert sorted(lengths.values())[int(len(lengths) * 0.9)] <= 25


def test_init_files_are_tables_of_contents(modules) -> None:
    for module in modules:
        if module.path.name != "__init__.py":
            continue
        assert module.lines <= CONTENTS_LINES, f"{module.name}: {module.lines} lines"
        assert "__all__" in module.source or not module.tree.body[1:], f"{module.name} has no __all__"
        logic = [node for node in module.tree.body if not is_contents(node)]
        assert not logic, f"{module.name}:{logic[0].lineno}: no logic in a table of contents"


def is_contents(node: ast.stmt) -> bool:
    """Imports and names; also names that are found when they are first used (PEP 562), for a quick start."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING" and all(map(is_contents, node.body))
    if isinstance(node, ast.FunctionDef):
        return node.name == "__getattr__" and len(node.body) <= 6
    return isinstance(
        node, ast.Import | ast.ImportFrom | ast.Assign | ast.AugAssign | ast.Expr | ast.AnnAssign
    )


def test_what_is_public_exists_and_has_a_docstring(modules) -> None:
    lacking = []
    for module in modules:
        assert ast.get_docstring(module.tree), f"{module.name} has no docstring"
        for node in module.tree.body:
            if isinstance(node, DEFINITIONS) and not node.name.startswith("_"):
                lacking += without_docstring(node, module.name)
    assert lacking == []


DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def without_docstring(node, place: str) -> list[str]:
    if any(re.search("overload|setter", ast.unparse(decorator)) for decorator in node.decorator_list):
        return []
    found = [] if ast.get_docstring(node) else [f"{place}:{node.lineno} {node.name}"]
    if isinstance(node, ast.ClassDef) and not is_protocol(node):
        for member in node.body:
            if isinstance(member, DEFINITIONS[1:]) and not member.name.startswith("_"):
                if member.name in OVERRIDES:
                    continue
                found += without_docstring(member, place)
    return found


OVERRIDES = {"process_request", "shutdown_request"}  # socketserver says what these are


def is_protocol(node: ast.ClassDef) -> bool:
    return any("Protocol" in ast.unparse(base) for base in node.bases)


def test_all_names_exist(modules) -> None:
    for module in modules:
        listed = next((node.value for node in module.tree.body if names(node) == ["__all__"]), None)
        if listed is None:
            continue
        assert isinstance(listed, ast.List), f"{module.name}: __all__ is one list, written out"
        wanted = {ast.literal_eval(item) for item in listed.elts}
        assert len(wanted) == len(listed.elts), f"{module.name}: __all__ names something twice"
        there = {name for node in ast.walk(module.tree) for name in names(node)}
        assert wanted <= there, f"{module.name}: __all__ has {wanted - there}"


def names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.Assign):
        return [
            inner.id for target in node.targets for inner in ast.walk(target) if isinstance(inner, ast.Name)
        ]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def test_the_platform_fits_one_screen(root: Path) -> None:
    source = (root / "core/src/toolcrib/hookspecs.py").read_text()
    assert len(source.splitlines()) <= 90
    assert source.count("@hookspec") == 6


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "HACK"])
def test_nothing_is_left_to_do(modules, word: str) -> None:
    marked = re.compile(rf"#.*\b{word}\b")
    assert [module.name for module in modules if marked.search(module.source)] == []


def test_how_much_is_tested(root: Path, modules, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed, not asserted: a ratio is a question, not an answer."""
    source = sum(module.lines for module in modules)
    tested = [
        path
        for folder in ("core/tests", "policies/tests", "sandbox/tests", "plugins", "tests")
        for path in (root / folder).rglob("*.py")
        if "tests" in path.parts
    ]
    tests = sum(1 for path in tested for line in path.read_text("utf-8").splitlines() if line.strip())
    with capsys.disabled():
        print(f"\n{source} lines of source, {tests} of tests ({tests / source:.2f} : 1)", end=" ")
