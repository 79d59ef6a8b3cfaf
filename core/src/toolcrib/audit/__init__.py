"""The audit log: what was asked, decided, approved and done, in a chain in which a change does not go
unnoticed.
"""

from toolcrib.audit._checkpoint import Checkpoint
from toolcrib.audit._keys import HmacKey, PublicKey, Signer, SigningKey
from toolcrib.audit._read import query, read
from toolcrib.audit._record import RESERVED
from toolcrib.audit._sinks import Sink
from toolcrib.audit._verify import Problem, Verification, verify
from toolcrib.audit._writer import AuditLog

__all__ = [
    "RESERVED",
    "AuditLog",
    "Checkpoint",
    "HmacKey",
    "Problem",
    "PublicKey",
    "Signer",
    "SigningKey",
    "Sink",
    "Verification",
    "query",
    "read",
    "verify",
]
