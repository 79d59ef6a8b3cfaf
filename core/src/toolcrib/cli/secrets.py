"""`toolcrib secrets`: keep secrets and check who could read them. Values go in, and are never shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._print import as_json, emit_json
from toolcrib.errors import SecretError

if TYPE_CHECKING:
    from toolcrib.secrets import LocalProvider

__all__ = ["secrets"]


@click.group()
def secrets() -> None:
    """Keep and check secrets; values are never shown."""


@secrets.command("set")
@click.argument("path")
@click.pass_obj
def set_secret(obj: Any, path: str) -> None:
    """Store a new version at PATH, e.g. crm/acme/salesforce.

    The value is asked for without echo, or read from standard input; it is never an argument, because
    arguments show in process lists and shell histories.
    """
    from toolcrib.secrets import check_path
    from toolcrib.secrets.redaction import told_short, too_short

    provider = _local(obj)
    check_path(path)
    value = _read_value()
    obj.record(kind="admin", action="secrets.set", path=path)
    click.echo(f"{path}: version {provider.put(path, value)} stored")
    if short := too_short(value):
        click.echo(f"Note: the value {told_short(short)}.", err=True)


@secrets.command("list")
@as_json
@click.pass_obj
def list_secrets(obj: Any, as_json: bool) -> None:
    """Show the paths that have a value, with their versions."""
    stored = _local(obj).stored()
    if as_json:
        emit_json([{"path": path, "version": version} for path, version in stored.items()])
        return
    for path, version in stored.items():
        click.echo(f"{path}  version {version}")
    if not stored:
        click.echo("No secrets are stored. Store one with `toolcrib secrets set PATH`.")


@secrets.command("rm")
@click.argument("path")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@click.pass_context
def remove(ctx: click.Context, path: str, yes: bool) -> None:
    """Forget the value at PATH."""
    provider = _local(ctx.obj)
    if not provider.has(path):
        raise SecretError(f"there is no secret at {path!r}", remedy="See `toolcrib secrets list`")
    if not yes and not click.confirm(f"Forget the secret at {path}?"):
        ctx.exit(1)
    ctx.obj.record(kind="admin", action="secrets.rm", path=path)
    provider.remove(path)
    click.echo(f"{path}: removed")


@secrets.command("move-key")
@click.pass_obj
def move_key(obj: Any) -> None:
    """Bring the key of the local secrets to where `[secrets] key` says: the key file, or the keyring.

    Change the config first. The key is removed from the other place once it opens every stored value.
    """
    provider = _local(obj)
    obj.record(kind="admin", action="secrets.move-key", key=obj.config.secrets.settings.get("key", "file"))
    source = provider.move_key()
    click.echo(f"The key was moved from {source}." if source else "The key is where it should be.")


@secrets.command("check")
@click.option("--user", help="On whose behalf; left out: nobody (user:none).")
@click.option("--agent", help="Which agent asks; without it policy is not asked.")
@click.option("--tenant", help="Default: the crib's.")
@as_json
@click.pass_context
def check(ctx: click.Context, user: str | None, agent: str | None, tenant: str | None, as_json: bool) -> None:
    """Show where secrets come from, and which ones this principal can use or not, and why.

    Each path is read once; no value is shown. Exits with 1 if policy or the provider withholds one.
    """
    import asyncio

    from toolcrib.cli._secret_check import check_secrets
    from toolcrib.principal import Principal
    from toolcrib.secrets import SecretBroker

    obj = ctx.obj
    templates = {name: pack.secrets for name, pack in obj.config.packs.items()}
    broker = SecretBroker(obj.secret_provider(), templates)
    principal = Principal(agent=agent or "none", user=user, tenant=tenant or obj.config.tenant)
    given = {"tenant"} | ({"user"} if user else set()) | ({"agent"} if agent else set())
    policy = obj.policy() if agent else None
    obj.record(kind="admin", action="secrets.check", checked_as=[user, agent, principal.tenant])
    report = asyncio.run(check_secrets(obj.config.secrets.provider, broker, policy, principal, given))
    if as_json:
        emit_json(report.as_dict())
    else:
        report.print()
    ctx.exit(0 if report.ok else 1)


def _read_value() -> str:
    """From a hidden prompt at a terminal, else all of standard input less one newline at its end."""
    if sys.stdin.isatty():
        return str(click.prompt("Value", hide_input=True, confirmation_prompt=True))
    return sys.stdin.read().removesuffix("\n")


def _local(obj: Any) -> LocalProvider:
    from toolcrib.secrets import LocalProvider

    provider = obj.secret_provider()
    if not isinstance(provider, LocalProvider):
        raise SecretError(
            f"secrets are kept by {obj.config.secrets.provider!r}, which is not written from here",
            rule='set, list and rm work on [secrets] provider = "local"',
            remedy="Use that provider's own tools; `toolcrib secrets check` works with every provider",
        )
    return provider
