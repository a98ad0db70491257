"""Runs that failed or were cancelled are tried again, from where they were."""

import asyncio
import uuid

import pytest

from bot.core.errors import Refused
from bot.core.question import QuestionKind
from bot.core.retry import retry
from bot.core.run import Run, RunStatus
from tests.contract.crews.deck import ADA, Deck
from tests.faults.fleet import Fleet
from tests.loopback.models import LoopbackModel, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(300)]


async def again(deck: Deck, run: Run) -> Run:
    return await retry(deck.store, await deck.store.runs.get(run.id), key=uuid.uuid4().hex)


async def failed(deck: Deck, run: Run, code: str) -> None:
    done = await deck.over(run)
    assert done.error is not None
    assert done.error.code == code


async def test_a_run_whose_model_failed_goes_on_with_that_call(
    fleet: Fleet, deck: Deck, model: LoopbackModel
) -> None:
    mark = "refused"
    model.script(
        mark,
        [
            call("effect", mark=mark, what="one"),
            call("ask_human", question="Which?", options=["Tea", "Coffee"]),
            say("{last}"),
        ],
    )
    run = await deck.start("steps", prompt=f"[[{mark}]]")
    question = await deck.question(run)
    model.fail(401, times=3)
    await deck.say(question, "Tea")
    await failed(deck, run, "model_error")
    before = model.count(mark)
    new = await again(deck, run)
    assert await deck.result(new) == "Ada chose 'Tea'."
    assert model.count(mark) == before + 1
    assert fleet.effects(mark) == ["one"]
    assert (new.retry_of, new.requester, new.place) == (run.id, run.requester, run.place)
    assert await deck.store.questions.list(new.id) == [], "nobody is asked again"
    told = [event.body.type for event in await deck.events(new)]
    assert told == ["run_started", "task_started", "task_completed", "run_completed"]


ASKED_TWICE = 5
"""Events: the run and its task started; asked, answered, asked."""


async def test_answers_are_kept_through_any_number_of_tries(deck: Deck, model: LoopbackModel) -> None:
    mark = "cancelled"
    asks = [call("ask_human", question=f"{number}?") for number in ("First", "Second", "Third")]
    model.script(mark, [*asks, say("{last}")])
    run = await deck.start("steps", prompt=f"[[{mark}]]")
    for number in ("First", "Second"):
        question = await deck.question(run)
        assert question.prompt == f"{number}?"
        await deck.say(question, number.lower())
        await deck.until(run, lambda now: now.seq == ASKED_TWICE)
        await deck.store.runs.cancel(run.id, ADA)
        run = await again(deck, run)
    [question] = await deck.asked(run)
    assert question.prompt == "Third?"
    await deck.say(question, "third")
    assert await deck.result(run) == "Ada answered: third"
    assert model.count(mark) == 4


async def test_a_review_that_ended_the_run_is_asked_again(deck: Deck, model: LoopbackModel) -> None:
    mark = "rejected"
    model.script(mark, [say("A draft")])
    run = await deck.start("reviewed", prompt=f"[[{mark}]]")
    await deck.say(await deck.question(run), "Reject")
    await failed(deck, run, "rejected")
    new = await again(deck, run)
    review = await deck.question(new)
    assert (review.kind, review.context) == (QuestionKind.REVIEW, "A draft")
    await deck.say(review, "Approve")
    assert await deck.result(new) == "A draft"
    assert model.count(mark) == 1


async def test_finished_tasks_are_not_done_again(deck: Deck, model: LoopbackModel) -> None:
    model.script("first-kept", lambda said: say("First") if "Publish" not in str(said.messages) else ASK)
    run = await deck.start("kept_second", prompt="[[first-kept]]")
    await deck.question(run)
    await deck.store.runs.cancel(run.id, ADA)
    new = await again(deck, run)
    await deck.question(new)
    assert model.count("first-kept") == 2
    await deck.store.runs.cancel(new.id, ADA)


ASK = call("ask_human", question="Publish?")


async def test_the_same_call_starts_one_run_and_a_completed_one_is_left_alone(
    deck: Deck, model: LoopbackModel
) -> None:
    model.script("simple", [call("ask_human", question="Go?"), say("{last}")])
    run = await deck.start("steps", prompt="[[simple]]")
    await deck.question(run)
    with pytest.raises(Refused, match="not over"):
        await again(deck, run)
    cancelled = await deck.store.runs.cancel(run.id, ADA)
    first, second = await asyncio.gather(*(retry(deck.store, cancelled, key="a") for _ in range(2)))
    assert first.id == second.id
    other = await retry(deck.store, cancelled, key="b")
    assert other.id != first.id
    for each in (first, other):
        await deck.say(await deck.question(each), "yes")
        assert await deck.result(each) == "Ada answered: yes"
    assert model.count("simple") == 3
    done = await deck.store.runs.get(other.id)
    assert done.status is RunStatus.COMPLETED
    with pytest.raises(Refused, match="completed"):
        await again(deck, done)
