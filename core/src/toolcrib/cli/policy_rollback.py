"""`toolcrib policy rollback` and `toolcrib policy import`: replace the whole policy by another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolcrib.cli._acts import act_options, carry_out, desk_of

if TYPE_CHECKING:
    from toolcrib.bench.acts import Desk as ActDesk
    from toolcrib.cli._desk import Desk
    from toolcrib.policy import Texts

__all__ = ["import_rows", "rollback"]


@click.command("rollback")
@click.argument("revision")
@click.option("--with-tests", is_flag=True, help="Bring the policy's tests of that time back too.")
@act_options
@click.pass_obj
def rollback(desk: Desk, revision: str, with_tests: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Bring a REVISION back that was in force before (`toolcrib policy log`), after showing what that
    changes.

    It works where the policy that stands there does not load, too. What is frozen now stays frozen. You need
    a row that allows you policy.rollback.
    """
    from toolcrib.bench.acts import restore_tests

    acts = desk_of(desk)
    kept = acts.crib.policy_history.texts(revision)
    name, policy_folder = kept.policy().revision, desk.config.policy
    before = _standing(acts)
    after = kept if with_tests else replace(kept, folder=policy_folder)
    proposal = acts.propose("rollback", {"revision": name}, before, after, why=f"roll back to {name}")

    def then() -> None:
        if with_tests and kept.folder is not None:
            restore_tests(kept.folder / "tests", policy_folder / "tests")

    carry_out(acts, proposal, yes=yes, dry_run=dry_run, as_json=as_json, then=then)


def _standing(acts: ActDesk) -> Texts | None:
    """What stands there, if it can be read at all."""
    from toolcrib.errors import PolicyError

    try:
        return acts.texts()
    except PolicyError as error:
        click.echo(f"What stands there cannot be read: {error.what}", err=True)
        return None


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@act_options
@click.pass_obj
def import_rows(desk: Desk, file: Path, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Replace all rows by those of FILE, a policy.csv; for a policy in a database, the way in.

    What is frozen now stays frozen. You need a row that allows you policy.import, in the policy as it is or,
    where there is none yet, in FILE.
    """
    from toolcrib.policy import MODEL, Texts
    from toolcrib.policy._files import read_text

    acts = desk_of(desk)
    before = _standing(acts)
    model = desk.config.policy / "model.conf"
    text = before.model if before else read_text(model) if model.exists() else MODEL
    after = Texts(text, read_text(file), folder=desk.config.policy)
    proposal = acts.propose("import", {"file": file.name}, before, after, why=f"import {file.name}")
    carry_out(acts, proposal, yes=yes, dry_run=dry_run, as_json=as_json)
