"""A model that says what its script says: an OpenAI-compatible server on loopback, for the real clients.

No usable function-calling model runs offline, so tests and the demo drive real clients against this one. It
is strict as OpenAI is (`_openai_rules`): what it accepts, the real API accepts too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from toolcrib.testing._http_messages import Reply, Request
from toolcrib.testing._model_steps import Call, ModelRequest, Say, Step, as_say, by_turn
from toolcrib.testing._model_transcript import Exchange, Transcript, rules_of
from toolcrib.testing._openai_errors import error_body, refuse
from toolcrib.testing._openai_replies import completion, events
from toolcrib.testing._openai_rules import check_request
from toolcrib.testing.http import FakeService

__all__ = ["Call", "Exchange", "ModelRequest", "Say", "Script", "ScriptedModel", "Step", "by_turn"]

Script: TypeAlias = Sequence[Step] | Callable[[ModelRequest], Step | None]
"""Steps that are used up in order, or a rule: a function of the request alone, which answers for ever."""


class ScriptedModel(FakeService):
    """Serves `POST /v1/chat/completions` and `GET /v1/models`; `scripts` are by model name.

    A step is a text, a `Call` or `(name, arguments)` pair, several of them in a list (parallel calls), a
    `Say`, or a function of the `ModelRequest` that gives one. A script that is a function is a rule: it
    keeps no state, so a job that is resumed in a new process goes on at the right place.

    Args:
        scripts: Script by model name; other models answer 404.
        api_key: The only bearer token accepted; None accepts any, but there must be one.
        transcript: A JSONL file to append every exchange to; tokens are never written.
        ids: `random` call ids as OpenAI gives, or `derived` ones: the same request gets the same ids again.
    """

    def __init__(
        self,
        scripts: Mapping[str, Script],
        *,
        api_key: str | None = None,
        transcript: Path | None = None,
        ids: Literal["random", "derived"] = "random",
    ) -> None:
        super().__init__()
        self.exchanges: list[Exchange] = []
        self._rules = {
            name: script if callable(script) else _used_up(script) for name, script in scripts.items()
        }
        self._api_key = api_key
        self._transcript = Transcript(transcript) if transcript else None
        self._ids = ids
        self.route("POST", "/v1/chat/completions", self._complete)
        self.route("GET", "/v1/models", self._list)
        self.route("GET", "/v1/models/{model}", self._show)

    @classmethod
    def replay(cls, transcript: Path, *, api_key: str | None = None) -> Self:
        """A model that answers as a recorded one did, model by model in order.

        A request whose roles are not those recorded is refused (400) and says where the run left the record.
        """
        return cls(rules_of(transcript), api_key=api_key)

    @property
    def base_url(self) -> str:
        """What a client takes as its `base_url`."""
        return f"{self.url}/v1"

    def asked(self, model: str) -> list[ModelRequest]:
        """The requests that `model` answered, in order."""
        return [exchange.request for exchange in self.exchanges if exchange.request.model == model]

    def error(self, status: int, message: str) -> Any:
        """OpenAI's error shape."""
        return error_body(message, kind="server_error" if status >= 500 else "invalid_request_error")

    def handle(self, request: Request) -> Reply:
        """Every route needs a bearer token."""
        token = request.bearer
        if token is None:
            refuse("You didn't provide an API key.", status=401)
        if self._api_key not in (None, token):
            refuse("Incorrect API key provided.", status=401, code="invalid_api_key")
        return super().handle(request)

    # --- routes ---------------------------------------------------------------------------------

    def _list(self, request: Request) -> Reply:
        return Reply.json({"object": "list", "data": [_model(name) for name in self._rules]})

    def _show(self, request: Request) -> Reply:
        self._rule(request.parameters["model"])
        return Reply.json(_model(request.parameters["model"]))

    def _complete(self, request: Request) -> Reply:
        body = request.json()
        check_request(body)
        asked = ModelRequest(body)
        with self.lock:  # one reply at a time, so that scripts and the transcript keep their order
            say = self._say(asked)
            self.exchanges.append(Exchange(asked, say))
            if self._transcript:
                self._transcript.append(self.exchanges[-1])
        return _reply(asked, say)

    def _rule(self, model: str) -> Callable[[ModelRequest], Step | None]:
        rule = self._rules.get(model)
        if rule is None:
            refuse(f"The model '{model}' does not exist.", status=404, code="model_not_found")
        return rule

    def _say(self, asked: ModelRequest) -> Say:
        rule = self._rule(asked.model)
        try:
            say = as_say(rule, asked).with_ids(asked, self._ids)
        except Exception as error:
            # 400, not 500: clients would ask again, and a broken script stays broken.
            self.failures.append(error)
            refuse(f"The script of model '{asked.model}' gave no step: {error}", code="script")
        if len(say.calls) > 1 and (asked.body.get("parallel_tool_calls") is False or asked.is_legacy):
            refuse(
                f"The script asks for {len(say.calls)} calls at once, the request forbids it.", code="script"
            )
        return say


def _used_up(steps: Iterable[Step]) -> Callable[[ModelRequest], Step]:
    """A rule that gives the steps one by one."""
    rest = list(steps)
    total = len(rest)

    def rule(request: ModelRequest) -> Step:
        if not rest:
            raise IndexError(f"all {total} steps are used up")
        return rest.pop(0)

    return rule


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "toolcrib-script"}


def _reply(asked: ModelRequest, say: Say) -> Reply:
    message, usage = say.message(legacy=asked.is_legacy), say.usage(asked)
    reason = say.reason(legacy=asked.is_legacy)
    if not asked.body.get("stream"):
        return Reply.json(completion(asked.model, message, reason, usage))
    wanted = (asked.body.get("stream_options") or {}).get("include_usage")
    stream = events(asked.model, message, reason, usage if wanted else None)
    return Reply(headers={"content-type": "text/event-stream"}, stream=stream)
