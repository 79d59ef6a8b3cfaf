"""Writes the pages of docs/reference that must say exactly what the code has.

python docs/generate.py            write them
python docs/generate.py --check    exit with 1 if one is not what would be written (the suite does this)
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click

import toolcrib
from toolcrib import _config_file, calls, config, errors, hookspecs, testing
from toolcrib.cli._main import cli
from toolcrib.testing import cribs
from toolcrib.testing import secrets as testing_secrets

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py: change the code, then run it. -->\n"

TABLES: dict[str, tuple[Any, dict[str, str]]] = {
    "crib": (
        _config_file.CribTable,
        {
            "tenant": "Whose crib this is; part of every decision, record and key.",
            "state": "The folder of audit log, state database, keys, artifacts and the packs' own data.",
        },
    ),
    "policy": (
        _config_file.PolicyTable,
        {
            "path": "The folder with `model.conf` and `policy.csv`.",
            "url": "The rows are in this database, not in `policy.csv`: [policy in SQL](policy-sql.md).",
            "shadow": "The folder of a candidate that is tried beside it; nothing of it is enforced.",
        },
    ),
    "redaction": (
        config.RedactionSettings,
        {
            "shapes": "What looks like a token is cut out too: [redaction](redaction.md).",
            "logs": "All log records of the process are cleaned.",
            "traces": "All OpenTelemetry spans of the process are cleaned.",
        },
    ),
    "identity": (
        config.IdentitySettings,
        {
            "issuer": "Whose tokens are believed (OpenID Connect): [how to](../how-to/identify-callers.md).",
            "audience": "What it writes into `aud` for this crib.",
            "algorithms": "Signatures that are accepted; only such with a public key.",
            "user_claim": "The claim that holds the user id.",
            "tenant_claim": "The claim that holds the tenant; without one it is the crib's.",
            "agents_claim": "The claim that lists the agents that may act for the user.",
            "agents": "Those of a token that names none.",
            "leeway": "How far clocks may differ.",
            "keys_max_age": "How old the issuer's keys may be while it cannot be reached.",
        },
    ),
    "model": (
        config.ModelSettings,
        {
            "base_url": "An OpenAI-compatible endpoint, for ready-made jobs.",
            "model": "The model's name there.",
            "api_key_env": "The environment variable that holds the key.",
        },
    ),
    "audit": (
        config.AuditSettings,
        {
            "durability": "A record counts once it is on the disk, or (`written`) once the kernel has it.",
            "signer": "Checkpoints are signed by a key file, or (`vault`) by Vault's transit key.",
            "transit_key": "With `vault`: the Ed25519 key's name in the Vault of `[secrets]`.",
            "transit_mount": "With `vault`: where the transit engine is mounted.",
            "transit_version": "With `vault`: the key's version; a rotation changes nothing until this does.",
        },
    ),
    "approvals": (
        config.ApprovalSettings,
        {
            "mode": "A call that needs a human waits for the answer, or (`park`) ends as pending.",
            "expires": "How long a question stands: `90s`, `15m`, `8h`, `2d`.",
            "users": "Operating-system user = user of the policy. Who is not listed cannot answer here.",
        },
    ),
    "limits": (
        config.LimitSettings,
        {
            "repeats": "Equal asks that are let through in one run; the next is stopped.",
            "repeat_window": "Within this time.",
            "attempts": "Tries of a read or an idempotent tool on temporary errors, the first included.",
            "result_bytes": "A larger result is cut, and becomes an artifact.",
            "artifact_bytes": "A larger artifact is not kept.",
            "artifact_age": "Artifacts that nobody used for so long go: [artifacts](artifacts.md).",
            "artifact_total": "So many bytes of artifacts are kept; then the longest unused go.",
            "pending": "Approvals that may wait at once for one agent in a tenant; one more is refused.",
        },
    ),
}

GROUPS = {
    "CallRefused": "the model: ask differently, or not at all. Nothing ran",
    "ApprovalPending": "a human. Nothing ran",
    "NotAuthenticated": "whoever calls: with other credentials. Nothing ran",
    "Unavailable": "the caller, later. Nothing ran",
    "ConfigError": "the operator",
    "ToolError": "nobody: raised by tools, to say what the vendor's world answered",
}

MODULES = {
    "toolcrib.approvals": "[approvals](approvals.md)",
    "toolcrib.audit": "[the audit log](audit.md)",
    "toolcrib.policy": "[policy](policy.md)",
    "toolcrib.hookspecs": "[hooks](hooks.md)",
    "toolcrib.oauth": "[OAuth in a pack](../how-to/oauth-in-a-pack.md)",
    "toolcrib.errors": "[errors](errors.md)",
    "toolcrib.adapters.agentchat": "[AgentChat](../how-to/agentchat.md)",
    "toolcrib.adapters.classic": "[the classic API](../how-to/classic.md)",
}
"""Modules that have a page of their own."""


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    made = {"config": config_page(), "cli": cli_page(), "errors": errors_page()}
    made |= {"hooks": hooks_page(), "python": python_page()}
    return {HERE / "reference" / f"{name}.md": NOTE + text for name, text in made.items()}


# --- config ---------------------------------------------------------------------------------------------


def config_page() -> str:
    """Tables and keys of `toolcrib.toml`, with the types and defaults that the dataclasses have."""
    parts = [
        "# Config: `toolcrib.toml`\n",
        "One file describes a crib. An unknown table or key, or a wrong type, is an error that names the\n"
        "nearest right one. Relative paths are relative to the file.\n",
    ]
    parts += [_table(table) for table in _config_file.TABLES]
    return "\n".join(parts)


def _table(name: str) -> str:
    if name == "packs":
        return PACKS
    if name in REST:
        return REST[name]
    cls, says = TABLES[name]
    rows = ["| key | type | default | what it is |", "|---|---|---|---|"]
    for field, text in zip(dataclasses.fields(cls), _complete(cls, says), strict=True):
        rows.append(f"| `{field.name}` | {_type(field)} | {_default(field)} | {text} |")
    return f"## `[{name}]`\n\n" + "\n".join(rows) + "\n"


def _complete(cls: Any, says: dict[str, str]) -> list[str]:
    names = [field.name for field in dataclasses.fields(cls)]
    if sorted(names) != sorted(says):
        raise SystemExit(
            f"docs/generate.py: TABLES says {sorted(says)} of {cls.__name__}, which has {sorted(names)}"
        )
    return [says[name] for name in names]


def _type(field: dataclasses.Field[Any]) -> str:
    found = re.fullmatch(r"Literal\[(.*)\]", str(field.type))
    if found:
        return " or ".join(f"`{value}`" for value in found[1].replace("'", '"').split(", "))
    return {"str": "text", "int": "number"}.get(str(field.type).removesuffix(" | None"), "table")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is None:
        return "none"
    if field.default is not dataclasses.MISSING:
        return f"`{field.default}`" if isinstance(field.default, int) else f'`"{field.default}"`'
    return "empty" if field.default_factory is not dataclasses.MISSING else "must be given"


PACKS = """\
## `[packs]` and `[packs.NAME]`

| key | type | default | what it is |
|---|---|---|---|
| `packs.trust` | `"locked"` or `"installed"` | `"locked"` | Packs must be as locked, or need not. |
| `packs.NAME.trust` | the same | that of `[packs]` | For one pack. |
| `packs.NAME.secrets` | table | empty | Name = path, such as `crm/{tenant}/salesforce`; never a value. |
| `packs.NAME.…` | | | The pack's own settings, see its README. |
"""

REST = {
    "secrets": """\
## `[secrets]`

| key | type | default | what it is |
|---|---|---|---|
| `provider` | text | `"local"` | [Built in](../how-to/choose-a-secret-provider.md), or brought by a pack. |
| `cache` | duration | `"30s"` | How long a value is kept, never beyond its own end; `0s`: not at all. |
| `…` | | | Everything else goes to the provider. |
""",
    "sandbox": """\
## `[sandbox]`

| key | type | default | what it is |
|---|---|---|---|
| `provider` | text | none | The name of a sandbox that a pack brings (`docker`); without it no code is run. |
| `…` | | | Everything else goes to the sandbox: [its settings](sandbox.md#settings). |
""",
}
"""Tables of which most goes to what they name."""


# --- command line ---------------------------------------------------------------------------------------


def cli_page() -> str:
    """Every command with its arguments and options, as click has them."""
    context = click.Context(cli, info_name="toolcrib")
    parts = ["# Command line: `toolcrib`\n", _help(cli) + "\n", _parameters(cli, context)]
    for path, command, inner in _commands(cli, context, ()):
        usage = " ".join(["toolcrib", *path, *command.collect_usage_pieces(inner)])
        parts.append(f"{'#' * (len(path) + 1)} `{' '.join(path)}`\n\n{_help(command)}\n")
        if not isinstance(command, click.Group):
            parts.append(f"```text\n{usage}\n```\n")
        parts.append(_parameters(command, inner))
    return "\n".join(part for part in parts if part)


def _commands(
    group: click.Group, context: click.Context, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    # The jobs of `run` depend on the packs that are installed.
    names = [] if path == ("run",) else group.list_commands(context)
    for name in names:
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        yield (*path, name), command, inner
        if isinstance(command, click.Group):
            yield from _commands(command, inner, (*path, name))


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").replace("\b\n", "")


def _parameters(command: click.Command, context: click.Context) -> str:
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record:
            rows.append(f"| `{_cell(record[0])}` | {_cell(record[1])} |")
    return "| option | what it does |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# --- errors ---------------------------------------------------------------------------------------------


def errors_page() -> str:
    """Every error, in the order and groups of errors.py."""
    parts = [
        "# Errors\n",
        "All stand in `toolcrib.errors`, below `ToolcribError`: `what` quotes the thing that was refused,\n"
        "`rule` names the rule, `remedy` says what to do. `Crib.call` raises none of them: the executor\n"
        "makes *results* of them, whose `status` is one of these:\n",
        *_statuses(),
        "",
    ]
    rows: list[str] = []
    for error in map(errors.__dict__.__getitem__, _in_order(errors)):
        if error is errors.ToolcribError:
            continue
        if error.__name__ in GROUPS:
            rows += [
                f"\n## Who must act: {GROUPS[error.__name__]}\n",
                "| error | is a | says |",
                "|---|---|---|",
            ]
        elif error is errors.ToolcribWarning:
            rows += ["| warning | is a | says |", "|---|---|---|"]
        rows.append(f"| `{error.__name__}` | `{error.__mro__[1].__name__}` | {_text(error)} |")
    return "\n".join([*parts, *rows]) + "\n"


def _statuses() -> list[str]:
    """From the remarks in calls.py, which stand behind each status."""
    said = re.findall(r'^    "(\w+)",  # (.*)$', inspect.getsource(calls), re.M)
    if sorted(status for status, _ in said) != sorted(get_args(calls.Status)):
        raise SystemExit("docs/generate.py: each Status in calls.py has a remark behind it")
    return ["| status | when |", "|---|---|", *(f"| `{status}` | {remark} |" for status, remark in said)]


def _in_order(module: Any) -> list[str]:
    source = ast.parse(inspect.getsource(module))
    return [
        node.name for node in source.body if isinstance(node, ast.ClassDef) and node.name in module.__all__
    ]


# --- hooks ----------------------------------------------------------------------------------------------


def hooks_page() -> str:
    """The hooks and what they are given, from hookspecs.py."""
    parts = [
        "# Hooks\n",
        f"{inspect.cleandoc(hookspecs.__doc__ or '')}\n",
        "How a pack is checked and locked: [packs](packs.md).\n",
    ]
    for name, hook in vars(hookspecs).items():
        if name.startswith("toolcrib_"):
            parts.append(f"## `{name}`\n\n```text\n{name}{_signature(hook)}\n```\n\n{_text(hook)}\n")
    parts += [_class(cls, "##") for cls in (hookspecs.PackConfig, hookspecs.Workflow)]
    return "\n".join(parts)


# --- python ---------------------------------------------------------------------------------------------


def python_page() -> str:
    """What most programs need in full, the test kit by name, and where the rest stands."""
    parts = [
        "# Python\n",
        "What is in a module's `__all__` is public; a module whose name begins with `_` is not.\n",
        "| module | what it has | page |\n|---|---|---|",
        *(
            f"| `{name}` | {_text(importlib.import_module(name))} | {page} |"
            for name, page in MODULES.items()
        ),
        "\n## `toolcrib`\n",
    ]
    for name in sorted(toolcrib.__all__):
        value = getattr(toolcrib, name)
        if inspect.isclass(value):
            parts.append(_class(value, "###"))
        else:
            parts.append(f"### `{name}`\n\n```text\n{name}{_signature(value)}\n```\n\n{_text(value)}\n")
    for module in (testing, cribs, testing_secrets):
        parts.append(f"\n## `{module.__name__}`\n\n{_text(module)}\n")
        names = sorted(module.__all__)
        parts += [
            f"- `{name}{_signature(getattr(module, name))}`: {_text(getattr(module, name))}" for name in names
        ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)) + "\n"


def _class(cls: type, heading: str) -> str:
    lines = [
        f"{heading} `{cls.__name__}`\n",
        f"```text\n{cls.__name__}{_signature(cls)}\n```\n",
        _text(cls),
        "",
    ]
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if inspect.isfunction(function):
            mark = "await " if inspect.iscoroutinefunction(function) else ""
            lines.append(f"- `{mark}{name}{_signature(function)}`: {_text(function)}")
        elif isinstance(member, property):
            lines.append(f"- `{name}`: {_text(member)}")
    return "\n".join(lines) + "\n"


def _signature(value: Any) -> str:
    """The signature as it stands in the source, without self; of a dataclass, its fields."""
    node = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    if isinstance(node, ast.ClassDef):
        return _constructor(node)
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({_arguments(node)}){returns}"


def _constructor(node: ast.ClassDef) -> str:
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            return f"({_arguments(member)})"
    if not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return ""
    fields = [_field(member) for member in node.body if isinstance(member, ast.AnnAssign)]
    return f"({', '.join(filter(None, fields))})"


def _field(member: ast.AnnAssign) -> str:
    name, kind = ast.unparse(member.target), ast.unparse(member.annotation)
    default = ast.unparse(member.value) if member.value else ""
    if name.startswith("_") or "init=False" in default:
        return ""
    return (
        f"{name}: {kind} = ..."
        if default.startswith("field(")
        else f"{name}: {kind}{default and ' = '}{default}"
    )


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    is_bound = any(ast.unparse(decorator) == "classmethod" for decorator in node.decorator_list)
    if is_bound or (node.args.args and node.args.args[0].arg == "self"):
        node.args.args.pop(0)
    return ast.unparse(node.args)


def _text(value: Any) -> str:
    """The docstring's first paragraph in one line."""
    paragraph = inspect.cleandoc(value.__doc__ or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def main() -> None:
    """Write the pages, or check them."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(HERE.parent)} is stale: run `python docs/generate.py`")
        sys.exit(bool(stale))
    for path in stale:
        path.write_text(pages()[path], "utf-8")
        print(f"wrote {path.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
