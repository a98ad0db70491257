"""Redis in trouble for a while: nothing is half done, and everything goes on by itself afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from bot.core.errors import StoreUnavailable
from bot.core.events.event import TaskStarted
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Deadline
from bot.core.runs.run import RunStatus
from bot.store import redis_keys
from bot.store.clock import ClockSettings
from bot.store.redis import RedisStore, open_store
from bot.store.redis_keys import shard_of
from tests.contract.examples import (
    ADA,
    DEMO,
    LEASE,
    LOST,
    PLACE,
    UNPLACED,
    approval,
    claimed,
    event_types,
    new_run,
    response,
    started,
)
from tests.contract.faulty_proxy import FaultyProxy, faulty_proxy

TASK = TaskStarted(crew_id="c", task_id="t", task="Write", number=1, total=1)
IMPATIENT = 1.0
"""Seconds that the store waits for an answer here."""


@pytest.fixture
async def proxy(data_dir: Path, redis_url: str) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(data_dir / "proxy.sock", redis_url.removeprefix("unix://")) as opened:
        yield opened


@pytest.fixture
async def far(proxy: FaultyProxy) -> AsyncIterator[RedisStore]:
    async with open_store(f"{proxy.url}?socket_timeout={IMPATIENT}") as store:
        yield store


@contextmanager
def full(server: redis.Redis) -> Iterator[None]:
    server.config_set("maxmemory", "1")
    try:
        yield
    finally:
        server.config_set("maxmemory", "0")


def everything(server: redis.Redis) -> dict[str, object]:
    """All that is stored, as it is stored."""
    with redis.Redis(unix_socket_path=server.connection_pool.connection_kwargs["path"]) as client:
        return {str(key): client.dump(key) for key in client.scan_iter()}


async def test_when_redis_is_full_what_grows_is_refused_as_a_whole(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await claimed(store)
    question = approval(claim)
    attempts: list[Awaitable[Any]] = [
        store.runs.start(new_run("another")),
        store.questions.ask(claim, question),
        store.events.append(claim, TASK),
        store.journal.put_if_absent(claim, "1/tool/a/0", "result"),
        store.journal.write(claim, [("1/tool/b/0?", "{}"), ("1/tool/c/0", "result")]),
    ]
    before = everything(server)
    with full(server):
        for attempt in attempts:
            with pytest.raises(StoreUnavailable, match="full"):
                await attempt
        assert everything(server) == before
    assert (await store.questions.ask(claim, question)).open
    assert (await store.runs.start(new_run("another")))[1]


async def test_when_redis_is_full_answers_still_count_and_runs_still_end(
    store: RedisStore, server: redis.Redis
) -> None:
    answered, parked, ended, expiring = [await claimed(store, place=PLACE) for _ in range(4)]
    waiting = await started(store)
    held, _ = await store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    asked = [await store.questions.ask(claim, approval(claim)) for claim in (answered, parked)]
    await store.questions.ask(expiring, approval(expiring, deadline=Deadline(after=60)))
    timers = redis_keys.timers(shard_of(expiring.run.id))
    server.zadd(timers, {str(timer): 0 for timer in server.zrange(timers, 0, -1)})
    for run_id in (answered.run.id, held.id):
        await store.outbox.lease_shard("slack", shard_of(run_id), "web", LEASE)
    with full(server):
        assert (
            await store.questions.respond(answered.run.id, asked[0].id, response())
        ).verdict is Verdict.SETTLED
        assert await store.queue.park(parked, [asked[1].id])
        assert (
            await store.questions.respond(parked.run.id, asked[1].id, response())
        ).verdict is Verdict.SETTLED
        assert await store.queue.heartbeat("w1", [answered, ended, expiring], LEASE) == set()
        await store.queue.finish(ended, result="done")
        assert (await store.runs.cancel(waiting.id, ADA)).status is RunStatus.CANCELLED
        assert await store.outbox.mark_delivered("slack", "web", held.id, 1, place=PLACE)
        assert (await store.runs.get(held.id)).place == PLACE
        assert await store.outbox.mark_delivered("slack", "web", answered.run.id, 3)
        assert await store.key_values.add("press 1")
        assert not await store.key_values.add("press 1")
        await store.key_values.set("profile", "Ada", 60)
        await store.key_values.save_pending("shelf", "delivery", "{}")
        assert await store.clock.apply_due(LOST) == 1
        assert (await store.runs.get(expiring.run.id)).status is RunStatus.RUNNING
        taken = await store.queue.claim("w2", [DEMO.name], 5, LEASE)
        assert {parked.run.id, held.id} == {claim.run.id for claim in taken}
    assert (await event_types(store, ended.run.id))[-1] == "run_completed"


async def test_a_full_redis_makes_room_by_itself(store_url: str, server: redis.Redis) -> None:
    async with open_store(store_url, ClockSettings(retention=0)) as store:
        claim = await claimed(store)
        await store.queue.finish(claim, result="done")
        dying = await claimed(store)
        server.zadd(f"{redis_keys.base(shard_of(dying.run.id))}:leases", {dying.run.id: 0})
        await asyncio.sleep(0.01)
        with full(server):
            await store.clock.apply_due(LOST)
        assert not server.keys(f"*{claim.run.id}*")
        assert (await store.runs.get(dying.run.id)).status is RunStatus.QUEUED


async def test_while_redis_loads_people_are_told_and_then_it_goes_on(
    proxy: FaultyProxy, far: RedisStore
) -> None:
    claim = await claimed(far)
    question = await far.questions.ask(claim, approval(claim))
    proxy.says = b"-LOADING Redis is loading the dataset in memory\r\n"
    with pytest.raises(StoreUnavailable, match="still loading"):
        await far.questions.respond(claim.run.id, question.id, response())
    with pytest.raises(StoreUnavailable, match="still loading"):
        await far.health.ping()
    proxy.says = b""
    assert (await far.questions.respond(claim.run.id, question.id, response())).verdict is Verdict.SETTLED


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"-MISCONF Errors writing to the AOF file: No space left on device", "can't write to its disk"),
        (b"-NOREPLICAS Not enough good replicas to write.", "too few replicas"),
        (b"-BUSY Redis is busy running a script.", "busy with a script"),
        (b"-CLUSTERDOWN The cluster is down", "Cluster is down"),
        (b"-READONLY You can't write against a read only replica.", "read-only replica"),
    ],
)
async def test_what_the_server_says_is_said_in_plain_words(
    proxy: FaultyProxy, far: RedisStore, says: bytes, words: str
) -> None:
    proxy.says = says + b"\r\n"
    with pytest.raises(StoreUnavailable, match=words):
        await far.runs.start(new_run("one"))
    proxy.says = b""
    assert (await far.runs.start(new_run("one")))[1]


async def test_on_connections_that_are_half_open_an_answer_counts_once(
    proxy: FaultyProxy, far: RedisStore
) -> None:
    claim = await claimed(far)
    question = await far.questions.ask(claim, approval(claim))
    proxy.half_open()
    async with asyncio.timeout(15 * IMPATIENT):
        ruling = await far.questions.respond(claim.run.id, question.id, response())
    assert ruling.verdict is Verdict.SETTLED
    assert len(await far.questions.responses(claim.run.id, question.id)) == 1


async def test_a_slow_server_is_waited_for_and_one_that_is_too_slow_is_not(
    proxy: FaultyProxy, far: RedisStore
) -> None:
    claim = await claimed(far)
    question = await far.questions.ask(claim, approval(claim))
    proxy.delay = IMPATIENT / 10
    assert (await far.runs.get(claim.run.id)).id == claim.run.id
    proxy.delay = IMPATIENT * 3
    with pytest.raises(StoreUnavailable, match="does not answer in time"):
        await far.questions.respond(claim.run.id, question.id, response())
    proxy.delay = 0
    ruling = await far.questions.respond(claim.run.id, question.id, response())
    assert ruling.verdict is not Verdict.REFUSED
    assert (await event_types(far, claim.run.id)).count("human_input_completed") == 1


async def test_a_flushed_script_cache_loses_nothing_on_the_way_of_an_answer(
    store: RedisStore, server: redis.Redis
) -> None:
    server.script_flush()
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    server.script_flush()
    assert (await store.questions.respond(claim.run.id, question.id, response())).verdict is Verdict.SETTLED
    server.script_flush()
    assert await store.key_values.add("after a flush")
    assert (await store.runs.cancel(claim.run.id, ADA)).status is RunStatus.CANCELLED
