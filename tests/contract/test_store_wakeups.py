"""Wake-ups: everybody who waits hears of what changed, also after the connection was cut."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis

from bot.core import wakeups
from bot.core.events.event import Event, TaskStarted
from bot.core.ports.queue import Fenced
from bot.core.ports.store import Wakeup
from bot.core.wakeups import Signal, Wakeups
from bot.store.redis import RedisStore
from bot.store.redis_keys import SHARDS, shard_of
from tests.contract.examples import ADA, LEASE, PLACE, UNPLACED, approval, claimed, new_run, response, started
from tests.contract.outboxes import open_thread
from tests.waiting import WITHIN

pytestmark = pytest.mark.everywhere


@pytest.fixture
async def followed(store: RedisStore) -> AsyncIterator[Wakeups]:
    """Wake-ups that follow the store."""
    fed = Wakeups()
    with fed.watch("ready") as ready:
        following = asyncio.create_task(fed.follow(store.events))
        assert await ready.wait(WITHIN)
    yield fed
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


async def heard(signal: Signal) -> bool:
    woken = await signal.wait(WITHIN)
    signal.clear()
    return woken


async def test_every_change_wakes_who_waits_for_it(store: RedisStore, followed: Wakeups) -> None:
    queues = [wakeups.queue_topic(shard) for shard in range(SHARDS)]
    with followed.watch(*queues) as queue:
        run = await started(store, place=PLACE)
        assert await heard(queue)
        await store.runs.pause_tenant("T1", "revoked")
        await store.queue.claim("w", ["demo"], 1, LEASE)
        queue.clear()
        await store.runs.pause_tenant("T1", None)
        assert await heard(queue)
    shard = shard_of(run.id)
    with (
        followed.watch(wakeups.run_topic(run.id)) as told,
        followed.watch(wakeups.outbox_topic("slack", shard)) as outbox,
        followed.watch(wakeups.CANCELLED_TOPIC) as cancelled,
    ):
        [claim] = await store.queue.claim("w", ["demo"], 1, LEASE)
        assert await heard(told)
        question = await store.questions.ask(claim, approval(claim))
        assert await heard(told)
        assert await heard(outbox)
        with followed.watch(wakeups.question_topic(question.id)) as settled:
            await store.questions.respond(run.id, question.id, response())
            assert await heard(settled)
        another = await store.questions.ask(claim, approval(claim, "another"))
        with followed.watch(wakeups.question_topic(another.id)) as withdrawn:
            await store.runs.cancel(run.id, ADA)
            assert await heard(withdrawn)
        assert await heard(cancelled)
    awaiting, _ = await store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    with followed.watch(wakeups.placed_topic(awaiting.id)) as placed:
        await open_thread(store, awaiting.id, PLACE)
        assert await heard(placed)


async def test_a_shard_that_is_given_back_wakes_the_next_process(
    store: RedisStore, followed: Wakeups
) -> None:
    await store.outbox.lease_shard("slack", 3, "web 1", LEASE)
    with followed.watch(wakeups.outbox_topic("slack", 3)) as free:
        await store.outbox.release_shard("slack", 3, "web 1")
        assert await heard(free)


async def test_events_are_followed_without_gap_while_the_connection_is_cut(
    store: RedisStore, followed: Wakeups, server: redis.Redis
) -> None:
    claim = await claimed(store)
    seen: list[Event] = []

    async def follow() -> None:
        seen.extend([event async for event in followed.events(store.events, claim.run.id)])

    async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        for number in range(12):
            if number % 3 == 0:
                server.client_kill_filter(_type="pubsub")
            await store.questions.ask(claim, approval(claim, str(number)))
        await store.queue.finish(claim, result="done")
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].last


async def test_after_a_cut_everybody_looks_again(followed: Wakeups, server: redis.Redis) -> None:
    with followed.watch("anything") as signal:
        server.client_kill_filter(_type="pubsub")
        assert await signal.wait(WITHIN)
        assert signal.clear() == set()


async def test_a_flushed_script_cache_is_no_trouble(store: RedisStore, server: redis.Redis) -> None:
    claim = await claimed(store)
    server.script_flush()
    question = await store.questions.ask(claim, approval(claim))
    server.script_flush()
    assert (await store.questions.respond(claim.run.id, question.id, response())).code == ""


async def test_a_restarted_reader_goes_on_after_what_it_saw(store: RedisStore, followed: Wakeups) -> None:
    claim = await claimed(store)
    await store.questions.ask(claim, approval(claim))
    await store.queue.finish(claim, result="done")
    seen = [event.seq async for event in followed.events(store.events, claim.run.id, after=2)]
    assert seen == [3, 4]
    with pytest.raises(Fenced):
        await store.questions.ask(claim, approval(claim, "late"))


async def test_wake_ups_carry_the_events_that_were_appended(store: RedisStore) -> None:
    """Whoever follows the run need not read them; what is large is left to be read."""
    run = await started(store, place=PLACE)
    [claim] = await store.queue.claim("w", ["demo"], 1, LEASE)
    wakeups = store.events.wakeups()
    assert await anext(wakeups) == Wakeup()
    question = await store.questions.ask(claim, approval(claim))
    await store.questions.respond(run.id, question.id, response())
    large = TaskStarted(crew_id="c", task_id="t", task="x" * 20_000, number=1, total=1)
    await store.events.append(claim, large)
    small = await store.events.append(claim, large.model_copy(update={"task": "x"}))
    carried: list[Event] = []
    async with asyncio.timeout(WITHIN):
        while small not in carried:
            wakeup = await anext(wakeups)
            carried += [each.parse() for each in wakeup.events]
    assert carried == [each for each in await store.events.read(run.id, after=1) if each.body != large]
    await wakeups.aclose()  # type: ignore[attr-defined]
