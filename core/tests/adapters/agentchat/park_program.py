"""One process of a parked run: `park_program.py FOLDER start|resume|ask_again|kill`. Prints one JSON object.

`start` runs a team until a call is parked, and saves it; `resume` loads, settles and runs on (`ask_again`
interrupted calls too); `kill` saves the team while a call waits for a human, and dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_ext.models.openai import OpenAIChatCompletionClient

from toolcrib import Crib, tool
from toolcrib.adapters.agentchat import (
    MESSAGE_TYPES,
    ApprovalRequestedEvent,
    governed_agent,
    pending_approval,
    settle_pending,
)
from toolcrib.testing import ModelRequest, ScriptedModel

FOLDER = Path(sys.argv[1])
INFO: Any = dict.fromkeys(("vision", "function_calling", "json_output", "structured_output"), True) | {
    "family": "unknown"
}


@tool(effect="write")
def pay(account: str, amount: int) -> str:
    """Pay an amount to an account."""
    with (FOLDER / "paid").open("a") as file:
        file.write(f"{amount} to {account}\n")
    return f"paid {amount} to {account}"


def analyst(request: ModelRequest) -> Any:
    return f"the analyst has heard: {request.text}"


def operator(request: ModelRequest) -> Any:
    reply = request.reply_of("pay")
    if reply is None:
        return ("pay", {"account": "B", "amount": 7})
    return f"TERMINATE; the tool said: {reply.content}"


def team_of(crib: Crib, server: ScriptedModel) -> RoundRobinGroupChat:
    agents = [
        governed_agent(
            crib,
            crib.principal(name, "alice", run="run-1"),
            OpenAIChatCompletionClient(
                model=name, base_url=server.base_url, api_key="test", model_info=INFO, max_retries=0
            ),
            max_tool_iterations=3,
            events=True,
        )
        for name in ("analyst", "operator")
    ]
    stop = pending_approval() | TextMentionTermination("TERMINATE") | MaxMessageTermination(12)
    return RoundRobinGroupChat(agents, termination_condition=stop, custom_message_types=MESSAGE_TYPES)


async def main(what: str) -> None:
    crib = Crib.from_config(FOLDER / "toolcrib.toml")
    crib.add(pay)
    state = FOLDER / "team.json"
    with ScriptedModel({"analyst": analyst, "operator": operator}) as server:
        team = team_of(crib, server)
        if what == "kill":
            async for event in team.run_stream(task="move 7 to B"):
                if isinstance(event, ApprovalRequestedEvent):
                    state.write_text(json.dumps(await team.save_state()))
                    print(json.dumps({"approval": event.approval}), flush=True)
                    os.kill(os.getpid(), signal.SIGKILL)
        if what == "start":
            result = await team.run(task="move 7 to B")
            state.write_text(json.dumps(await team.save_state()))
            said = {"stop": result.stop_reason, "approval": crib.state.list_approvals()[0].id}
        else:
            await team.load_state(json.loads(state.read_text()))
            settled = await settle_pending(team, crib, ask_again=what == "ask_again")
            if settled.waiting:
                print(json.dumps({"waiting": settled.waiting}))
                return
            result = await team.run()
            said = {
                "settled": [each.status for each in settled.results],
                "said": [f"{m.source}: {m.to_text()}" for m in result.messages],
                "tool": server.asked("operator")[0].reply_of("pay").content,
            }
        print(json.dumps(said))
    crib.close()


asyncio.run(main(sys.argv[2]))
