"""A record that brings its bytes along: the log takes those that were searched, and no others."""

from __future__ import annotations

from pathlib import Path

from toolcrib.audit import AuditLog, read, verify
from toolcrib.audit._record import Encoded, encode


def sealed(record: dict[str, object]) -> Encoded:
    found = Encoded(record)
    found.data = encode(record)
    return found


def test_it_reads_as_the_record_and_encodes_to_its_own_bytes() -> None:
    record = {"kind": "intent", "b": 1, "a": [2]}
    found = sealed(record)
    assert found == record and found["kind"] == "intent"
    assert encode(found) is found.data == encode(record)


def test_a_copy_with_other_fields_is_encoded_anew() -> None:
    found = sealed({"kind": "intent", "a": 1})
    assert encode({**found, "a": 2}) == b'{"a":2,"kind":"intent"}'
    assert encode(found | {"a": 3}) == b'{"a":3,"kind":"intent"}'


async def test_what_was_searched_is_what_is_written(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit", durability="written")
    record = sealed({"kind": "intent", "call": "c1", "note": "clean"})
    record["note"] = "put in after the search"
    await log.append(record)
    log.append_blocking(sealed({"kind": "outcome", "call": "c1"}))
    log.close()
    assert verify(tmp_path / "audit").problem is None
    first, second = [one for one in read(tmp_path / "audit") if one["kind"] != "log"]
    assert (first["note"], second["kind"]) == ("clean", "outcome")
