"""Packs that say one thing wrong: in a schema, a description, a label, a target or the sample policy."""

from typing import Annotated, Any

import pytest
from pydantic import WithJsonSchema

from toolcrib import Preview, Target, Toolkit, tool
from toolcrib.testing.conformance import PackConformance

WORDS = ("schemas", "descriptions", "effects", "labels", "targets")


class Shelf(Toolkit):
    """A right pack, of which nothing is called here."""

    @tool(effect="read", labels={"untrusted"})
    async def get_thing(self, name: str) -> str:
        """The thing with this name.

        Args:
            name: Letters and digits.
        """
        return name

    @tool(effect="send", preview=Preview("get_thing", name="name"))
    async def send_thing(self, name: str, to: Annotated[str, Target]) -> str:
        """Send a thing to somebody.

        Args:
            name: Letters and digits.
            to: Whose it is to be.
        """
        return name


class Right(PackConformance):
    pack, kit = "shelf", Shelf

    def calls(self):
        return {"get_thing": {"name": "saw"}, "send_thing": {"name": "saw", "to": "bob"}}

    def toolkits(self, config):
        return [self.kit()]


def told(*members, **rest):
    """What the checks of words say of the right pack with another tool in the place of its own."""
    kit = type("Wrong", (Shelf,), {member.__name__: member for member in members})
    suite = type("Suite", (Right,), {"kit": kit, **rest})()
    outcomes = [suite.run(check) for check in WORDS]
    assert all(outcome.remedy for outcome in outcomes if outcome.status == "failed")
    return {one.check: " / ".join(one.problems) for one in outcomes if one.status == "failed"}


def test_the_right_pack_passes():
    assert told() == {}


# --- schemas


def schema_of(kind, description="\n\nArgs:\n    name: Letters and digits."):
    async def get_thing(self, name: Annotated[Any, kind]) -> str:
        return str(name)

    get_thing.__doc__ = f"The thing with this name.{description}"
    return tool(effect="read", labels={"untrusted"})(get_thing)


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (schema_of(WithJsonSchema({"type": "string"}), ""), "the parameter 'name' has no description"),
        (schema_of(WithJsonSchema({})), "the parameter 'name' may be anything: annotate its type"),
        (schema_of(WithJsonSchema({"type": "texty"})), "its schema is not valid"),
    ],
)
def test_a_schema_that_says_too_little_is_caught(member, what):
    found = told(member)
    assert list(found) == ["schemas"]
    assert f"shelf.get_thing: {what}" in found["schemas"]


def test_a_name_too_long_for_models_is_caught():
    @tool(effect="read", name="get_" + "x" * 60, labels={"untrusted"})
    async def long(self) -> str:
        """The thing with a long name."""
        return ""

    assert "its wire name has 70 characters; models take 64" in told(long)["schemas"]


# --- descriptions


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Thing.", "its description 'Thing.' is no sentence that says what the caller gets"),
        ("The thing with this name", "is no sentence"),
        ("The thing \u202ewith this name.", "characters that are not seen, or taken for others: U+202E"),
        ("The thing with this n\u0430me.", "characters that are not seen, or taken for others: U+0430"),
        ("The thing with this name.\n\n" + "More of it. " * 400, "4000 are enough"),
        ("Send a thing to somebody.", "another tool has the same description"),
    ],
)
def test_a_description_that_says_nothing_or_hides_something_is_caught(text, what):
    async def get_thing(self) -> str:
        return ""

    get_thing.__doc__ = text
    found = told(tool(effect="read", labels={"untrusted"})(get_thing))
    assert list(found) == ["descriptions"]
    assert "shelf.get_thing: " in found["descriptions"] and what in found["descriptions"]


def test_what_is_hidden_in_the_description_of_a_parameter_is_caught():
    found = told(schema_of(WithJsonSchema({"type": "string"}), "\n\nArgs:\n    name: Letters\u200b."))
    assert list(found) == ["descriptions"]
    assert "shelf.get_thing: its texts have characters that are not seen" in found["descriptions"]


# --- effects


@pytest.mark.parametrize(
    ("name", "effect", "what"),
    [
        ("delete_all", "write", "is called 'delete', and its effect is write, not destructive"),
        ("create_x", "read", "is called 'create', and its effect is read"),
        ("send_x", "write", "is called 'send', and its effect is write, not send"),
        ("show_x", "read", "is a read and has a preview"),
    ],
)
def test_an_effect_below_the_name_is_caught(name, effect, what):
    @tool(effect=effect, name=name, labels={"untrusted"}, preview=Preview("get_thing"))
    async def other(self) -> str:
        """Whatever it is that this one does."""
        return ""

    assert f"shelf.{name}: {what}" in told(other)["effects"]


@pytest.mark.parametrize(
    ("name", "effect"), [("delete_all", "destructive"), ("create_x", "write"), ("send_x", "send")]
)
def test_an_effect_that_fits_the_name_passes(name, effect):
    @tool(effect=effect, name=name)
    async def other(self) -> str:
        """Whatever it is that this one does."""
        return ""

    assert told(other) == {}


# --- labels and targets


def labelled(*labels):
    @tool(effect="read", labels=set(labels))
    async def get_thing(self) -> str:
        """The thing that there is."""
        return ""

    return get_thing


@pytest.mark.parametrize("label", ["Untrusted", "un trusted", "", "-x", "x" * 33])
def test_a_label_that_policy_cannot_name_is_caught(label):
    assert f"shelf.get_thing: {label!r} is no label" in told(labelled(label))["labels"]


def test_a_label_that_is_wanted_and_lacking_is_caught():
    wanted = {"labels": {"get_thing": ["untrusted", "confidential"]}}
    assert "shelf.get_thing: lacks a label of untrusted, confidential" in told(**wanted)["labels"]
    assert told(labels={"get_thing": ["untrusted"]}) == {}
    assert "shelf.no_such: lacks a label of x: has no such tool" in told(labels={"no_such": ["x"]})["labels"]


def test_a_pack_that_has_not_thought_of_labels_is_caught_and_one_that_has_passes():
    assert "shelf.get_thing: no read of the pack has a label" in told(labelled())["labels"]
    assert told(labelled(), labels={"get_thing": ()}) == {}


TELL = """
async def tell(self, {place}: str) -> str:
    \'\'\'Tell somebody what there is.

    Args:
        {place}: Where to.
    \'\'\'
    return ""
"""


@pytest.mark.parametrize("place", ["to", "recipients", "url", "channel"])
def test_an_unmarked_place_is_caught(place):
    scope = {}
    exec(TELL.format(place=place), scope)
    assert told(tool(effect="write")(scope["tell"])) == {
        "targets": f"shelf.tell: {place!r} says where something goes: Annotated[..., Target]"
    }


@pytest.mark.parametrize("effect", ["send", "destructive"])
def test_what_cannot_be_undone_marks_a_target(effect):
    @tool(effect=effect)
    async def drop(self, name: str) -> str:
        """Drop a thing where it is.

        Args:
            name: Letters and digits.
        """
        return name

    assert told(drop) == {"targets": f"shelf.drop: is {effect} and marks no argument as Target"}


# --- the sample policy

POLICY = """
g, user:alice, reader, acme
g, agent:clerk, reader, acme
p, reader, *, shelf.get_thing, read, True, allow
"""
TESTS = """
tenant: acme
cases:
  - {name: reads, user: alice, agent: clerk, tool: shelf.get_thing, arguments: {name: saw}, expect: allow}
  - {name: sends nothing, user: alice, agent: clerk, tool: shelf.send_thing,
     arguments: {name: saw, to: bob}, expect: deny}
"""


@pytest.mark.parametrize(
    ("policy", "tests", "what"),
    [
        (POLICY, TESTS, ""),
        (POLICY + "p, reader, *, shelf.no_such, read, True, allow\n", TESTS, "shelf.no_such"),
        (POLICY + "p, reader, *, shelf.get_thing, read\n", TESTS, "policy.csv"),
        (POLICY + "p, reader, *, shelf.send_thing, send, r.ctx.args.nothing == 1, allow\n", TESTS, "nothing"),
        (POLICY, TESTS.replace("deny", "allow"), "allow was expected, and it is deny"),
        (POLICY, "", "its sample policy has no tests: write policy/tests/NAME.yaml"),
        (POLICY, "cases: []", "its sample policy has no tests"),
        (None, "", "it has no sample policy"),
    ],
)
def test_a_sample_policy_that_does_not_hold_is_caught(tmp_path, policy, tests, what):
    if policy is not None:
        (tmp_path / "policy.csv").write_text(policy)
        (tmp_path / "tests").mkdir()
    if tests:
        (tmp_path / "tests" / "shelf.yaml").write_text(tests)
    suite = Right()
    suite.policy = lambda: tmp_path
    outcome = suite.run("policy")
    status = "skipped" if policy is None else "failed" if what else "passed"
    assert (outcome.status, what in " / ".join((*outcome.problems, outcome.reason))) == (status, True), (
        outcome
    )
