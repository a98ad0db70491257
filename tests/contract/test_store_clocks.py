"""Leases and the store's clock: what counts as a worker's death, and what doesn't."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
import redis

from bot.core.events.event import TaskStarted
from bot.core.ports.queue import Fenced
from bot.core.runs.run import Claim, RunStatus
from bot.store import redis_keys
from bot.store.redis import RedisStore
from tests.contract.examples import DEMO, LEASE, LOST, RETRY_AFTER, approval, claimed, started
from tests.contract.places import misplaced
from tests.waiting import WITHIN

SHORT = 2.2
"""Seconds of a lease that a test waits for."""
HOUR = 3600_000
NOTED_MS = 500
"""How many milliseconds are between two looks that are noted."""
TASK = TaskStarted(crew_id="c", task_id="t", task="Write", number=1, total=1)


def shift(server: redis.Redis, by: int) -> None:
    """As if the server's clock jumped: what it has stored is so many milliseconds earlier."""
    for shard in range(redis_keys.SHARDS):
        base = redis_keys.base(shard)
        if (looked := server.get(f"{base}:clock_checked")) is not None:
            server.set(f"{base}:clock_checked", int(looked) - by)
        for run_id in map(str, server.zrange(f"{base}:leases", 0, -1)):
            server.zincrby(f"{base}:leases", -by, run_id)


def run_out(server: redis.Redis, claim: Claim) -> None:
    """As if its lease had run out just now, while everybody looked at the clock."""
    server.zadd(f"{redis_keys.base(redis_keys.shard_of(claim.run.id))}:leases", {claim.run.id: 1}, xx=True)


def left(server: redis.Redis, claim: Claim) -> float:
    """For how many milliseconds the lease lasts."""
    ends = server.zscore(f"{redis_keys.base(redis_keys.shard_of(claim.run.id))}:leases", claim.run.id)
    seconds, micros = server.time()
    return (ends or 0) - seconds * 1000 - micros / 1000


def field(server: redis.Redis, claim: Claim, name: str) -> str | None:
    stored = server.hget(redis_keys.run(claim.run.id), name)
    return None if stored is None else str(stored)


@pytest.mark.parametrize("by", [HOUR, 24 * HOUR, -HOUR], ids=["an hour ahead", "a day ahead", "an hour back"])
@pytest.mark.parametrize("first", ["due", "apply_due", "claim"])
async def test_a_clock_that_jumps_takes_no_run_from_its_worker(
    store: RedisStore, server: redis.Redis, by: int, first: str
) -> None:
    claims = [await claimed(store) for _ in range(3)]
    shift(server, by)
    if first == "due":
        assert await store.clock.due(1.0) == 1.0
    if first == "claim":
        assert await store.queue.claim("w2", [DEMO.name], 1, LEASE) == []
    assert await store.clock.apply_due(LOST) == 0
    for claim in claims:
        assert (await store.runs.get(claim.run.id)).epoch == claim.epoch
        assert LEASE * 900 < left(server, claim) <= LEASE * 1000
    assert await store.queue.heartbeat("w1", claims, LEASE) == set()


async def test_nobody_renews_a_dead_workers_lease_twice(store: RedisStore, server: redis.Redis) -> None:
    """After everything stood still it lasts once more; then, while time goes on, it runs out."""
    await started(store)
    [claim] = await store.queue.claim("dead", [DEMO.name], 1, SHORT)
    shift(server, HOUR)
    leases = f"{redis_keys.base(redis_keys.shard_of(claim.run.id))}:leases"
    before, lost, ends = server.zscore(leases, claim.run.id), 0, set()
    async with asyncio.timeout(WITHIN):
        while not lost:
            assert await store.clock.due(0.1) <= 0.1
            ends.add(server.zscore(leases, claim.run.id))
            lost = await store.clock.apply_due(LOST)
            await asyncio.sleep(0.1)
    assert len(ends) == 1
    assert before not in ends
    assert (await store.runs.get(claim.run.id)).status is RunStatus.QUEUED
    assert field(server, claim, "crash_count") == "1"


async def test_the_same_moment_is_noted_once_while_many_look(store: RedisStore, server: redis.Redis) -> None:
    """And not at all where nobody holds a run: an idle store is not written to."""
    await store.clock.due(1.0)
    assert not server.keys("*:clock_checked")
    claim = await claimed(store)
    noted = []
    for _ in range(20):
        await store.clock.due(1.0)
        noted.append(
            int(str(server.get(f"{redis_keys.base(redis_keys.shard_of(claim.run.id))}:clock_checked")))
        )
    for earlier, later in pairwise(noted):
        assert later == earlier or later - earlier >= NOTED_MS


async def test_a_worker_that_speaks_again_had_not_died(store: RedisStore, server: redis.Redis) -> None:
    """It is suspended five times, each time for longer than its lease; nothing new is recorded meanwhile."""
    claim = await claimed(store, worker="sleepy")
    for _ in range(5):
        run_out(server, claim)
        assert await store.clock.apply_due(LOST) == 1
        [other] = await store.queue.claim("other", [DEMO.name], 1, LEASE)
        assert field(server, claim, "crash_count") == "1"
        assert await store.queue.heartbeat("sleepy", [claim], LEASE) == {claim.run.id}
        assert field(server, claim, "crash_count") == "0"
        assert await store.queue.heartbeat("sleepy", [claim], LEASE) == {claim.run.id}
        assert field(server, claim, "crash_count") == "0", "once"
        await store.queue.release(other)
        [claim] = await store.queue.claim("sleepy", [DEMO.name], 1, LEASE)
    await store.queue.finish(claim, result="done")


async def test_a_suspect_whose_worker_speaks_again_is_none_any_more(
    store: RedisStore, server: redis.Redis
) -> None:
    first = await claimed(store, worker="sleepy")
    run_out(server, first)
    await store.clock.apply_due(LOST)
    [second] = await store.queue.claim("w", [DEMO.name], 1, LEASE)
    run_out(server, second)
    await store.clock.apply_due(LOST)
    await asyncio.sleep(RETRY_AFTER)
    await store.clock.apply_due(LOST)
    assert await store.queue.suspected([DEMO.name]) == [first.run.id]
    await store.queue.heartbeat("sleepy", [first], LEASE)
    assert await store.queue.suspected([DEMO.name]) == []
    assert misplaced(server) == []
    [third] = await store.queue.claim("w", [DEMO.name], 1, LEASE)
    assert third.run.id == first.run.id


async def test_workers_that_never_speak_again_are_taken_for_dead(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await claimed(store)
    for alone in (False, True, None):
        run_out(server, claim)
        await store.clock.apply_due(LOST)
        if alone is not None:
            await asyncio.sleep(RETRY_AFTER)
            await store.clock.apply_due(LOST)
            [claim] = await store.queue.claim("w", [DEMO.name], 1, LEASE, isolated=alone)
    run = await store.runs.get(claim.run.id)
    assert (run.status, run.error) == (RunStatus.FAILED, LOST)


async def test_who_was_seen_to_die_is_dead_whatever_comes_later(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await claimed(store)
    await store.queue.abandon("w1", LOST)
    await store.queue.heartbeat("w1", [claim], LEASE)
    assert field(server, claim, "crash_count") == "1"


WORDS: dict[str, Callable[[RedisStore, Claim], Awaitable[object]]] = {
    "note": lambda store, claim: store.journal.put_if_absent(claim, "step", "x"),
    "write": lambda store, claim: store.journal.write(claim, [("step", "x")]),
    "record": lambda store, claim: store.events.append(claim, TASK),
    "ask": lambda store, claim: store.questions.ask(claim, approval(claim)),
    "release": lambda store, claim: store.queue.release(claim),
    "set aside": lambda store, claim: store.queue.defer(claim, 1),
    "park": lambda store, claim: store.queue.park(claim, [approval(claim).id]),
    "finish": lambda store, claim: store.queue.finish(claim, result="done"),
}


@pytest.mark.parametrize("word", WORDS)
async def test_any_word_of_a_silent_worker_counts(store: RedisStore, server: redis.Redis, word: str) -> None:
    """It may leave the run before it renews a lease again."""
    claim = await claimed(store)
    run_out(server, claim)
    await store.clock.apply_due(LOST)
    assert field(server, claim, "crash_count") == "1"
    with pytest.raises(Fenced):
        await WORDS[word](store, claim)
    assert field(server, claim, "crash_count") == "0"
