"""Secrets: where they are kept, who gets which, and how they are kept out of everything else."""

from toolcrib.secrets._broker import SecretBroker
from toolcrib.secrets._config import OpenProvider, ProviderConfig
from toolcrib.secrets._paths import PathTemplate, check_path, split_path
from toolcrib.secrets._secret import ReplacesSecrets, Secret, SecretProvider
from toolcrib.secrets._status import ProviderStatus, TellsStatus
from toolcrib.secrets._stream import Stream
from toolcrib.secrets.local import LocalProvider
from toolcrib.secrets.logs import clean_logs, guarded, leave_logs
from toolcrib.secrets.redaction import SHORTEST, Redactor
from toolcrib.secrets.traces import clean_traces, leave_traces

__all__ = [
    "SHORTEST",
    "LocalProvider",
    "OpenProvider",
    "PathTemplate",
    "ProviderConfig",
    "ProviderStatus",
    "Redactor",
    "ReplacesSecrets",
    "Secret",
    "SecretBroker",
    "SecretProvider",
    "Stream",
    "TellsStatus",
    "check_path",
    "clean_logs",
    "clean_traces",
    "guarded",
    "leave_logs",
    "leave_traces",
    "split_path",
]
