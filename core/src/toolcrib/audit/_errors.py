"""What the operating system said, told so that an operator knows what to do."""

from __future__ import annotations

import errno
from pathlib import Path

from toolcrib.errors import AuditError

__all__ = ["RULE", "failed"]

RULE = "no call runs unaudited: its record is in the log before it goes on"

_FULL = "Free disk space or raise the quota; records are accepted again as soon as there is room"
_DENIED = "Give this process write access to the folder, or mount it writable"
_NO_FOLDER = "Move away what stands at this path, which is not a folder, or name another audit folder"
_GONE = "Restore the audit folder from its backup; do not put an empty one in its place"

_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "Raise the file size limit of this process (ulimit -f)",
    errno.EROFS: _DENIED,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOENT: _GONE,
    errno.ESTALE: _GONE,
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
}


def failed(doing: str, path: Path, error: OSError) -> AuditError:
    """`doing` names what was tried (`write`); the message names the file, the reason and the remedy."""
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(
        error.errno or 0, "Mend the file system; nothing was half-written, and the next try starts afresh"
    )
    return AuditError(f"audit log: cannot {doing} '{path}': {reason}", rule=RULE, remedy=remedy)
