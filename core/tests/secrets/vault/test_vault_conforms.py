"""The Vault provider passes the conformance suite against a real OpenBao server."""

import uuid

import pytest

from toolcrib.secrets.vault import VaultProvider, VaultSettings
from toolcrib.testing.secrets import SecretProviderConformance, SecretStand


class VaultStand(SecretStand):
    def __init__(self, bao, folder):
        self.bao, self.folder = bao, folder
        self.mount = f"conform-{uuid.uuid4().hex[:8]}"  # of this test alone
        bao.client.sys.enable_secrets_engine("kv", path=self.mount, options={"version": "2"})
        self.private = (bao.root,)

    def open(self, **settings):
        settings = {"address": self.bao.url, "token_file": self.bao.token_file, **settings}
        return VaultProvider(VaultSettings(mount=self.mount, **settings))

    def put(self, path, value):
        return self.bao.put(path, mount=self.mount, value=value)

    def remove(self, path):
        self.bao.client.secrets.kv.v2.delete_latest_version_of_secret(path, mount_point=self.mount)
        return True

    def refused(self, path):
        return self.open(token_file=self.bao.token_in(self.folder / "weak", "default"))

    def unreachable(self):
        return self.open(address="http://127.0.0.1:9", timeout="0.3s")


class TestVault(SecretProviderConformance):
    @pytest.fixture
    def stand(self, bao, tmp_path):
        stand = VaultStand(bao, tmp_path)
        yield stand
        bao.client.sys.disable_secrets_engine(stand.mount)
