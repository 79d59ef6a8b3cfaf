"""AWS Secrets Manager against a real moto server: versions, stages, prefix, credentials and refusals."""

import asyncio
import json
import os

import pytest

from toolcrib.errors import ConfigError, SecretError, SecretNotFound, SecretRefused
from toolcrib.secrets.aws import AwsProvider, AwsSettings
from toolcrib.testing import FakeService, Reply
from toolcrib.testing.cribs import make_crib
from toolcrib.testing.secrets import SecretProviderConformance

VALUE = "the value that AWS keeps"
PATH = "crm/acme/salesforce"


class TestAws(SecretProviderConformance):
    """The fixture `stand` is in conftest."""


def run(provider, path=PATH):
    async def once():
        try:
            return await provider.fetch(path)
        finally:
            await provider.close()

    return asyncio.run(once())


def refusal(code, status=400, message="needle in the message"):
    body = json.dumps({"__type": code, "Message": message}).encode()
    return Reply(status, body, {"content-type": "application/x-amz-json-1.1"})


# --- values


def test_the_stage_says_which_version(stand):
    older = stand.put(PATH, "the older value")
    newer = stand.put(PATH, VALUE)
    current, previous = run(stand.open()), run(stand.open(stage="AWSPREVIOUS"))
    assert (current.reveal(), current.version) == (VALUE, newer)
    assert (previous.reveal(), previous.version) == ("the older value", older)


def test_a_stage_that_no_version_has_is_not_found(stand):
    stand.put(PATH, VALUE)
    with pytest.raises(SecretNotFound):
        run(stand.open(stage="BLUE"))


def test_a_promoted_version_is_the_newest(stand, moto):
    stand.put(PATH, "the value of today")
    pending = moto.manager.put_secret_value(SecretId=PATH, SecretString=VALUE, VersionStages=["AWSPENDING"])
    assert run(stand.open()).reveal() == "the value of today"
    stages = moto.manager.list_secret_version_ids(SecretId=PATH)["Versions"]
    (today,) = [v["VersionId"] for v in stages if "AWSCURRENT" in v["VersionStages"]]
    moto.manager.update_secret_version_stage(
        SecretId=PATH,
        VersionStage="AWSCURRENT",
        MoveToVersionId=pending["VersionId"],
        RemoveFromVersionId=today,
    )
    assert run(stand.open()).reveal() == VALUE


def test_the_prefix_stands_before_every_path_and_not_in_the_secret(stand):
    stand.put(f"prod/crib/{PATH}", VALUE)
    secret = run(stand.open(prefix="prod/crib"))
    assert (secret.reveal(), secret.path) == (VALUE, PATH)
    with pytest.raises(SecretNotFound):
        run(stand.open(prefix="test/crib"))


def test_a_secret_marked_for_deletion_is_not_found_until_it_is_restored(stand, moto):
    stand.put(PATH, VALUE)
    moto.manager.delete_secret(SecretId=PATH, RecoveryWindowInDays=7)
    with pytest.raises(SecretNotFound, match="marked for deletion") as caught:
        run(stand.open())
    assert f"restore-secret --secret-id {PATH}" in caught.value.remedy
    moto.manager.restore_secret(SecretId=PATH)
    assert run(stand.open()).reveal() == VALUE


def test_a_binary_value_says_how_to_store_it(stand):
    stand.put_binary(PATH, b"\xff\xfe needle")
    with pytest.raises(SecretError, match="is binary") as caught:
        run(stand.open())
    assert "base64" in caught.value.remedy


# --- who asks


@pytest.fixture
def guarded(moto):
    """From here on, moto checks every signature and every IAM policy."""

    def guard():
        moto.post("/moto-api/reset-auth", b"0")

    yield guard
    moto.post("/moto-api/reset-auth", b"inf")


def user_with(moto, monkeypatch, *actions):
    iam = moto.client("iam")
    iam.create_user(UserName="agent")
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="agent", PolicyName="some", PolicyDocument=policy)
    key = iam.create_access_key(UserName="agent")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])


def straight_to(moto, **settings):
    return AwsProvider(AwsSettings(region="eu-west-1", endpoint=moto.url, **settings))


def test_a_user_who_may_read_reads(moto, guarded, monkeypatch):
    moto.put(PATH, SecretString=VALUE)
    user_with(moto, monkeypatch, "secretsmanager:GetSecretValue")
    guarded()
    assert run(straight_to(moto)).reveal() == VALUE


def test_a_user_who_may_not_read_is_refused_with_the_right_to_ask_for(moto, guarded, monkeypatch):
    moto.put(PATH, SecretString=VALUE)
    user_with(moto, monkeypatch, "secretsmanager:ListSecrets")
    guarded()
    with pytest.raises(SecretRefused, match="refuses") as caught:
        run(straight_to(moto, attempts=1))
    assert "secretsmanager:GetSecretValue" in caught.value.remedy


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_a_stranger_and_a_wrong_key_are_refused(moto, guarded, monkeypatch, variable):
    moto.put(PATH, SecretString=VALUE)
    user_with(moto, monkeypatch, "secretsmanager:GetSecretValue")
    monkeypatch.setenv(variable, "AKIANOBODYKNOWSIT000")
    guarded()
    with pytest.raises(SecretRefused, match="refuses"):
        run(straight_to(moto, attempts=1))


def test_a_profile_with_a_role_asks_as_that_role(stand, moto, relay, monkeypatch, tmp_path):
    stand.put(PATH, VALUE)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", relay.url)
    (tmp_path / "aws-config").write_text(
        "[profile crib]\nrole_arn = arn:aws:iam::123456789012:role/crib\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = base-key\n"
    )
    assert run(stand.open(profile="crib")).reveal() == VALUE
    first, second = (request.headers["authorization"] for request in relay.requests)
    assert "Credential=AKIABASE/" in first and "Credential=ASIA" in second


@pytest.mark.parametrize(("profile", "kind"), [("nobody", "ProfileNotFound"), ("", "NoCredentialsError")])
def test_without_credentials_nothing_is_sent(stand, relay, monkeypatch, profile, kind):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SecretError, match=kind) as caught:
        run(stand.open(profile=profile))
    assert not isinstance(caught.value, SecretRefused) and "get-caller-identity" in caught.value.remedy
    assert relay.requests == []


def test_without_a_region_it_is_said(relay):
    with pytest.raises(SecretError, match="NoRegionError"):
        run(AwsProvider(AwsSettings(endpoint=relay.url)))


def test_region_and_endpoint_may_come_from_the_environment(stand, relay, monkeypatch):
    stand.put(PATH, VALUE)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", relay.url)
    assert run(AwsProvider()).reveal() == VALUE


# --- bad days


def test_one_throttled_request_is_tried_again(stand, relay):
    stand.put(PATH, VALUE)
    relay.answer(refusal("ThrottlingException"))
    assert run(stand.open()).reveal() == VALUE
    assert len(relay.requests) == 2


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 400), ("InternalServiceError", 500), ("SlowDown", 503)]
)
def test_what_goes_on_failing_ends_after_the_attempts(stand, relay, code, status):
    relay.answer(refusal(code, status), times=10)
    with pytest.raises(SecretError, match=code) as caught:
        run(stand.open(attempts=2))
    assert not isinstance(caught.value, SecretNotFound | SecretRefused)
    assert "needle" not in str(caught.value)
    assert len(relay.requests) == 2


@pytest.mark.parametrize(
    ("code", "error", "word"),
    [
        ("ExpiredTokenException", SecretRefused, "Renew"),
        ("AccessDeniedException", SecretRefused, "kms:Decrypt"),
        ("DecryptionFailure", SecretError, "KMS"),
        ("RequestExpired", SecretError, "clock"),
        ("InvalidSignatureException", SecretError, "clock"),
        ("UnrecognizedClientException", SecretRefused, "Renew"),
        ("InvalidRequestException", SecretError, "Try again"),
        ("com.amazonaws#ResourceNotFoundException", SecretNotFound, "create-secret"),
    ],
)
def test_each_answer_says_who_must_act(stand, relay, code, error, word):
    relay.answer(refusal(code), times=3)
    with pytest.raises(error) as caught:
        run(stand.open(attempts=1))
    assert type(caught.value) is error and word in caught.value.remedy
    assert "needle" not in str(caught.value)


def test_a_cut_connection_is_an_error_that_may_pass(stand, relay):
    stand.put(PATH, VALUE)
    relay.cut(times=5)
    with pytest.raises(SecretError, match="does not answer"):
        run(stand.open(attempts=1))


def test_an_answer_that_is_none_is_an_error_without_its_text(stand, relay):
    relay.answer(Reply(200, b"<html>needle</html>", {"content-type": "text/html"}))
    with pytest.raises(SecretError) as caught:
        run(stand.open(attempts=1))
    assert "needle" not in str(caught.value)


def test_a_store_that_does_not_answer_in_time_is_given_up(stand, relay):
    provider = stand.open(attempts=1, timeout=0.2)
    with relay.holding(), pytest.raises(SecretError, match="ReadTimeoutError"):
        asyncio.run(provider.fetch(PATH))
    asyncio.run(provider.close())


def test_after_close_a_fetch_says_that_it_is_closed(stand, relay):
    provider = stand.open()
    asyncio.run(provider.close())
    with pytest.raises(SecretError, match="is closed"):
        asyncio.run(provider.fetch(PATH))
    assert relay.requests == []


async def test_closing_ends_what_still_waits(stand, relay):
    provider = stand.open()
    with relay.holding() as hold:
        waiting = asyncio.ensure_future(provider.fetch(PATH))
        await asyncio.to_thread(hold.arrived.wait, 30)
        await provider.close()
        done, _ = await asyncio.wait([waiting], timeout=30)
    assert done and waiting.cancelled()


# --- settings


async def test_the_config_names_it(moto, tmp_path):
    moto.put(f"prod/{PATH}", SecretString=VALUE)
    config = f'[secrets]\nprovider = "aws"\nregion = "eu-west-1"\nprefix = "prod"\nendpoint = "{moto.url}"\n'
    crib = make_crib(tmp_path, "p, *, *, *, read, True, allow", config=config)
    assert (await crib.secret_provider.fetch(PATH)).reveal() == VALUE
    await asyncio.to_thread(crib.close)


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoint": "http://secrets.example.com"},
        {"endpoint": "http://127.0.0.1.example.com"},
        {"endpoint": "https://user:pass@secrets.example.com"},
        {"endpoint": "secrets.example.com"},
        {"endpoint": "https://[::1"},
        {"prefix": "../other"},
        {"prefix": "prod/"},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"attempts": 0},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings):
    with pytest.raises(ConfigError, match=rf"\[secrets\] {next(iter(settings))}"):
        AwsSettings(**settings)


@pytest.mark.parametrize(
    "endpoint", ["", "https://vpce.example.com", "http://127.0.0.1:5000", "http://[::1]:1"]
)
def test_endpoints_that_are_protected_are_taken(endpoint):
    assert AwsSettings(endpoint=endpoint).endpoint == endpoint


# --- what it says of itself


async def test_the_status_names_region_and_whose_credentials_these_are(stand):
    provider = stand.open()
    status = await provider.status()
    await provider.close()
    assert status.address.startswith("AWS Secrets Manager in eu-west-1 (http://127.0.0.1:")
    assert status.auth.startswith("credentials by env (arn:aws:sts::") and status.seconds is None
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in repr(status)


async def test_a_role_says_for_how_long(stand, moto, relay, monkeypatch, tmp_path):
    (tmp_path / "aws-config").write_text(
        "[profile agents]\nrole_arn = arn:aws:iam::123456789012:role/agents\nsource_profile = base\n"
        f"[profile base]\naws_access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    provider = stand.open(profile="agents")
    status = await provider.status()
    await provider.close()
    assert "assumed-role/agents/" in status.auth and 0 < status.seconds <= 3600


async def test_the_status_without_credentials_is_an_error_and_without_sts_still_tells(stand, monkeypatch):
    closed = FakeService().start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", closed.url)
    closed.stop()
    provider = stand.open(attempts=1)
    assert "cannot be asked" in (await provider.status()).auth
    await provider.close()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    provider = AwsProvider(AwsSettings(region="eu-west-1", attempts=1))
    with pytest.raises(SecretError, match="its login"):
        await provider.status()
    await provider.close()
