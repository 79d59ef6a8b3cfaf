"""`toolcrib init`: a new crib, with a policy that denies everything until somebody writes a row."""

from __future__ import annotations

from pathlib import Path

import click

from toolcrib.errors import ConfigError
from toolcrib.os_user import system_user
from toolcrib.principal import check_id

__all__ = ["init", "write_crib"]

CONFIG = """\
# A Toolcrib crib. Unknown keys are errors; relative paths are relative to this file.
[crib]
tenant = "{tenant}"

[packs]
trust = "locked"                 # run `toolcrib packs lock` after installing a pack

[policy]
path = "policies"

[secrets]
provider = "local"               # `toolcrib secrets set PATH`

[approvals]
mode = "wait"                    # or "park": the call ends as pending, and is resumed when it is answered
expires = "1h"

[approvals.users]                # operating-system user = user id in the policy
{user} = "{approver}"
"""

ROWS = """\
# Who may call what. Nothing matches: denied. User and agent are both checked, and the stricter result wins.
#
# p,  subject,       tenant, tool,                 effect, when,                 allow|deny
# p2, subject,       tenant, tool,                 effect, when,                 approvers
# p3, subject,       tenant, tool,                 quota
# g,  user or agent, role,   tenant
#
# For example:
# p,  *,         {tenant}, local.get_stock_price, read,  True,                 allow
# p,  *,         {tenant}, local.place_order,     write, True,                 allow
# p2, *,         {tenant}, local.place_order,     write, r.ctx.args.shares > 10, requester|trading-lead
# p3, *,         {tenant}, local.place_order,     20/day per user
# g,  user:dana, trading-lead, {tenant}
#
# Who may change this policy by command (freeze, rollout, rollback): whoever has rows for policy.NAME.
# p,  user:dana, {tenant}, policy.*, destructive, True, allow
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option("--tenant", default="acme", show_default=True, help="The tenant of this crib.")
@click.option("--sample", metavar="PACK", help="Start from the sample policy of an installed pack.")
def init(folder: Path, tenant: str, sample: str | None) -> None:
    """Make a new crib in FOLDER: toolcrib.toml, and policies that deny everything until you write a row.

    With --sample, the policy and its tests are those that PACK ships for trying it out: read them. A pack
    that is installed editable, for development, may run at once; any other one is to be locked.
    """
    if sample:
        _init_with(folder, tenant, sample)
        return
    file = write_crib(folder, tenant=tenant, rows=ROWS.format(tenant=tenant))
    click.echo(f"Made {file} and {file.parent / 'policies'}.")
    click.echo("Next: write a row in policies/policy.csv, then `toolcrib policy explain TOOL --agent NAME`.")


def _init_with(folder: Path, tenant: str, pack: str) -> None:
    from toolcrib.packs._sample import sample_of

    sample = sample_of(pack)
    extra = (
        f'\n[packs.{pack}]\ntrust = "installed"    # it is installed editable\n' if sample.editable else ""
    )
    file = write_crib(folder, tenant=tenant, rows=sample.rows, extra=extra)
    tests = file.parent / "policies" / "tests"
    for name, text in sample.tests.items():
        tests.mkdir(exist_ok=True)
        (tests / name).write_text(text, "utf-8")
    click.echo(f"Made {file} and {file.parent / 'policies'}, with the sample policy of {pack}: read it.")
    click.echo("Next: " + ("`toolcrib tools list`." if sample.editable else f"`toolcrib packs lock {pack}`."))


def write_crib(folder: Path, *, tenant: str, rows: str, approver: str | None = None, extra: str = "") -> Path:
    """Write config and policy into `folder`; the config's path. A file that is there is never overwritten."""
    from toolcrib.policy import MODEL

    check_id("tenant", tenant)
    file = folder / "toolcrib.toml"
    user = system_user()
    config = CONFIG.format(tenant=tenant, user=user, approver=approver or _as_id(user)) + extra
    for path, text in (
        (file, config),
        (folder / "policies" / "model.conf", MODEL),
        (folder / "policies" / "policy.csv", rows),
    ):
        if path.exists():
            raise ConfigError(
                f"{path} is there already", rule="init never overwrites", remedy="Choose another folder"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return file


def _as_id(user: str) -> str:
    return "".join(c if c.isalnum() or c in "@._-" else "-" for c in user) or "operator"
