"""The journal of a run, and runs that leave their worker: parked, handed back, revived."""

import pytest

from bot.core.events.event import RunProgress
from bot.core.ports.journal import Change, NewEvent, Removal
from bot.core.ports.queue import Fenced
from bot.core.questions.question import Deadline
from bot.core.runs.run import RunStatus
from bot.store.clock import ClockSettings
from bot.store.redis import RedisStore, compose
from tests.contract.examples import ADA, DEMO, LEASE, LOST, approval, claimed, event_types, new_run, response


async def test_the_first_result_of_a_step_stays(store: RedisStore) -> None:
    claim = await claimed(store)
    assert await store.journal.put_if_absent(claim, "heard/q", "first") == "first"
    assert await store.journal.put_if_absent(claim, "heard/q", "second") == "first"
    await store.journal.write(claim, [("heard/q", "third"), ("t1/model/x/0", "said")])
    assert await store.journal.read(claim.run.id) == {"heard/q": "first", "t1/model/x/0": "said"}


async def test_what_was_intended_is_done_with_once_there_is_a_result(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.journal.write(claim, [("t1/model/x/0", "call it"), ("t1/tool/x/0?", "1")])
    await store.journal.write(claim, [("t1/tool/x/0?", "2")])
    assert (await store.journal.read(claim.run.id))["t1/tool/x/0?"] == "2"
    await store.journal.write(claim, [("t1/tool/x/0", "result")])
    assert await store.journal.read(claim.run.id) == {"t1/model/x/0": "call it", "t1/tool/x/0": "result"}


async def test_a_finished_task_strikes_out_what_led_there(store: RedisStore) -> None:
    claim = await claimed(store)
    names = ("t1/model/a/0", "t1/tool/b/0", "t1/tool/c/0?", "t10/model/a/0", "heard/q")
    await store.journal.write(claim, [(name, "x") for name in names])
    await store.journal.write(claim, [("done/1", "output"), Removal(("t1/",))])
    assert set(await store.journal.read(claim.run.id)) == {"done/1", "t10/model/a/0", "heard/q"}
    await store.journal.write(claim, [Removal(("t10/model/",))])
    assert set(await store.journal.read(claim.run.id)) == {"done/1", "heard/q"}


async def test_what_a_run_does_is_recorded_in_its_order_and_once(store: RedisStore) -> None:
    claim = await claimed(store)
    progress = RunProgress(crew_id="c", text="half of it")
    changes: list[Change] = [("t1/a", "x"), NewEvent(progress, "half"), Removal(("t1/",)), ("t1/a", "y")]
    await store.journal.write(claim, changes)
    await store.journal.write(claim, [NewEvent(progress, "half"), ("t1/a", "z")])
    assert await store.journal.read(claim.run.id) == {"t1/a": "y"}
    assert [each.body for each in await store.events.read(claim.run.id)][1:] == [progress]


async def test_a_run_ends_with_what_it_did_last_or_not_at_all(store: RedisStore) -> None:
    claim = await claimed(store)
    progress = RunProgress(crew_id="c", text="all of it")
    last: list[Change] = [("t1/a", "x"), NewEvent(progress, "all")]
    await store.queue.finish(claim, result="done", changes=last)
    await store.queue.finish(claim, result="done", changes=last)
    assert await store.journal.read(claim.run.id) == {"t1/a": "x"}
    happened = [each.body.type for each in await store.events.read(claim.run.id)]
    assert happened[1:] == ["run_progress", "run_completed"]
    other = await claimed(store)
    await store.queue.release(other)
    with pytest.raises(Fenced):
        await store.queue.finish(other, result="done", changes=last)
    assert await store.journal.read(other.run.id) == {}


async def test_the_journal_goes_with_its_run(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.journal.put_if_absent(claim, "step", "x")
    await store.queue.finish(claim, result="done")
    assert await store.journal.read(claim.run.id)
    await compose(store.connection, ClockSettings(retention=0.0)).clock.apply_due(LOST)
    assert await store.journal.read(claim.run.id) == {}


async def test_a_claim_says_whether_anything_is_recorded(store: RedisStore) -> None:
    new = await claimed(store)
    assert not new.begun
    await store.queue.release(new)
    [untouched] = await store.queue.claim("w2", [DEMO.name], 9, LEASE)
    assert not untouched.begun
    await store.journal.write(untouched, [("t1/model/x/0", "said")])
    await store.queue.release(untouched)
    [begun] = await store.queue.claim("w3", [DEMO.name], 9, LEASE)
    assert begun.begun
    assert await store.journal.read(begun.run.id) == {"t1/model/x/0": "said"}


async def test_a_claim_says_that_a_question_or_an_earlier_run_is_recorded(store: RedisStore) -> None:
    asking = await claimed(store)
    await store.questions.ask(asking, approval(asking))
    await store.queue.release(asking)
    retry = new_run()
    assert await store.journal.seed(retry.id, {"kept/t1/model/x/0": "said"})
    await store.runs.start(retry)
    again = await store.queue.claim("w2", [DEMO.name], 9, LEASE)
    assert {each.run.id: each.begun for each in again} == {asking.run.id: True, retry.id: True}


async def test_an_answer_revives_a_parked_run(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim))
    assert await store.queue.park(claim, [asked.id])
    assert await store.queue.claim("w2", [DEMO.name], 9, LEASE) == []
    assert await store.clock.apply_due(LOST) == 0
    assert (await store.runs.get(claim.run.id)).status is RunStatus.INPUT_REQUIRED
    await store.questions.respond(claim.run.id, asked.id, response())
    assert (await store.runs.get(claim.run.id)).status is RunStatus.QUEUED
    [again] = await store.queue.claim("w2", [DEMO.name], 9, LEASE)
    assert again.run.status is RunStatus.RUNNING
    with pytest.raises(Fenced):
        await store.journal.put_if_absent(claim, "step", "late")


async def test_an_answer_that_comes_first_keeps_the_run_from_being_parked(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim))
    await store.questions.respond(claim.run.id, asked.id, response())
    assert not await store.queue.park(claim, [asked.id])
    [again] = await store.queue.claim("w2", [DEMO.name], 9, LEASE)
    assert again.run.id == claim.run.id


async def test_one_of_two_answers_revives_the_run_which_still_waits(store: RedisStore) -> None:
    claim = await claimed(store)
    first, second = [await store.questions.ask(claim, approval(claim, name)) for name in ("a", "b")]
    await store.queue.park(claim, [first.id, second.id])
    await store.questions.respond(claim.run.id, first.id, response())
    [again] = await store.queue.claim("w2", [DEMO.name], 9, LEASE)
    assert again.run.status is RunStatus.INPUT_REQUIRED
    await store.questions.respond(claim.run.id, second.id, response(key="other"))
    assert (await store.runs.get(claim.run.id)).status is RunStatus.RUNNING


async def test_the_deadline_of_a_parked_run_passes_as_any_other(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim, deadline=Deadline(after=0)))
    await store.queue.park(claim, [asked.id])
    assert await store.clock.apply_due(LOST) == 1
    [again] = await store.queue.claim("w2", [DEMO.name], 9, LEASE)
    assert again.run.id == claim.run.id
    assert await event_types(store, claim.run.id) == [
        "run_started",
        "human_input_required",
        "human_input_completed",
    ]


async def test_a_parked_run_is_cancelled_for_good(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim))
    await store.queue.park(claim, [asked.id])
    await store.runs.cancel(claim.run.id, ADA)
    assert (await store.runs.get(claim.run.id)).status is RunStatus.CANCELLED
    assert await store.questions.open() == []
    assert await store.queue.claim("w2", [DEMO.name], 9, LEASE) == []


async def test_a_run_that_is_handed_back_is_claimed_next(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.queue.release(claim)
    later = await claimed(store, worker="w2")
    assert later.run.id == claim.run.id
    assert later.epoch > claim.epoch
    with pytest.raises(Fenced):
        await store.queue.finish(claim, result="late")
