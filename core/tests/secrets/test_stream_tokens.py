"""A token that nobody handed out shows in no piece of a stream, wherever it was cut."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.secrets import Redactor, Secret, Stream
from toolcrib.secrets._shapes import FEW_SHOWN, SHAPES

BODY = "q7Rw2TzXk9PbV4mNc8LdH3sJf6GyA1eUo5IKBQWxZrYCtDnE"
KEY_LINES = "\n".join([BODY + "abcdefghijklmnop"] * 2)

TOKENS: dict[str, tuple[str, str, str]] = {
    # what stands before, what must not show, what stands behind
    "vault": ("key hvs.", BODY, " used"),
    "vault-legacy": ("X-Vault-Token: s.", BODY[:24], " used"),
    "toolcrib": ("key tck_abcdefgh2345_", BODY[:43], " used"),
    "github": ("push with ghp_", BODY[:36], " now"),
    "slack": ("as xoxb-", "123456789012-" + BODY[:24], " to #sales"),
    "aws-key": ("id AKIA", "IOSFODNN7EXAMPLE".replace("0", "2").replace("8", "2"), " used"),
    "aws-secret": ("aws_secret_access_key = ", BODY[:40], " used"),
    "jwt": ("jwt eyJ", f"hbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.{BODY}", " checked"),
    "google": ("key AIza", BODY[:35], " used"),
    "stripe": ("key sk_live_", BODY[:24], " used"),
    "openai": ("key sk-proj-", BODY, " used"),
    "private-key": ("-----BEGIN PRIVATE KEY-----\n", KEY_LINES, "\n-----END PRIVATE KEY-----"),
    "authorization": ("Authorization: Bearer ", BODY, " sent"),
    "url-password": ("see https://svc:", "hunter2-hunter", "@db.acme.example/x"),
    "salesforce": ("sid 00D5g00000AbCdE!", "AQ4AQ" + BODY, " used"),
    "azure-sas": ("https://x.example/c?sv=1&sig=", BODY[:43], "&se=1"),
}


def told_in(pieces: list[str], redactor: Redactor | None = None) -> list[str]:
    stream = Stream(redactor or Redactor())
    return [*map(stream.clean, pieces), stream.rest()]


def longest_shown(secret: str, pieces: list[str]) -> int:
    """Characters of the longest piece of `secret` that somebody who joins all pieces can read."""
    told = "".join(pieces)
    return max(
        size
        for size in range(len(secret) + 1)
        if any(secret[at : at + size] in told for at in range(len(secret) - size + 1))
    )


def test_every_kind_is_tried() -> None:
    assert set(TOKENS) == set(SHAPES)


@pytest.mark.parametrize("kind", TOKENS)
def test_cut_in_two_at_every_place(kind: str) -> None:
    before, secret, after = TOKENS[kind]
    whole = before + secret + after
    for cut in range(len(whole) + 1):
        told = told_in([whole[:cut], whole[cut:]])
        assert longest_shown(secret, told) <= FEW_SHOWN + 2, (cut, told)
        assert f"[token:{kind}]" in "".join(told), (cut, told)


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("size", [1, 2, 7])
def test_in_many_pieces(kind: str, size: int) -> None:
    whole = "".join(TOKENS[kind])
    told = told_in([whole[at : at + size] for at in range(0, len(whole), size)])
    assert longest_shown(TOKENS[kind][1], told) <= FEW_SHOWN + 2, told


@pytest.mark.parametrize(
    "message",
    [
        "push with ghp_16C7",
        "see sk-learn-contrib",
        "listening on http://127.0.0.1:8080",
        "https://acme.example/a",
        "org 00D5g00000AbCdEEAV",
        "eyJ",
        "Step 1:",
        "token: s.",
        "A key begins with -----BEGIN PRIVATE KEY-----",
    ],
)
def test_what_only_looked_like_one_is_told_at_the_end_or_with_the_next(message: str) -> None:
    assert "".join(told_in([message])) == message
    assert "".join(told_in([message, " and on"])) == message + " and on"


@pytest.mark.parametrize("message", ["listening on http://127.0.0.1:8080", "10 of 50 done", "Step 1:", "a s"])
def test_ordinary_messages_are_told_at_once(message: str) -> None:
    assert told_in([message, "next"])[0] == message


def test_what_is_held_back_is_bounded_and_a_stream_goes_on_behind_it() -> None:
    stream = Stream(Redactor())
    told = [stream.clean("jwt eyJ")]
    for _ in range(400):
        told.append(stream.clean("a" * 100))
        assert len(stream._held) <= 20_000
    assert sum(map(len, told)) > 10_000  # it can no longer be one
    assert stream.clean(" done").endswith(" done") and stream.rest() == ""


def test_a_key_longer_than_what_is_kept_of_ordinary_text_is_cut_to_its_end() -> None:
    lines = [json.dumps(random.Random(n).random()).replace(".", "Ab") * 4 for n in range(150)]
    key = ["-----BEGIN RSA PRIVATE KEY-----\n", *(f"{line[:64]}\n" for line in lines)]
    told = told_in([*key, "-----END RSA PRIVATE KEY-----", " stored"])
    assert not [line for line in lines if line[:12] in "".join(told)]
    assert "".join(told).endswith(" stored")


def test_a_known_value_of_a_tokens_shape_has_its_own_label() -> None:
    redactor, token = Redactor(), "hvs." + BODY
    redactor.learn(Secret(token, path="p/0", version=1))
    for cut in range(6, len(token)):
        assert told_in([token[:cut], token[cut:]], redactor) == ["[secret:p/0]", "[secret:p/0]", ""]


@pytest.mark.parametrize(
    "mark", ["eyJ-", "eyJ.", "sk-", "://", "://a:b@", "-----BEGIN PRIVATE KEY-----", "sig=", "oken:s."]
)
def test_a_flood_of_marks_is_survived(mark: str) -> None:
    stream, flood = Stream(Redactor()), mark * 200
    for _ in range(20):
        stream.clean(flood)
        assert len(stream._held) <= 20_000
    assert (stream.clean("\n done") + stream.rest()).endswith(" done")


def test_without_shapes_nothing_is_held_back() -> None:
    stream = Stream(Redactor(shapes=False))
    assert (stream.clean("push with ghp_16C7"), stream.rest()) == ("push with ghp_16C7", "")


PIECES = st.lists(
    st.sampled_from(["ghp_", "eyJ", "sk-", "a", "B2", ".", " ", "://", ":", "@", "ä", "😀", "-----BEGIN"]),
    max_size=14,
)


@settings(deadline=None)
@given(PIECES, st.integers(1, 4))
def test_a_stream_without_tokens_comes_out_whole_however_it_is_cut(parts: list[str], size: int) -> None:
    text = "".join(parts)
    if Redactor().clean(text) == text:
        assert "".join(told_in([text[at : at + size] for at in range(0, len(text), size)])) == text


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(TOKENS)), st.data())
def test_a_token_in_any_pieces_beside_a_known_value_shows_in_none(kind: str, data: st.DataObject) -> None:
    redactor = Redactor()
    redactor.learn(Secret("correct-horse-battery", path="p/0", version=1))
    before, secret, after = TOKENS[kind]
    text = f"{before}{secret}{after} correct-horse-battery {before}{secret}{after}"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    told = told_in([text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)], redactor)
    assert longest_shown(secret, told) <= FEW_SHOWN + 2, told
    assert "horse-battery" not in "".join(told)
