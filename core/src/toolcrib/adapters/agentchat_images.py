"""Pictures that governed code left, as AgentChat carries them: `autogen_core.Image` in a `MultiModalMessage`.

AgentChat's tool results are text, so a picture reaches an agent as a message. What code left is a stranger's
file: it is opened only if its bytes are a PNG, JPEG or GIF of a bounded number of pixels, and never an SVG,
which is a program.
"""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any

from autogen_agentchat.agents import CodeExecutorAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage, MultiModalMessage
from autogen_core import CancellationToken, Image
from PIL import Image as Pictures

from toolcrib.adapters._code_blocks import LocalSource
from toolcrib.adapters.agentchat_code import GovernedCodeExecutor
from toolcrib.artifacts import ArtifactStore, StoredArtifact, TenantArtifacts
from toolcrib.errors import ConfigError, ToolcribError
from toolcrib.principal import Principal

__all__ = ["PicturingExecutorAgent", "picture_message"]

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF"}
MOST_PIXELS = 25_000_000
"""Of one picture: a few kilobytes can be gigabytes once they are decoded."""
MOST_PICTURES = 8
"""In one message."""
_UNSHOWN = (
    ToolcribError,
    ValueError,
    OSError,
    SyntaxError,
    Pictures.DecompressionBombError,
    Pictures.DecompressionBombWarning,
)
"""What opening a stranger's picture may raise."""


def picture_message(
    source: LocalSource,
    principal: Principal,
    files: Iterable[StoredArtifact],
    *,
    text: str = "",
    name: str = "",
) -> MultiModalMessage:
    """A message with `text`, a line for each file that says where it lies, and the pictures among the files.

    `files` are those of `GovernedCodeExecutor.files`, or of `toolcrib.artifacts.files_of(result)`; `name` is
    who says it, the principal's agent unless given. A file that cannot be shown is told with the reason.
    """
    store = ArtifactStore(source.config.state / "artifacts").of(principal.tenant)
    lines, pictures = [text] if text else [], list[Image]()
    for each in files:
        lines.append(_line(store, each))
        if each.media_type in FORMATS:
            try:
                if len(pictures) >= MOST_PICTURES:
                    raise ValueError(f"there are {MOST_PICTURES} already")
                pictures.append(_open(store.read(each.digest), each.media_type))
            except _UNSHOWN as error:
                lines.append(f"  cannot be shown: {error}"[:300])
    return MultiModalMessage(source=name or principal.agent, content=["\n".join(lines), *pictures])


class PicturingExecutorAgent(CodeExecutorAgent):
    """AgentChat's `CodeExecutorAgent` whose answer carries the pictures that its code left.

    Takes what `CodeExecutorAgent` takes; `code_executor` must be governed. Agents behind it need a model with
    vision to see them; for others AgentChat leaves the pictures out.
    """

    def __init__(self, name: str, code_executor: GovernedCodeExecutor, **options: Any) -> None:
        if not isinstance(code_executor, GovernedCodeExecutor):
            raise ConfigError(
                f"{name} has a code executor of type {type(code_executor).__name__}",
                rule="only a governed executor keeps the files of its runs",
                remedy="Give it a toolcrib.adapters.agentchat_code.GovernedCodeExecutor",
            )
        super().__init__(name, code_executor, **options)
        self._governed = code_executor

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        """Those of the base class, and messages with pictures."""
        return (*super().produced_message_types, MultiModalMessage)

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        """What the base class says; its answer with the pictures of the code that it ran for it."""
        self._governed.forget_last()
        async for item in super().on_messages_stream(messages, cancellation_token):
            if isinstance(item, Response) and self._governed.files:
                message = self._with_files(item.chat_message)
                yield Response(chat_message=message, inner_messages=item.inner_messages)
            else:
                yield item

    def _with_files(self, message: BaseChatMessage) -> MultiModalMessage:
        return picture_message(
            self._governed.source,
            self._governed.principal,
            self._governed.files,
            text=message.to_model_text(),
            name=self.name,
        )


def _line(store: TenantArtifacts, file: StoredArtifact) -> str:
    try:
        return f"{file.name}: {store.path(file.digest)} ({file.media_type}, {file.size:,} bytes)"
    except ToolcribError:
        return f"{file.name}: gone ({file.media_type}, {file.size:,} bytes)"


def _open(data: bytes, media_type: str) -> Image:
    """The picture, decoded; ValueError for one that is too large, OSError for what is none."""
    with Pictures.open(io.BytesIO(data), formats=[FORMATS[media_type]]) as picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise ValueError(f"it has {width:,} times {height:,} pixels, and {MOST_PIXELS:,} may be shown")
        return Image.from_pil(picture)
