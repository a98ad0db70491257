"""Runs that leave memory while they wait for people."""

import asyncio

import pytest

from tests.contract.crews.deployment import Deployment
from tests.faults.checks import ended_once
from tests.faults.process_deployment import ProcessDeployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow]

AT_ONCE = {"CREWDECK_HOT_WINDOW": "0"}


async def test_without_a_hot_window_every_wait_is_parked_and_revived_by_its_answer(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, mark: str
) -> None:
    def played(conversation: Conversation) -> Turn:
        turns = [
            call("ask_human", question="First?"),
            call("effect", mark=mark, what="between"),
            call("ask_human", question="Second?") & call("ask_human", question="Third?"),
        ]
        if conversation.answered < len(turns):
            return turns[conversation.answered]
        return say(" / ".join(conversation.results))

    model.script(mark, played)
    await processes.worker(**AT_ONCE).ready()
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    first = await people.question(run)
    await processes.parked(run)
    await people.say(first, "one")
    both = {question.prompt: question for question in await people.asked(run, many=2)}
    await processes.parked(run)
    await people.say(both["Third?"], "three")
    await people.until(run, lambda now: now.epoch > 5)
    await processes.parked(run)
    await people.say(both["Second?"], "two")
    heard = "Ada answered: one / did between / Ada answered: two / Ada answered: three"
    assert await people.result(run) == heard
    assert processes.effects(mark) == ["between"]
    assert model.count(mark) == 4
    assert (await ended_once(people, run)).count("human_input_required") == 3


@pytest.mark.parametrize("seed", range(2))
async def test_an_answer_that_races_the_parking_is_heard(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, mark: str, seed: int
) -> None:
    """Eight runs are parked at about the moment at which each is answered, a little earlier or later."""
    model.script(mark, [call("ask_human", question="Now?"), say("{last}")])
    await processes.worker(**AT_ONCE).ready()
    runs = [await people.start("stuck", prompt=f"[[{mark}]]") for _ in range(8)]

    async def answered(number: int) -> str:
        question = await people.question(runs[number])
        await asyncio.sleep((number + seed / 2) * 0.04)
        await people.say(question, str(number))
        return await people.result(runs[number])

    heard = await asyncio.gather(*map(answered, range(len(runs))))
    assert heard == [f"Ada answered: {number}" for number in range(len(runs))]
    for run in runs:
        await ended_once(people, run)


async def test_answers_that_are_given_while_no_worker_lives_are_kept(
    any_processes: ProcessDeployment, model: LoopbackModel, mark: str
) -> None:
    """One run was parked before, the other one was in its worker's memory."""
    model.script(mark, [call("ask_human", question="Still there?"), say("{last}")])
    async with Deployment.at(any_processes.redis_url, any_processes.story) as people:
        waiting = any_processes.worker(**AT_ONCE)
        await waiting.ready()
        parked = await people.start("stuck", prompt=f"[[{mark}]]")
        question = await people.question(parked)
        await any_processes.parked(parked)
        await waiting.stopped()
        holding = any_processes.worker()
        await holding.ready()
        hot = await people.start("stuck", prompt=f"[[{mark}]]")
        hot_question = await people.question(hot)
        holding.kill()
        assert (await people.say(question, "yes")).verdict == "settled"
        assert (await people.say(hot_question, "yes")).verdict == "settled"
        await any_processes.worker().ready()
        for run in (parked, hot):
            assert await people.result(run) == "Ada answered: yes"
            await ended_once(people, run)
    assert model.count(mark) == 4
