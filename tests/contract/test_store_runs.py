"""Runs in the store: started once, placed, listed, cancelled, paused and forgotten."""

import asyncio

import pytest
import redis

from bot.core import ids
from bot.core.errors import NotFound, Refused, Replayed
from bot.core.ports.lists import RunFilter
from bot.core.ports.queue import Fenced
from bot.core.questions.question import Deadline
from bot.core.runs.crew import Crew
from bot.core.runs.nonce import Nonce
from bot.core.runs.run import RunStatus
from bot.store.clock import ClockSettings
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import (
    ADA,
    BOB,
    CHANNEL,
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
from tests.contract.outboxes import open_thread


async def test_the_same_key_starts_one_run(store: RedisStore) -> None:
    new = new_run("delivery 1")
    starts = await asyncio.gather(*(store.runs.start(new) for _ in range(10)))
    assert sorted(fresh for _, fresh in starts) == [False] * 9 + [True]
    assert {run.id for run, _ in starts} == {ids.run_id("delivery 1")}
    assert await event_types(store, new.id) == ["run_started"]
    assert len(await store.queue.claim("w", [DEMO.name], 10, LEASE)) == 1


async def test_a_request_starts_a_run_once_whoever_sends_it_again(store: RedisStore) -> None:
    new, other = new_run(), new_run()
    arrivals = [Nonce("request", 60) for _ in range(10)]
    starts = await asyncio.gather(*(store.runs.start(new, each) for each in arrivals), return_exceptions=True)
    [first] = [each for each in starts if not isinstance(each, Replayed)]
    assert isinstance(first, tuple)
    assert first == (await store.runs.get(new.id), True)
    [arrival] = [each for each, done in zip(arrivals, starts, strict=True) if done is first]
    assert await store.runs.use_nonce(new.id, arrival), "its own"
    assert (await store.runs.start(new, arrival))[1] is False
    assert not await store.runs.use_nonce(new.id, Nonce("request", 60))
    assert (await store.runs.start(other, Nonce("another request", 60)))[1]
    assert len(await store.queue.claim("w", [DEMO.name], 10, LEASE)) == 2


async def test_a_request_that_started_nothing_starts_nothing_later(store: RedisStore) -> None:
    new, arrival = new_run(), Nonce("request", 60)
    assert await store.runs.use_nonce(new.id, arrival)
    with pytest.raises(Replayed):
        await store.runs.start(new, Nonce("request", 60))
    with pytest.raises(NotFound):
        await store.runs.get(new.id)
    assert (await store.runs.start(new, arrival))[1]


async def test_a_nonce_is_remembered_for_its_time(store: RedisStore, server: redis.Redis) -> None:
    new = new_run()
    for use in (
        store.runs.use_nonce(new.id, Nonce("tried", 60)),
        store.runs.start(new, Nonce("started", 60)),
    ):
        await use
    kept = [server.pttl(key) for key in server.scan_iter("*:nonce:*")]
    assert len(kept) == 2
    assert all(0 < each <= 60_000 for each in kept)


async def test_an_unknown_run_is_not_found(store: RedisStore) -> None:
    unknown = ids.run_id("nobody started this")
    with pytest.raises(NotFound, match=unknown):
        await store.runs.get(unknown)
    with pytest.raises(NotFound):
        await store.events.read(unknown)
    with pytest.raises(NotFound):
        await store.runs.events_after(unknown, 0)
    with pytest.raises(NotFound):
        await store.runs.cancel(unknown, ADA)


async def test_a_held_run_is_queued_when_its_place_is_known(store: RedisStore) -> None:
    run, _ = await store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    assert run.awaiting_thread
    assert await store.queue.claim("w", [DEMO.name], 1, LEASE) == []
    await open_thread(store, run.id, PLACE)
    placed = await store.runs.get(run.id)
    assert (placed.awaiting_thread, placed.place) == (False, PLACE)
    await open_thread(store, run.id, PLACE.model_copy(update={"ref": "C1/later"}))
    assert (await store.runs.get(run.id)).place == PLACE
    assert [found.id for found in await store.runs.at(PLACE)] == [run.id]
    assert len(await store.queue.claim("w", [DEMO.name], 10, LEASE)) == 1


async def test_the_news_of_a_run_are_its_later_events_and_what_they_made_of_it(store: RedisStore) -> None:
    run, _ = await store.runs.start(new_run())
    news, now = await store.runs.events_after(run.id, 0)
    assert ([event.body.type for event in news], now) == (["run_started"], run)
    cancelled = await store.runs.cancel(run.id, ADA)
    news, now = await store.runs.events_after(run.id, news[-1].seq)
    assert ([event.body.type for event in news], now) == (["run_cancelled"], cancelled)
    assert await store.runs.events_after(run.id, news[-1].seq) == ([], cancelled)


async def test_a_place_in_another_channel_moves_the_run_to_its_list(store: RedisStore) -> None:
    run, _ = await store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    elsewhere = PLACE.model_copy(update={"group": "slack:T1:D9"})
    await open_thread(store, run.id, elsewhere)
    assert await store.runs.list(RunFilter(group=CHANNEL)) == []
    assert [found.id for found in await store.runs.list(RunFilter(group="slack:T1:D9", active=True))] == [
        run.id
    ]


async def test_a_run_that_can_not_be_placed_fails_unless_it_was(store: RedisStore) -> None:
    lost, _ = await store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    placed, _ = await store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    await open_thread(store, placed.id, PLACE)
    assert await store.runs.fail_unplaced(lost.id, LOST)
    assert not await store.runs.fail_unplaced(placed.id, LOST)
    assert (await store.runs.get(lost.id)).error == LOST
    assert (await store.runs.get(placed.id)).status is RunStatus.QUEUED
    assert await event_types(store, lost.id) == ["run_started", "run_failed"]


async def test_cancel_withdraws_what_is_open_and_ends_the_run(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    run = await store.runs.cancel(claim.run.id, ADA)
    assert (run.status, run.cancelled_by) == (RunStatus.CANCELLED, ADA)
    outcome = (await store.questions.get(run.id, question.id)).outcome
    assert outcome is not None
    assert outcome.text(question.options) == "Withdrawn: the run ended"
    assert await event_types(store, run.id) == [
        "run_started",
        "human_input_required",
        "human_input_completed",
        "run_cancelled",
    ]
    assert await store.questions.open() == []


async def test_only_whom_the_run_names_may_cancel_and_only_once(store: RedisStore) -> None:
    run = await started(store)
    with pytest.raises(Refused) as refused:
        await store.runs.cancel(run.id, BOB)
    assert refused.value.code == "not_allowed"
    await store.runs.cancel(run.id, ADA)
    with pytest.raises(Refused) as over:
        await store.runs.cancel(run.id, ADA)
    assert over.value.code == "run_over"
    assert await store.queue.claim("w", [DEMO.name], 1, LEASE) == []


async def test_after_a_cancel_the_worker_is_fenced_off(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.runs.cancel(claim.run.id, ADA)
    with pytest.raises(Fenced):
        await store.questions.ask(claim, approval(claim))
    with pytest.raises(Fenced):
        await store.queue.finish(claim, result="done")
    assert await store.questions.list(claim.run.id) == []
    assert await event_types(store, claim.run.id) == ["run_started", "run_cancelled"]


async def test_lists_are_newest_first_and_go_on_after_a_cursor(store: RedisStore) -> None:
    created = [(await started(store)).id for _ in range(7)]
    pages: list[str] = []
    before = None
    while page := await store.runs.list(RunFilter(limit=3, before=before)):
        pages += [run.id for run in page]
        before = page[-1].cursor
    at = {run_id: (await store.runs.get(run_id)).created_at for run_id in created}
    assert pages == sorted(created, key=lambda run_id: (at[run_id], run_id), reverse=True)


async def test_lists_hold_what_was_asked_for(store: RedisStore) -> None:
    other = Crew(name="other", title="Other")
    mine = await started(store, place=PLACE)
    theirs = await started(store, by=BOB)
    over = await started(store, crew=other)
    await store.runs.cancel(over.id, ADA)

    async def listed(which: RunFilter) -> set[str]:
        return {run.id for run in await store.runs.list(which)}

    assert await listed(RunFilter(requester=ADA.principal)) == {mine.id, over.id}
    assert await listed(RunFilter(requester=ADA.principal, active=True)) == {mine.id}
    assert await listed(RunFilter(active=False)) == {over.id}
    assert await listed(RunFilter(active=True)) == {mine.id, theirs.id}
    assert await listed(RunFilter(group=CHANNEL)) == {mine.id}
    assert await listed(RunFilter(crew="other")) == {over.id}


async def test_a_run_is_found_by_the_beginning_of_its_id(store: RedisStore) -> None:
    run = await started(store)
    await started(store)
    assert [found.id for found in await store.runs.find(run.id[:8].upper())] == [run.id]
    assert [found.id for found in await store.runs.find(run.id)] == [run.id]
    assert await store.runs.find(run.id[:3]) == []
    assert await store.runs.find("[-+") == []


async def test_a_paused_workspace_waits_and_goes_on_where_it_stood(store: RedisStore) -> None:
    paused = await started(store, place=PLACE)
    await asyncio.sleep(0.002)  # in a millisecond of its own
    free = await started(store)
    await store.runs.pause_tenant("T1", "The app was uninstalled")
    assert await store.runs.pause_reason("T1") == "The app was uninstalled"
    assert [claim.run.id for claim in await store.queue.claim("w", [DEMO.name], 5, LEASE)] == [free.id]
    later = await started(store)
    await store.runs.pause_tenant("T1", None)
    assert await store.runs.pause_reason("T1") is None
    assert [claim.run.id for claim in await store.queue.claim("w", [DEMO.name], 1, LEASE)] == [paused.id]
    assert [claim.run.id for claim in await store.queue.claim("w", [DEMO.name], 1, LEASE)] == [later.id]


async def test_a_run_that_was_cancelled_while_paused_stays_so(store: RedisStore) -> None:
    run = await started(store, place=PLACE)
    await store.runs.pause_tenant("T1", "revoked")
    assert await store.queue.claim("w", [DEMO.name], 5, LEASE) == []
    await store.runs.cancel(run.id, ADA)
    await store.runs.pause_tenant("T1", None)
    assert await store.queue.claim("w", [DEMO.name], 5, LEASE) == []


async def test_an_old_run_is_forgotten_and_leaves_nothing(store_url: str, server: redis.Redis) -> None:
    async with open_store(store_url, ClockSettings(retention=0)) as store:
        claim = await claimed(store, place=PLACE)
        question = await store.questions.ask(
            claim, approval(claim, deadline=Deadline(after=60, remind_after=30))
        )
        await store.questions.respond(claim.run.id, question.id, response())
        for shard in range(store.queue.shards):
            if await store.outbox.pending("slack", shard):
                await store.outbox.lease_shard("slack", shard, "web", LEASE)
                await store.outbox.mark_delivered("slack", "web", claim.run.id, 1, {"parent": "C1/1700.1"})
                await store.outbox.release_shard("slack", shard, "web")
        await store.queue.finish(claim, result="done")
        await store.clock.apply_due(LOST)
        await store.outbox.adopt("slack", claim.run.id, "late", "C1/1700.2")
        with pytest.raises(NotFound):
            await store.runs.get(claim.run.id)
        with pytest.raises(NotFound):
            await store.events.read(claim.run.id)
        assert await store.runs.find(claim.run.id) == []
        assert (await store.health.totals()).runs["completed"] == 0
    left = [key for key in server.scan_iter("*") if claim.run.id in key]
    listed = [key for key in server.scan_iter("*", _type="zset") if server.zcard(key)]
    assert (left, listed) == ([], [])
