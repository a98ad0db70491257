"""Where things are in Redis.

A run's keys, its queue, its timers and the lists it stands in share one hash tag (`{s3}`), hence one slot of a Redis
Cluster, so that every transition is one script also there. The scripts build the same names from the shard's base.
"""

from __future__ import annotations

import zlib

SCHEMA = 1
"""The version of what is stored. Readers refuse a newer one."""

SHARDS = 8
"""Part of the schema: another number would look for runs where they aren't."""

PREFIX = "crewdeck"
WAKE = f"{PREFIX}:wake"
SCHEMA_KEY = f"{PREFIX}:schema"
CREWS = f"{PREFIX}:crews"
WORKERS = f"{PREFIX}:workers"


def shard_of(run_id: str) -> int:
    return zlib.crc32(run_id.encode()) % SHARDS


def base(shard: int) -> str:
    """What all keys of a shard start with."""
    return f"{PREFIX}:{{s{shard}}}"


def run(run_id: str) -> str:
    return f"{base(shard_of(run_id))}:run:{run_id}"


def events(run_id: str) -> str:
    return f"{run(run_id)}:events"


def asked(run_id: str) -> str:
    """The ids of a run's questions, in their order."""
    return f"{run(run_id)}:asked"


def question(run_id: str, question_id: str) -> str:
    return f"{run(run_id)}:question:{question_id}"


def responses(run_id: str, question_id: str) -> str:
    return f"{question(run_id, question_id)}:responses"


def shown(run_id: str, surface: str) -> str:
    """How far a run has been shown on a surface, and where its cards are."""
    return f"{run(run_id)}:shown:{surface}"


def memory(key: str) -> str:
    return f"{PREFIX}:memory:{key}"
