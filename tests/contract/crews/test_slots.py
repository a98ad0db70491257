"""Answered runs that wait in line for a slot of their worker."""

import asyncio

import pytest

from bot.core.runs.run import Claim
from bot.store.redis import RedisStore
from crews.worker.slots import Slots
from crews.worker.waiting_runs import BURST_GAP_S, MAX_BURST_S, MAX_HOLD_S, SLOT_TIMEOUT_S, SMALL_BURST
from tests.contract.examples import DEMO, LEASE, claimed
from tests.waiting import WITHIN


async def claims(store: RedisStore, many: int) -> list[Claim]:
    return [await claimed(store) for _ in range(many)]


async def waiting(slots: Slots, *runs: Claim) -> list[asyncio.Task[bool]]:
    """Whether these runs go on, once they were answered in this order."""
    tasks = [asyncio.create_task(slots.resume(run)) for run in runs]
    await asyncio.sleep(0)
    return tasks


async def full(store: RedisStore) -> tuple[Slots, Claim]:
    """A worker with one slot, and the run that has it."""
    slots = Slots(store.queue, "here", LEASE, most=1)
    [works] = await claims(store, 1)
    assert await slots.resume(works)
    return slots, works


async def test_a_run_stays_in_line_as_long_as_slots_get_free(store: RedisStore) -> None:
    slots = Slots(store.queue, "here", LEASE, most=1)
    many, each = 60, 0.05
    assert many * each > 2 * SLOT_TIMEOUT_S
    went_on: list[str] = []

    async def work(run: Claim) -> None:
        if await slots.resume(run):
            went_on.append(run.run.id)
            await asyncio.sleep(each)
            slots.free_slot(run)

    runs = await claims(store, many)
    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*map(work, runs))
    # A machine that stands still for a second makes one of them leave.
    assert len(went_on) > many - 10
    assert went_on == [run.run.id for run in runs if run.run.id in went_on]
    assert slots.room == 1


async def test_where_no_slot_gets_free_the_first_one_in_line_leaves_and_the_others_wait(
    store: RedisStore,
) -> None:
    slots, works = await full(store)
    first, second = await waiting(slots, *await claims(store, 2))
    assert await asyncio.wait_for(first, WITHIN) is False
    slots.free_slot(works)
    assert await asyncio.wait_for(second, WITHIN) is True


async def test_while_answers_come_they_are_handed_over_before_runs_go_on(store: RedisStore) -> None:
    loop, runs = asyncio.get_running_loop(), await claims(store, 6)
    took, went_on = BURST_GAP_S, [False]
    async with asyncio.timeout(WITHIN):
        while took >= BURST_GAP_S:  # in which nobody looked at the line: there was time for a lull
            slots = Slots(store.queue, "here", LEASE, most=3)
            assert all([await slots.resume(run) for run in runs[:3]])
            began = loop.time()
            line = await waiting(slots, *runs[3:])
            for run in runs[:3]:
                slots.free_slot(run)
            await asyncio.wait(line, timeout=0)
            went_on = [task.done() for task in line]
            took = loop.time() - began
            assert all(await asyncio.gather(*line))
    assert went_on == [True, False, False], "one of them, as none has gone on for long"


async def test_a_few_answers_at_once_wait_for_nothing_where_there_are_slots(store: RedisStore) -> None:
    slots = Slots(store.queue, "here", LEASE, most=SMALL_BURST)
    runs = await claims(store, SMALL_BURST)
    for run in runs:
        slots.expect(run.run.id)
    assert all(task.done() and task.result() for task in await waiting(slots, *runs))


@pytest.mark.parametrize("end", ["goes on", "was not answered", "ends"])
async def test_runs_go_on_once_all_answers_that_are_on_their_way_have_come(
    store: RedisStore, end: str
) -> None:
    """However long they take: a worker that is busy is late to hear of them."""
    loop, many = asyncio.get_running_loop(), 3 * SMALL_BURST
    slots = Slots(store.queue, "here", LEASE, most=2 * many)
    *runs, last = await claims(store, many)
    for run in (*runs, last):
        slots.expect(run.run.id)
    began, line = loop.time(), await waiting(slots, *runs)
    await asyncio.sleep(3 * BURST_GAP_S)
    gone_on = sum(task.done() for task in line)
    assert gone_on <= 1 + (loop.time() - began) / MAX_HOLD_S
    began = loop.time()
    match end:
        case "goes on":
            line += await waiting(slots, last)
        case "was not answered":
            slots.expect_no_more(last.run.id)
        case _:
            slots.free_slot(last)
    async with asyncio.timeout(WITHIN):
        assert all(await asyncio.gather(*line))
    assert loop.time() - began < MAX_HOLD_S * (len(line) - gone_on), "one a second would not have been enough"


async def test_a_run_that_works_and_is_answered_holds_up_nobody(store: RedisStore) -> None:
    loop, many = asyncio.get_running_loop(), 3 * SMALL_BURST
    slots = Slots(store.queue, "here", LEASE, most=2 * many)
    *runs, works = await claims(store, many)
    assert await slots.resume(works)
    for run in (*runs, works):
        slots.expect(run.run.id)
    began, line = loop.time(), await waiting(slots, *runs)
    assert await slots.resume(works)
    async with asyncio.timeout(WITHIN):
        assert all(await asyncio.gather(*line))
    assert loop.time() - began < MAX_HOLD_S * (len(line) - 1)


async def test_after_a_burst_few_go_on_at_first_and_then_more(store: RedisStore) -> None:
    loop, many = asyncio.get_running_loop(), 30
    slots, gone_on = Slots(store.queue, "here", LEASE, most=2 * many), list[float]()
    runs = await claims(store, many)
    for run in runs:
        slots.expect(run.run.id)
    answered, line = loop.time(), await waiting(slots, *runs)
    for task in line:
        task.add_done_callback(lambda _: gone_on.append(loop.time()))
    async with asyncio.timeout(WITHIN):
        assert all(await asyncio.gather(*line))
    # One has gone on at once; after each lull twice as many do: 1, 2, 4.
    assert gone_on[1 + 1 + 2 + 4] - answered >= 4 * BURST_GAP_S
    assert gone_on[-1] - answered < many * MAX_HOLD_S


async def test_answers_that_never_cease_hold_the_others_up_for_a_while_only(store: RedisStore) -> None:
    loop, most = asyncio.get_running_loop(), 40
    works, lined_up = await claims(store, most), await claims(store, most)
    slots = Slots(store.queue, "here", LEASE, most=most)
    assert all([await slots.resume(run) for run in works])
    line, gone_on = await waiting(slots, *lined_up), list[float]()
    for task in line:
        task.add_done_callback(lambda _: gone_on.append(loop.time()))
    for run in works:
        slots.free_slot(run)
    began, [another] = loop.time(), await claims(store, 1)
    async with asyncio.timeout(WITHIN):
        while len(gone_on) < most:
            answer = asyncio.create_task(slots.resume(another))
            await asyncio.sleep(BURST_GAP_S / 5)
            answer.cancel()
    assert most - 1 > MAX_BURST_S / MAX_HOLD_S, "one a second would not have been enough"
    assert gone_on[-1] - began < most * MAX_HOLD_S


async def test_several_answers_of_a_run_wait_for_one_slot(store: RedisStore) -> None:
    slots, works = await full(store)
    twice, after = await claims(store, 2)
    one, other, last = await waiting(slots, twice, twice, after)
    slots.free_slot(works)
    assert all(await asyncio.wait_for(asyncio.gather(one, other), WITHIN))
    assert not last.done()
    slots.free_slot(twice)
    assert await asyncio.wait_for(last, WITHIN) is True
    assert slots.room == 0


async def test_a_run_that_leaves_the_line_gives_its_place_to_the_next_one(store: RedisStore) -> None:
    slots, works = await full(store)
    *gone, next_one = await waiting(slots, *await claims(store, 3))
    for each in gone:
        each.cancel()
    await asyncio.wait(gone)
    slots.free_slot(works)
    assert await asyncio.wait_for(next_one, WITHIN) is True


async def test_the_last_ones_in_line_leave_for_other_workers_that_have_room(store: RedisStore) -> None:
    await store.queue.register_worker("there", {DEMO.name: None}, LEASE, room=2)
    await store.queue.register_worker("of another crew", {"other": None}, LEASE, room=9)
    await store.queue.register_worker("here", {DEMO.name: None}, LEASE, room=9)
    slots, _ = await full(store)
    left: list[asyncio.Task[bool]] = []
    tasks = await waiting(slots, *await claims(store, 9))
    for task in tasks:
        task.add_done_callback(left.append)
    sharing = asyncio.create_task(slots.share())
    await asyncio.wait_for(tasks[-1], WITHIN)
    sharing.cancel()
    assert not tasks[-1].result()
    assert not tasks[-2].result(), "as many at once as there is room for"
    # Those before them stay, but for the first ones, which leave as the line stands still.
    assert [task for task in left if task not in tasks[:4]] == [tasks[8], tasks[7]]
    for task in tasks:
        task.cancel()
