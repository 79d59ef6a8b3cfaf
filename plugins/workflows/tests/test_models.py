"""Which model: the endpoint of the config, or the script through a real server."""

from __future__ import annotations

import os

import pytest

from toolcrib.config import Config, ModelSettings
from toolcrib.errors import ConfigError
from toolcrib_workflows._jobs import KINDS
from toolcrib_workflows._models import endpoint_of

JOB = KINDS["demo"]


def config(tmp_path, base_url=None):
    model = ModelSettings(base_url, "m", "THE_KEY") if base_url else None
    return Config(tmp_path / "toolcrib.toml", model=model)


def test_without_a_model_it_is_the_script_and_says_so(tmp_path):
    with endpoint_of(config(tmp_path), JOB) as endpoint:
        assert endpoint.base_url.startswith("http://127.0.0.1:")
        assert endpoint.words == "scripted, on this machine (there is no [model] in toolcrib.toml)"


def test_a_named_endpoint_is_used_and_named(tmp_path, monkeypatch):
    monkeypatch.setenv("THE_KEY", "k")
    with endpoint_of(config(tmp_path, "https://models.example/v1"), JOB) as endpoint:
        assert (endpoint.base_url, endpoint.model, endpoint.api_key) == (
            "https://models.example/v1",
            "m",
            "k",
        )
        assert endpoint.words == "m at https://models.example/v1 ([model] in toolcrib.toml)"


def test_a_missing_key_is_an_error_unless_the_endpoint_is_near(tmp_path, monkeypatch):
    monkeypatch.delenv("THE_KEY", raising=False)
    with (
        pytest.raises(ConfigError, match="THE_KEY is not set"),
        endpoint_of(config(tmp_path, "https://models.example/v1"), JOB),
    ):
        pass
    with endpoint_of(config(tmp_path, "http://127.0.0.1:8000/v1"), JOB) as endpoint:
        assert endpoint.api_key


def test_a_proxy_of_the_environment_is_passed_by_and_then_restored(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.delenv("no_proxy", raising=False)
    with endpoint_of(config(tmp_path), JOB):
        assert os.environ["NO_PROXY"] == "intranet,127.0.0.1"
        assert os.environ["no_proxy"] == "127.0.0.1"
    assert os.environ["NO_PROXY"] == "intranet"
    assert "no_proxy" not in os.environ
