"""`toolcrib keys`: API keys for callers that have no token of an issuer. A key is shown once."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from toolcrib.identity import ApiKey, ApiKeys

__all__ = ["keys"]


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command("create")
@click.option("--user", help="The user for whom the key's holder may act; none for an agent on its own.")
@click.option("--agent", "agents", multiple=True, required=True, help="An agent that may use it; repeatable.")
@click.option("--tenant", help="The tenant; by default the crib's.")
@click.option("--expires", default="90d", show_default=True, help="How long it is good: 12h, 30d, never.")
@click.option("--note", default="", help="What it is for.")
@as_json
@click.pass_obj
def create(
    obj: Any,
    user: str | None,
    agents: tuple[str, ...],
    tenant: str | None,
    expires: str,
    note: str,
    as_json: bool,
) -> None:
    """Make a key for one user and the named agents, and show it this once."""
    from toolcrib._duration import seconds

    lifetime = None if expires == "never" else seconds(expires, "--expires")

    def record(key: ApiKey) -> None:
        facts = {"key": key.name, "user": key.user, "agents": list(key.agents), "of_tenant": key.tenant}
        obj.record(kind="admin", action="keys.create", expires=key.expires, **facts)

    key, text = _store(obj).create(
        user=user,
        tenant=tenant or obj.config.tenant,
        agents=agents,
        lifetime=lifetime,
        note=note,
        before=record,
    )
    if as_json:
        emit_json({**asdict(key), "text": text})
        return
    click.echo(f"{text}\n\nThis is key {key.name}. It is shown this once: only a hash of it is kept.")


@keys.command("list")
@as_json
@click.pass_obj
def list_keys(obj: Any, as_json: bool) -> None:
    """Show the keys, whose they are, and when they end."""
    found = _store(obj).all()
    if as_json:
        emit_json([asdict(key) for key in found])
    elif found:
        _print(found)
    else:
        click.echo("There are no keys. Make one with `toolcrib keys create --user USER --agent AGENT`.")


@keys.command("revoke")
@click.argument("name")
@click.pass_obj
def revoke(obj: Any, name: str) -> None:
    """End the key NAME at once, in every process."""
    store = _store(obj)
    store.get(name)
    obj.record(kind="admin", action="keys.revoke", key=name)
    store.revoke(name)
    click.echo(f"{name}: revoked")


def _print(found: list[ApiKey]) -> None:
    import time

    from rich.table import Table
    from rich.text import Text

    table = Table("key", "user", "tenant", "agents", "ends", "note", box=None, pad_edge=False)
    for key in found:
        ends = (
            "never" if key.expires is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(key.expires))
        )
        cells = (
            key.name,
            key.user or "-",
            key.tenant,
            " ".join(key.agents),
            key.ended(time.time()) or ends,
            key.note,
        )
        table.add_row(*(Text(plain(cell)) for cell in cells))
    console().print(table)


def _store(obj: Any) -> ApiKeys:
    from toolcrib.identity import ApiKeys

    return ApiKeys(obj.config.state)
