"""Pitfall 8: AutoGen's loggers write down arguments and results."""

from __future__ import annotations

import json
import logging

import pytest
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.logging import DeliveryStage, MessageEvent, MessageKind

from toolcrib.adapters._agentchat_logs import LOGGERS
from toolcrib.adapters.agentchat import governed_agent, protect_logs, unprotect_logs

IBAN, NAME, RESULT = "DE89370400440532013000", "Erika Mustermann", "B12345678"


@pytest.fixture
def lines():
    """Everything that AutoGen's loggers let out, at the lowest level."""
    out: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record):
            out.append(f"{record.name}: {self.format(record)}")

    handler = Keep()
    roots = [logging.getLogger(name) for name in ("autogen_core", "autogen_agentchat")]
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
    for root in roots:
        root.addHandler(handler)
    protect_logs()
    yield out
    for root in roots:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    protect_logs()


async def run_a_team(crib, clients):
    agent = governed_agent(
        crib, crib.principal("operator", "alice"), clients("a"), handoffs=["boss"], max_tool_iterations=3
    )
    team = RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2))
    await team.run(task=f"wire 5 to {NAME}")


def script():
    return [("wire", {"iban": IBAN, "amount": 5}), ("tell", {"name": NAME}), f"done, {RESULT}"]


def with_tell(crib):
    from autogen_core.tools import FunctionTool

    def tell(name: str) -> str:
        return f"the number of {name} is {RESULT}"

    crib.adopt(FunctionTool(tell, "Tell a number."), effect="read")
    return crib


async def test_pitfall_8_arguments_and_results_stay_out_of_the_event_log(crib_of, model, lines):
    crib = with_tell(crib_of("p, *, acme, *, *, True, allow"))
    await run_a_team(crib, model(a=script()))
    text = "\n".join(lines)
    assert IBAN not in text
    assert NAME not in text
    assert RESULT not in text


async def test_pitfall_8_the_shape_of_events_is_still_logged(crib_of, model, lines):
    crib = with_tell(crib_of("p, *, acme, *, *, True, allow"))
    await run_a_team(crib, model(a=script()))
    text = "\n".join(lines)
    assert '"type": "LLMCall"' in text
    assert '"type": "ToolCall", "tool_name": "tell", "arguments": "[withheld]"' in text
    assert '"name": "wire"' in text
    assert '"prompt_tokens": ' in text
    assert '"delivery_stage"' in text


async def test_pitfall_8_without_the_filter_they_would_be_there(crib_of, model, lines):
    crib = with_tell(crib_of("p, *, acme, *, *, True, allow"))
    unprotect_logs()
    await run_a_team(crib, model(a=script()))
    text = "\n".join(lines)
    assert IBAN in text
    assert NAME in text
    assert RESULT in text


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "StructuredMessage", "content": {"name": NAME, "type": IBAN}},
        {"arguments": {"name": NAME}, "name": "wire"},
        {"type": "TextMessage", "content": NAME, "metadata": {"id": IBAN}},
        {"content": [{"type": "text", "text": NAME}]},
    ],
)
def test_pitfall_8_a_name_that_is_content_is_withheld(lines, payload):
    event = MessageEvent(
        payload=json.dumps(payload),
        sender=None,
        receiver=None,
        kind=MessageKind.PUBLISH,
        delivery_stage=DeliveryStage.SEND,
    )
    logging.getLogger("autogen_core.events").info(event)
    assert len(lines) == 1
    assert NAME not in lines[0]
    assert IBAN not in lines[0]
    assert payload == json.loads(event.kwargs["payload"])  # the event itself is not touched


def test_pitfall_8_an_exception_is_logged_by_its_type(lines):
    log = logging.getLogger("autogen_core")
    try:
        raise ValueError(f"cannot pay {IBAN}")
    except ValueError:
        log.exception("Error processing publish message for %s", "agent_1")
    assert lines == ["autogen_core: Error processing publish message for agent_1 (ValueError)"]


def test_pitfall_8_other_loggers_are_left_alone(lines, caplog):
    with caplog.at_level("INFO", logger="an.application"):
        logging.getLogger("an.application").info('{"arguments": "mine"}')
    assert caplog.messages == ['{"arguments": "mine"}']
