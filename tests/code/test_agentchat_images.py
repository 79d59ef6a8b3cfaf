"""A plot made by one agent is seen by another: as a picture in the request to its model."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import MultiModalMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.ui import Console
from autogen_core import CancellationToken, Image
from autogen_core.code_executor import CodeBlock
from autogen_core.models import ModelInfo
from autogen_ext.code_executors.local import LocalCommandLineCodeExecutor
from autogen_ext.models.openai import OpenAIChatCompletionClient
from PIL import Image as Pictures

from toolcrib import Crib
from toolcrib.adapters.agentchat_code import GovernedCodeExecutor
from toolcrib.adapters.agentchat_images import MOST_PICTURES, PicturingExecutorAgent, picture_message
from toolcrib.artifacts import ArtifactStore, StoredArtifact
from toolcrib.errors import ConfigError
from toolcrib.testing import ModelRequest, Say, ScriptedModel

PLOT = """
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\\0" + (b"\\xff\\0\\0" if y < 5 else b"\\0\\0\\xff") * 20 for y in range(10))
png = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 10, 8, 2, 0, 0, 0))
png += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
open("plot.png", "wb").write(png)
open("plot.svg", "w").write("<svg xmlns='http://www.w3.org/2000/svg'/>")
print("plotted")
"""
"""A flag of two colours, by the standard library alone."""


def vision(model: ScriptedModel, *, sees: bool) -> OpenAIChatCompletionClient:
    info = ModelInfo(
        vision=sees, function_calling=True, json_output=False, family="unknown", structured_output=False
    )
    return OpenAIChatCompletionClient(model="any", base_url=model.base_url, api_key="none", model_info=info)


def runner(crib: Crib, agent: str = "coder") -> PicturingExecutorAgent:
    executor = GovernedCodeExecutor(crib, crib.principal(agent, "alice", run="pictures"))
    return PicturingExecutorAgent("runner", executor)


async def looked_at(crib: Crib, code: str, *, sees: bool, agent: str = "coder") -> Any:
    """What a critic's model is sent when it speaks after the runner; and the team's messages."""
    asked: list[ModelRequest] = []

    def critic(request: ModelRequest) -> Say:
        asked.append(request)
        return Say("I see.")

    with ScriptedModel({"any": critic}) as model:
        client = vision(model, sees=sees)
        team = RoundRobinGroupChat(
            [runner(crib, agent), AssistantAgent("critic", client)],
            termination_condition=MaxMessageTermination(3),
        )
        result = await team.run(task=f"```python\n{code}\n```")
        await client.close()
        return asked[-1].messages, result.messages


async def test_the_critics_model_is_sent_the_very_picture(crib: Crib) -> None:
    sent, said = await looked_at(crib, PLOT, sees=True)
    (picture,) = [
        part for message in sent if isinstance(message["content"], list)
        for part in message["content"] if part["type"] == "image_url"
    ]  # fmt: skip
    data = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
    with Pictures.open(io.BytesIO(data)) as seen:
        assert seen.size == (20, 10)
        assert (seen.getpixel((3, 2)), seen.getpixel((3, 8))) == ((255, 0, 0), (0, 0, 255))
    answer = next(message for message in said if message.source == "runner")
    assert isinstance(answer, MultiModalMessage) and "plotted" in answer.to_text()


async def test_a_model_without_vision_is_sent_words_alone(crib: Crib) -> None:
    sent, _ = await looked_at(crib, PLOT, sees=False)
    assert "image_url" not in str(sent) and "plot.png" in str(sent)


async def test_what_leaves_no_file_or_is_denied_is_text(crib: Crib) -> None:
    for code, agent, word in (("print(6 * 7)", "coder", "42"), (PLOT, "nobody", "DENIED")):
        _, said = await looked_at(crib, code, sees=True, agent=agent)
        answer = next(message for message in said if message.source == "runner")
        assert isinstance(answer, TextMessage) and word in answer.content


async def test_pictures_of_the_last_run_are_not_shown_again(crib: Crib) -> None:
    one, token = runner(crib), CancellationToken()
    first = await one.on_messages([TextMessage(content=f"```python\n{PLOT}\n```", source="user")], token)
    assert isinstance(first.chat_message, MultiModalMessage)
    second = await one.on_messages([TextMessage(content="no code here", source="user")], token)
    assert isinstance(second.chat_message, TextMessage)


async def test_the_console_shows_where_it_lies(crib: Crib, capsys: Any) -> None:
    task = TextMessage(content=f"```python\n{PLOT}\n```", source="user")
    await Console(runner(crib).run_stream(task=task))
    printed = capsys.readouterr().out
    store = crib.config.state / "artifacts" / "tenant-acme"
    paths = [word for word in printed.split() if word.startswith(str(store))]
    assert len(paths) == 2 and "image/svg+xml" in printed
    with Pictures.open(paths[0]) as picture:
        assert picture.size == (20, 10)


# --- files that are not what they seem


def kept(crib: Crib, name: str, data: bytes) -> StoredArtifact:
    return ArtifactStore(crib.config.state / "artifacts").of("acme").keep(name, data)


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that would take gigabytes: its head is all that may be believed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bomb(9_000), "9,000 times 9,000 pixels"),
        (bomb(60_000), "cannot be shown"),
        (b"\x89PNG\r\n\x1a\nrubbish", "cannot be shown"),
        (b"\xff\xd8\xff\xe0rubbish", "cannot be shown"),
        (bomb(100), "cannot be shown"),  # its end is missing
    ],
)
def test_a_picture_that_is_too_large_or_none_is_told(crib: Crib, data: bytes, why: str) -> None:
    message = picture_message(crib, crib.principal("coder", "alice"), [kept(crib, "x.png", data)])
    assert why in str(message.content[0]) and len(message.content) == 1


def test_a_name_or_type_that_is_claimed_opens_nothing(crib: Crib) -> None:
    svg = kept(crib, "fake.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    lying = StoredArtifact("lying.png", svg.digest, "image/png", svg.size)
    message = picture_message(crib, crib.principal("coder", "alice"), [svg, lying])
    assert len(message.content) == 1 and str(message.content[0]).count("cannot be shown") == 1


def test_another_tenants_picture_is_gone(crib: Crib) -> None:
    from dataclasses import replace

    theirs = replace(crib.principal("coder", "alice"), tenant="globex")
    message = picture_message(crib, theirs, [kept(crib, "x.png", bomb(10))], text="See:")
    assert message.content[0].startswith("See:\nx.png: gone") and len(message.content) == 1


async def test_a_message_has_so_many_pictures_and_no_more(crib: Crib) -> None:
    executor = GovernedCodeExecutor(crib, crib.principal("coder", "alice", run="many"))
    await executor.execute_code_blocks([CodeBlock(PLOT, "python")], CancellationToken())
    plots = [each for each in executor.files if each.media_type == "image/png"] * (MOST_PICTURES + 1)
    message = picture_message(crib, crib.principal("coder", "alice"), plots)
    assert sum(isinstance(each, Image) for each in message.content) == MOST_PICTURES
    assert "there are 8 already" in str(message.content[0])


def test_an_executor_that_is_not_governed_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="LocalCommandLineCodeExecutor"):
        PicturingExecutorAgent("runner", LocalCommandLineCodeExecutor(work_dir=tmp_path))  # type: ignore[arg-type]
