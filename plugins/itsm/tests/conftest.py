"""Every backend behind one fixture."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from toolcrib import CallContext, Principal
from toolcrib.secrets import Secret
from toolcrib_itsm import ITSM, ITSMSettings
from toolcrib_itsm._desk import build
from toolcrib_itsm.embedded import EmbeddedBackend
from toolcrib_itsm.sample import DEMO


def context(
    *,
    tenant="acme",
    user="alice",
    agent="desk",
    tool="itsm.test",
    key="key-1",
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
        idempotency_key=key,
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
    requester is shown; `lacks` are the tools that the backend has no place for.
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


WORLDS = ["embedded"]


@pytest.fixture(params=WORLDS)
def world(request) -> World:
    return request.getfixturevalue(request.param)


@pytest.fixture
def itsm(world) -> ITSM:
    return world.itsm
