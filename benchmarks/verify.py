"""Verifying a large audit log, beside reading and hashing the same bytes and doing nothing else.

    python benchmarks/verify.py [--records 1000000] [--json]

The log is written by `AuditLog`'s own chain code, checked once by `toolcrib.audit.verify`, and then the
same files are read line by line and hashed with SHA-256: what no verifier that looks at every byte can go
below. Both run in one process on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from pathlib import Path

from audit import record

from toolcrib.audit import verify
from toolcrib.audit._record import encode
from toolcrib.audit._store import Store

AIM = 1.33
"""Of the floor: a million records in two seconds, where reading and hashing them took one and a half."""
BATCH = 1000


def build(folder: Path, records: int) -> int:
    """Write a log of `records` records of callers; its size in bytes."""
    store = Store(folder, segment_bytes=64 * 1024 * 1024, sync=False, writer="bench")
    for start in range(0, records, BATCH):
        store.commit([encode(record(number)) for number in range(start, min(start + BATCH, records))])
    store.close()
    return sum(path.stat().st_size for path in folder.glob("*.jsonl"))


def floor(folder: Path) -> float:
    """Seconds to read all lines and hash each."""
    start = time.perf_counter()
    sha256 = hashlib.sha256
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                sha256(line).digest()
    return time.perf_counter() - start


def measure(records: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "audit"
        size = build(folder, records)
        floor(folder)  # warms the page cache for both
        start = time.perf_counter()
        found = verify(folder)
        seconds = time.perf_counter() - start
        if found.problem:
            raise SystemExit(str(found.problem))
        hashing = floor(folder)
    return {
        "benchmark": "audit verify",
        "records": found.records,
        "megabytes": round(size / 1e6, 1),
        "verify_seconds": round(seconds, 3),
        "seconds_per_million": round(seconds / found.records * 1e6, 3),
        "floor": {"what": "read lines + SHA-256 of each", "seconds": round(hashing, 3)},
        "ratio": round(seconds / hashing, 2),
        "aim": AIM,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.records)
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['records']:,} records, {result['megabytes']} MB")
    print(
        f"verify                 {result['verify_seconds']} s ({result['seconds_per_million']} s per million)"
    )
    print(f"read + SHA-256 (floor) {result['floor']['seconds']} s, ratio {result['ratio']}, aim {AIM}")  # type: ignore[index]


if __name__ == "__main__":
    main()
