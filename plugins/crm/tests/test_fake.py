"""The fake against the public client alone: what simple-salesforce cannot work with would prove nothing."""

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce import Salesforce
from simple_salesforce import SalesforceMalformedRequest as MalformedRequest
from simple_salesforce import SalesforceResourceNotFound as ResourceNotFound
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
)

from toolcrib_crm import sample
from toolcrib_crm.sample import DEMO
from toolcrib_crm.testing import EXTERNAL_ID, ConnectedApp, FakeSalesforce
from toolcrib_crm.testing._adapter import LoopbackAdapter

NOBODY = "001000000000001AAA"


@pytest.fixture
def org():
    with FakeSalesforce(page_size=200) as service:
        service.load(sample.records())
        service.add_user("u@acme.example", "p&w", "tok")
        yield service
    assert not service.failures


@pytest.fixture
def client(org):
    return Salesforce(username="u@acme.example", password="p&w", security_token="tok", session=org.session())


def test_login_by_password_and_token(org, client):
    assert client.sf_instance == "acme.my.salesforce.com"
    assert org.logins.sessions[client.session_id] == "u@acme.example"


@pytest.mark.parametrize("wrong", [{"password": "x"}, {"security_token": "x"}, {"username": "x"}])
def test_a_wrong_password_is_refused(org, wrong):
    good = {"username": "u@acme.example", "password": "p&w", "security_token": "tok"}
    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        Salesforce(**{**good, **wrong}, session=org.session())
    assert refused.value.code == "INVALID_LOGIN"


def test_a_missing_token_is_told(org):
    from simple_salesforce import SalesforceLogin

    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        SalesforceLogin(username="u@acme.example", password="p&w", session=org.session())
    assert refused.value.code == "LOGIN_MUST_USE_SECURITY_TOKEN"


def test_login_by_jwt(org):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    org.add_app(ConnectedApp("KEY", "SECRET", public.decode(), approved=frozenset({"u@acme.example"})))
    client = Salesforce(username="u@acme.example", consumer_key="KEY", privatekey=pem, session=org.session())
    assert client.query("SELECT Id FROM Lead LIMIT 1")["totalSize"] == 1


def test_login_by_client_credentials_only_at_the_orgs_domain(org):
    org.add_app(ConnectedApp("KEY", "SECRET"))
    client = Salesforce(consumer_key="KEY", consumer_secret="SECRET", domain="acme.my", session=org.session())
    assert client.query("SELECT Id FROM Lead LIMIT 1")["totalSize"] == 1
    with pytest.raises(SalesforceAuthenticationFailed, match="not supported on this domain"):
        Salesforce(consumer_key="KEY", consumer_secret="SECRET", domain="other.my", session=org.session())


def test_a_records_life(org, client):
    made = client.Lead.create({"LastName": "Bare", "Company": "Client"})
    assert made["success"]
    got = client.Lead.get(made["id"])
    assert (got["Name"], got["IsConverted"], got["attributes"]["type"]) == ("Bare", False, "Lead")
    assert client.Lead.get(made["id"][:15])["Id"] == made["id"]
    assert client.Lead.update(made["id"], {"Rating": "Hot"}) == 204
    assert client.Lead.get(made["id"])["Rating"] == "Hot"
    assert client.Lead.delete(made["id"]) == 204
    with pytest.raises(ResourceNotFound, match="ENTITY_IS_DELETED"):
        client.Lead.get(made["id"])
    assert [what for what, _ in org.changes] == ["create", "update", "delete"]


def test_queries_and_their_pages(org, client):
    first = client.query("SELECT Id, Name FROM Account ORDER BY Name ASC")
    assert (first["totalSize"], first["done"], len(first["records"])) == (240, False, 200)
    rest = client.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert (rest["done"], len(rest["records"])) == (True, 40)
    assert client.query_all("SELECT Id FROM Task")["totalSize"] == 2400
    assert sum(1 for _ in client.query_all_iter("SELECT Id FROM Contact")) == 720
    with pytest.raises(MalformedRequest, match="INVALID_QUERY_LOCATOR"):
        client.query_more(first["nextRecordsUrl"], identifier_is_url=True)


def test_a_parent_comes_nested_as_salesforce_nests_it(client):
    (row,) = client.query(f"SELECT Account.Name FROM Contact WHERE Id = '{DEMO.contact_id}'")["records"]
    assert row["Account"]["Name"] == DEMO.company


def test_description_and_limits(client):
    assert "Lead" in [item["name"] for item in client.describe()["sobjects"]]
    fields = {field["name"]: field for field in client.Opportunity.describe()["fields"]}
    assert {"value": "Closed Won", "label": "Closed Won", "active": True, "defaultValue": False} in fields[
        "StageName"
    ]["picklistValues"]
    assert not fields["IsWon"]["updateable"]
    assert client.Lead.metadata()["objectDescribe"]["name"] == "Lead"
    assert client.limits()["DailyApiRequests"]["Max"] == 15000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"Company": "x"}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "x", "Company": "x", "Nope": 1}, "INVALID_FIELD"),
        ({"LastName": "x", "Company": "x", "Name": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"LastName": "x", "Company": "x", "Id": DEMO.lead_id}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"LastName": "x" * 81, "Company": "x"}, "STRING_TOO_LONG"),
        ({"LastName": 5, "Company": "x"}, "JSON_PARSER_ERROR"),
        ({"LastName": "x", "Company": "x", "NumberOfEmployees": "5"}, "JSON_PARSER_ERROR"),
        ({"LastName": "x", "Company": "x", "Email": "no address"}, "INVALID_EMAIL_ADDRESS"),
    ],
)
def test_a_body_that_is_not_right_is_refused(org, client, body, code):
    with pytest.raises(MalformedRequest, match=code):
        client.Lead.create(body)
    assert org.changes == []


@pytest.mark.parametrize(
    ("what", "error", "code"),
    [
        (lambda c: c.Nope.create({}), ResourceNotFound, "NOT_FOUND"),
        (lambda c: c.Lead.get("00Q"), MalformedRequest, "MALFORMED_ID"),
        (lambda c: c.Lead.get(DEMO.account_id), MalformedRequest, "MALFORMED_ID"),
        (lambda c: c.Lead.get("00Q000000000001AAA"), ResourceNotFound, "NOT_FOUND"),
        (lambda c: c.Contact.create({"LastName": "x", "AccountId": NOBODY}), MalformedRequest, "CROSS_REF"),
        (lambda c: c.Account.delete(DEMO.account_id), MalformedRequest, "DELETE_FAILED"),
        (lambda c: c.query("SELECT Id FROM User"), MalformedRequest, "INVALID_TYPE"),
        (lambda c: c.query("SELECT Nope FROM Lead"), MalformedRequest, "INVALID_FIELD"),
        (lambda c: c.query("SELECT Id FROM Lead WHERE Name = 'it's'"), MalformedRequest, "MALFORMED_QUERY"),
        (lambda c: c.restful("nothing/here"), ResourceNotFound, "NOT_FOUND"),
        (lambda c: c.restful("query/", params={"query": "x"}), MalformedRequest, "MALFORMED"),
        (lambda c: c.restful("sobjects/Lead", method="PUT", data="{}"), SalesforceGeneralError, "405"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(client, what, error, code):
    with pytest.raises(error, match=code):
        what(client)


def post(client, data, **headers):
    given = {"Authorization": f"Bearer {client.session_id}", "Content-Type": "application/json", **headers}
    return client.session.post(
        client.base_url + "sobjects/Lead", data=data, headers={k: v for k, v in given.items() if v}
    )


@pytest.mark.parametrize(
    ("data", "headers", "status", "code"),
    [
        ("{}", {"Content-Type": None}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("{}", {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("{", {}, 400, "JSON_PARSER_ERROR"),
        ("[]", {}, 400, "JSON_PARSER_ERROR"),
        ("{}", {"Authorization": None}, 401, "INVALID_SESSION_ID"),
        ("{}", {"Authorization": "Bearer 00D!stale"}, 401, "INVALID_SESSION_ID"),
        ("{}", {"Authorization": "Basic eA=="}, 401, "INVALID_SESSION_ID"),
    ],
)
def test_headers_and_bodies_are_looked_at(client, data, headers, status, code):
    answer = post(client, data, **headers)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)


def test_data_is_served_at_the_orgs_own_host_and_in_known_versions(client):
    for url in (
        "https://login.salesforce.com/services/data/v59.0/limits/",
        "https://acme.my.salesforce.com/services/data/v7.0/limits/",
    ):
        answer = client.session.get(url, headers={"Authorization": f"Bearer {client.session_id}"})
        assert answer.status_code == 404


def test_an_expired_session_is_renewed_by_the_client(org, client):
    org.expire_sessions()
    assert client.query("SELECT Id FROM Lead LIMIT 1")["done"]
    assert org.logins.count == 2


def test_a_given_session_is_not_renewed(org, client):
    direct = Salesforce(
        session_id=client.session_id, instance_url="https://acme.my.salesforce.com", session=org.session()
    )
    assert direct.query("SELECT Id FROM Lead LIMIT 1")["done"]
    org.expire_sessions()
    with pytest.raises(SalesforceExpiredSession, match="INVALID_SESSION_ID"):
        direct.query("SELECT Id FROM Lead LIMIT 1")


def test_it_can_fail_be_slow_and_vanish(org, client):
    org.fail(503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "down"}])
    with pytest.raises(SalesforceGeneralError, match="SERVER_UNAVAILABLE"):
        client.limits()
    org.vanish()
    with pytest.raises(requests.ConnectionError):
        client.Lead.create({"LastName": "x", "Company": "x"})
    assert len(org.changes) == 1
    assert client.limits()


def test_salesforce_is_met_over_https_only(org):
    with pytest.raises(requests.exceptions.InvalidSchema, match="over https"):
        LoopbackAdapter(org.url).send(requests.Request("GET", "http://acme.my.salesforce.com/").prepare())


def test_an_upsert_by_the_external_id_makes_a_record_once(org, client):
    assert client.Lead.upsert(f"{EXTERNAL_ID}/key-1", {"LastName": "Bare", "Company": "Client"}) == 201
    assert client.Lead.upsert(f"{EXTERNAL_ID}/key-1", {"Rating": "Hot"}) == 200
    found = client.Lead.get_by_custom_id(EXTERNAL_ID, "key-1")
    assert (found["LastName"], found["Rating"], found[EXTERNAL_ID]) == ("Bare", "Hot", "key-1")
    with pytest.raises(ResourceNotFound):
        client.Lead.get_by_custom_id(EXTERNAL_ID, "key-2")
    with pytest.raises(ResourceNotFound, match="does not exist or is not accessible"):
        client.Account.upsert(f"{EXTERNAL_ID}/key-1", {"Name": "x"})
    with pytest.raises(MalformedRequest, match="should not be specified"):
        client.Lead.upsert(f"{EXTERNAL_ID}/key-1", {EXTERNAL_ID: "key-2"})
    assert [what for what, _ in org.changes] == ["create", "update"]


def test_a_batch_answers_each_of_its_requests(client):
    query = "query/?q=SELECT+Id+FROM+Lead+LIMIT+1"
    asked = [{"method": "GET", "url": f"v59.0/{query}"}, {"method": "GET", "url": "v59.0/query/?q=SELECT"}]
    body = {"batchRequests": asked, "haltOnError": False}
    answer = client.restful("composite/batch", method="POST", json=body)
    assert [result["statusCode"] for result in answer["results"]] == [200, 400]
    assert answer["hasErrors"] and answer["results"][0]["result"]["totalSize"] == 1
    for bad in ({"batchRequests": []}, {"batchRequests": asked * 13}, {"batchRequests": asked, "x": 1}):
        with pytest.raises(MalformedRequest):
            client.restful("composite/batch", method="POST", json=bad)
    other = client.restful(
        "composite/batch", method="POST", json={"batchRequests": [{"method": "DELETE", "url": "v59.0/x"}]}
    )
    assert other["results"][0]["statusCode"] == 404
