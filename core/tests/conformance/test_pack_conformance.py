"""The suite of packs passes a right pack, and for each check catches a tiny wrong one."""

from typing import Annotated

import pytest
from pydantic import Field

from toolcrib import CallContext, Preview, Target, Toolkit, tool
from toolcrib.errors import VendorRefused
from toolcrib.kit import Client, SecretHeader
from toolcrib.testing import FakeService, Reply
from toolcrib.testing.conformance import CHECKS, PackConformance, suite_of

SECRET = "planted-secret-5cd1"


class Shelf(Toolkit):
    """A right pack: one file per thing."""

    def __init__(self, folder):
        self.folder = folder

    def file(self, name):
        if not name.isascii() or not name.isalnum() or len(name) > 80:
            raise VendorRefused(f"{name[:20]!r} is no name")
        return self.folder / name

    @tool(effect="read", labels={"untrusted"})
    def get_thing(self, name: str) -> str:
        """The thing with this name.

        Args:
            name: Letters and digits.
        """
        return self.file(name).read_text() if self.file(name).exists() else ""

    @tool(effect="read")
    def list_things(self, limit: Annotated[int, Field(ge=1, le=50)] = 20) -> list[str]:
        """The names of all things, in their order.

        Args:
            limit: At most so many.
        """
        return sorted(path.name for path in self.folder.iterdir())[:limit]

    @tool(effect="write", idempotent=True, preview=Preview("get_thing", name="name"))
    def put_thing(self, name: str, text: str) -> str:
        """Put a thing in its place, instead of what was there.

        Args:
            name: Letters and digits.
            text: What it says.
        """
        self.file(name).write_text(text)
        return name

    @tool(effect="destructive")
    def drop_thing(self, name: Annotated[str, Target]) -> str:
        """Drop a thing for good.

        Args:
            name: Letters and digits.
        """
        self.file(name).unlink(missing_ok=True)
        return name


class Right(PackConformance):
    pack = "shelf"
    kit: type = Shelf

    def calls(self):
        one = {"name": "saw"}
        put = [{"name": "saw", "text": "x"}, {"name": "axe", "text": "y"}]
        return {"get_thing": one, "list_things": {}, "put_thing": put, "drop_thing": one}

    def toolkits(self, config):
        return [self.kit(config.folder)]


class TestShelf(Right):
    """The right pack passes, as a test file of ten lines has it."""


def wrong(**members):
    """The right pack with other members."""
    kit = type("Wrong", (Shelf,), members)
    return type("Suite", (Right,), {"kit": kit})()


def caught(suite, check):
    outcome = suite.run(check)
    assert outcome.status == "failed", outcome
    return " / ".join(outcome.problems)


def test_a_parameter_without_description_is_caught():
    @tool(effect="read")
    def get_thing(self, name: str) -> str:
        """The thing with this name."""

    assert "'name' has no description" in caught(wrong(get_thing=get_thing), "schemas")


@pytest.mark.parametrize(
    "text",
    [
        "Thing.",
        "The thing with this name",
        "The thing \u202ewith this name.",
        "The thing with this n\u0430me.",
    ],
)
def test_a_description_that_says_nothing_or_hides_something_is_caught(text):
    def get_thing(self, name: str) -> str:
        return ""

    get_thing.__doc__ = text
    assert "get_thing" in caught(wrong(get_thing=tool(effect="read")(get_thing)), "descriptions")


@pytest.mark.parametrize(
    ("name", "effect"), [("delete_all", "write"), ("create_x", "read"), ("send_x", "write")]
)
def test_an_effect_below_the_name_is_caught(name, effect):
    @tool(effect=effect, name=name)
    def other(self) -> str:
        """Whatever it is that this one does."""

    assert name in caught(wrong(other=other), "effects")


def test_a_label_that_is_wanted_and_lacking_is_caught():
    suite = Right()
    suite.labels = {"list_things": ["untrusted"]}
    assert "list_things" in caught(suite, "labels")
    suite.labels = {"get_thing": ["untrusted"]}
    assert suite.run("labels").status == "passed"


def test_an_unmarked_target_is_caught():
    @tool(effect="send")
    def tell(self, to: str) -> str:
        """Tell somebody what there is."""

    assert "'to' says where something goes" in caught(wrong(tell=tell), "targets")


def test_a_good_call_that_fails_or_is_lacking_is_caught():
    @tool(effect="write")
    def put_thing(self, name: str, text: str) -> str:
        """Put a thing in its place, or try to."""
        raise VendorRefused("no")

    @tool(effect="read")
    def untried(self) -> str:
        """Something that nobody gave a call for."""

    told = caught(wrong(put_thing=put_thing, untried=untried), "calls")
    assert "a good call fails: VendorRefused" in told and "untried: there is no good call" in told


def test_a_preview_that_fails_is_caught():
    @tool(effect="read")
    def get_thing(self, name: str) -> str:
        """The thing with this name, if it likes."""
        raise VendorRefused("no")

    assert "its preview fails" in caught(wrong(get_thing=get_thing), "preview")


def test_a_pack_that_breaks_when_a_call_is_cancelled_is_caught():
    @tool(effect="read")
    async def get_thing(self, name: str) -> str:
        """The thing with this name, unless it was busy once."""
        import asyncio

        if getattr(self, "busy", False):
            raise VendorRefused("still busy")
        self.busy = True
        await asyncio.sleep(0.01)
        self.busy = False
        return name

    assert "no longer works" in caught(wrong(get_thing=get_thing), "cancellation")


def test_an_excuse_is_shown_and_one_for_nothing_is_a_problem():
    @tool(effect="read", name="send_x")
    def other(self) -> str:
        """Whatever it is that this one does."""

    suite = wrong(other=other)
    suite.excuses = {("effects", "send_x"): "it only looks so"}
    outcome = suite.run("effects")
    assert outcome.status == "passed" and "it only looks so" in outcome.excused[0]
    right = Right()
    right.excuses = {("effects", "get_thing"): "old"}
    assert "nothing to excuse" in caught(right, "effects")


# --- over a vendor --------------------------------------------------------------------------------


class Remote(Toolkit):
    def __init__(self, client):
        self.client = client

    @tool(effect="write")
    async def make_thing(self, ctx: CallContext) -> str:
        """Make a thing at the vendor's."""
        return str((await self.client.request("POST", "/things", ctx, json={})).json())

    async def close(self) -> None:
        await self.client.close()


class Over(PackConformance):
    pack, kit = "remote", Remote
    secrets = {"vendor": SECRET}  # noqa: RUF012

    def calls(self):
        return {"make_thing": {}}

    def world(self):
        service = FakeService()
        service.route("POST", "/things", lambda request: Reply.json({"ok": True}))
        return service

    def toolkits(self, config):
        return [self.kit(Client(self.vendor.url, vendor="Acme", credentials=SecretHeader("vendor")))]

    def state(self, folder):
        return sum(request.method != "GET" for request in self.vendor.requests)


class TestRemote(Over):
    """A pack over the client kit passes."""


def over(function):
    suite = Over()
    suite.kit = type("Wrong", (Remote,), {"make_thing": tool(effect="write", name="make_thing")(function)})
    return suite


def test_a_tool_that_a_backend_lacks_must_be_refused_and_change_nothing():
    class Poor(Shelf):
        @tool(effect="destructive")
        def drop_thing(self, name: Annotated[str, Target]) -> str:
            """Drop a thing for good, or say that there is no such thing here.

            Args:
                name: Letters and digits.
            """
            if self.careless:
                self.file("trace").write_text("x")
            raise VendorRefused("nothing is dropped here")

        careless = False

    suite = Right()
    suite.lacks = {"drop_thing": "a shelf keeps everything"}
    assert "is not refused, and should be (a shelf keeps everything)" in caught(suite, "calls")
    suite.kit = Poor
    assert suite.run("calls").status == "passed"
    Poor.careless = True
    assert "is refused and changed something" in caught(suite, "calls")


def test_every_check_is_a_test_and_a_pack_that_is_not_there_is_told():
    assert all(hasattr(PackConformance, f"test_{name}") for name in CHECKS)
    with pytest.raises(Exception, match="no pack 'no-such'"):
        suite_of("no-such")
