"""A candidate beside the policy in force: told on the record, never obeyed, never in the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from toolcrib import Crib, Preview, Toolkit, tool
from toolcrib.audit import read
from toolcrib.bench.shadow import Shadow
from toolcrib.policy._model import MODEL
from toolcrib.testing.cribs import make_crib

ALLOW = "p, *, acme, local.*, *, True, allow"
SHADOW = '[policy]\nshadow = "next"\n[approvals]\nmode = "park"\n'


@tool(effect="read")
async def look(note: str = "") -> str:
    """Look."""
    return "seen"


@tool(effect="send")
async def post(to: str = "") -> str:
    """Post."""
    return "sent"


@tool(effect="read", labels={"untrusted"})
async def web() -> str:
    """What outsiders wrote."""
    return "hello"


class Shop(Toolkit):
    @tool(effect="read")
    async def get(self, id: str) -> dict[str, str]:
        """Get."""
        return {"state": "closed"}

    @tool(effect="write", preview=Preview("get", id="id"))
    async def put(self, id: str) -> str:
        """Put."""
        return "put"


def write(folder: Path, rows: str, model: str = MODEL) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.conf").write_text(model)
    (folder / "policy.csv").write_text(rows + "\n")
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Crib]]:
    """A crib with a shadow policy that is loaded, and with all tools of this file."""
    made: list[Crib] = []

    def build(live: str, shadow: str | None, model: str = MODEL) -> Crib:
        if shadow is not None:
            write(tmp_path / "next", shadow, model)
        crib = make_crib(tmp_path, live, config=SHADOW)
        crib.add(look, post, web, Shop())
        made.append(crib)
        assert crib.shadow is not None
        crib.shadow.close()  # from here on the test looks, not the thread
        crib.shadow.look()
        return crib

    yield build
    for crib in made:
        crib.close()


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    def records(*kinds: str) -> list[dict[str, Any]]:
        wanted = kinds or ("intent", "refusal")
        return [one for one in read(tmp_path / ".toolcrib" / "audit") if one["kind"] in wanted]

    return records


async def ask(crib: Crib, name: str, **arguments: Any) -> str:
    return (await crib.call(f"local.{name}", arguments, crib.principal("writer", "alice"))).status


async def test_a_difference_is_on_the_record_and_nothing_is_enforced(make: Any, log: Any) -> None:
    crib = make(ALLOW, ALLOW + "\np, agent:writer, acme, local.post, send, True, deny")
    assert await ask(crib, "post", to="bob") == "done"
    (intent,) = log()
    assert intent["decision"] == "allow"
    assert intent["shadow"] == {
        "decision": "deny",
        "revision": crib.shadow.policy.revision,
        "rows": ["policy.csv:2 (p, agent:writer, acme, local.post, send, True, deny)"],
    }


async def test_a_call_that_the_shadow_would_allow_stays_denied(make: Any, log: Any) -> None:
    crib = make("p, user:alice, acme, local.*, *, True, allow", ALLOW)
    assert await ask(crib, "post") == "denied"
    (refusal,) = log()
    assert (refusal["decision"], refusal["shadow"]["decision"]) == ("deny", "allow")


async def test_where_both_agree_only_the_revision_stands(make: Any, log: Any) -> None:
    crib = make(ALLOW, ALLOW + "\n# the same")
    await ask(crib, "look")
    assert log()[0]["shadow"] == {"revision": crib.shadow.policy.revision}


async def test_a_review_by_others_is_a_difference(make: Any, log: Any) -> None:
    review = ALLOW + "\np2, *, acme, local.post, send, True, "
    crib = make(review + "requester", review + "lead")
    assert await ask(crib, "post") == "pending"
    assert log()[0]["shadow"]["decision"] == "review"
    crib = make(review + "requester", review + "requester")
    crib.shadow.look()
    await ask(crib, "post", to="x")
    assert log()[-1]["decision"] == "review"


async def test_what_the_live_decision_did_not_look_up_is_unknown(make: Any, log: Any) -> None:
    crib = make(
        ALLOW,
        ALLOW
        + '\np2, *, acme, local.post, send, "untrusted" in r.ctx.labels, lead'
        + '\np, *, acme, local.put, write, r.ctx.before.state == "closed", deny',
    )
    assert (await ask(crib, "post"), await ask(crib, "put", id="1")) == ("done", "done")
    shadows = [one["shadow"] for one in log() if "preview_of" not in one]
    assert [(one["decision"], one["missing"]) for one in shadows] == [
        ("unknown", ["labels"]),
        ("unknown", ["before"]),
    ]


async def test_what_the_live_decision_did_look_up_is_known_to_the_shadow(make: Any, log: Any) -> None:
    rows = ALLOW + '\np, *, acme, local.put, write, r.ctx.before.state == "open", deny'
    labelled = '\np2, *, acme, local.post, send, "{}" in r.ctx.labels, lead'
    crib = make(
        rows + labelled.format("confidential"),
        rows.replace("open", "closed") + labelled.format("untrusted"),
    )
    await ask(crib, "web")
    assert (await ask(crib, "put", id="1"), await ask(crib, "post")) == ("done", "done")
    told = [one["shadow"].get("decision") for one in log() if "preview_of" not in one]
    assert told == [None, "deny", "review"]


async def test_a_tool_without_a_preview_has_no_record_before(make: Any, log: Any) -> None:
    crib = make(ALLOW, ALLOW + '\np, *, acme, local.post, send, has(r.ctx, "before.state"), deny')
    await ask(crib, "post")
    assert "decision" not in log()[0]["shadow"]


async def test_unchecked_arguments_are_unknown_to_the_shadow(make: Any, log: Any) -> None:
    crib = make(
        "p, user:alice, acme, local.*, *, True, allow", 'p, *, *, *, *, r.ctx.args.note == "7", allow'
    )
    await ask(crib, "look", note=7)
    assert log()[0]["shadow"]["missing"] == ["args.note"]


async def test_a_shadow_that_does_not_load_changes_nothing_and_is_told_once(make: Any, log: Any) -> None:
    crib = make(ALLOW, "p, *, acme, local.*, *, True, Allow")
    for _ in range(3):
        crib.shadow.look()
        assert await ask(crib, "look", note=str(_)) == "done"
    (told,) = [one for one in log("admin") if one["action"] == "shadow.failed"]
    assert "policy.csv:1" in told["detail"]
    assert all("shadow" not in one for one in log())


async def test_a_missing_folder_is_told_and_taken_when_it_comes(make: Any, log: Any, tmp_path: Path) -> None:
    crib = make(ALLOW, None)
    assert await ask(crib, "look") == "done"
    write(tmp_path / "next", ALLOW)
    crib.shadow.look()
    await ask(crib, "look", note="2")
    assert [one["action"] for one in log("admin")] == ["shadow.failed", "shadow.loaded"]
    assert [("shadow" in one) for one in log()] == [False, True]


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
async def test_a_custom_model_is_too_slow_for_a_shadow(make: Any, log: Any) -> None:
    crib = make(ALLOW, ALLOW, MODEL.replace('(p.act == "*" || r.act == p.act)', "r.act == p.act"))
    assert crib.shadow.policy is None
    assert "plain Casbin is too slow" in log("admin")[0]["detail"]


async def test_a_shadow_that_raises_is_told_once_and_the_call_goes_on(
    make: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    crib = make(ALLOW, ALLOW)

    def broken(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(crib.shadow.policy, "candidates", broken)
    for number in range(3):
        assert await ask(crib, "look", note=str(number)) == "done"
        crib.shadow.look()
    (told,) = [one for one in log("admin") if one["action"] == "shadow.failed"]
    assert "MemoryError: no room" in told["detail"]
    assert all("shadow" not in one for one in log())


def test_it_follows_in_a_thread_of_its_own(tmp_path: Path) -> None:
    loaded = threading.Event()
    shadow = Shadow(write(tmp_path / "next", ALLOW), lambda **record: loaded.set())
    shadow.start()
    try:
        assert loaded.wait(10)
        assert shadow.policy is not None
    finally:
        shadow.close()


def test_a_record_that_fails_does_not_end_the_following(tmp_path: Path) -> None:
    def record(**fields: str) -> None:
        raise OSError("disk full")

    shadow = Shadow(write(tmp_path / "next", ALLOW), record)
    shadow.look()
    shadow.look()
    assert shadow.policy is not None


async def test_without_the_setting_there_is_no_shadow(tmp_path: Path) -> None:
    with make_crib(tmp_path, ALLOW) as crib:
        assert crib.config.shadow is None
        assert crib.shadow is None
