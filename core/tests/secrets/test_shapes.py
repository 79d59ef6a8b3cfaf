"""Tokens that nobody handed out are known by their shape; what only looks a little like one stays."""

import base64
import hashlib
import json
import uuid
from pathlib import Path

import pytest

from toolcrib.secrets import Redactor
from toolcrib.secrets._shapes import MARKS, SHAPES

ROOT = Path(__file__).parents[3]
ALNUM = "q7Rw2TzXk9PbV4mNc8LdH3sJf6GyA1eUo5IKBQWxZrYCtDnE"


def b64(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


JWT = f"{b64({'alg': 'RS256', 'typ': 'JWT'})}.{b64({'sub': 'alice', 'aud': 'crib'})}.{ALNUM}"
PEM = "\n".join(
    ["-----BEGIN RSA PRIVATE KEY-----", *([ALNUM + "abcdefghijklmnop"] * 5), "-----END RSA PRIVATE KEY-----"]
)

EXAMPLES = {
    "vault": ["hvs." + ALNUM, "hvb.AAAAAQ" + ALNUM],
    "vault-legacy": [
        "X-Vault-Token: s." + ALNUM[:24],
        f'{{"client_token": "s.{ALNUM[:24]}"}}',
        f"VAULT_TOKEN=s.{ALNUM[:24]}",
    ],
    "toolcrib": ["tck_abcdefgh2345_" + ALNUM[:43]],
    "github": ["ghp_" + ALNUM[:36], "gho_" + ALNUM[:36], "github_pat_" + ALNUM + "_" + ALNUM],
    "slack": ["xoxb-123456789012-" + ALNUM[:24], "xapp-1-A012-" + ALNUM],
    "aws-key": ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"],
    "aws-secret": [f"aws_secret_access_key = {ALNUM[:40]}", f'"SecretAccessKey": "{ALNUM[:40]}"'],
    "jwt": [JWT],
    "google": ["AIza" + ALNUM[:35], "ya29.a0" + ALNUM],
    "stripe": ["sk_live_" + ALNUM[:24], "rk_live_" + ALNUM[:24], "whsec_" + ALNUM[:32]],
    "openai": ["sk-" + ALNUM, "sk-proj-" + ALNUM + "_" + ALNUM],
    "private-key": [PEM, PEM.replace("RSA ", ""), json.dumps(PEM)[1:-1], PEM.rpartition("\n")[0]],
    "authorization": [f"Authorization: Bearer {ALNUM}", f"(b'authorization', b'Basic {ALNUM[:20]}=')"],
    "url-password": ["https://svc:hunter2@db.acme.example/x", "postgresql://crib:p4ss-word@10.0.0.1/crib"],
    "salesforce": ["00D5g00000AbCdE!" + "AQ4AQ" + ALNUM + "." + ALNUM],
    "azure-sas": ["https://x.blob.core.example/c?sv=2024-11-04&sig=" + ALNUM[:43] + "%3D&se=1"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in EXAMPLES.items() for text in texts]
)
def test_it_is_cut_out_of_text_and_documents(kind, text):
    redactor = Redactor()
    label = f"[token:{kind}]"
    for cleaned in (redactor.clean(f"before {text} after"), redactor.clean_value({"a": [text]})["a"][0]):
        assert label in cleaned
        assert ALNUM[4:20] not in cleaned and "hunter2" not in cleaned and "AKIAIO" not in cleaned
    assert redactor.clean(redactor.clean(text)) == redactor.clean(text)
    assert redactor.clean_bytes(b"\xff" + f" {text}".encode()).count(label.encode()) == 1
    assert Redactor(shapes=False).clean(text) == text


def test_every_kind_has_an_example():
    assert set(EXAMPLES) == set(SHAPES) == set(MARKS.values())


ORDINARY = [
    "risk-assessment-and-mitigation-strategies-for-2026-and-beyond-in-emea",
    "see classes.SomeVeryLongIdentifierNameInCode and tokens.SomeVeryLongNameHere",
    "https://acme.example/a:b@c, mailto:alice@acme.example, http://user@host, 10:30@office",
    "ASIA and AKIA are regions; ASIAPACIFICREGIONALOFFICE",
    "sk-learn sk-SK task-12 disk-0123456789",
    "eyJ is how base64 of a JSON object begins; eyJhbGciOiJSUzI1NiJ9 alone is no token",
    "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----; -----BEGIN PRIVATE KEY----- is a header",
    "Authorization: Basic authentication is not offered; Bearer tokens are",
    "00D is where ids of organisations begin: 00D5g00000AbCdEEAV",
    "ghp_ and github_pat_ are prefixes, as is hvs.",
    "&sig=1 and sig=abc",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text):
    assert Redactor().clean(text) == text


def test_hashes_and_ids_stay():
    redactor = Redactor()
    for number in range(300):
        digest = hashlib.sha256(str(number).encode())
        texts = [
            digest.hexdigest(),
            base64.b64encode(digest.digest()).decode(),
            str(uuid.UUID(digest.hexdigest()[:32])),
        ]
        assert redactor.clean(" ".join(texts)) == " ".join(texts)


def test_this_repositorys_own_text_stays():
    """Pages, code and sample data are what agents read every day."""
    redactor, changed = Redactor(), {}
    for file in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.*")]:
        text = file.read_bytes().decode("utf-8", "surrogateescape")
        if file.name == "redaction.md":  # shows what one looks like
            continue
        if file.suffix != ".pyc" and redactor.clean(text) != text:
            changed[file.name] = set(redactor.clean(text).splitlines()) - set(text.splitlines())
    assert changed == {}


def test_a_flood_of_marks_is_survived():
    redactor = Redactor()
    for mark in ("eyJ-", "sk-", "://", "-----BEGIN PRIVATE KEY-----", "sig=", "oken:s."):
        text = mark * (50_000 // len(mark))
        assert redactor.clean(text) == text
