"""The local provider passes the conformance suite."""

import pytest

from toolcrib.secrets import LocalProvider
from toolcrib.testing.secrets import SecretProviderConformance, SecretStand


class LocalStand(SecretStand):
    def __init__(self, folder):
        self.folder = folder

    def open(self):
        return LocalProvider(self.folder)

    def put(self, path, value):
        return LocalProvider(self.folder).put(path, value)

    def remove(self, path):
        return LocalProvider(self.folder).remove(path)

    def unreachable(self):
        (self.folder / "secrets.json").mkdir(parents=True)
        return self.open()


class TestLocal(SecretProviderConformance):
    @pytest.fixture
    def stand(self, tmp_path):
        return LocalStand(tmp_path / ".toolcrib")
