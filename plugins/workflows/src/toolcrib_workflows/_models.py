"""Which model the agents talk to: the endpoint of `[model]`, or the scripted one, through the same client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolcrib.config import Config
from toolcrib.errors import ConfigError
from toolcrib_workflows._jobs import JobKind

__all__ = ["Endpoint", "endpoint_of"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint; `words` say which it is, for the first line of the output."""

    base_url: str
    model: str
    api_key: str
    words: str


@contextmanager
def endpoint_of(config: Config, job: JobKind) -> Iterator[Endpoint]:
    """The endpoint that the config names; without `[model]` the job's script, served while the context lasts.

    Raises `ConfigError` where the key of a distant endpoint is missing.
    """
    named = config.model
    if named is not None:
        words = f"{named.model} at {named.base_url} ([model] in {config.file.name})"
        yield Endpoint(named.base_url, named.model, _key(named.api_key_env, named.base_url), words)
        return
    from toolcrib.testing import ScriptedModel

    with ScriptedModel({job.model: job.story()}) as server, _no_proxy("127.0.0.1"):
        words = f"scripted, on this machine (there is no [model] in {config.file.name})"
        yield Endpoint(server.base_url, job.model, "scripted", words)


def _key(variable: str, base_url: str) -> str:
    key = os.environ.get(variable)
    if key:
        return key
    if "://127.0.0.1" in base_url or "://localhost" in base_url:
        return "none"  # servers on one's own machine rarely want a key, but the client does
    raise ConfigError(
        f"the environment variable {variable} is not set",
        rule=f"the key of {base_url} comes from [model] api_key_env",
        remedy=f"Set {variable}, or name another variable",
    )


@contextmanager
def _no_proxy(host: str) -> Iterator[None]:
    """Let clients reach the scripted server where the environment names a proxy."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update({name: f"{value},{host}" if value else host for name, value in before.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
