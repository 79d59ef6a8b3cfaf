"""A real moto server for the session, and a relay before it that can hold, fail and cut."""

import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from toolcrib.secrets.aws import AwsProvider, AwsSettings
from toolcrib.testing import FakeService, Reply
from toolcrib.testing.secrets import SecretStand

KEY_ID, KEY = "AKIA0000000000000000", "aws-credential-needle"
REGION = "eu-west-1"


class Moto:
    """The server, spoken to by botocore itself: a second opinion on what the provider reads."""

    def __init__(self, url):
        import botocore.session

        self.url = url
        self.session = botocore.session.Session()
        self.manager = self.client("secretsmanager")

    def client(self, service, **more):
        keys = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": KEY, **more}
        return self.session.create_client(service, REGION, endpoint_url=self.url, **keys)

    def post(self, path, data=b""):
        headers = {"content-type": "text/plain"}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers)) as got:
            return got.read()

    def put(self, name, **value):
        try:
            return self.manager.put_secret_value(SecretId=name, **value)["VersionId"]
        except self.manager.exceptions.ResourceNotFoundException:
            return self.manager.create_secret(Name=name, **value)["VersionId"]


@pytest.fixture(scope="session")
def moto_server():
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        try:
            for line in server.stderr:
                if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", line):
                    break
            else:
                pytest.fail("moto_server did not start")
            drain = threading.Thread(target=server.stderr.read)
            drain.start()
            yield Moto(found[1])
        finally:
            server.terminate()
            server.wait()
            drain.join()


@pytest.fixture
def moto(moto_server, monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto_server.url)
    moto_server.post("/moto-api/reset")
    return moto_server


class Relay(FakeService):
    """Hands every request on to moto as it is, and its answer back."""

    def __init__(self, url):
        super().__init__()
        self.target = url

    def handle(self, request):
        sent = urllib.request.Request(
            self.target + request.path,
            data=request.body,
            method=request.method,
            headers=dict(request.headers),
        )
        try:
            with urllib.request.urlopen(sent) as got:
                return Reply(got.status, got.read(), {"content-type": got.headers["content-type"]})
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.read(), {"content-type": "application/x-amz-json-1.1"})


@pytest.fixture
def relay(moto):
    with Relay(moto.url) as relay:
        yield relay
    assert relay.failures == []


class AwsStand(SecretStand):
    private = (KEY,)

    def __init__(self, moto, relay):
        self.moto, self.relay = moto, relay

    def open(self, **settings):
        return AwsProvider(AwsSettings(region=REGION, endpoint=self.relay.url, **settings))

    def put(self, path, value):
        return self.moto.put(path, SecretString=value)

    def put_binary(self, path, value):
        return bool(self.moto.put(path, SecretBinary=value))

    def remove(self, path):
        return bool(self.moto.manager.delete_secret(SecretId=path, ForceDeleteWithoutRecovery=True))

    def refused(self, path):
        body = json.dumps({"__type": "AccessDeniedException", "Message": f"not authorized, {KEY}"}).encode()
        self.relay.answer(Reply(400, body, {"content-type": "application/x-amz-json-1.1"}))
        return self.open()

    def unreachable(self):
        closed = FakeService().start()
        url = closed.url
        closed.stop()
        return AwsProvider(AwsSettings(region=REGION, endpoint=url, attempts=1))

    def requests(self):
        return len(self.relay.requests)

    @contextmanager
    def holding(self):
        with self.relay.holding() as hold:
            yield hold.arrived


@pytest.fixture
def stand(moto, relay):
    return AwsStand(moto, relay)
