"""Signed checkpoints: "at this time the log had so many records, and its head was this".

The chain alone shows a change only to somebody who remembers where it stood, since whoever can write the
files can chain everything anew. A checkpoint is that memory. It proves something about the records up to
it, to those who hold the public key from elsewhere and have the checkpoint from a time and place that the
log's host could not reach later. Records after it rest on the key's holder.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from toolcrib.audit._chain import Head, timestamp
from toolcrib.audit._errors import failed
from toolcrib.audit._keys import PublicKey, Signer
from toolcrib.audit._record import canonical
from toolcrib.audit._segments import CHECKPOINTS, write_new
from toolcrib.errors import AuditError

__all__ = ["Checkpoint", "place", "sign", "stored"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log had `records` records; the last one ended at byte `offset` of `segment` and had the hash
    `head` (64 hex digits).

    `ts` is when it was signed; `public` the signer's public key and `signature` Ed25519 over the canonical
    JSON of all other fields (both hex). The key that it carries proves nothing by itself: compare it with a
    pinned one.
    """

    records: int
    offset: int
    segment: str
    head: str
    ts: str
    key: str
    public: str
    signature: str
    v: int = 1

    @property
    def signer(self) -> PublicKey:
        """The public key that the checkpoint says it was signed with."""
        return PublicKey(bytes.fromhex(self.public))

    def signed_by(self, key: PublicKey) -> bool:
        """True if the holder of `key` signed exactly these fields."""
        return key.id == self.key and key.accepts(bytes.fromhex(self.signature), _signed_part(self))

    def to_json(self) -> bytes:
        """One line of canonical JSON."""
        return canonical(asdict(self)) + b"\n"

    def write(self, path: Path) -> None:
        """Put it into a file, to be shipped off the host."""
        try:
            write_new(path, self.to_json())
        except OSError as error:
            raise failed("write the checkpoint", path, error) from error

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """From a file; `AuditError` if it cannot be read or is no checkpoint. The signature is not yet
        checked.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise failed("read the checkpoint", Path(path), error) from error
        try:
            checkpoint = cls(**orjson.loads(data))
            sound = checkpoint.to_json() == data and checkpoint.v == 1 and _is_sound(checkpoint)
        except (ValueError, TypeError):
            sound = False
        if not sound:
            raise AuditError(
                f"'{path}' is no checkpoint of this version, or was changed",
                rule="a checkpoint is one line of canonical JSON with known fields",
                remedy="Fetch it again from where it was shipped to",
            )
        return checkpoint


def sign(head: Head, segment: str, size: int, key: Signer) -> Checkpoint:
    """A checkpoint over the log as it ends at `head`, at byte `size` of `segment`."""
    ts = timestamp(time.time_ns()).decode()
    unsigned = Checkpoint(
        head.seq, size, segment, head.hash.decode(), ts, key.id, key.public.raw.hex(), signature=""
    )
    return Checkpoint(**{**asdict(unsigned), "signature": key.sign(_signed_part(unsigned)).hex()})


def stored(folder: Path) -> list[Path]:
    """The checkpoint files inside an audit folder, oldest first."""
    return sorted((folder / CHECKPOINTS).glob("*.json"))


def place(folder: Path, checkpoint: Checkpoint) -> Path:
    """Where a checkpoint lies inside the audit folder; names sort by the number of records."""
    return folder / CHECKPOINTS / f"{checkpoint.records:012}.json"


def _signed_part(checkpoint: Checkpoint) -> bytes:
    fields = asdict(checkpoint)
    del fields["signature"]
    return b"toolcrib-checkpoint\n" + canonical(fields)


def _is_sound(checkpoint: Checkpoint) -> bool:
    numbers = (checkpoint.records, checkpoint.offset)
    texts = {checkpoint.head: 32, checkpoint.public: 32, checkpoint.signature: 64}
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and all(len(bytes.fromhex(text)) == size for text, size in texts.items())
        and all(isinstance(text, str) for text in (checkpoint.segment, checkpoint.ts, checkpoint.key))
    )
