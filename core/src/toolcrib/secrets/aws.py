"""AWS Secrets Manager, through aiobotocore (extra `aws`).

Credentials come from AWS's own chain, never from the config: environment, web identity, shared files and the
role of a profile, container, instance. The chain renews them by itself.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError

from toolcrib.errors import SecretError
from toolcrib.secrets._aws_errors import translated
from toolcrib.secrets._client_loop import ClientLoop
from toolcrib.secrets._config import ProviderConfig
from toolcrib.secrets._endpoints import check_endpoint, check_prefix, check_seconds
from toolcrib.secrets._paths import check_path
from toolcrib.secrets._secret import Secret
from toolcrib.secrets._status import ProviderStatus

__all__ = ["AwsProvider", "AwsSettings"]

CONNECTIONS = 32
"""Open at once; more callers wait for one."""


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """`[secrets]` with `provider = "aws"`; what is empty is left to AWS's own config and environment.

    `timeout` is in seconds, for one attempt; `attempts` counts the first one.
    """

    region: str = ""
    prefix: str = ""
    profile: str = ""
    endpoint: str = ""
    stage: str = "AWSCURRENT"
    timeout: float = 5.0
    attempts: int = 3

    def __post_init__(self) -> None:
        check_endpoint("[secrets] endpoint", self.endpoint)
        check_prefix(self.prefix)
        check_seconds("[secrets] timeout", self.timeout)
        check_seconds("[secrets] attempts", self.attempts)


class AwsProvider:
    """Reads the secret `PREFIX/PATH` at the stage of the settings; its version is AWS's `VersionId`."""

    def __init__(self, settings: AwsSettings | None = None) -> None:
        self._settings = settings or AwsSettings()
        self._calls: ClientLoop[Any] = ClientLoop("aws", self._make)

    @classmethod
    def from_config(cls, config: ProviderConfig) -> AwsProvider:
        """As `[secrets]` says; nothing is connected yet."""
        return cls(config.parse(AwsSettings))

    async def fetch(self, path: str) -> Secret:
        """The value at the stage, which is the newest unless the settings say otherwise."""
        prefix = self._settings.prefix
        name = f"{prefix}/{check_path(path)}" if prefix else check_path(path)

        async def ask(client: Any) -> Any:
            return await client.get_secret_value(SecretId=name, VersionStage=self._settings.stage)

        try:
            answer = await self._calls.call(ask)
        except (ClientError, BotoCoreError) as error:
            raise translated(error, path, name) from None  # its own words may quote what was sent
        return _secret(answer, path, name)

    async def status(self) -> ProviderStatus:
        """The region, and whose these credentials are; `sts:GetCallerIdentity` needs no permission."""
        try:
            return await self._calls.call(self._status)
        except (ClientError, BotoCoreError) as error:
            raise translated(error, "its login", "any secret") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def _status(self, client: Any) -> ProviderStatus:
        credentials = await self._session.get_credentials()
        how = f"credentials by {credentials.method}" if credentials is not None else "no credentials"
        async with self._session.create_client(
            "sts", region_name=client.meta.region_name, config=client.meta.config
        ) as sts:
            try:
                how += f" ({(await sts.get_caller_identity())['Arn']})"
            except (ClientError, BotoCoreError) as error:
                if not self._settings.endpoint:
                    raise
                # Behind an endpoint of its own, Secrets Manager may be all that can be reached.
                how += f" (whose they are cannot be asked: {type(error).__name__})"
        address = f"AWS Secrets Manager in {client.meta.region_name}"
        address += f" ({client.meta.endpoint_url})" if self._settings.endpoint else ""
        end = getattr(credentials, "_expiry_time", None)  # known once they were used
        rest = None if end is None else max(0.0, (end - datetime.now(UTC)).total_seconds())
        return ProviderStatus("aws", address, how, rest)

    async def _make(self, stack: AsyncExitStack) -> Any:
        settings = self._settings
        self._session = session = AioSession(profile=settings.profile or None)
        config = AioConfig(
            connect_timeout=settings.timeout,
            read_timeout=settings.timeout,
            retries={"mode": "standard", "total_max_attempts": settings.attempts},
            max_pool_connections=CONNECTIONS,
        )
        return await stack.enter_async_context(
            session.create_client(
                "secretsmanager",
                region_name=settings.region or None,
                endpoint_url=settings.endpoint or None,
                config=config,
            )
        )


def _secret(answer: Any, path: str, name: str) -> Secret:
    value = answer.get("SecretString")
    if not isinstance(value, str):
        raise SecretError(
            f"the secret at {path!r} is binary",
            rule="a secret is text",
            remedy=f"Store {name} as SecretString, in base64 where it must be",
        )
    return Secret(value, path=path, version=str(answer["VersionId"]))
