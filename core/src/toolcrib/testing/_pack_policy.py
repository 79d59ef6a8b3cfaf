"""The sample policy that a pack ships: it loads, lint finds nothing wrong, and its own tables hold."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from toolcrib.testing._pack_stand import Skip, Stand

__all__ = ["check_policy"]


async def check_policy(stand: Stand) -> list[str]:
    """The pack's sample policy passes `policy lint` without a warning, and `policy test` with its tables."""
    folder = stand.suite.policy()
    if folder is None or not (folder / "policy.csv").is_file():
        raise Skip("it has no sample policy: ship policy/policy.csv and policy/tests/ in the package")
    with TemporaryDirectory(prefix="toolcrib-check-") as name:
        copy = Path(name) / "policy"
        shutil.copytree(folder, copy)
        return [*_linted(stand, copy), *_tested(stand, copy)]


def _linted(stand: Stand, folder: Path) -> list[str]:
    from toolcrib.bench.lint import lint
    from toolcrib.policy._model import MODEL

    if not (folder / "model.conf").exists():
        (folder / "model.conf").write_text(MODEL)
    grave = [one for one in lint(folder, stand.named()) if one.severity != "note"]
    return [f"policy.csv:{one.line}: {one.id} {one.what}" for one in grave]


def _tested(stand: Stand, folder: Path) -> list[str]:
    from toolcrib.bench.tables import run
    from toolcrib.errors import PolicyError
    from toolcrib.policy import Policy

    try:
        report = run([folder / "tests"], Policy.load(folder), stand.named())
    except PolicyError as error:
        return [str(error)]
    if not report.results:
        return ["its sample policy has no tests: write policy/tests/NAME.yaml"]
    problems = [f"{one.place}: {one.what}" for one in report.problems]
    return problems + [
        f"{one.name}: {one.expected} was expected, and it is {one.got} ({one.why})" for one in report.failures
    ]
