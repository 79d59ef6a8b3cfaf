"""Every backend behind one fixture."""

import importlib.util
import json
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from toolcrib import CallContext, Principal
from toolcrib.secrets import Secret
from toolcrib.testing.counterparts import missing
from toolcrib_itsm import ITSM, ITSMSettings
from toolcrib_itsm._desk import build
from toolcrib_itsm.embedded import EmbeddedBackend
from toolcrib_itsm.roundup import RoundupBackend
from toolcrib_itsm.sample import DEMO, records
from toolcrib_itsm.servicenow import ServiceNowBackend
from toolcrib_itsm.testing import FakeServiceNow, RoundupTracker, TrackerUser, sys_id


def context(
    *,
    tenant="acme",
    user="alice",
    agent="desk",
    tool="itsm.test",
    key: str = "",
    secret: Any = None,
    seconds: float = 60,
) -> CallContext:
    """A call's context without a crib around it."""

    async def fetch(name: str) -> Secret:
        value = secret if isinstance(secret, str) else json.dumps(secret)
        return Secret(value, path=f"itsm/{tenant}/{name}", version=1)

    return CallContext(
        tool=tool,
        principal=Principal(agent=agent, user=user, tenant=tenant),
        call_id="call-1",
        idempotency_key=key or uuid.uuid4().hex,
        deadline=time.monotonic() + seconds,
        fetch_secret=fetch,
    )


@pytest.fixture
def make_ctx(world) -> Callable[..., CallContext]:
    return lambda **given: context(**{"secret": world.secret, **given})


@pytest.fixture
def ctx(make_ctx) -> CallContext:
    return make_ctx()


@dataclass
class World:
    """A desk to try. `known`, `other` are open incidents, `portal(id)` is all of a ticket's journal that its
    requester is shown; `lacks` are the tools that the backend has no place for. `stranger` is somebody of
    another tenant, as `make_ctx` takes them.
    """

    name: str
    itsm: ITSM
    with_settings: Callable[..., ITSM]
    state: Callable[[], Any]
    portal: Callable[[str], list[str]]
    known: str
    other: str
    requester: str
    technician: str
    nobody: str
    ci: str
    ci_name: str
    group: str | None
    secret: Any = None
    lacks: frozenset[str] = frozenset()
    backend: Any = None
    stranger: dict[str, Any] = field(default_factory=lambda: {"tenant": "globex", "user": "gita"})
    extra: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> Path:
    """A database with the sample data, made once and copied."""
    path = tmp_path_factory.mktemp("filled") / "itsm-acme.db"
    build(path)
    return path


@pytest.fixture
async def embedded(tmp_path, filled):
    shutil.copy(filled, tmp_path)
    backend = EmbeddedBackend(tmp_path)

    def dump():
        store = backend._store("acme")
        with store._lock:
            return list(store._db.iterdump())

    def portal(ticket):
        store = backend._store("acme")
        with store._lock:
            rows = store._db.execute("SELECT text FROM portal WHERE ticket_id = ?", (ticket,)).fetchall()
        return [row[0] for row in rows]

    yield World(
        name="embedded",
        itsm=ITSM(backend),
        with_settings=lambda **given: ITSM(backend, ITSMSettings(**given)),
        state=dump,
        portal=portal,
        known=DEMO.known_ticket,
        other=DEMO.unknown_ticket,
        requester=DEMO.requester,
        technician=DEMO.technician,
        nobody="USR9999999",
        ci=DEMO.ci,
        ci_name="label-printer-001",
        group="Field Support",
        backend=backend,
        extra={"folder": tmp_path, "change": DEMO.change, "item": "Second screen"},
    )
    await backend.close()


@pytest.fixture(scope="session")
def need_roundup():
    """Say loudly that there is no Roundup; fail where TOOLCRIB_STRICT=1."""
    if importlib.util.find_spec("roundup") is None:
        missing("NOT TRIED ON ROUNDUP: the package roundup is not installed")


@pytest.fixture(scope="session")
def tracker(tmp_path_factory, need_roundup):
    """A real Roundup, extended; one for all tests, which bring issues of their own."""
    with RoundupTracker(tmp_path_factory.mktemp("roundup") / "tracker") as served:
        yield served


@pytest.fixture(scope="session")
def classic_tracker(tmp_path_factory, need_roundup):
    """A real Roundup of the template as it is."""
    with RoundupTracker(tmp_path_factory.mktemp("classic") / "tracker", extended=False) as served:
        yield served


@pytest.fixture
def requester(tracker):
    with TrackerUser(tracker) as somebody:
        yield somebody


@pytest.fixture
async def roundup(tracker, requester):
    sample = {row["id"]: row for row in records()["ticket"]}
    known, other = (
        requester.opens(sample[name]["title"], sample[name]["description"])
        for name in (DEMO.known_ticket, DEMO.unknown_ticket)
    )
    settings = {"backend": "roundup", "url": tracker.url, "tracker": "extended"}
    backend = RoundupBackend(ITSMSettings(**settings))
    user = {
        row["username"]: row["id"]
        for row in requester.rest.get("/user", params={"@fields": "username"}).json()["data"]["collection"]
    }
    yield World(
        name="roundup",
        itsm=ITSM(backend, ITSMSettings(**settings)),
        with_settings=lambda **given: ITSM(backend, ITSMSettings(**{**settings, **given})),
        state=tracker.rows,
        portal=requester.reads,
        known=known,
        other=other,
        requester=user["user11"],
        technician=user["pavel"],
        nobody="999999",
        ci="1",
        ci_name="label-printer-001",
        group=None,
        secret={"username": "alice", "password": tracker.password},
        lacks=frozenset({"create_change", "decide_change_approval", "submit_catalog_request"}),
        backend=backend,
        stranger={
            "tenant": "globex",
            "user": "gita",
            "secret": {"username": "gita", "password": tracker.password},
        },
        extra={"tracker": tracker, "requester": requester},
    )
    await backend.close()


ALICE = {"username": "alice.sn", "password": "pass^word<&>"}
GITA = {"username": "gita.sn", "password": "another^word"}


@pytest.fixture
def fake():
    """A fake instance with the sample desk. Nothing but the one constant was ever run as a script there, and
    nothing was written that it has no field for.
    """
    with FakeServiceNow() as service:
        service.instance.load_sample()
        service.add_account(ALICE["username"], ALICE["password"], sys_id("USR0000001"))
        service.instance.put(
            "sys_user", {"sys_id": sys_id("gita"), "name": "Gita Harrow", "user_name": "gita"}
        )
        service.add_account(GITA["username"], GITA["password"], sys_id("gita"))
        service.instance.domains |= {sys_id("USR0000001"): "acme", sys_id("gita"): "globex"}
        yield service
    assert not service.failures
    assert set(service.instance.scripts) <= {"javascript:gs.getUserID()"}
    assert service.instance.ignored == []


@pytest.fixture
async def servicenow(fake):
    settings = {"backend": "servicenow", "instance": "acme"}
    backend = ServiceNowBackend(ITSMSettings(**settings), transport=fake.transport())

    def portal(ticket):
        rows = fake.instance.tables["sys_journal_field"].values()
        return [row["value"] for row in rows if row["element_id"] == ticket and row["element"] == "comments"]

    yield World(
        name="servicenow",
        itsm=ITSM(backend, ITSMSettings(**settings)),
        with_settings=lambda **given: ITSM(backend, ITSMSettings(**{**settings, **given})),
        state=fake.instance.snapshot,
        portal=portal,
        known=sys_id(DEMO.known_ticket),
        other=sys_id(DEMO.unknown_ticket),
        requester=sys_id(DEMO.requester),
        technician=sys_id(DEMO.technician),
        nobody=sys_id("nobody"),
        ci=sys_id(DEMO.ci),
        ci_name="label-printer-001",
        group="Field Support",
        secret=ALICE,
        backend=backend,
        stranger={"tenant": "globex", "user": "gita", "secret": GITA},
        extra={"fake": fake, "change": sys_id(DEMO.change), "item": "Second screen"},
    )
    await backend.close()


WORLDS = ["embedded", "roundup", "servicenow"]


@pytest.fixture(params=WORLDS)
def world(request) -> World:
    return request.getfixturevalue(request.param)


@pytest.fixture
def itsm(world) -> ITSM:
    return world.itsm
