"""Identity: from credentials (a signed token, an API key, the local user) to the principal of a call."""

from toolcrib.identity._api_keys import ApiKey, ApiKeys
from toolcrib.identity._caller import Caller
from toolcrib.identity._identity import Bearer, Credentials, Identity, LocalUser

__all__ = ["ApiKey", "ApiKeys", "Bearer", "Caller", "Credentials", "Identity", "LocalUser"]
