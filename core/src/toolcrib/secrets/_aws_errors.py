"""What AWS answers, in words that say who must act."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
)

from toolcrib.errors import SecretError, SecretNotFound, SecretRefused

__all__ = ["translated"]

_DENIED = ("AccessDeniedException", "AccessDenied")
_BAD_CREDENTIALS = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredTokenException",
    "ExpiredToken",
    "MissingAuthenticationToken",
    "IncompleteSignature",
)
_SKEWED = ("InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed")
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    NoRegionError,
)
_POLICY = "IAM decides who reads a secret"


def translated(error: ClientError | BotoCoreError, path: str, name: str) -> SecretError:
    """The error to raise instead; of AWS's own words only the code is told."""
    if isinstance(error, ClientError):
        return _answered(error, path, name)
    kind = type(error).__name__
    if isinstance(error, _NO_CREDENTIALS):
        return SecretError(
            f"the secret at {path!r} cannot be asked for: AWS's own config is not complete ({kind})",
            rule="region, profile and credentials come from [secrets] and AWS's own chain",
            remedy="Try `aws sts get-caller-identity` as this user, with the same environment",
        )
    if isinstance(error, SSLError):
        return SecretError(
            f"the secret at {path!r} cannot be asked for: the endpoint's certificate is not trusted",
            remedy="Correct [secrets] endpoint, or name the CA with AWS_CA_BUNDLE",
        )
    return SecretError(
        f"the secret at {path!r} cannot be had now: AWS does not answer ({kind})",
        remedy="Look at the network, [secrets] region and endpoint; then try again",
    )


def _answered(error: ClientError, path: str, name: str) -> SecretError:
    said = error.response.get("Error", {})
    code = str(said.get("Code", "")).rpartition("#")[2]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "ResourceNotFoundException":
        return SecretNotFound(
            f"there is no secret at {path!r}",
            rule=f"AWS has no secret {name!r} with that stage in this region and account",
            remedy=f"Store it with `aws secretsmanager create-secret --name {name}`, or correct the path",
        )
    if code == "InvalidRequestException" and "delet" in str(said.get("Message", "")):
        return SecretNotFound(
            f"the secret at {path!r} is marked for deletion",
            remedy=f"Bring it back with `aws secretsmanager restore-secret --secret-id {name}`",
        )
    if code in _BAD_CREDENTIALS:
        return SecretRefused(
            f"AWS does not accept these credentials for the secret at {path!r} ({code})",
            rule=_POLICY,
            remedy="Renew them; `aws sts get-caller-identity` shows whose they are",
        )
    if code in _DENIED or (status in (401, 403) and code not in _SKEWED):
        return SecretRefused(
            f"AWS refuses to give the secret at {path!r} ({code})",
            rule=_POLICY,
            remedy=f"Permit secretsmanager:GetSecretValue on {name}, and kms:Decrypt on its key",
        )
    return _other(status, code, path)


def _other(status: int, code: str, path: str) -> SecretError:
    if code in _SKEWED:
        return SecretError(
            f"AWS does not accept the signature of the request for the secret at {path!r} ({code})",
            remedy="Set this machine's clock, and look at the credentials",
        )
    if code == "DecryptionFailure":
        return SecretError(
            f"AWS cannot decrypt the secret at {path!r} ({code})",
            remedy="Look at the state of its KMS key, and who may use it",
        )
    return SecretError(
        f"the secret at {path!r} cannot be had now: AWS answers {status} {code}",
        remedy="Try again later; quotas and the service's health are on AWS's console",
    )
