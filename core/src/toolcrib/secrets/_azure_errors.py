"""What Key Vault and Azure's login answer, in words that say who must act."""

from __future__ import annotations

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from toolcrib.errors import SecretError, SecretNotFound, SecretRefused

__all__ = ["translated"]


def translated(error: Exception, path: str, name: str) -> SecretError:
    """The error to raise instead; of Azure's own words only the code is told."""
    if isinstance(error, ClientAuthenticationError):
        return _no_login(error, path)
    if isinstance(error, HttpResponseError) and error.status_code:
        return _answered(error, path, name)
    if isinstance(error, ValueError):
        return SecretRefused(
            f"the secret at {path!r} was not asked for: the challenge of the server does not fit its address",
            rule="a token goes only to the vault that it was made for",
            remedy="Correct [secrets] vault_url; if it is right, somebody stands between here and the vault",
        )
    kind = type(error).__name__
    remedy = "Look at the network and [secrets] vault_url; then try again"
    if isinstance(error, ServiceRequestError):
        remedy = "Look at the network, [secrets] vault_url and ca_file; then try again"
    return SecretError(
        f"the secret at {path!r} cannot be had now: Key Vault does not answer ({kind})", remedy=remedy
    )


def _no_login(error: ClientAuthenticationError, path: str) -> SecretError:
    if isinstance(error, CredentialUnavailableError):
        return SecretError(
            f"the secret at {path!r} cannot be asked for: there are no credentials for Azure here",
            rule="who asks is found by DefaultAzureCredential, never by the config",
            remedy="Give the process a managed or workload identity, or set AZURE_TENANT_ID and so on",
        )
    return SecretRefused(
        f"Azure does not accept these credentials for the secret at {path!r}",
        remedy="Renew them; `az account show` shows whose they are",
    )


def _answered(error: HttpResponseError, path: str, name: str) -> SecretError:
    status, code = error.status_code, _code(error)
    if status == 404:
        return SecretNotFound(
            f"there is no secret at {path!r}",
            rule=f"the key vault has no secret {name!r}, or it is deleted",
            remedy=f"Store it with `az keyvault secret set --name {name}`, or recover it",
        )
    if code == "SecretDisabled":
        return SecretRefused(
            f"the secret at {path!r} is disabled in Key Vault",
            remedy=f"Enable it: `az keyvault secret set-attributes --enabled true --name {name}`",
        )
    if status == 403:
        return SecretRefused(
            f"Key Vault refuses to give the secret at {path!r} ({code})",
            rule="Azure roles and the vault's firewall decide who reads a secret",
            remedy="Give this identity the role 'Key Vault Secrets User', and its network access",
        )
    return SecretError(
        f"the secret at {path!r} cannot be had now: Key Vault answers {status} {code}",
        remedy="Try again later; the vault's limits and health are on Azure's portal",
    )


def _code(error: HttpResponseError) -> str:
    """The innermost code, which says more than `Forbidden`; nothing that is not a plain word."""
    found = error.error
    codes = [getattr(found, "code", None)]
    inner = getattr(found, "innererror", None)
    if isinstance(inner, dict):
        codes.append(inner.get("code"))
    words = [code for code in codes if isinstance(code, str) and code.isalnum() and len(code) <= 40]
    return words[-1] if words else ""
