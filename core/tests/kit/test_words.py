"""A vendor's words, fit for a message; a vendor's wish to wait, read in both its forms."""

import base64
import html
import json
import urllib.parse
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolcrib.errors import NotSent, Temporary
from toolcrib.kit import network_failure, plain_words, refusal, retry_after, words_of

QUICKLY = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICKLY
@given(st.text(max_size=3000), st.integers(20, 600))
def test_words_are_one_short_visible_line(text, limit):
    found = plain_words(text, limit=limit)
    assert len(found) <= limit
    assert all(char.isprintable() for char in found)


@QUICKLY
@given(st.text(min_size=4, max_size=30), st.text(max_size=50), st.text(max_size=50))
def test_what_is_to_be_hidden_is_hidden(secret, before, after):
    assert secret not in plain_words(before + secret + after, hide=[secret]).replace("***", "")


def test_emoji_and_other_scripts_stay():
    assert plain_words("🪚 שלום\n\tпривет") == "🪚 שלום привет"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "no", "code": 7}}, "7: no"),
        ({"error": "invalid_grant", "error_description": "expired"}, "expired"),
        ({"errors": [{"detail": "a"}, {"detail": "b"}]}, "a; b"),
        ([{"errorCode": "MALFORMED_ID", "message": "bad id"}], "MALFORMED_ID: bad id"),
        ({"title": "Bad", "detail": "field x", "status": 400}, "field x"),
        ({"code": "E1"}, "E1"),
        ("<html><head><title>Sign in</title></head>secret body", "a page: Sign in"),
        ("<!doctype html><p>x", "a page without a title"),
        ("plain", "plain"),
        ({}, ""),
        (None, ""),
        ({"odd": [1]}, "{'odd': [1]}"),
        ({"message": {"message": {"message": {"message": {"message": "deep"}}}}}, None),
    ],
)
def test_words_are_found_where_vendors_put_them(body, said):
    assert said is None or words_of(body) == said


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0.0), ("7", 7.0), (" 120 ", 120.0), ("999999999999999", 86400.0), ("9" * 400, 86400.0)]
    + [(odd, None) for odd in (None, "", "-1", "1.5", "soon", "٣", "inf", "nan", "Wed, 99 Foo 2026")],
)
def test_seconds_to_wait(header, seconds):
    assert retry_after(header) == seconds


def test_dates_to_wait_for():
    def at(seconds):
        return retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True))

    assert 30 < at(60) <= 60
    assert at(-60) == 0.0
    assert at(10 * 86400) == 86400.0


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("x"), NotSent),
        (httpx.ConnectTimeout("x"), NotSent),
        (httpx.PoolTimeout("x"), NotSent),
        (httpx.ReadTimeout("x"), Temporary),
        (httpx.WriteError("x"), Temporary),
        (httpx.WriteTimeout("x"), Temporary),
        (httpx.RemoteProtocolError("x"), Temporary),
    ],
)
def test_a_failure_of_a_library_over_httpx_is_judged_by_its_kind(error, kind):
    assert type(network_failure("Acme", error)) is kind


def test_what_is_known_to_be_written_is_open_whatever_its_kind():
    assert type(network_failure("Acme", httpx.ConnectError("x"), sent=True)) is Temporary
    assert type(network_failure("Acme", httpx.ReadError("x"), sent=False)) is NotSent


def test_a_refusals_remedy_can_be_the_packs_own():
    assert refusal("Acme", 404, "gone", remedy="Search first").remedy == "Search first"


@pytest.mark.parametrize(
    "secret", ["pass<&>word", 'a "quoted" one', "per cent%/+", "säge\\zahn", "plain-one"]
)
def test_a_secret_is_hidden_however_a_vendor_writes_it(secret):
    forms = [
        secret,
        urllib.parse.quote(secret),
        urllib.parse.quote_plus(secret),
        urllib.parse.quote(secret, safe=""),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        base64.b64encode(secret.encode()).decode(),
    ]
    for form in forms:
        assert plain_words(f"you sent {form}!", hide=[secret]) == "you sent ***!"


def test_no_part_of_a_secret_is_left_where_the_words_are_cut():
    secret = "s3cr3t-" * 10
    for start in range(470, 510):
        assert "s3cr" not in plain_words("x" * start + secret, hide=[secret])
