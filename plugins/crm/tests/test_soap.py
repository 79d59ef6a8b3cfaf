"""SOAP requests as an XML parser reads them, and answers in which nothing is more than text."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolcrib.errors import VendorRefused
from toolcrib_crm import _salesforce_soap as soap

URN = "{urn:partner.soap.sforce.com}"
quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
odd = st.text(st.sampled_from("<>&'\"]a;!-[é😀\u202e\x00\x0b\ud800\n "), min_size=1, max_size=30)


def plain(text):
    """A parser makes one line break of what ends a line."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


@quick
@given(odd, odd)
def test_a_name_and_a_password_arrive_as_they_are_or_not_at_all(name, password):
    try:
        request = soap.login_request(name, password)
    except VendorRefused as refused:
        assert any(char in name + password for char in "\x00\x0b\ud800")
        assert name not in str(refused) or len(name) < 4
        return
    body = ET.fromstring(request)
    (login,) = body.iter(f"{URN}login")
    assert [(part.tag, part.text) for part in login] == [
        (f"{URN}username", plain(name)),
        (f"{URN}password", plain(password)),
    ]


@quick
@given(odd, odd)
def test_the_name_of_a_deal_is_one_element(session, deal):
    try:
        request = soap.convert_request(session, "00QTC0000000001", None, deal, "Closed - Converted")
    except VendorRefused:
        return
    body = ET.fromstring(request)
    (lead,) = body.iter(f"{URN}leadConverts")
    names = [part.tag.removeprefix(URN) for part in lead]
    assert names == [
        "convertedStatus", "doNotCreateOpportunity", "leadId", "opportunityName", "overwriteLeadSource",
        "sendNotificationEmail",
    ]  # fmt: skip
    assert lead.findtext(f"{URN}opportunityName") == plain(deal)


def test_without_a_deal_none_is_made_and_an_account_comes_first():
    body = ET.fromstring(soap.convert_request("s", "00QTC0000000001", "001TC0000000001", None, "Closed"))
    (lead,) = body.iter(f"{URN}leadConverts")
    assert lead[0].tag == f"{URN}accountId"
    assert lead.findtext(f"{URN}doNotCreateOpportunity") == "true"
    assert lead.find(f"{URN}opportunityName") is None


@pytest.mark.parametrize(
    ("xml", "found"),
    [
        ("<r><id>1</id></r>", "1"),
        ('<sf:id xsi:type="x">a&amp;b</sf:id>', "a&b"),
        ("<id>&lt;id&gt;</id>", "<id>"),
        ("<ids>1</ids>", None),
        ("<id/>", None),
        ("<id>1", None),
        ('<!DOCTYPE x [<!ENTITY e "boom">]><id>&e;</id>', "&e;"),  # no entity of an answer is ever looked up
        ("", None),
    ],
)
def test_an_element_is_found_as_text(xml, found):
    assert soap.element(xml, "id") == found


@pytest.mark.parametrize(
    ("xml", "found"),
    [
        (
            "<faultcode>sf:INVALID_SESSION_ID</faultcode><faultstring>x</faultstring>",
            ("INVALID_SESSION_ID", "x"),
        ),
        ("<errors><message>m</message><statusCode>S</statusCode></errors>", ("S", "m")),
        ("<faultstring>x</faultstring>", ("", "x")),
        ("<html><title>Down</title></html>", None),
        ("", None),
    ],
)
def test_a_fault_has_a_code_and_words(xml, found):
    assert soap.fault(xml) == found
