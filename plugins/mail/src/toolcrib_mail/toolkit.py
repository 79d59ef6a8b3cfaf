"""The tools: drafts in a folder, and an outbox of .eml files that a mail server may pick up."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import Field

from toolcrib import CallContext, Preview, Target, Toolkit, tool
from toolcrib.errors import VendorRefused
from toolcrib_mail.files import read, write_once
from toolcrib_mail.message import Content, build, identifier_of
from toolcrib_mail.models import Address, Body, Draft, Sent, Subject
from toolcrib_mail.settings import MailSettings

__all__ = ["Mail"]

DRAFT_ID = re.compile(r"draft-[0-9a-f]{24}")

DraftId = Annotated[str, Field(pattern="^draft-[0-9a-f]{24}$")]
Recipients = Annotated[list[Address], Field(min_length=1), Target]
Copies = Annotated[list[Address], Target]


class Mail(Toolkit):
    """Drafts are kept in `folder/drafts`, messages go to the outbox; both belong to one tenant.

    The tools are plain functions: they write files, so they run in a worker thread.
    """

    def __init__(self, settings: MailSettings, folder: Path) -> None:
        self._settings = settings
        self._drafts = folder / "drafts"
        self._outbox = folder / settings.outbox  # an absolute outbox stays as it is

    @tool(effect="write", idempotent=True)
    def draft(
        self,
        to: Recipients,
        subject: Subject,
        body: Body,
        ctx: CallContext,
        cc: Copies = [],  # noqa: B006
    ) -> Draft:
        """Keep a draft of an e-mail and show how it reads; nothing is sent.

        The same draft kept again is the same draft, with the same id.

        Args:
            to: Plain addresses, without display names.
            subject: One line.
            body: Plain text.
            cc: Plain addresses for copies.
        """
        content = self._checked(Content.of(to, cc, subject, body))
        data = orjson.dumps({"owner": _owner(ctx), "content": asdict(content)}, option=orjson.OPT_SORT_KEYS)
        draft_id = f"draft-{hashlib.sha256(data).hexdigest()[:24]}"
        file = self._drafts / f"{draft_id}.json"
        if read(file) != data:
            write_once(file, data)
        return Draft(draft_id=draft_id, text=content.text, **asdict(content))

    @tool(effect="read")
    def get_draft(self, ctx: CallContext, draft_id: DraftId | None = None) -> Draft | None:
        """A draft of this user, as it was kept; nothing where no id is given.

        Args:
            draft_id: The id that `draft` gave.
        """
        return None if draft_id is None else self._draft(draft_id, ctx)

    @tool(effect="send", preview=Preview("get_draft", draft_id="draft_id"))
    def send(
        self,
        to: Recipients,
        subject: Subject,
        body: Body,
        ctx: CallContext,
        cc: Copies = [],  # noqa: B006
        draft_id: DraftId | None = None,
    ) -> Sent:
        """Send an e-mail. What is sent is what stands in the arguments; a draft is only referred to.

        Args:
            to: Plain addresses, without display names.
            subject: One line.
            body: Plain text.
            cc: Plain addresses for copies.
            draft_id: The draft that this message comes from; an approver sees what changed since.
        """
        content = self._checked(Content.of(to, cc, subject, body))
        if draft_id is not None:
            self._draft(draft_id, ctx)
        name = _digest(*_owner(ctx), ctx.principal.agent, ctx.idempotency_key)[:32]
        # The content is part of the Message-ID, so a look at it tells whether this is the same message.
        identifier = f"{name}.{content.digest[:16]}"
        file = self._outbox / f"{name}.eml"
        self._put(file, content, identifier)
        message_id = f"<{identifier}@{self._settings.sender.partition('@')[2]}>"
        return Sent(message_id=message_id, to=content.to, cc=content.cc, subject=subject, file=file.name)

    def _put(self, file: Path, content: Content, identifier: str) -> None:
        """Write the message unless this very call did so before; one call never makes two messages."""
        before = read(file)
        if before is None:
            write_once(file, build(content, sender=self._settings.sender, identifier=identifier))
        elif identifier_of(before) != identifier:
            raise VendorRefused(
                "this call has already sent another message",
                rule="one idempotency key stands for one message",
                remedy="Send the new message in a new call",
            )

    def _checked(self, content: Content) -> Content:
        limit = self._settings.max_recipients
        if content.recipients > limit:
            raise VendorRefused(
                f"{content.recipients} recipients are too many",
                rule=f"[packs.mail] max_recipients = {limit}",
                remedy="Send to fewer, or ask the operator",
            )
        return content

    def _draft(self, draft_id: str, ctx: CallContext) -> Draft:
        data = read(self._drafts / f"{draft_id}.json") if DRAFT_ID.fullmatch(draft_id) else None
        kept: dict[str, Any] = orjson.loads(data) if data else {}
        if kept.get("owner") != _owner(ctx):
            raise VendorRefused(
                f"there is no draft {draft_id!r}",
                rule="a user sees the drafts of that user",
                remedy="Make one with draft",
            )
        return Draft(draft_id=draft_id, text=Content(**kept["content"]).text, **kept["content"])


def _owner(ctx: CallContext) -> list[str]:
    """Tenant and user: agents of one user work on the same drafts."""
    return [ctx.principal.tenant, ctx.principal.user or ""]


def _digest(*parts: str) -> str:
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
