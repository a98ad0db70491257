"""What workers do in the store: claim, keep, record, finish; and what fences them off."""

import asyncio

import pytest

from bot.core import ids
from bot.core.events.event import TaskStarted
from bot.core.ports.queue import Fenced
from bot.core.questions.question import Deadline
from bot.core.runs.crew import Crew
from bot.core.runs.run import Claim, RunStatus
from bot.store.clock import ClockSettings
from bot.store.redis import RedisStore, compose
from tests.contract.examples import (
    DEMO,
    LEASE,
    LOST,
    approval,
    claimed,
    claimed_anyhow,
    event_types,
    response,
    started,
)

pytestmark = pytest.mark.everywhere

TASK = TaskStarted(crew_id="c", task_id="t", task="Write", number=1, total=1)


async def test_claims_are_oldest_first_and_of_the_named_crews(store: RedisStore) -> None:
    other = Crew(name="other", title="Other")
    created = []
    for crew in (DEMO, other, DEMO, DEMO):
        created.append((await started(store, crew)).id)
        await asyncio.sleep(0.002)
    claims = await store.queue.claim("w", ["demo"], 2, LEASE)
    assert {claim.run.id for claim in claims} == {created[0], created[2]}
    assert {claim.run.status for claim in claims} == {RunStatus.RUNNING}
    rest = await store.queue.claim("w", ["demo", "other"], 9, LEASE)
    assert {claim.run.id for claim in rest} == {created[1], created[3]}
    assert await store.queue.claim("w", ["demo", "other"], 9, LEASE) == []


async def test_each_run_is_claimed_by_one_worker(store: RedisStore) -> None:
    created = {(await started(store)).id for _ in range(20)}
    claims = await asyncio.gather(*(store.queue.claim(f"w{n}", ["demo"], 7, LEASE) for n in range(5)))
    taken = [claim.run.id for held in claims for claim in held]
    assert sorted(taken) == sorted(created)
    assert max(map(len, claims)) <= 7


async def test_what_is_recorded_is_numbered_and_there_once(store: RedisStore) -> None:
    claim = await claimed(store)
    first = await store.events.append(claim, TASK)
    again = await store.events.append(claim, TASK)
    assert first == again
    assert first.seq == 2
    assert await event_types(store, claim.run.id) == ["run_started", "task_started"]


async def test_events_have_no_gap_however_many_write(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    tasks = [TASK.model_copy(update={"number": number}) for number in range(30)]
    recorded, _ = await asyncio.gather(
        asyncio.gather(*(store.events.append(claim, task) for task in tasks)),
        store.questions.respond(claim.run.id, question.id, response()),
    )
    assert len({event.seq for event in recorded}) == 30
    assert len(await event_types(store, claim.run.id)) == 33


async def test_a_finished_run_has_its_result_and_takes_nothing_more(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.queue.finish(claim, result="Tide mills: 12 pages")
    await store.queue.finish(claim, result="Tide mills: 12 pages")
    run = await store.runs.get(claim.run.id)
    assert (run.status, run.result) == (RunStatus.COMPLETED, "Tide mills: 12 pages")
    with pytest.raises(Fenced):
        await store.events.append(claim, TASK)
    with pytest.raises(Fenced):
        await store.queue.finish(claim, error=LOST)
    assert await event_types(store, run.id) == ["run_started", "run_completed"]


async def test_a_run_whose_lease_ran_out_is_queued_again_and_its_worker_fenced_off(store: RedisStore) -> None:
    await started(store)
    [claim] = await store.queue.claim("w", ["demo"], 1, 0)
    assert await store.clock.apply_due(LOST) == 1
    assert (await store.runs.get(claim.run.id)).status is RunStatus.QUEUED
    assert await store.queue.heartbeat("w", [claim], LEASE) == {claim.run.id}
    for late in (
        store.events.append(claim, TASK),
        store.queue.finish(claim, result="late"),
        store.questions.ask(claim, approval(claim)),
        store.journal.put_if_absent(claim, "step", "late"),
        store.journal.write(claim, [("step", "late")]),
        store.queue.park(claim, []),
        store.queue.release(claim),
    ):
        with pytest.raises(Fenced):
            await late
    [again] = await store.queue.claim("w2", ["demo"], 1, LEASE)
    assert again.epoch > claim.epoch
    assert await event_types(store, claim.run.id) == ["run_started"]


async def test_how_long_a_run_has_worked_goes_on_to_its_next_worker(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.queue.heartbeat("w1", [claim], LEASE, {claim.run.id: 1_000})
    await store.queue.heartbeat("w1", [claim], LEASE)
    assert (await store.runs.get(claim.run.id)).worked == 1_000
    await store.queue.release(claim, worked=2_500)
    again = await claimed(store, worker="w2")
    assert again.run.worked == 2_500
    await store.queue.heartbeat("w1", [claim], LEASE, {claim.run.id: 9_000})
    assert (await store.runs.get(claim.run.id)).worked == 2_500, "who was fenced off counts no more"
    asked = await store.questions.ask(again, approval(again))
    await store.queue.park(again, [asked.id], worked=3_000)
    await store.questions.respond(claim.run.id, asked.id, response())
    assert (await claimed(store)).run.worked == 3_000


async def test_a_run_of_which_three_workers_died_is_given_up(store: RedisStore) -> None:
    run = await started(store)
    for deaths in range(1, 5):
        [claim] = await claimed_anyhow(store)
        if deaths == 2:
            await store.journal.put_if_absent(claim, "step", "new: what went before is forgotten")
        if deaths == 4:
            await store.events.append(claim, TASK)  # That something began is no progress.
        assert (await store.runs.get(run.id)).status is RunStatus.RUNNING
        assert await store.queue.abandon("w", LOST) == [run.id]
    assert (await store.runs.get(run.id)).error == LOST
    assert await event_types(store, run.id) == ["run_started", "task_started", "run_failed"]
    assert await store.queue.claim("w", ["demo"], 1, LEASE) == []


async def test_a_waiting_run_is_not_given_up_and_goes_on_when_it_is_answered(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim))
    for _ in range(2):
        await store.queue.abandon("w1", LOST)
        [claim] = await claimed_anyhow(store, "w1")
        assert claim.run.status is RunStatus.INPUT_REQUIRED
    await store.queue.abandon("w1", LOST)
    assert await claimed_anyhow(store, "w1") == []
    await store.questions.respond(claim.run.id, asked.id, response())
    [claim] = await store.queue.claim("w1", ["demo"], 1, LEASE)
    assert claim.run.status is RunStatus.RUNNING


async def test_the_clock_knows_when_it_has_something_to_do(store: RedisStore) -> None:
    assert await store.clock.due(1.0) == 1.0
    claim = await claimed(store)
    assert LEASE - 5 < await store.clock.due(60.0) <= LEASE
    await store.questions.ask(claim, approval(claim, deadline=Deadline(after=20, remind_after=10)))
    assert 5 < await store.clock.due(60.0) <= 10
    await store.questions.ask(claim, approval(claim, "now", deadline=Deadline(after=0)))
    assert await store.clock.due(60.0) == 0
    await store.clock.apply_due(LOST)
    assert 5 < await store.clock.due(60.0) <= 10
    await store.queue.finish(claim, result="done")
    assert await store.clock.due(60.0) == 60.0
    assert await compose(store.connection, ClockSettings(retention=0.0)).clock.due(60.0) == 0


async def test_a_beat_keeps_the_lease(store: RedisStore) -> None:
    await started(store)
    [claim] = await store.queue.claim("w", ["demo"], 1, 0)
    assert await store.queue.heartbeat("w", [claim], LEASE) == set()
    assert await store.clock.apply_due(LOST) == 0
    assert list((await store.health.totals()).workers) == ["w"]


async def test_an_earlier_holder_is_fenced_off(store: RedisStore) -> None:
    claim = await claimed(store)
    earlier = Claim(run=claim.run, worker="w0", epoch=claim.epoch - 1)
    with pytest.raises(Fenced):
        await store.events.append(earlier, TASK)
    with pytest.raises(Fenced):
        await store.questions.ask(earlier, approval(claim))
    with pytest.raises(Fenced):
        await store.queue.finish(earlier, result="done")
    assert await store.queue.heartbeat("w0", [earlier], LEASE) == {claim.run.id}


async def test_the_runs_of_a_dead_worker_are_queued_again(store: RedisStore) -> None:
    dead, alive = await claimed(store, worker="dead"), await claimed(store, worker="alive")
    asked = await store.questions.ask(dead, approval(dead))
    assert await store.queue.abandon("dead", LOST) == [dead.run.id]
    assert await store.queue.abandon("dead", LOST) == []
    assert (await store.runs.get(alive.run.id)).status is RunStatus.RUNNING
    assert [question.id for question in await store.questions.open()] == [asked.id]
    [claim] = await store.queue.claim("alive", ["demo"], 9, LEASE)
    assert claim.run.id == dead.run.id


async def test_ids_of_a_run_are_the_same_for_everybody(store: RedisStore) -> None:
    claim = await claimed(store)
    [event] = await store.events.read(claim.run.id)
    assert event.public()["crew_id"] == ids.part_id(claim.run.id, "crew")
    assert ids.event_seq(claim.run.id, event.id) == 1
