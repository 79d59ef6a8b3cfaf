"""The crib: everything assembled from one config file, opened when it is first needed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from toolcrib._loops import Background, Once
from toolcrib._nearest import did_you_mean
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.config import Config
from toolcrib.effects import Effect
from toolcrib.errors import CallRefused, ConfigError, PackError, ToolcribError, ToolcribWarning
from toolcrib.principal import Principal
from toolcrib.registry import Registry
from toolcrib.tools import Tool, Toolkit, tools_of

if TYPE_CHECKING:
    from toolcrib.approvals import Answer, Approval, ApprovalChannel
    from toolcrib.audit import AuditLog, HmacKey, Signer
    from toolcrib.bench.shadow import Shadow
    from toolcrib.executor import ToolExecutor
    from toolcrib.executor._case import Watch
    from toolcrib.identity import Identity
    from toolcrib.packs import LoadedPacks
    from toolcrib.policy import History, Origin, Policy, PolicySource, Texts
    from toolcrib.sandbox import Sandbox
    from toolcrib.secrets import SecretBroker, SecretProvider
    from toolcrib.state import State

__all__ = ["Crib", "ToolSource"]

T = TypeVar("T")


class ToolSource(Protocol):
    """What an adapter needs: the tools of a principal, and a way to call them. A remote crib has the same
    two.
    """

    def tools_for(self, principal: Principal) -> list[Tool]:
        """Only the tools that this principal could be allowed to call at all."""
        ...

    async def execute(self, call: ToolCall, *, watch: Watch | None = None) -> ToolResult:
        """What came of the call."""
        ...


class Crib:
    """Registry, policy, secrets, state, audit and approvals of one `toolcrib.toml`.

    Every part opens at its first use and fails closed: a crib without a policy, an audit log or a state
    database runs no call. Use it as a context manager, or call `close`.
    """

    def __init__(self, config: Config, *, channels: Sequence[ApprovalChannel] = ()) -> None:
        self.config = config
        self._channels = tuple(channels)
        self._opening = threading.RLock()
        self._offers: dict[tuple[object, ...], list[Tool]] = {}
        self._toolkits: list[Toolkit] = []
        self._background: Background | None = None
        self._reloading = False

    @classmethod
    def from_config(
        cls, file: str | Path = "toolcrib.toml", *, channels: Sequence[ApprovalChannel] = ()
    ) -> Crib:
        """The crib that `file` describes; `channels` are asked, in order, when a call needs a human here."""
        return cls(Config.load(Path(file)), channels=channels)

    # --- tools

    def add(self, *sources: Toolkit | Callable[..., Any]) -> list[Tool]:
        """Register marked functions and toolkits at run time, as `local.NAME`; all or none. Policy still
        decides.
        """
        tools = [tool for source in sources for tool in tools_of(source)]
        self.registry.add(tools)
        self._toolkits += [source for source in sources if isinstance(source, Toolkit)]
        return tools

    def adopt(
        self,
        source: Any,
        *,
        effect: Effect | None = None,
        name: str | None = None,
        idempotent: bool = False,
        labels: Iterable[str] = (),
        call: Callable[..., Any] | None = None,
    ) -> Tool:
        """Register what a builder already has: a plain function, an AutoGen FunctionTool, or an MCP tool.

        `effect` must be said, also for an MCP tool: its server's hints are claims, and nothing rests on them.
        `call` is how an MCP tool is reached: `session.call_tool`.
        """
        from toolcrib._adopt import adopted

        tool = adopted(source, effect=effect, name=name, idempotent=idempotent, labels=labels, call=call)
        self.registry.add([tool])
        return tool

    def remove(self, name: str) -> Tool:
        """Take a tool out, by any of its names; a call that already runs goes on."""
        return self.registry.remove(name)

    def tools_for(self, principal: Principal) -> list[Tool]:
        """Only the tools that this principal could be allowed to call at all, by canonical name."""
        policy = self.policy()
        key = (policy.revision, self.registry.version, principal.subjects, principal.tenant)
        offer = self._offers.get(key)
        if offer is None:
            tools = sorted(self.registry, key=lambda tool: tool.name)
            offer = [tool for tool in tools if policy.candidates(principal, tool).offered]
            if len(self._offers) > 1000:
                self._offers.clear()
            self._offers[key] = offer
        return list(offer)

    # --- calls

    def principal(
        self, agent: str, user: str | None = None, *, session: str = "default", run: str = "none"
    ) -> Principal:
        """A principal of this crib's tenant."""
        return Principal(agent=agent, user=user, tenant=self.config.tenant, session=session, run=run)

    @cached_property
    def identity(self) -> Identity:
        """Checks what callers bring, as `[identity]` says."""
        from toolcrib.identity import Identity

        return Identity.from_config(self.config)

    async def principal_from_token(
        self, token: str, agent: str | None = None, *, session: str = "default", run: str = "none"
    ) -> Principal:
        """On whose behalf a caller may call who brought `token`: what `Authorization` held, a signed token or
        an API key. `agent` is who asks to act, None where the token names one.

        Raises `NotAuthenticated` (answer 401), or `Unavailable` where it cannot be checked now (503).
        """
        from toolcrib.identity import Bearer

        return await self.identity.authenticate(Bearer.of(token), agent=agent, session=session, run=run)

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        principal: Principal,
        *,
        idempotency_key: str | None = None,
        reason: str = "",
        watch: Watch | None = None,
    ) -> ToolResult:
        """Run one tool, by canonical or wire name; refusals and failures are results, not exceptions."""
        request = ToolCall(tool, arguments, principal, idempotency_key=idempotency_key, reason=reason)
        return await self.execute(request, watch=watch)

    async def execute(self, call: ToolCall, *, watch: Watch | None = None) -> ToolResult:
        """What came of `call`. A crib that cannot be opened (no policy, no audit log) refuses every call."""
        try:
            executor = self.executor
        except ToolcribError as error:
            await self._record_unopened(call, error)
            return ToolResult(call.call_id, call.tool[:80], "unavailable", f"UNAVAILABLE: {error}")
        return await executor.execute(call, watch=watch)

    async def _record_unopened(self, call: ToolCall, error: ToolcribError) -> None:
        """The one record of a call that met no executor; where there is no log either, the result says so."""
        from toolcrib.executor._words import unopened

        with contextlib.suppress(Exception):
            await self.audit.append(unopened(call, error))

    def call_sync(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        principal: Principal,
        *,
        idempotency_key: str | None = None,
        reason: str = "",
    ) -> ToolResult:
        """Like `call`, for scripts without an event loop."""
        return self.execute_sync(
            ToolCall(tool, arguments, principal, idempotency_key=idempotency_key, reason=reason)
        )

    def execute_sync(self, call: ToolCall) -> ToolResult:
        """Like `execute`, for callers without an event loop."""
        return self.run_sync(self.execute(call))

    def run_sync(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, for callers without an event loop, or whose loop must not be waited for;
        the work is done on a loop in a thread of the crib's.
        """
        with self._opening:
            self._background = self._background or Background()
        return self._background.run(work)

    async def resume(self, approval: str, *, watch: Watch | None = None) -> ToolResult:
        """Run a parked call whose approval has been answered; it is the same call, so it runs at most once.

        Raises `CallRefused` for a call with sensitive arguments: these are not kept, so only the agent can
        ask again.
        """
        parked = self.state.get_approval(approval)
        if parked.sensitive:
            raise CallRefused(
                f"approval {approval} is for a call with sensitive arguments ({', '.join(parked.sensitive)})",
                rule="sensitive arguments are never stored",
                remedy="Make the same call again, with the same idempotency key",
            )
        call = ToolCall(
            parked.tool,
            parked.arguments,
            parked.principal,
            call_id=parked.call_id,
            idempotency_key=parked.key,
            reason=parked.reason,
            model=parked.model,
            prompt_version=parked.prompt_version,
        )
        return await self.execute(call, watch=watch)

    async def answer(self, approval: str, answer: Answer) -> Approval:
        """Answer an approval: entitled by policy, recorded, then stored; the approval as it then stands.

        Raises `CallDenied` for somebody who satisfies none of its rows, `InvalidArguments` for an edit that
        does not fit, and what `State.answer` raises.
        """
        asked = await asyncio.to_thread(self.state.get_approval, approval)
        policy = self.policy()
        return await self.executor.reviewer.take(
            asked, answer, lambda person, row: policy.approves(person, row, asked.principal)
        )

    # --- parts, opened at first use

    @property
    def registry(self) -> Registry:
        """The tools: those of the active packs, and what was added since."""
        return self._stock[1]

    @property
    def packs(self) -> LoadedPacks:
        """The packs, active and quarantined."""
        return self._stock[0]

    @cached_property
    def _stock(self) -> tuple[LoadedPacks, Registry]:
        """Packs and registry together: of two packs whose tools collide, the one locked later is
        quarantined.
        """
        from toolcrib.packs import load_packs

        with self._opening:
            packs, registry = load_packs(self.config), Registry()
            for pack in packs.in_lock_order():
                try:
                    registry.add(pack.tools)
                except PackError as error:
                    packs.quarantine(pack.name, error)
            return packs, registry

    def policy(self) -> Policy:
        """The policy in force now; a change is seen within a second, and taken once it has been checked."""
        return self.policy_source.current()

    @cached_property
    def policy_source(self) -> PolicySource:
        """What keeps the policy in force, and looks after its files or its table."""
        from toolcrib.policy import PolicySource

        with self._opening:
            source = PolicySource(
                self.policy_origin, self._on_policy, gate=self._policy_gate, keeper=self.policy_history
            )
            self.policy_history.watch_guards(self.config.policy, self.record)
            return source

    @cached_property
    def policy_origin(self) -> Origin:
        """Where the policy is written: the folder, or the table that `[policy] url` names."""
        from toolcrib.policy import FolderOrigin

        if not self.config.policy_url:
            return FolderOrigin(self.config.policy)
        from toolcrib.policy._sql import SqlOrigin

        return SqlOrigin(self.config.policy_url, self.config.policy)

    @cached_property
    def policy_history(self) -> History:
        """Every policy that was in force."""
        from toolcrib.policy import History

        return History(self.config.state / "policy-history")

    def _policy_gate(self, texts: Texts, policy: Policy) -> list[str]:
        from toolcrib.bench.beside import objections_in

        return objections_in(self, texts, policy)

    def _on_policy(self, event: str, detail: str) -> None:
        self.record(kind="admin", action=f"policy.{event}", detail=detail)
        if event == "loaded":
            self.policy_history.watch_guards(self.config.policy, self.record)
        if event == "failed" and not self._reloading:  # who reloads hears of it anyway
            warnings.warn(ToolcribWarning(detail), stacklevel=2)

    def reload(self) -> Policy:
        """Look at the policy files now; a bad one leaves the last good one in force and is on the audit
        log.
        """
        self._reloading = True
        try:
            return self.policy_source.refresh()
        finally:
            self._reloading = False

    @cached_property
    def state(self) -> State:
        """The state database; calls that a dead process left behind become ambiguous here."""
        from toolcrib.state import State

        state = State.open(self.config.state, key=self._hmac_key)
        for row in state.mark_orphans():
            self.record(
                kind="admin", action="ledger.orphaned", ledger=row.id, tool=row.scope.tool, call=row.call_id
            )
        return state

    @cached_property
    def audit(self) -> AuditLog:
        """The audit log."""
        from toolcrib.audit import AuditLog

        return AuditLog(
            self.config.state / "audit",
            durability=self.config.audit.durability,
            key=self.audit_signer,
            sinks=self.packs.audit_sinks(),
        )

    @cached_property
    def _hmac_key(self) -> HmacKey:
        """What stands in for sensitive arguments is made with it."""
        from toolcrib.audit import HmacKey

        return HmacKey.load_or_create(self.config.keys / "hmac.key", audit_folder=self.config.state / "audit")

    @cached_property
    def audit_signer(self) -> Signer:
        """What signs the log's checkpoints."""
        from toolcrib._signer import signer_of

        return signer_of(self.config, lambda: self.secret_provider)

    @cached_property
    def broker(self) -> SecretBroker:
        """Resolves the secrets of each pack."""
        from toolcrib.secrets import SecretBroker, guarded

        templates = {name: pack.secrets for name, pack in self.config.packs.items()}
        redactor, cache = guarded(self.config.redaction), self.config.secrets.cache_seconds
        return SecretBroker(self.secret_provider, templates, redactor, cache=cache)

    @cached_property
    def secret_provider(self) -> SecretProvider:
        """Where secrets are kept: a built-in provider, or one that a pack brings."""
        from toolcrib.secrets._open import open_provider

        return open_provider(self.config, self.packs.secret_providers())

    @cached_property
    def sandbox(self) -> Sandbox:
        """Where code runs that a model wrote: the sandbox of a pack, as `[sandbox]` names it."""
        from toolcrib.sandbox import SandboxConfig

        config, known = self.config, self.packs.sandboxes()
        name = config.sandbox.provider
        if name not in known:
            raise ConfigError(
                f"[sandbox] provider = {name!r}: there is none" if name else "there is no [sandbox] provider",
                rule=f"sandboxes of the active packs: {', '.join(sorted(known)) or 'none'}",
                remedy=did_you_mean(name, known) if known else "Lock a pack that brings one",
            )
        with self._opening:
            settings = config.sandbox.settings
            opened: Sandbox = known[name](
                SandboxConfig(settings, config.state, config.file.parent, config.tenant)
            )
            return opened

    @cached_property
    def shadow(self) -> Shadow | None:
        """The candidate policy that is tried beside the one in force, if the config names one."""
        if self.config.shadow is None:
            return None
        from toolcrib.bench.shadow import Shadow

        return Shadow(self.config.shadow, self.record).start()

    @cached_property
    def executor(self) -> ToolExecutor:
        """The way of one call."""
        with self._opening:
            from toolcrib.executor import ToolExecutor

            return ToolExecutor(
                registry=self.registry,
                policy=self.policy,
                state=self.state,
                audit=self.audit,
                broker=self.broker,
                hmac_key=self._hmac_key,
                channels=self._channels,
                approvals=self.config.approvals,
                limits=self.config.limits,
                artifacts=self.config.state / "artifacts",
                shadow=self.shadow,
                sandbox=lambda: self.sandbox,
            )

    def record(self, *, kind: str, **fields: Any) -> None:
        """Write an administrative record, durable on return; raises `AuditError`."""
        self.audit.append_blocking({"kind": kind, "tenant": self.config.tenant, **fields})

    # --- the end

    def close(self) -> None:
        """Close what was opened. Harmless when repeated."""
        opened = self.__dict__
        if "executor" in opened:
            opened.pop("executor").close()
        self._close_toolkits()
        if (sandbox := opened.pop("sandbox", None)) is not None:
            self._close_loose(sandbox)
        for name in ("policy_source", "policy_origin", "shadow", "state", "audit"):
            if (part := opened.pop(name, None)) is not None:
                part.close()
        # Last, since the log may sign with what the provider keeps; then leases and logins are given back.
        provider, broker = opened.pop("secret_provider", None), opened.pop("broker", None)
        if provider is not None:
            self._close_loose(broker or provider)
        if self._background is not None:
            self._background.close()
            self._background = None

    def _close_toolkits(self) -> None:
        toolkits = list(self._toolkits)
        if "_stock" in self.__dict__:
            toolkits += self.packs.toolkits()
        self._toolkits = []
        for toolkit in toolkits:
            self._close_loose(toolkit)

    def _close_loose(self, part: Toolkit | SecretProvider | SecretBroker | Sandbox) -> None:
        try:
            (self._background or Once()).run(part.close())
        except Exception as error:  # the others, the state and the log are closed all the same
            warnings.warn(ToolcribWarning(f"{type(part).__name__}.close failed: {error}"), stacklevel=4)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
