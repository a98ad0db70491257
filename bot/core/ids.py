"""Ids are derived from their inputs, so that a resumed run or a repeated request gets the same ids.

An event id is a UUID (version 8) with a fingerprint of the run and the event's `seq`. So a cursor can be
decoded without a table, and a cursor of another run is detected.
"""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid5

NAMESPACE = UUID("6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31")
_VERSION_8 = 0x8 << 4
_VARIANT = 0x80


def run_id(key: str) -> str:
    """The id of the run that a request with this delivery or idempotency key starts."""
    return str(uuid5(NAMESPACE, key))


def part_id(run: str, *path: object) -> str:
    """The id of a part of a run: its crew, a task, an agent, a question."""
    return str(uuid5(UUID(run), "/".join(map(str, path))))


def file_id(*path: object) -> str:
    """The id of a file, by what it is; unique among the files of a run."""
    return str(uuid5(NAMESPACE, "/".join(("file", *map(str, path)))))


def event_id(run: str, seq: int) -> str:
    """The id of event number `seq` (from 1) of a run; also a cursor."""
    mark = hashlib.sha256(run.encode()).digest()[:12]
    raw = bytearray(mark + seq.to_bytes(4, "big"))
    raw[6] = _VERSION_8 | (raw[6] & 0x0F)
    raw[8] = _VARIANT | (raw[8] & 0x3F)
    return str(UUID(bytes=bytes(raw)))


def event_seq(run: str, cursor: str) -> int | None:
    """The `seq` of the event id `cursor`; None if it isn't an event id of this run."""
    try:
        seq = int.from_bytes(UUID(cursor).bytes[12:], "big")
    except ValueError:
        return None
    return seq if seq > 0 and event_id(run, seq) == cursor.lower() else None


def short(run: str) -> str:
    """A run's id as people see it."""
    return run[:8]
