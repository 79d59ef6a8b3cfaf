"""The fake against the public client alone: what pysnc cannot work with would prove nothing."""

import functools

import httpx
import pytest
from pysnc.asyncio import (
    AsyncServiceNowClient,
    AsyncServiceNowClientCredentialsFlow,
    AsyncServiceNowPasswordGrantFlow,
)
from pysnc.exceptions import AuthenticationException, NotFoundException, RequestException, RoleException

from toolcrib_itsm.sample import DEMO
from toolcrib_itsm.testing import sys_id

URL = "https://acme.service-now.com"


@pytest.fixture
async def client(fake):
    session = httpx.AsyncClient(
        auth=("alice.sn", "pass^word<&>"), base_url=URL, transport=fake.transport(), trust_env=False
    )
    made = AsyncServiceNowClient(URL, session)
    yield made
    await made.close()


async def test_a_records_life(client):
    incident = await client.GlideRecord("incident")
    incident.initialize()
    incident.short_description = "Made by the bare client"
    incident.caller_id = sys_id(DEMO.requester)
    key = await incident.insert()
    again = await client.GlideRecord("incident")
    assert await again.get(key)
    assert again.get_display_value("caller_id") == "Lena Brisk"
    again.state = "2"
    again.comments = "For the caller"
    assert await again.update() == key
    journal = await client.GlideRecord("sys_journal_field")
    journal.add_query("element_id", key)
    await journal.query()
    assert await journal.next()
    assert (journal.get_value("element"), journal.get_value("value")) == ("comments", "For the caller")


async def test_queries_orders_and_pages(client):
    people = await client.GlideRecord("sys_user", batch_size=5)
    people.add_active_query()
    people.order_by("user_name")
    await people.query()
    names = [row.get_value("user_name") async for row in people]
    assert len(names) == 22 and names == sorted(names)
    either = await client.GlideRecord("sys_user")
    either.add_query("user_name", "alice").add_or_condition("user_name", "dana")
    await either.query()
    assert len(either) == 2


async def test_one_record_that_is_not_there(client):
    incident = await client.GlideRecord("incident")
    assert await incident.get("0" * 32) is False
    with pytest.raises(NotFoundException):
        await client.table_api.get(incident, "0" * 32)


async def test_what_is_not_right_is_refused(client, fake):
    incident = await client.GlideRecord("incident")
    incident.add_query("no_such_field", "1")
    with pytest.raises(RequestException):
        await incident.query()
    fake.forbid("cmdb_ci", "read")
    with pytest.raises(RoleException):
        await (await client.GlideRecord("cmdb_ci")).query()


async def test_a_wrong_password_is_refused(fake):
    session = httpx.AsyncClient(auth=("alice.sn", "wrong"), transport=fake.transport(), trust_env=False)
    with pytest.raises(AuthenticationException):
        await (await AsyncServiceNowClient(URL, session).GlideRecord("incident")).query()
    await session.aclose()


@pytest.mark.parametrize("grant", ["password", "client_credentials"])
async def test_the_clients_own_logins(fake, grant, monkeypatch):
    """pysnc makes clients of its own for these, so they are led to the fake."""
    fake.add_app("id", "secret", sys_id("USR0000001"))
    led = functools.partial(httpx.AsyncClient, transport=fake.transport(), trust_env=False)
    monkeypatch.setattr("pysnc.asyncio.auth.httpx.AsyncClient", led)
    flow = (
        AsyncServiceNowPasswordGrantFlow("alice.sn", "pass^word<&>", "id", "secret")
        if grant == "password"
        else AsyncServiceNowClientCredentialsFlow("id", "secret")
    )
    session = await flow.authenticate(URL)
    reply = await session.get("/api/now/table/sys_user", params={"sysparm_limit": "1"})
    assert reply.json()["result"] and fake.logins == 1
    await session.aclose()


async def test_pages_are_linked_and_counted(fake, client):
    reply = await client.session.get("/api/now/table/incident", params={"sysparm_limit": "100"})
    assert reply.headers["x-total-count"] == "243"
    assert 'rel="next"' in reply.headers["link"] and "sysparm_offset=100" in reply.headers["link"]
    last = await client.session.get(
        "/api/now/table/incident", params={"sysparm_limit": "100", "sysparm_offset": "200"}
    )
    assert len(last.json()["result"]) == 43 and 'rel="next"' not in last.headers["link"]
    assert isinstance(last.json()["result"][0]["caller_id"], str)
