"""What Salesforce does over SOAP alone: a login with password and token, and converting a lead.

Requests are written here and answers are searched, never parsed: no XML parser sees what came over the wire.
"""

from __future__ import annotations

import re
from html import escape, unescape

from toolcrib.errors import VendorRefused

__all__ = ["HEADERS", "convert_request", "element", "fault", "login_request"]

HEADERS = {"content-type": "text/xml; charset=UTF-8", "soapaction": '""', "accept": "text/xml"}

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:urn="urn:partner.soap.sforce.com">{head}<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'
)
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def login_request(username: str, password: str) -> bytes:
    """A `login` call; `password` ends in the security token, where there is one."""
    who = f"<urn:username>{_xml(username)}</urn:username><urn:password>{_xml(password)}</urn:password>"
    return _ENVELOPE.format(head="", body=f"<urn:login>{who}</urn:login>").encode()


def convert_request(session: str, lead: str, account: str | None, deal: str | None, status: str) -> bytes:
    """A `convertLead` call; elements in the order of its WSDL."""
    head = f"<urn:SessionHeader><urn:sessionId>{_xml(session)}</urn:sessionId></urn:SessionHeader>"
    body = (
        f"<urn:convertLead><urn:leadConverts>{_element('accountId', account)}"
        f"{_element('convertedStatus', status)}"
        f"<urn:doNotCreateOpportunity>{'false' if deal else 'true'}</urn:doNotCreateOpportunity>"
        f"{_element('leadId', lead)}{_element('opportunityName', deal)}"
        "<urn:overwriteLeadSource>false</urn:overwriteLeadSource>"
        "<urn:sendNotificationEmail>false</urn:sendNotificationEmail></urn:leadConverts></urn:convertLead>"
    )
    return _ENVELOPE.format(head=f"<soapenv:Header>{head}</soapenv:Header>", body=body).encode()


def element(xml: str, name: str) -> str | None:
    """The text of the first element of this name."""
    found = re.search(rf"<(?:\w+:)?{name}(?:\s[^<>]*)?>([^<]*)</", xml)
    return unescape(found.group(1)) if found else None


def fault(xml: str) -> tuple[str, str] | None:
    """Code and words of a fault, or of a result that is none; None where the answer says neither."""
    words = element(xml, "faultstring") or element(xml, "message")
    if words is None:
        return None
    code = element(xml, "faultcode") or element(xml, "statusCode") or ""
    return code.rpartition(":")[2], words


def _element(name: str, text: str | None) -> str:
    return f"<urn:{name}>{_xml(text)}</urn:{name}>" if text else ""


def _xml(text: str) -> str:
    """`text` inside an element; characters that XML 1.0 cannot hold at all are refused."""
    if _NO_XML.search(text):
        raise VendorRefused(
            "a text has characters that XML cannot hold", remedy="Leave control characters out"
        )
    return escape(text)
