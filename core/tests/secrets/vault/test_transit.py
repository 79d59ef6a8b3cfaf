"""Checkpoints signed by the transit key of a real OpenBao; verified without it."""

import json
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from toolcrib import Crib, tool
from toolcrib.audit import Checkpoint, PublicKey, SigningKey, read, verify
from toolcrib.cli._main import cli as main
from toolcrib.errors import AuditError, ConfigError, ToolcribWarning
from toolcrib.testing import FakeService, Reply
from toolcrib.testing.cribs import make_crib, write_crib

ROWS = "p, *, acme, local.*, *, True, allow"
CONFIG = """
[secrets]
provider = "vault"
address = "{url}"
token_file = "{token}"
timeout = "1s"

[audit]
signer = "vault"
transit_key = "audit"
"""


@tool(effect="read")
def ping() -> str:
    """Ping."""
    return "pong"


def config_of(server, **more):
    return CONFIG.format(url=server.url, token=server.token_file) + "".join(
        f"{k} = {v}\n" for k, v in more.items()
    )


@pytest.fixture(scope="module")
def transit(bao):
    bao.client.sys.enable_secrets_engine("transit")
    for name, kind in (("audit", "ed25519"), ("aes", "aes256-gcm96")):
        bao.client.secrets.transit.create_key(name, key_type=kind)
    return bao


async def call(crib):
    return await crib.call("ping", {}, crib.principal("writer", "alice"))


async def test_a_crib_signs_with_the_transit_key_and_verifies_without_vault(transit, tmp_path):
    with make_crib(tmp_path, ROWS, config=config_of(transit)) as crib:
        crib.add(ping)
        assert (await call(crib)).status == "done"
        pinned = crib.audit_signer.public
    (file,) = (tmp_path / ".toolcrib/audit/checkpoints").glob("*.json")
    found = verify(tmp_path / ".toolcrib/audit", public_key=pinned, checkpoint=file)
    assert found.ok
    assert found.protected == found.records
    assert not (tmp_path / ".toolcrib/keys/audit.key").exists()
    other = SigningKey.load_or_create(tmp_path / "other.key").public
    assert not verify(tmp_path / ".toolcrib/audit", public_key=other).ok


async def test_a_change_does_not_pass_under_the_pinned_key(transit, tmp_path):
    with make_crib(tmp_path, ROWS, config=config_of(transit)) as crib:
        crib.add(ping)
        await call(crib)
        pinned = crib.audit_signer.public
    segment = tmp_path / ".toolcrib/audit/000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"alice"', b'"alicf"'))
    assert not verify(tmp_path / ".toolcrib/audit", public_key=pinned).ok


async def test_without_vault_there_is_no_checkpoint_and_records_go_on(own_bao, tmp_path):
    own_bao.client.sys.enable_secrets_engine("transit")
    own_bao.client.secrets.transit.create_key("audit", key_type="ed25519")
    crib: Crib = make_crib(tmp_path, ROWS, config=config_of(own_bao))
    crib.add(ping)
    assert (await call(crib)).status == "done"
    own_bao.stop()
    assert (await call(crib)).status == "done"
    with pytest.raises(
        AuditError, match=r"no checkpoint was signed: Vault at .* cannot be reached"
    ) as caught:
        crib.audit.checkpoint()
    assert "Records go on being chained" in caught.value.remedy
    assert (await call(crib)).status == "done"
    with pytest.warns(ToolcribWarning, match="no checkpoint was signed"):
        crib.close()
    folder = tmp_path / ".toolcrib/audit"
    assert not list(folder.glob("checkpoints/*"))
    assert verify(folder).ok
    assert [record["kind"] for record in read(folder)].count("outcome") == 3


def test_the_command_makes_one_and_exports_the_public_key(transit, tmp_path):
    file = write_crib(tmp_path, ROWS, config=config_of(transit))
    with Crib.from_config(file) as crib:
        crib.record(kind="admin", action="test")
    made = CliRunner().invoke(
        main, ["-c", str(file), "audit", "checkpoint", "--out", str(tmp_path / "c.json"), "--json"]
    )
    assert made.exit_code == 0, made.output
    pinned = PublicKey.load(Path(json.loads(made.output)["public_key"]))
    assert Checkpoint.load(tmp_path / "c.json").signed_by(pinned)
    arguments = ["-c", str(file), "audit", "verify", "--checkpoint", str(tmp_path / "c.json"), "--public-key"]
    copy = shutil.copy(json.loads(made.output)["public_key"], tmp_path / "pinned.pub")
    assert CliRunner().invoke(main, [*arguments, str(copy)]).exit_code == 0


async def test_rotating_the_key_ends_no_pinned_one_until_config_says_so(transit, tmp_path):
    transit.client.secrets.transit.create_key("turning", key_type="ed25519")
    base = config_of(transit).replace('"audit"', '"turning"')
    with make_crib(tmp_path / "a", ROWS, config=base) as crib:
        before = crib.audit_signer.public
    transit.client.secrets.transit.rotate_key("turning")
    with make_crib(tmp_path / "b", ROWS, config=base) as crib:
        crib.record(kind="admin", action="test")
        assert crib.audit.checkpoint().signed_by(before)
    with make_crib(tmp_path / "c", ROWS, config=base + "transit_version = 2\n") as crib:
        crib.record(kind="admin", action="test")
        assert not crib.audit.checkpoint().signed_by(before)


@pytest.mark.parametrize("key", ["aes", "nowhere"])
def test_a_key_that_cannot_is_told_with_how_to_make_one(transit, tmp_path, key):
    config = config_of(transit).replace('"audit"', f'"{key}"')
    with make_crib(tmp_path, ROWS, config=config) as crib, pytest.raises(AuditError) as caught:
        _ = crib.audit_signer.public
    assert f"transit/{'keys/' if key == 'nowhere' else ''}{key}" in str(caught.value)


def test_a_login_that_may_not_sign_is_told_by_the_path(transit, tmp_path):
    token = transit.token_in(tmp_path / "token", "default")
    config = config_of(transit).replace(str(transit.token_file), str(token))
    with make_crib(tmp_path, ROWS, config=config) as crib, pytest.raises(AuditError, match=r"\(403\)"):
        _ = crib.audit_signer.public


def test_vault_must_have_the_secrets(tmp_path):
    crib = make_crib(tmp_path, ROWS, config='[audit]\nsigner = "vault"\n')
    with crib, pytest.raises(ConfigError, match=r"\[secrets\] provider = 'local'"):
        _ = crib.audit


def test_an_answer_that_does_not_verify_is_no_signature(transit, tmp_path):
    public = transit.client.secrets.transit.read_key("audit")["data"]["keys"]["1"]["public_key"]

    class Liar(FakeService):
        def __init__(self):
            super().__init__()
            self.token_file = transit.token_file
            key = {"type": "ed25519", "keys": {"1": {"public_key": public}}}
            self.route("GET", "/v1/transit/keys/audit", lambda request: Reply.json({"data": key}))
            self.route("GET", "/v1/auth/token/lookup-self", lambda request: Reply.json({"data": {"ttl": 0}}))
            made = {"data": {"signature": "vault:v1:" + "A" * 86 + "=="}}
            self.route("POST", "/v1/transit/sign/audit", lambda request: Reply.json(made))

    with Liar() as liar, make_crib(tmp_path, ROWS, config=config_of(liar)) as crib:
        began = time.monotonic()
        with pytest.raises(AuditError, match="does not verify under its own public key"):
            crib.audit_signer.sign(b"data")
        assert time.monotonic() - began < 60
