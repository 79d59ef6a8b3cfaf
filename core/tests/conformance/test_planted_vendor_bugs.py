"""Packs over a vendor that do just one thing wrong: exactly the check that holds it fails."""

import asyncio
import sys

import pytest

from toolcrib import CallContext, Toolkit, tool
from toolcrib.errors import NotSent, Temporary, ToolError, VendorRefused
from toolcrib.kit import Client, SecretHeader, look_up_first
from toolcrib.testing import FakeService, Reply, make_context
from toolcrib.testing.conformance import PackConformance, check_pack

SECRET = "planted-secret-5cd1"


class Desk(FakeService):
    """Things by name; a POST makes one, a PUT writes one anew."""

    def __init__(self):
        super().__init__()
        self.things = {"saw": "sharp"}
        self.route("GET", "/things/{name}", self.get)
        self.route("PUT", "/things/{name}", self.put)
        self.route("POST", "/things", self.make)

    def get(self, request):
        name = request.parameters["name"]
        with self.lock:
            known = name in self.things
            return Reply.json({"name": name, "text": self.things[name]} if known else {"error": "none"})

    def put(self, request):
        with self.lock:
            self.things[request.parameters["name"]] = request.json()["text"]
        return Reply.json({"done": True, "name": request.parameters["name"]})

    def make(self, request):
        with self.lock:
            self.things[f"thing-{len(self.things)}"] = request.json()["text"]
            return Reply.json({"done": True, "name": f"thing-{len(self.things) - 1}"})


class Things(Toolkit):
    """A right pack over the client of the kit."""

    def __init__(self, url):
        self.url = url
        self.client = Client(url, vendor="Acme", credentials=SecretHeader("desk"))

    async def send(self, ctx, method="POST", path="/things", text="x"):
        return (await self.client.request(method, path, ctx, json={"text": text})).json()

    @tool(effect="read", labels={"untrusted"})
    async def get_thing(self, ctx: CallContext) -> dict:
        """The saw, as it is at the vendor's."""
        return (await self.client.get("/things/saw", ctx)).json()

    @tool(effect="write")
    async def make_thing(self, ctx: CallContext) -> dict:
        """Make a thing at the vendor's."""
        return await self.send(ctx)

    async def close(self):
        await self.client.close()


class Right(PackConformance):
    pack, kit, grace = "desk", Things, 5.0
    secrets = {"desk": SECRET}  # noqa: RUF012

    only = ("get_thing", "make_thing")

    def calls(self):
        return {name: {} for name in self.only}

    def world(self):
        return Desk()

    def toolkits(self, config):
        return [self.kit(self.vendor.url)]

    def state(self, folder):
        return dict(self.vendor.things)

    def policy(self):
        return None


HELD = ("timeouts", "cancellation", "errors", "secrets")


def suite(**members):
    """The right suite over the right kit with other members; `grace` and `only` are the suite's."""
    rest = {name: members.pop(name) for name in ("grace", "only") if name in members}
    return type("Suite", (Right,), {"kit": type("Wrong", (Things,), members), **rest})()


def problems(one, *checks, among=HELD):
    """What fails: these checks and no other of those that look at the vendor."""
    found = {check: outcome for check in among if (outcome := one.run(check)).status == "failed"}
    assert sorted(found) == sorted(checks), found
    assert all(outcome.remedy for outcome in found.values())
    return " / ".join(problem for outcome in found.values() for problem in outcome.problems)


def made(function):
    """`make_thing` with another body."""
    function.__doc__ = "Make a thing at the vendor's, in a way of its own."
    return {"make_thing": tool(effect="write", name="make_thing")(function)}


def mapped(judge, *, effect="write"):
    """A tool that makes something else of the kit's errors."""

    async def call(self, ctx: CallContext) -> dict:
        """Do it at the vendor's, and judge what came."""
        try:
            return await (self.send(ctx) if effect == "write" else Things.get_thing(self, ctx))
        except ToolError as error:
            return judge(error)

    name = "make_thing" if effect == "write" else "get_thing"
    return suite(**{name: tool(effect=effect, name=name, labels={"untrusted"})(call)}, only=[name])


def raising(kind, when, **rest):
    """Raise `kind` in place of what `when` is said of, and else what came."""

    def judge(error):
        raise kind("no", **rest) if when in str(error) else error

    return judge


def test_the_right_pack_passes():
    assert [one for one in check_pack(Right()) if one.status == "failed"] == []


# --- errors


@pytest.mark.parametrize("effect", ["read", "write"])
@pytest.mark.parametrize("status", ["429", "503", "500", "400"])
def test_a_failure_that_is_swallowed_is_caught(effect, status):
    def judge(error):
        if f"answered {status}" in str(error):
            return {"done": "as if all were well"}
        raise error

    said = problems(mapped(judge, effect=effect), "errors", among=("errors",))
    name = {"read": "get_thing", "write": "make_thing"}[effect]
    told = "429 with Retry-After" if status == "429" else status
    assert said == f"desk.{name}: {told}: it gives a result as if all were well: raise what the kit would"


UNSENT, LATER, FINAL = "nothing happened", "trying again may help, and it is told as final", "refusal"


@pytest.mark.parametrize(
    ("when", "kind", "told"),
    [
        ("answered 429", VendorRefused, "429 with Retry-After: it is told as the vendor's refusal"),
        ("answered 429", ToolError, "429 with Retry-After: trying again may help, and it is told as final"),
        ("answered 429", NotSent, "429 with Retry-After: the vendor's Retry-After of 7 s is lost"),
        ("answered 503", VendorRefused, "503: it is told as the vendor's refusal"),
        ("answered 503", ToolError, "503: trying again may help, and it is told as final"),
        ("answered 503", NotSent, "503: it says that nothing happened, and cannot know"),
        ("answered 500", VendorRefused, "500: it is told as the vendor's refusal"),
        ("answered 500", NotSent, "500: it says that nothing happened, and cannot know"),
        ("answered 400", ToolError, "400: the vendor said no, and it is left open or tried again"),
        ("answered 400", Temporary, "400: the vendor said no, and it is left open or tried again"),
        ("answered 400", NotSent, "400: the vendor said no, and it is left open or tried again"),
        ("text/html", VendorRefused, "a page instead of JSON: it is told as the vendor's refusal"),
        ("text/html", NotSent, "a page instead of JSON: it says that nothing happened"),
        ("something else", NotSent, "JSON that is cut short: it says that nothing happened"),
        ("204", NotSent, "204: it says that nothing happened"),
        (
            "answered 500",
            ValueError,
            "500: ends in an error that the executor does not understand",
        ),
    ],
)
def test_a_failure_under_a_wrong_name_is_caught(when, kind, told):
    said = problems(mapped(raising(kind, when)), "errors", among=("errors",))
    assert f"desk.make_thing: {told}" in said
    assert said.count("desk.make_thing") == 1


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (NotSent, "it says that nothing happened, and cannot know"),
        (ToolError, "trying again may help, and it is told as final"),
        (VendorRefused, "it is told as the vendor's refusal"),
    ],
)
def test_a_lost_connection_under_a_wrong_name_is_caught(kind, told):
    said = problems(mapped(raising(kind, "did not arrive")), "errors", among=("errors",))
    for fault in ("a cut before the answer", "a cut in the answer", "a cut after the vendor wrote"):
        assert f"desk.make_thing: {fault}: {told}" in said


@pytest.mark.parametrize("fault", ["a page instead of JSON", "JSON that is cut short"])
def test_an_answer_that_is_not_read_is_caught(fault):
    async def make(self, ctx: CallContext) -> str:
        return (await self.client.request("POST", "/things", ctx, json={"text": "x"})).text

    said = problems(suite(**made(make)), "errors")
    assert f"desk.make_thing: {fault}: it gives a result as if all were well" in said


def test_a_write_behind_a_read_is_tried_too():
    async def make(self, ctx: CallContext) -> dict:
        await self.client.get("/things/saw", ctx)
        try:
            return await self.send(ctx)
        except ToolError:
            return {"done": "perhaps"}

    assert "desk.make_thing: 503: it gives a result" in problems(suite(**made(make)), "errors", "timeouts")


def test_a_read_before_a_write_is_tried_too():
    async def make(self, ctx: CallContext) -> dict:
        try:
            await self.client.get("/things/saw", ctx)
        except ToolError as error:
            if "answered 503" in str(error):
                raise VendorRefused("no such thing") from None
            raise
        return await self.send(ctx)

    said = problems(suite(**made(make)), "errors")
    assert said.startswith("desk.make_thing: 503: it is told as the vendor's refusal")


def test_a_write_that_writes_only_once_is_tried_while_it_still_does():
    async def make(self, ctx: CallContext) -> dict:
        there = (await self.client.get("/things/saw", ctx)).json()
        if there.get("text") == "blunt":
            return there
        try:
            return await self.send(ctx, "PUT", "/things/saw", "blunt")
        except ToolError as error:
            raise NotSent("no") if "answered 500" in str(error) else error from None

    said = problems(suite(**made(make)), "errors")
    assert said.startswith("desk.make_thing: 500: it says that nothing happened, and cannot know")


def test_a_write_that_is_sent_twice_when_its_answer_is_lost_is_caught():
    async def make(self, ctx: CallContext) -> dict:
        try:
            return await self.send(ctx)
        except Temporary as error:
            if "did not arrive" in str(error):
                return await self.send(ctx)
            raise

    said = problems(suite(**made(make)), "errors")
    assert "desk.make_thing: a cut after the vendor wrote: the same write is sent twice in one call" in said


def test_a_write_that_looks_whether_it_was_done_passes():
    async def make(self, ctx: CallContext) -> dict:
        name = f"/things/{ctx.idempotency_key.replace(':', '-')}"

        async def find():
            there = (await self.client.get(name, ctx)).json()
            return None if "error" in there else there

        return await look_up_first(find, lambda: self.send(ctx, "PUT", name))

    assert problems(suite(**made(make))) == ""


def test_work_that_goes_on_behind_a_failed_call_is_caught():
    async def read(self, ctx: CallContext) -> dict:
        """The saw, and more beside it."""
        answer, _ = await asyncio.gather(self.client.get("/things/saw", ctx), asyncio.sleep(0.1))
        return answer.json()

    wrong = suite(get_thing=tool(effect="read", name="get_thing")(read))
    assert "desk.get_thing: 503: it ends, and leaves at work: sleep" in problems(wrong, "errors")


def test_a_pack_that_never_asks_its_vendor_is_caught():
    async def read(self, ctx: CallContext) -> dict:
        """The saw, as it always was."""
        await ctx.secret("desk")
        return {"name": "saw"}

    deaf = {"get_thing": tool(effect="read", name="get_thing")(read)}
    deaf |= made(lambda self: {"done": True})
    assert "desk: no tool asked the vendor anything" in problems(suite(**deaf), "errors")


# --- no answer in time


def test_a_tool_that_goes_on_past_its_deadline_is_caught_without_long_waiting():
    async def make(self, ctx: CallContext) -> dict:
        return await self.send(make_context(secrets={"desk": SECRET}))

    said = problems(suite(**made(make), grace=1.0), "timeouts")
    assert "desk.make_thing: does not keep the call's deadline, and its vendor does not answer" in said


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        (raising(NotSent, "did not answer within"), "its write was sent and not answered, and it says that"),
        (
            raising(VendorRefused, "did not answer within"),
            "calls it the vendor's refusal that no answer",
        ),
        (raising(KeyError, "did not answer within"), "ends, at a vendor that does not answer, in: KeyError"),
    ],
)
def test_a_wrong_name_for_no_answer_is_caught(judge, told):
    assert f"desk.make_thing: {told}" in problems(mapped(judge), "timeouts")


def test_a_result_without_an_answer_is_caught():
    def judge(error):
        if "did not answer within" in str(error):
            return {"done": "soon"}
        raise error

    said = problems(mapped(judge, effect="read"), "timeouts")
    assert "desk.get_thing: gives a result though its vendor did not answer in time" in said


# --- cancelled while the vendor has the request


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            NotSent("cancelled"),
            "its write was with the vendor when it was cancelled, and it says that",
        ),
        (Temporary("cancelled"), "it was cancelled, and ends in Temporary: cancelled. instead"),
    ],
)
def test_another_end_than_the_cancellation_is_caught(error, told):
    async def make(self, ctx: CallContext) -> dict:
        try:
            return await self.send(ctx)
        except asyncio.CancelledError:
            raise error from None

    said = problems(suite(**made(make)), "cancellation")
    assert f"desk.make_thing: {told}" in said and "Let CancelledError through" in said


def test_a_request_that_goes_on_without_its_call_is_caught():
    async def make(self, ctx: CallContext) -> dict:
        return await asyncio.shield(asyncio.ensure_future(self.send(ctx)))

    said = problems(suite(**made(make)), "cancellation")
    assert "desk.make_thing: it was cancelled, and leaves at work: Things.send" in said


def test_a_connection_that_a_cancelled_call_keeps_is_caught():
    async def make(self, ctx: CallContext) -> dict:
        host, port = self.url.removeprefix("http://").split(":")
        self.kept = [*getattr(self, "kept", ()), await asyncio.open_connection(host, int(port))]
        result = await self.send(ctx)
        self.kept.pop()[1].close()
        return result

    async def close(self):
        for _, writer in self.__dict__.pop("kept", ()):
            writer.close()
        await self.client.close()

    said = problems(suite(**made(make), close=close, grace=1.0), "cancellation")
    assert "desk.make_thing: its connection stays open after it was cancelled: 1 were open before" in said


def test_a_lock_that_a_cancelled_call_keeps_is_caught():
    async def make(self, ctx: CallContext) -> dict:
        lock = self.__dict__.setdefault("lock", asyncio.Lock())
        await lock.acquire()
        try:
            return await self.send(ctx)
        finally:
            if not isinstance(
                sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], asyncio.CancelledError
            ):
                lock.release()

    said = problems(suite(**made(make), grace=1.0), "cancellation")
    assert "desk.make_thing: no longer works after a cancelled call" in said


# --- secrets


def leaking(leak):
    async def make(self, ctx: CallContext) -> dict:
        secret = (await ctx.secret("desk")).reveal()
        result = await self.send(ctx)
        return await leak(self, ctx, secret) or result

    return suite(**made(make))


async def in_result(self, ctx, secret):
    return {"made with": f"Bearer {secret}"}


async def in_error(self, ctx, secret):
    raise VendorRefused(f"{secret} is too old")


async def in_cause(self, ctx, secret):
    try:
        raise ValueError(secret)
    except ValueError as error:
        raise VendorRefused("the key is too old") from error


async def in_progress(self, ctx, secret):
    ctx.progress(f"logged in with {secret}")


async def in_note(self, ctx, secret):
    ctx.note("login", {"with": secret})


async def in_log(self, ctx, secret):
    import logging

    logging.getLogger("desk").debug("logged in with %s", secret)


async def in_print(self, ctx, secret):
    print("logged in with", secret)


async def in_address(self, ctx, secret):
    await self.client.get("/things/saw", ctx, query={"key": secret})


@pytest.mark.parametrize(
    ("leak", "told"),
    [
        (in_result, "desk.make_thing: the secret 'desk' shows in a result or an error"),
        (in_error, "desk.make_thing: the secret 'desk' shows in a result or an error"),
        (in_cause, "desk.make_thing: the secret 'desk' shows in a result or an error"),
        (in_progress, "desk: the secret 'desk' shows in the log, in progress, in a note, or is printed"),
        (in_note, "desk: the secret 'desk' shows in the log, in progress, in a note, or is printed"),
        (in_log, "desk: the secret 'desk' shows in the log, in progress, in a note, or is printed"),
        (in_print, "desk: the secret 'desk' shows in the log, in progress, in a note, or is printed"),
        (in_address, "desk: the secret 'desk' stands in an address, which servers log"),
    ],
)
def test_a_secret_that_shows_is_caught(leak, told):
    outcome = leaking(leak).run("secrets")
    assert outcome.status == "failed" and outcome.remedy
    assert any(problem.startswith(told) for problem in outcome.problems)
    assert SECRET not in str(outcome)


def test_a_secret_that_is_kept_in_a_file_is_caught():
    class Keeping(Right):
        def toolkits(self, config):
            kept = config.folder / "cache" / "token"
            kept.parent.mkdir()
            kept.write_bytes(b"\xff\x00" + SECRET.encode())
            return super().toolkits(config)

    assert Keeping().run("secrets").problems == ("desk: the secret 'desk' is kept in cache/token",)


def test_a_secret_that_the_vendor_quotes_and_the_pack_hands_on_is_caught():
    async def read(self, ctx: CallContext) -> dict:
        """The saw, or what the vendor said."""
        answer = await self.client.get("/things/saw", ctx, accept=(400,))
        if answer.status == 400:
            raise VendorRefused(answer.text)
        return answer.json()

    wrong = suite(get_thing=tool(effect="read", name="get_thing")(read))
    assert "desk.get_thing: the secret 'desk' shows in a result or an error" in problems(wrong, "secrets")


def test_a_planted_secret_that_nobody_asked_for_proves_nothing():
    one = Right()
    one.secrets = {"desk": SECRET, "spare": "never asked for"}
    assert one.run("secrets").problems[0].startswith("desk: no tool asked for the secret 'spare'")
