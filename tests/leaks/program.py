"""One governed run as a builder writes it: `program.py FOLDER agentchat|classic`.

Everything it has is real but the model, which asks for whatever gives the secret away, and hands on all
that it was told.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import sys
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from toolcrib import CallContext, Crib, Toolkit, tool
from toolcrib.testing import ScriptedModel

FOLDER = Path(sys.argv[1])
LOG = logging.getLogger("vendor.client")
TRACER = trace.get_tracer("vendor.client")
HOWS = ("use", "return", "encode", "raise", "log")


class Vendor(Toolkit):
    """A careless client."""

    @tool(effect="read")
    async def ask(self, how: str, ctx: CallContext) -> Any:
        """Ask the vendor."""
        value = (await ctx.secret("key")).reveal()
        (FOLDER / "used").write_text(str(len(value)))
        ctx.progress(f"with {value}")
        with TRACER.start_as_current_span(f"POST /login?key={value}") as span:
            span.set_attributes({"http.request.header.authorization": [f"Bearer {value}"], value: 1})
            span.add_event("sent", {"body": base64.b64encode(value.encode()).decode()})
            return self._answer(how, value)

    def _answer(self, how: str, value: str) -> Any:
        if how == "return":
            return {"config": {"password": value, "lines": [value[:12], value[12:]]}}
        if how == "encode":
            return [base64.b64encode(f"api:{value}".encode()).decode(), value.encode().hex(), value.upper()]
        if how == "raise":
            raise ConnectionError(f"401 from https://api:{value}@vendor.example") from KeyError(value)
        if how == "log":
            LOG.error("login with %s", value, extra={"headers": {"authorization": value}})
            try:
                raise ValueError(value)
            except ValueError:
                LOG.exception("no luck")
        return "ok"

    @tool(effect="send")
    def mail(self, text: str) -> str:
        """Mail a text."""
        with (FOLDER / "outbox").open("a") as outbox:
            outbox.write(text + "\n")
        return "sent"


def script() -> list[Any]:
    def passing_on(request: Any) -> Any:
        return ("mail", {"text": "\n".join(str(message) for message in request.messages)})

    return [*(("ask", {"how": how}) for how in HOWS), passing_on, lambda asked: f"{asked.text} TERMINATE"]


async def agentchat(crib: Crib, model: ScriptedModel) -> None:
    from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
    from autogen_agentchat.teams import RoundRobinGroupChat
    from autogen_agentchat.ui import Console
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    from toolcrib.adapters.agentchat import MESSAGE_TYPES, governed_agent

    able: Any = dict.fromkeys(("vision", "function_calling", "json_output", "structured_output"), True)
    client = OpenAIChatCompletionClient(
        model="worker", base_url=model.base_url, api_key="test", model_info={**able, "family": "unknown"}
    )
    agent = governed_agent(
        crib, crib.principal("worker", "alice"), client, max_tool_iterations=9, events=True
    )
    stop = TextMentionTermination("TERMINATE") | MaxMessageTermination(40)
    team = RoundRobinGroupChat([agent], termination_condition=stop, custom_message_types=MESSAGE_TYPES)
    await Console(team.run_stream(task="go"))


def classic(crib: Crib, model: ScriptedModel) -> None:
    from autogen import AssistantAgent

    from toolcrib.adapters.classic import HumanProxyAgent, offer

    def ends(message: Any) -> bool:
        return "TERMINATE" in str(message.get("content") or "")

    entry = {"model": "worker", "base_url": model.base_url, "api_key": "none"}
    alice = crib.principal("worker", user="alice", run="run-1")
    worker = AssistantAgent(
        "worker", llm_config={"config_list": [entry], "cache_seed": None}, is_termination_msg=ends
    )
    offer(crib, worker, alice)
    proxy = HumanProxyAgent("proxy", crib, [alice], is_termination_msg=ends)
    proxy.initiate_chat(worker, message="go")


def main() -> None:
    logging.basicConfig(level=logging.DEBUG)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=(FOLDER / "spans").open("w"))))
    trace.set_tracer_provider(provider)
    with Crib.from_config(FOLDER / "toolcrib.toml") as crib:
        crib.add(Vendor())
        with ScriptedModel({"worker": script()}, transcript=FOLDER / "transcript.jsonl") as model:
            if sys.argv[2] == "agentchat":
                asyncio.run(agentchat(crib, model))
            else:
                classic(crib, model)
        print("statuses", [record["status"] for record in _outcomes(crib)])


def _outcomes(crib: Crib) -> list[dict[str, Any]]:
    from toolcrib.audit import query

    return [record for record in query(crib.config.state / "audit") if record["kind"] == "outcome"]


main()
