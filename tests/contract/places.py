"""Whether each run is in exactly one place, seen from behind the store: by what is kept in Redis."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import redis

from bot.store import redis_keys

INDEXES = {"delayed": "delayed", "leases": "leased", "finished": "finished"}
"""The sorted sets that hold a shard's runs, and the state of what is in them."""
WITHOUT = {"awaiting_thread", "parked"}
"""States of runs that stand in no index."""
OF_RUNS = re.compile(r":(runs|delayed|leases|finished|queues|queue_lengths|queue:.+|paused:.+|run:[^:]+)$")
"""Ends of the keys that say where runs are."""


class Kept(NamedTuple):
    """What a server keeps of where runs are."""

    #: Members of sorted sets, in order, by key.
    sets: dict[str, list[str]]
    #: Fields of hashes, by key.
    hashes: dict[str, dict[str, str]]

    @classmethod
    def read(cls, server: redis.Redis) -> "Kept":
        """In a few commands, however many shards there are."""
        names = [name for name in map(str, server.scan_iter(count=1000)) if OF_RUNS.search(name)]
        kinds = _at_once(server, [("type", name) for name in names])
        sets = [name for name, kind in zip(names, kinds, strict=True) if kind == "zset"]
        hashes = [name for name, kind in zip(names, kinds, strict=True) if kind == "hash"]
        read = _at_once(server, [("zrange", name, 0, -1) for name in sets])
        fields = _at_once(server, [("hgetall", name) for name in hashes])
        return cls(
            {name: list(map(str, members)) for name, members in zip(sets, read, strict=True)},
            dict(zip(hashes, fields, strict=True)),
        )

    def members(self, name: str) -> list[str]:
        return self.sets.get(name, [])


def _at_once(server: redis.Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    with server.pipeline(transaction=False) as pipeline:
        for name, *arguments in commands:
            getattr(pipeline, name)(*arguments)
        return pipeline.execute()


def misplaced(server: redis.Redis) -> list[str]:
    """What is wrong with where runs are; nothing, if all is well. `server` decodes what it reads."""
    kept = Kept.read(server)
    return [each for shard in range(redis_keys.SHARDS) for each in _misplaced(kept, redis_keys.base(shard))]


def _misplaced(kept: Kept, base: str) -> Iterator[str]:
    found = _found(kept, base)
    for run_id in kept.members(f"{base}:runs"):
        run = kept.hashes.get(f"{base}:run:{run_id}", {})
        state, status, line = (run.get(name, "") for name in ("state", "status", "queue"))
        at = found.pop(run_id, [])
        wanted = [] if state in WITHOUT else [f"queued {line}" if state == "queued" else state]
        if at != wanted:
            yield f"{run_id} is {state} ({status}), and stands in {at}"
        if (state == "finished") != (status in {"completed", "failed", "cancelled"}):
            yield f"{run_id} is {state} and {status}"
    yield from (f"{run_id} is unknown, and stands in {at}" for run_id, at in found.items())


def _found(kept: Kept, base: str) -> defaultdict[str, list[str]]:
    """By run: in which indexes it stands."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    indexes = {f"{base}:{index}": state for index, state in INDEXES.items()}
    indexes |= {name: "paused" for name in kept.sets if name.startswith(f"{base}:paused:")}
    # What waits in a line that nobody looks into is lost.
    lines = [name for name in kept.sets if name.startswith(f"{base}:queue:") and ":of:" in name]
    indexes |= dict.fromkeys(lines, "in no line")
    queues = _queues(kept, base)
    indexes |= {name: f"queued {line}" for name, line in queues.items()}
    for index, state in indexes.items():
        for run_id in kept.members(index):
            found[run_id].append(state)
    counted: Counter[str] = Counter()
    for name, line in queues.items():
        counted[line] += len(kept.members(name))
    lengths = kept.hashes.get(f"{base}:queue_lengths", {})
    if {line: int(number) for line, number in lengths.items()} != counted:
        found[base].append(f"lines that hold {dict(counted)} and are counted as {lengths}")
    return found


def _queues(kept: Kept, base: str) -> dict[str, str]:
    """The requesters' queues of all lines, each with its line."""
    return {
        f"{base}:queue:{line}:of:{requester}": line
        for line in kept.members(f"{base}:queues")
        for requester in kept.members(f"{base}:queue:{line}")
    }
