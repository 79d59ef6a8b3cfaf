"""Both backends behind one fixture, and the independent SOQL parser that sees everything the Salesforce
backend sends.
"""

import fcntl
import json
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from toolcrib import CallContext, Principal
from toolcrib.errors import ToolcribWarning
from toolcrib.secrets import Secret
from toolcrib.testing.counterparts import missing
from toolcrib.testing.cribs import make_crib
from toolcrib_crm import CRM, CRMSettings, salesforce, sample
from toolcrib_crm._salesforce_rest import Org
from toolcrib_crm.embedded import EmbeddedBackend, _build
from toolcrib_crm.salesforce import SalesforceBackend
from toolcrib_crm.testing import FakeSalesforce

ROOT = Path(__file__).parents[3]
COUNTERPART = ROOT / "tests" / "counterparts" / "soql"
INSTALLED = ROOT / ".counterparts" / "soql"
PASSWORD = {"username": "alice@acme.example", "password": "pass<&>word", "security_token": "tok&en42"}


def context(
    *, tenant="acme", user="alice", agent="sales", secret: Any = None, seconds: float = 60, version=1
) -> CallContext:
    """A call's context without a crib around it."""

    async def fetch(name: str) -> Secret:
        assert name == "salesforce"
        value = secret if isinstance(secret, str) else json.dumps(secret or PASSWORD)
        return Secret(value, path=f"crm/{tenant}/salesforce", version=version)

    return CallContext(
        tool="crm.test",
        principal=Principal(agent=agent, user=user, tenant=tenant),
        call_id="call-1",
        idempotency_key="key-1",
        deadline=time.monotonic() + seconds,
        fetch_secret=fetch,
    )


@pytest.fixture
def make_ctx() -> Callable[..., CallContext]:
    return context


@pytest.fixture
def ctx() -> CallContext:
    return context()


@dataclass
class World:
    """A CRM to try: `state()` is everything it holds, comparable; `with_settings` gives the same with other
    settings.
    """

    name: str
    crm: CRM
    state: Callable[[], Any]
    with_settings: Callable[..., CRM]
    fake: FakeSalesforce | None = None
    folder: Path | None = None
    backend: Any = field(default=None)


@pytest.fixture
def fake(soql_parser_or_none):
    """A fake org with the sample data and one user; whatever SOQL it was sent must satisfy the independent
    parser.
    """
    with FakeSalesforce() as service:
        service.load(sample.records())
        service.add_user(PASSWORD["username"], PASSWORD["password"], PASSWORD["security_token"])
        yield service
    assert not service.failures
    if soql_parser_or_none is not None:
        for text in service.queries:
            answer = soql_parser_or_none(text)
            assert answer["ok"], (text, answer["error"])


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> Path:
    """A database with the sample data, made once and copied."""
    path = tmp_path_factory.mktemp("filled") / "crm-acme.db"
    _build(path)
    return path


@pytest.fixture
async def embedded(tmp_path, filled):
    shutil.copy(filled, tmp_path)
    backend = EmbeddedBackend(tmp_path)

    def state():
        store = backend._store("acme")
        with store._lock:
            return list(store._db.iterdump())

    world = World(
        "embedded", CRM(backend), state, lambda **s: CRM(backend, CRMSettings(**s)), folder=tmp_path
    )
    world.backend = backend
    yield world
    await backend.close()


@pytest.fixture(name="salesforce")
async def _salesforce(fake):
    backend = SalesforceBackend(CRMSettings(backend="salesforce"), transport=fake.transport())

    def with_settings(**settings):
        return CRM(backend, CRMSettings(backend="salesforce", **settings))

    world = World("salesforce", CRM(backend), fake.store.snapshot, with_settings, fake=fake)
    world.backend = backend
    yield world
    await backend.close()


@pytest.fixture(params=["embedded", "salesforce"])
def world(request) -> World:
    return request.getfixturevalue(request.param)


@pytest.fixture
def crm(world) -> CRM:
    return world.crm


VENDOR = """
[packs]
trust = "installed"
[packs.crm]
backend = "salesforce"
{settings}
[packs.crm.secrets]
salesforce = "crm/{{tenant}}/salesforce"
[secrets]
provider = "env"
"""


@pytest.fixture
def over_salesforce(tmp_path, fake, monkeypatch):
    """Opens cribs whose CRM is the fake org: `over_salesforce(policy rows, settings)`."""
    monkeypatch.setenv("TOOLCRIB_SECRET_CRM__ACME__SALESFORCE", json.dumps(PASSWORD))
    monkeypatch.setattr(salesforce, "Org", lambda settings, _: Org(settings, fake.transport()))
    made = []

    def opened(rows, settings=""):
        made.append(make_crib(tmp_path, rows, config=VENDOR.format(settings=settings)))
        return made[-1]

    yield opened
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ToolcribWarning)
        for crib in made:
            crib.close()


# --- the independent parser -----------------------------------------------------------------------


def _install() -> str | None:
    """Install the npm package once; the reason where it cannot be had."""
    wanted = (COUNTERPART / "package.json").read_text()
    if (INSTALLED / "package.json").exists() and (INSTALLED / "package.json").read_text() == wanted:
        return None
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        return "node and npm are not installed"
    draft = INSTALLED.with_name(f"soql-{os.getpid()}")
    draft.mkdir(parents=True, exist_ok=True)
    shutil.copy(COUNTERPART / "package.json", draft)
    command = [npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=100)
    if done.returncode:
        shutil.rmtree(draft)
        return f"npm install failed: {done.stderr[-300:]}"
    shutil.rmtree(INSTALLED, ignore_errors=True)
    draft.rename(INSTALLED)
    return None


@pytest.fixture(scope="session")
def _soql_parser():
    INSTALLED.parent.mkdir(exist_ok=True)
    with (INSTALLED.parent / "soql.lock").open("w") as lock:  # test processes side by side install it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        problem = _install()
    if problem:
        yield None, problem
        return
    command = ["node", str(COUNTERPART / "check.cjs")]
    with subprocess.Popen(
        command, cwd=INSTALLED, stdin=-1, stdout=-1, text=True, encoding="utf-8"
    ) as process:

        def check(text: str) -> dict[str, Any]:
            process.stdin.write(json.dumps(text) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield check, ""
        process.stdin.close()


@pytest.fixture(scope="session")
def soql_parser_or_none(_soql_parser):
    return _soql_parser[0]


@pytest.fixture(scope="session")
def soql_parser(_soql_parser):
    """Asks `@jetstreamapp/soql-parser-js`; a test that cannot says so loudly, and fails where
    TOOLCRIB_STRICT=1.
    """
    check, problem = _soql_parser
    if check is None:
        message = f"SOQL NOT CHECKED by the independent parser: {problem}"
        missing(message)
    return check
