"""Whether each run is in exactly one place, seen from behind the store: by what is kept in Redis."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import redis

from bot.store import redis_keys

INDEXES = {"delayed": "delayed", "leases": "leased", "finished": "finished"}
"""The sorted sets that hold a shard's runs, and the state of what is in them."""
WITHOUT = {"awaiting_thread", "parked"}
"""States of runs that stand in no index."""


def misplaced(server: redis.Redis) -> list[str]:
    """What is wrong with where runs are; nothing, if all is well. `server` decodes what it reads."""
    return [each for shard in range(redis_keys.SHARDS) for each in _misplaced(server, redis_keys.base(shard))]


def _misplaced(server: redis.Redis, base: str) -> Iterator[str]:
    found = _found(server, base)
    for run_id in _members(server, f"{base}:runs"):
        run = server.hmget(f"{base}:run:{run_id}", "state", "status", "queue")
        state, status, line = ("" if each is None else str(each) for each in run)
        at = found.pop(run_id, [])
        wanted = [] if state in WITHOUT else [f"queued {line}" if state == "queued" else state]
        if at != wanted:
            yield f"{run_id} is {state} ({status}), and stands in {at}"
        if (state == "finished") != (status in {"completed", "failed", "cancelled"}):
            yield f"{run_id} is {state} and {status}"
    yield from (f"{run_id} is unknown, and stands in {at}" for run_id, at in found.items())


def _found(server: redis.Redis, base: str) -> defaultdict[str, list[str]]:
    """By run: in which indexes it stands."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    indexes = {f"{base}:{index}": state for index, state in INDEXES.items()}
    indexes |= dict.fromkeys(map(str, server.scan_iter(match=f"{base}:paused:*")), "paused")
    # What waits in a line that nobody looks into is lost.
    indexes |= dict.fromkeys(map(str, server.scan_iter(match=f"{base}:queue:*:of:*")), "in no line")
    queues = _queues(server, base)
    indexes |= {name: f"queued {line}" for name, line in queues.items()}
    for index, state in indexes.items():
        for run_id in _members(server, index):
            found[run_id].append(state)
    counted: Counter[str] = Counter()
    for name, line in queues.items():
        counted[line] += server.zcard(name)
    kept = {str(line): int(number) for line, number in server.hgetall(f"{base}:queue_lengths").items()}
    if kept != counted:
        found[base].append(f"lines that hold {dict(counted)} and are counted as {kept}")
    return found


def _members(server: redis.Redis, name: str) -> list[str]:
    return [str(each) for each in server.zrange(name, 0, -1)]


def _queues(server: redis.Redis, base: str) -> dict[str, str]:
    """The requesters' queues of all lines, each with its line."""
    return {
        f"{base}:queue:{line}:of:{requester}": line
        for line in _members(server, f"{base}:queues")
        for requester in _members(server, f"{base}:queue:{line}")
    }
