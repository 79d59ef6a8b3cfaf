"""One agent asks, the proxy runs: through the real client, sync and async."""

import pytest
from autogen import ConversableAgent
from autogen.io.base import IOStream

from toolcrib.adapters.classic import offer
from toolcrib.errors import ConfigError
from toolcrib.testing import Call


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_runs_and_its_result_comes_back(make, bank, serve, pair, chat, log, stream):
    crib = make()
    script = [Call("read_balance", {"account": "A"}), lambda asked: f"{asked.text} TERMINATE"]
    with serve(analyst=script) as model:
        analyst, runner = pair(crib, model, "analyst", stream=stream)
        result = chat(runner, analyst)
    assert result.chat_history[-1]["content"] == "A holds 100 TERMINATE"
    assert bank.read == [("analyst", "alice", "A")]
    intent, outcome = log()
    assert (intent["kind"], intent["agent"], intent["user"], intent["model"]) == (
        "intent",
        "analyst",
        "alice",
        "analyst",
    )
    assert (outcome["kind"], outcome["status"]) == ("outcome", "done")


def test_the_model_sees_only_what_is_offered(make, serve, pair, chat):
    crib = make()
    with serve(analyst=["TERMINATE"], operator=["TERMINATE"]) as model:
        for name in ("analyst", "operator"):
            asker, runner = pair(crib, model, name)
            chat(runner, asker)
    assert model.asked("analyst")[0].tools == ("read_balance",)
    assert model.asked("operator")[0].tools == ("look_up", "read_balance", "transfer")


def test_a_denial_says_that_trying_again_will_not_help(make, bank, serve, pair, chat, log, answers):
    crib = make()
    script = [Call("transfer", {"account": "A", "amount": 9}), "I may not. TERMINATE"]
    with serve(analyst=script) as model:
        analyst, runner = pair(crib, model, "analyst")
        result = chat(runner, analyst)
    (text,) = answers(result.chat_history)
    assert text.startswith("DENIED")
    assert "Asking again will not help" in text
    assert bank.moved == []
    assert [(record["kind"], record["status"], record["tool"]) for record in log()] == [
        ("refusal", "denied", "local.transfer")
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('{"account": ', "JSON"),
        ("[1, 2]", "an object was expected"),
        ({"amount": 1}, "'account' is missing"),
        ({"account": "A", "amount": 1, "to": "me"}, "there is no parameter 'to'"),
        ('{"account": "A", "amount": NaN}', "not a JSON number"),
    ],
)
def test_wrong_arguments_come_back_in_words_that_mend_them(
    make, bank, serve, pair, log, answers, arguments, words
):
    crib = make()
    with serve(operator=[Call("transfer", arguments), "TERMINATE"]) as model:
        operator, runner = pair(crib, model, "operator")
        result = runner.initiate_chat(operator, message="go", silent=True)
    (text,) = answers(result.chat_history)
    assert text.startswith("INVALID ARGUMENTS")
    assert words in text
    assert [record["status"] for record in log()] == ["invalid"]
    assert bank.moved == []


def test_line_breaks_inside_strings_are_taken_as_autogen_takes_them(make, bank, serve, pair, chat):
    crib = make()
    with serve(analyst=[Call("read_balance", '{"account":\n "A\nB"}'), "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        chat(runner, analyst)
    assert bank.read == [("analyst", "alice", "A\nB")]


def test_parallel_calls_answer_in_their_order(make, serve, pair, chat, answers):
    crib = make()
    calls = [Call("read_balance", {"account": letter}) for letter in "ABC"]
    with serve(analyst=[[*calls, Call("transfer", {})], "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        result = chat(runner, analyst)
    texts = answers(result.chat_history)
    assert texts[:3] == ["A holds 100", "B holds 100", "C holds 100"]
    assert texts[3].startswith("DENIED")


def test_an_unknown_tool_is_refused_and_recorded(make, serve, pair, chat, log, answers):
    crib = make()
    with serve(analyst=[Call("read_balanse", {}), "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        result = chat(runner, analyst)
    (text,) = answers(result.chat_history)
    assert text.startswith("NO SUCH TOOL")
    assert "Did you mean 'read_balance'?" in text
    assert [record["status"] for record in log()] == ["unknown"]


def test_an_agent_without_a_principal_is_refused_and_recorded(
    make, bank, serve, proxy, agent, chat, log, answers
):
    crib = make(base="p, *, acme, *, *, True, allow")
    with serve(stranger=[Call("read_balance", {"account": "A"}), "TERMINATE"]) as model:
        stranger = agent(model, "stranger")
        offer(crib, stranger, crib.principal("analyst", "alice"))
        runner = proxy(crib, [crib.principal("analyst", "alice")])
        result = chat(runner, stranger)
    (text,) = answers(result.chat_history)
    assert text.startswith("DENIED: nobody vouches for the agent 'stranger'")
    assert bank.read == []
    (record,) = log()
    assert (record["kind"], record["agent"], record["tool"], record["status"]) == (
        "refusal",
        "stranger",
        "read_balance",
        "denied",
    )


def test_the_name_of_the_proxy_decides_nothing(make, bank, serve, proxy, agent, chat, answers):
    crib = make()
    with serve(analyst=[Call("transfer", {"account": "A", "amount": 1}), "TERMINATE"]) as model:
        analyst = agent(model, "analyst")
        principals = [crib.principal(name, "alice") for name in ("analyst", "operator")]
        runner = proxy(crib, principals, "operator")
        result = chat(runner, analyst)
    assert answers(result.chat_history)[0].startswith("DENIED")
    assert bank.moved == []


def test_principals_may_be_a_function_of_the_agents_name(make, bank, serve, proxy, agent, chat):
    crib = make()
    with serve(Sales=[Call("read_balance", {"account": "A"}), "TERMINATE"]) as model:
        sales = agent(model, "Sales")
        runner = proxy(crib, {"Sales": crib.principal("analyst", "alice")}.get)
        chat(runner, sales)
    assert bank.read == [("analyst", "alice", "A")]


def test_a_function_that_knows_no_principal_refuses(make, serve, proxy, agent, chat, log):
    def principal(name):
        raise LookupError(name)

    crib = make()
    with serve(analyst=[Call("read_balance", {"account": "A"}), "TERMINATE"]) as model:
        chat(proxy(crib, principal), agent(model, "analyst"))
    assert [record["status"] for record in log()] == ["denied"]


def test_an_agent_with_two_principals_is_refused_at_once(make, proxy):
    crib = make()
    with pytest.raises(ConfigError, match="agent 'analyst' has two principals"):
        proxy(crib, [crib.principal("analyst", user) for user in ("alice", "bob")])


def test_an_answer_is_not_lost_with_whoever_watches(make, bank, proxy):
    class Broken:
        def send(self, event):
            raise ConnectionResetError("the browser went away")

    crib = make()
    runner = proxy(crib, [crib.principal("analyst", "alice")])
    call = {"id": "c1", "function": {"name": "read_balance", "arguments": '{"account": "A"}'}}
    with IOStream.set_default(Broken()):
        _, reply = runner.generate_tool_calls_reply(
            [{"role": "assistant", "content": None, "tool_calls": [call]}],
            sender=ConversableAgent("analyst", llm_config=False),
        )
    assert reply["content"] == "A holds 100"


def test_the_agents_words_are_its_reason(make, serve, pair, chat, log):
    from toolcrib.testing import Say

    crib = make()
    step = Say(text="To see if it can pay.", calls=(Call("read_balance", {"account": "A"}),))
    with serve(analyst=[step, "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        chat(runner, analyst)
    assert log("intent")[0]["reason"] == "To see if it can pay."


def test_a_legacy_function_call_is_governed_too(make, bank, serve, proxy, agent, chat, log, answers):
    crib = make()
    script = [
        Call("read_balance", {"account": "A"}),
        Call("transfer", {"account": "A", "amount": 1}),
        "TERMINATE",
    ]
    with serve(analyst=script) as model:
        analyst = agent(model, "analyst")
        for name in ("read_balance", "transfer"):
            schema = crib.registry.get(name).schema
            analyst.update_function_signature({"name": name, "description": name, "parameters": schema})
        runner = proxy(crib, [crib.principal("analyst", "alice")])
        result = chat(runner, analyst)
    assert any("function_call" in message for message in result.chat_history)
    balance, denied = answers(result.chat_history)
    assert balance == "A holds 100"
    assert denied.startswith("DENIED")
    assert bank.moved == []


def test_streamed_runs_show_the_outcome_but_not_the_arguments(make, serve, pair):
    from autogen.events.agent_events import ExecutedFunctionEvent

    crib = make()
    with serve(analyst=[Call("read_balance", {"account": "A"}), "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        run = runner.run(analyst, message="go")
        events = [event.content for event in run.events if isinstance(event.content, object)]
    shown = [event for event in events if type(event).__name__ == ExecutedFunctionEvent.__name__]
    assert [(event.func_name, event.content, event.arguments) for event in shown] == [
        ("read_balance", "A holds 100", None)
    ]


def test_an_audit_log_that_cannot_be_written_runs_nothing(make, bank, serve, pair, chat, answers):
    crib = make()
    with serve(analyst=[Call("read_balance", {"account": "A"})]) as model:
        analyst, runner = pair(crib, model, "analyst")
        crib.audit.close()
        result = chat(runner, analyst)
    (text,) = answers(result.chat_history)
    assert text.startswith("UNAVAILABLE")
    assert bank.read == []
