"""`toolcrib secrets check`: what policy and provider each say about every secret that a pack names."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import click

from toolcrib.cli._print import console, plain
from toolcrib.errors import SecretError, SecretNotFound, SecretRefused, ToolcribWarning

if TYPE_CHECKING:
    from toolcrib.policy import Policy
    from toolcrib.principal import Principal
    from toolcrib.secrets import PathTemplate, SecretBroker

__all__ = ["Finding", "Report", "check_secrets"]

State: TypeAlias = Literal["readable", "depends", "denied", "unreadable", "open"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one name of one pack leads to.

    `state` is *readable*; *depends* (a row has a condition on the call); *denied* by policy; *unreadable* at
    the provider; or *open*, where a field of the path was not given. `policy` and `provider` are short words,
    `why` says what is wrong and what to do. `unredacted` are the fields of the value that are too short to be
    found in what goes to models and logs, with an empty name for the whole.
    """

    pack: str
    name: str
    template: str
    path: str | None
    state: State
    policy: str
    provider: str
    why: tuple[str, ...] = ()
    unredacted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, and what the provider tells of itself."""

    provider: dict[str, Any]
    principal: dict[str, str | None]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing that is needed is out of reach."""
        good = ("readable", "depends", "open")
        return "error" not in self.provider and all(one.state in good for one in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        secrets = [asdict(one) for one in self.findings]
        return {"ok": self.ok, "provider": self.provider, "principal": self.principal, "secrets": secrets}

    def print(self) -> None:
        """One screen."""
        from rich.text import Text

        out = console()
        out.print(Text(plain(_headline(self.provider))), soft_wrap=True)
        who = " · ".join(f"{kind} {value}" for kind, value in self.principal.items() if value)
        out.print(Text(plain(f"for       {who}")))
        if not self.findings:
            click.echo("No pack names a secret in its config.")
            return
        out.print()
        out.print(_table(self.findings))
        for one in self.findings:
            if one.why:
                out.print()
                out.print(Text(plain(f"{one.pack}.{one.name}: {one.state}"), style=_STYLES[one.state]))
                for reason in one.why:
                    out.print(Text(plain(f"  {reason}")))


_STYLES: dict[State, str] = {
    "readable": "green",
    "depends": "yellow",
    "denied": "red",
    "unreadable": "red",
    "open": "dim",
}


async def check_secrets(
    name: str, broker: SecretBroker, policy: Policy | None, principal: Principal, given: set[str]
) -> Report:
    """What stands in the way of each secret; `policy` is None where no agent was named to ask it for."""
    provider = await _provider(name, broker)
    findings = [
        await _finding(broker, policy, principal, given, pack, key, template)
        for pack, names in sorted(broker.templates.items())
        for key, template in sorted(names.items())
    ]
    who = {
        "user": principal.user,
        "agent": principal.agent if "agent" in given else None,
        "tenant": principal.tenant,
        "policy": policy.revision if policy is not None else None,
    }
    return Report(provider, who, tuple(findings))


async def _provider(name: str, broker: SecretBroker) -> dict[str, Any]:
    from toolcrib.secrets import TellsStatus

    provider = broker.provider
    if not isinstance(provider, TellsStatus):
        return {"provider": name}
    try:
        return asdict(await provider.status())
    except SecretError as error:
        return {"provider": name, "error": str(error)}


async def _finding(
    broker: SecretBroker,
    policy: Policy | None,
    principal: Principal,
    given: set[str],
    pack: str,
    name: str,
    template: PathTemplate,
) -> Finding:
    from toolcrib.secrets.redaction import told_short, too_short

    says, state, why = _policy(policy, principal, pack, name)
    missing = [field for field in template.fields if field not in given]
    if missing:
        hint = "give " + ", ".join(f"--{field}" for field in missing)
        return Finding(pack, name, template.text, None, _worse(state, "open"), says, hint, why)
    path = None
    try:
        path = broker.path(pack, name, principal)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ToolcribWarning)  # what it would warn of stands in the answer
            secret = await broker.secret(pack, name, principal)
    except SecretError as error:
        found = _worse(state, "unreadable")
        return Finding(pack, name, template.text, path, found, says, _kind(error), (*why, str(error)))
    short = too_short(secret.reveal())
    if short:
        why = (*why, f"the value {told_short(short)}")
    told = f"version {secret.version}"
    return Finding(pack, name, template.text, path, state, says, told, why, short)


def _worse(policy: State, provider: State) -> State:
    return "denied" if policy == "denied" else provider


def _kind(error: SecretError) -> str:
    if isinstance(error, SecretNotFound):
        return "not there"
    return "refused" if isinstance(error, SecretRefused) else "cannot be had"


def _policy(
    policy: Policy | None, principal: Principal, pack: str, name: str
) -> tuple[str, State, tuple[str, ...]]:
    """What policy says, in a few words; the state that it allows; and why not."""
    from toolcrib.bench.tools import NamedTool
    from toolcrib.effects import USE
    from toolcrib.policy import Facts
    from toolcrib.policy._alone import REMEDY

    if policy is None:
        return "not asked", "readable", ()
    use = NamedTool(f"secret:{pack}.{name}", USE)
    candidates = policy.candidates(principal, use)
    decision = policy.decide(candidates, Facts({}))
    places = ", ".join(row.place for row in decision.rows)
    if decision.rows and decision.rows[0].kind != "p":
        return places, "denied", (f"{decision.reason}. {REMEDY}.",)
    if candidates.offered and candidates.reads:
        rows = "a row has a condition on the call"
        return "depends", "depends", (f"{rows}: `{_explain(use.name, principal)}` tells which",)
    if decision.verdict == "deny":
        remedy = f"`{_explain(use.name, principal)}` says which row to add or change"
        return (places or "no row"), "denied", (f"{decision.reason}. {remedy}.",)
    return f"allowed ({places})", "readable", ()


def _explain(name: str, principal: Principal) -> str:
    user = f" --user {principal.user}" if principal.user else ""
    return f"toolcrib policy explain {name}{user} --agent {principal.agent}"


def _headline(provider: dict[str, Any]) -> str:
    parts = [str(provider["provider"])]
    if "error" in provider:
        return f"provider  {parts[0]}: {provider['error']}"
    if "address" in provider:
        parts[0] += f" at {provider['address']}"
        parts.append(f"auth: {provider['auth']}")
        seconds = provider.get("seconds")
        if seconds is not None:
            parts.append(f"lives for {_lasting(seconds)}")
    return "provider  " + " · ".join(parts)


def _lasting(seconds: float) -> str:
    """`45 s`, `59 min`, `23 h`, `30 days`."""
    for size, unit in ((2 * 86400, "days"), (2 * 3600, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / {'days': 86400, 'h': 3600, 'min': 60}[unit]:.0f} {unit}"
    return f"{seconds:.0f} s"


def _table(findings: Sequence[Finding]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "secret", "path", "policy", "provider"):
        table.add_column(heading, overflow="fold")
    for one in findings:
        mark = {"readable": "✓", "depends": "?", "open": "·"}.get(one.state, "✗")
        style = _STYLES[one.state]
        cells = (f"{one.pack}.{one.name}", one.path or one.template, one.policy, one.provider)
        table.add_row(Text(mark, style=style), *(Text(plain(cell)) for cell in cells))
    return table
