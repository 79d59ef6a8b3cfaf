"""`toolcrib tools`: what is there, what it takes, and one call by hand."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any

import click

from toolcrib.cli._desk import Desk
from toolcrib.cli._print import as_json, console, emit_json, plain

__all__ = ["tools"]

EXIT_PENDING = 3


@click.group()
def tools() -> None:
    """List, show and call tools."""


@tools.command("list")
@click.option("--agent", help="Only what this agent could be allowed to call.")
@click.option("--user", help="… for this user.")
@as_json
@click.pass_obj
def list_tools(desk: Desk, agent: str | None, user: str | None, as_json: bool) -> None:
    """All tools, or those of one principal."""
    crib = desk.crib()
    found = (
        crib.tools_for(crib.principal(agent, user)) if agent else sorted(crib.registry, key=lambda t: t.name)
    )
    if as_json:
        emit_json([_full(tool) for tool in found])
        return
    if not found:
        _say_why_none(desk, agent)
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("TOOL", "EFFECT", "WHAT IT DOES"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "WHAT IT DOES")
    for tool in found:
        table.add_row(tool.name, tool.effect, plain(_first_sentence(tool.description)))
    console().print(table)


@tools.command()
@click.argument("name")
@as_json
@click.pass_obj
def show(desk: Desk, name: str, as_json: bool) -> None:
    """One tool: what it takes, what it does to the world."""
    tool = desk.crib().registry.get(name)
    if as_json:
        emit_json({**_full(tool), "fingerprint": tool.fingerprint})
        return
    from rich.padding import Padding

    out = console()
    notes = [tool.effect, *(["idempotent"] if tool.idempotent else []), f"pack {tool.pack}"]
    out.print(f"{tool.name}  ({', '.join(notes)}; a model calls it {tool.wire_name})", style="bold")
    out.print(plain(tool.description))
    for parameter, shape in tool.schema.get("properties", {}).items():
        marks = [
            mark
            for mark, names in (("target", tool.targets), ("sensitive", tool.sensitive))
            if parameter in names
        ]
        needed = ["required"] if parameter in tool.schema.get("required", ()) else []
        notes = [_kind(shape), *needed, *marks]
        out.print(f"  {parameter}  ({plain(', '.join(notes))})")
        if shape.get("description"):
            out.print(Padding(plain(shape["description"]), (0, 0, 0, 6), expand=False))
    if tool.labels:
        out.print(f"labels: {', '.join(sorted(tool.labels))}")


@tools.command()
@click.argument("name")
@click.option("--agent", required=True, help="The agent that calls.")
@click.option("--user", help="The user on whose behalf.")
@click.option("--arg", "given", multiple=True, metavar="KEY=VALUE", help="An argument; JSON, else text.")
@click.option("--key", "idempotency_key", help="Idempotency key.")
@as_json
@click.pass_obj
@click.pass_context
def call(
    ctx: click.Context,
    desk: Desk,
    name: str,
    agent: str,
    user: str | None,
    given: tuple[str, ...],
    idempotency_key: str | None,
    as_json: bool,
) -> None:
    """Call one tool, the governed way; exit code 3 when it waits for an approval."""
    crib = desk.crib()
    key = idempotency_key or f"cli-{secrets.token_hex(6)}"  # without one, nothing could use the approval
    result = asyncio.run(crib.call(name, _arguments(given), crib.principal(agent, user), idempotency_key=key))
    if as_json:
        emit_json(
            {
                "status": result.status,
                "text": result.text,
                "value": result.value,
                "approval": result.approval,
                "key": key,
            }
        )
    else:
        console().print(plain(result.text), soft_wrap=True)  # a result is to be copied: never broken
        if result.approval and result.status == "pending":
            click.echo(f"Answer it:      toolcrib approvals show {result.approval}", err=True)
            click.echo(f"Then run it:    the same command with --key {key}", err=True)
    ctx.exit(EXIT_PENDING if result.status == "pending" else int(result.is_error))


def _say_why_none(desk: Desk, agent: str | None) -> None:
    away = [pack.name for pack in desk.crib().packs.quarantined]
    what = f"No tool could be allowed for agent {plain(agent)}." if agent else "There is no tool."
    why = f" Quarantined packs: {', '.join(away)}; `toolcrib packs list` says why." if away else ""
    click.echo(what + why)


def _first_sentence(description: str) -> str:
    """The first sentence, on one line."""
    paragraph = " ".join(description.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph, maxsplit=1)[0]


def _kind(shape: dict[str, Any]) -> str:
    """The type of a parameter, in words."""
    if several := shape.get("anyOf"):
        return " or ".join(map(_kind, several))
    values = shape.get("enum") or ([shape["const"]] if "const" in shape else [])
    if values:
        return "one of " + ", ".join(map(str, values)) if len(values) > 1 else str(values[0])
    return str(shape.get("type", "anything" if "$ref" not in shape else "object"))


def _arguments(given: tuple[str, ...]) -> dict[str, Any]:
    import orjson

    arguments: dict[str, Any] = {}
    for item in given:
        key, sign, text = item.partition("=")
        if not sign:
            raise click.BadParameter(f"{item!r} is not KEY=VALUE", param_hint="--arg")
        try:
            arguments[key] = orjson.loads(text)
        except orjson.JSONDecodeError:
            arguments[key] = text
    return arguments


def _full(tool: Any) -> dict[str, Any]:
    """With what lint needs to check conditions where the packs are not installed."""
    from toolcrib.bench._known_tools import fills_defaults

    told = {"fills_defaults": fills_defaults(tool), "preview": tool.preview is not None}
    return {**_row(tool), "schema": tool.schema, **told}


def _row(tool: Any) -> dict[str, Any]:
    return {
        "name": tool.name,
        "wire_name": tool.wire_name,
        "effect": tool.effect,
        "idempotent": tool.idempotent,
        "labels": sorted(tool.labels),
        "pack": tool.pack,
        "description": tool.description,
    }
