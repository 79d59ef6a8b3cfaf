"""The audit records of a call: what a reader of the log must know, as plain JSON-compatible data."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from toolcrib.audit._record import Encoded, encode
from toolcrib.calls import ToolResult
from toolcrib.executor._case import Case
from toolcrib.executor._words import writable
from toolcrib.tools import Tool

if TYPE_CHECKING:
    from toolcrib.audit import HmacKey
    from toolcrib.decisions import Decision
    from toolcrib.policy import Policy
    from toolcrib.principal import Principal
    from toolcrib.secrets import Redactor

__all__ = ["Beside", "Records"]

MOST_KNOWN = 4096
"""Shared decisions whose facts are kept at hand."""

LARGEST = 16 * 1024
"""Arguments over this many bytes are kept as digest and beginning, so that one call cannot fill the log."""


class Beside(Protocol):
    """A policy that is tried beside the one in force; it decides nothing."""

    def beside(self, case: Case) -> dict[str, Any] | None:
        """What it would have said of a decided call; None if there is nothing to say. Never raises."""


class Records:
    """Builds records; sensitive arguments become HMACs, and no secret that was handed out passes."""

    def __init__(self, hmac_key: HmacKey, redactor: Redactor, shadow: Beside | None = None) -> None:
        self._hmac_key, self._redactor, self._shadow = hmac_key, redactor, shadow
        self._known: dict[int, tuple[Decision, dict[str, Any]]] = {}

    def refusal(self, case: Case, result: ToolResult) -> Encoded:
        """The one record of a call that never ran."""
        record = self._call("refusal", case)
        self._add_arguments(record, case)
        self._add_decision(record, case)
        record["status"] = result.status
        record["error"] = writable(result.text)
        record["duration_us"] = int(case.seconds * 1e6)
        if result.approval:
            record["approval"] = result.approval
        return self.clean(record)

    def intent(self, case: Case) -> Encoded:
        """What is about to happen; durable before anything does."""
        record = self._call("intent", case)
        self._add_arguments(record, case)
        self._add_decision(record, case)
        if case.approval:
            record["approval"] = case.approval.id
            record["approver"] = sorted({answer.by for answer in case.approval.standing})
            if case.asked is not case.arguments and case.asked is not None and case.tool is not None:
                record["edited"] = {"asked": self.arguments(case.tool, case.asked.plain)}
        return self.clean(record)

    def outcome(self, case: Case, result: ToolResult, digest: str) -> Encoded:
        """What came of it."""
        record = self._call("outcome", case)
        record["status"] = result.status
        record["attempts"] = case.attempts
        record["duration_us"] = int(case.seconds * 1e6)
        if result.is_error:
            record["error"] = result.text
        if digest:
            record["result_digest"] = digest
        if result.artifact:
            record["artifact"] = result.artifact
        _add_secrets(record, case)
        if case.notes:
            record["notes"] = case.notes
        if case.tool is not None and case.tool.labels:
            record["labels"] = sorted(case.tool.labels)
        return self.clean(record)

    def preview(
        self,
        case: Case,
        kind: str,
        tool: Tool,
        arguments: Mapping[str, Any],
        inner: Case | None = None,
        **more: Any,
    ) -> Encoded:
        """Intent or outcome of a preview, which is a read inside the call, with the secrets of `inner`."""
        record = self._call(kind, case)
        record.update(tool=tool.name, effect="read", preview_of=case.call.call_id, id=f"{case.id}p")
        if kind == "intent":
            record["arguments"] = self._hidden(_sensitive_in_preview(case, tool), arguments)
        if inner is not None:
            _add_secrets(record, inner)
        record.update(more)
        return self.clean(record)

    def arguments(self, tool: Tool, plain: Mapping[str, Any]) -> Any:
        """The arguments as the log keeps them."""
        return self._hidden(tool.sensitive, plain) if tool.sensitive else plain

    def _hidden(self, sensitive: Collection[str], plain: Mapping[str, Any]) -> dict[str, Any]:
        digest = self._hmac_key.digest
        return {name: digest(value) if name in sensitive else value for name, value in plain.items()}

    def _call(self, kind: str, case: Case) -> dict[str, Any]:
        call, tool = case.call, case.tool
        principal = call.principal
        record: dict[str, Any] = {
            "kind": kind,
            "id": case.id,
            "call": writable(str(call.call_id)[:200]),
            "tool": writable(str(call.tool)[:200]) if tool is None else tool.name,
            "agent": principal.agent,
            "tenant": principal.tenant,
            "session": principal.session,
            "run": principal.run,
        }
        if principal.user is not None:
            record["user"] = principal.user
        if tool is not None:
            record["pack"], record["effect"] = tool.pack, tool.effect
            if tool.pack_version:
                record["pack_version"] = tool.pack_version
        return record

    def _add_arguments(self, record: dict[str, Any], case: Case) -> None:
        call, frozen = case.call, case.arguments
        if frozen is None or case.tool is None:
            record["arguments"] = self._unchecked(case)
            record["unchecked"] = True  # a policy that reads them later must not take "7" for 7
        elif len(case.raw) > LARGEST:
            plain = {"sha256": hashlib.sha256(frozen.canonical).hexdigest()}
            told = self._hmac_key.digest(frozen.plain) if case.tool.sensitive else plain
            record["arguments"] = {**told, "bytes": len(frozen.canonical)}
        else:
            record["arguments"] = self.arguments(case.tool, frozen.plain)
            if case.tool.targets:
                record["targets"] = list(case.tool.targets)
        if case.changes_the_world:
            record["key"] = writable(call.key[:200])
        for name, text in (
            ("reason", call.reason),
            ("model", call.model),
            ("prompt_version", call.prompt_version),
        ):
            if text:
                record[name] = writable(text[:2000])

    def _unchecked(self, case: Case) -> Any:
        """Arguments that were not checked; by names and digest only if one of them might be sensitive.

        With a key: a plain digest of a short value can be found by trying values out.
        """
        if 0 < len(case.raw) <= LARGEST and case.tool is not None and not case.tool.sensitive:
            return orjson.loads(case.raw)
        if not case.raw:  # not JSON, or more than a call may bring; the record's error says which
            return {"unreadable": True}
        names = sorted(orjson.loads(case.raw))[:50]
        return {
            **self._hmac_key.digest(case.raw.decode()),
            "bytes": len(case.raw),
            "names": [name[:80] for name in names],
        }

    def _add_decision(self, record: dict[str, Any], case: Case) -> None:
        decision, policy = case.decision, case.policy
        if policy is None:
            return
        if decision is None:
            record["roles"] = _roles(policy, case.call.principal)
            return
        # Where no condition is read, policy hands out one shared decision per principal and tool.
        known = self._known.get(id(decision))
        if known is None or known[0] is not decision:
            known = (decision, _decided(decision, _roles(policy, case.call.principal)))
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            if not decision.inputs:
                self._known[id(decision)] = known
        record.update(known[1])
        if decision.is_open:
            record["open"] = True  # it never came to a verdict: the preview failed
        if decision.inputs:
            record["inputs"] = {
                name: self._input(case, name, value) for name, value in decision.inputs.items()
            }
        if case.preview_digest:
            record["preview_digest"] = case.preview_digest
        if self._shadow is not None and (told := self._shadow.beside(case)):
            record["shadow"] = told

    def _input(self, case: Case, name: str, value: Any) -> Any:
        """A value that a condition read; a sensitive argument is an HMAC here too."""
        root, _, rest = name.partition(".")
        if root != "args" or case.tool is None or not case.tool.sensitive:
            return value
        if not rest:
            return self.arguments(case.tool, value) if isinstance(value, Mapping) else None
        argument = rest.partition(".")[0]
        return self.arguments(case.tool, {argument: value})[argument]

    def clean(self, record: dict[str, Any]) -> Encoded:
        """The record without any secret handed out in this process, as the bytes that were searched."""
        data = encode(record)
        cleaned: dict[str, Any] = self._redactor.clean_value(record, data)
        found = Encoded(cleaned)
        found.data = data if cleaned is record else encode(cleaned)
        return found


def _add_secrets(record: dict[str, Any], case: Case) -> None:
    """What was used, by path and version, and what was refused, by name."""
    if case.secrets:
        record["secrets"] = case.secrets
    if case.refused:
        record["secrets_refused"] = case.refused


def _roles(policy: Policy, principal: Principal) -> dict[str, list[str]]:
    return {subject: list(policy.roles(subject, principal.tenant)) for subject in principal.subjects}


def _decided(decision: Decision, roles: dict[str, list[str]]) -> dict[str, Any]:
    rows = (*decision.rows, *decision.reviews, *decision.quotas)
    return {
        "roles": roles,
        "decision": decision.verdict,
        "revision": decision.revision,
        "rows": [str(row) for row in rows],
    }


def _sensitive_in_preview(case: Case, tool: Tool) -> set[str]:
    """The preview's own sensitive parameters, and those that are filled from sensitive ones of the call."""
    asking = case.tool
    filled = asking.preview.mapping.items() if asking is not None and asking.preview is not None else ()
    hidden = {name for name, source in filled if asking is not None and source in asking.sensitive}
    return hidden.union(tool.sensitive)
