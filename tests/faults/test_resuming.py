"""Runs whose worker is killed, or that leave memory, go on elsewhere; nothing recorded is done again."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from bot.core.ports.journal import STARTED_SUFFIX
from bot.core.runs.run import Run
from tests.contract.crews.deployment import Deployment, called
from tests.faults.worker_deployment import WorkerDeployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, final, react, say, text_of
from tests.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow]

Leave = Callable[[Run], Awaitable[None]]
LONG_S = 60.0
"""What a tool takes, or a model, whose worker dies meanwhile."""


@pytest.fixture(params=["killed", "parked"])
def leave(request: pytest.FixtureRequest, worker_deployment: WorkerDeployment) -> Leave:
    """Have the run leave its worker: the process dies, or the hot window passes."""

    async def killed(run: Run) -> None:
        await asyncio.to_thread(worker_deployment.kill, run)

    return killed if request.param == "killed" else worker_deployment.parked


async def once(deployment: Deployment, run: Run) -> list[str]:
    """The run's events; each is there once."""
    events = await deployment.events(run)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    told = [
        f"{event.body.type} {getattr(event.body, 'question_id', getattr(event.body, 'task_id', ''))}"
        for event in events
    ]
    assert max(Counter(told).values()) == 1, told
    return [each.split()[0] for each in told]


async def test_tools_and_questions(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave
) -> None:
    mark = f"tools-{leave.__name__}"
    model.script(
        mark,
        [
            call("effect", mark=mark, what="one") & call("facts", mark=mark),
            call("failing", mark=mark),
            call("ask_human", question="Which?", options=["Tea", "Coffee"]),
            call("effect", mark=mark, what="two"),
            say("{last}"),
        ],
    )
    run = await deployment.start("steps", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    await leave(run)
    await deployment.say(question, "Tea")
    assert await deployment.result(run) == "did two"
    assert model.count(mark) == 5
    assert sorted(worker_deployment.effects(mark)) == ["facts", "failed", "one", "two"]
    assert "it is closed" in str(model.requests[-1].body["messages"])
    assert "Ada chose 'Tea'." in str(model.requests[-1].body["messages"])
    assert await once(deployment, run) == [
        "run_started",
        "task_started",
        "human_input_required",
        "human_input_completed",
        "task_completed",
        "run_completed",
    ]


async def test_without_function_calling(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave
) -> None:
    mark = f"react-{leave.__name__}"
    model.script(
        mark,
        [
            react("Do it.", "effect", mark=mark, what="one"),
            react("I should ask.", "ask_human", question="Go on?", kind="approval"),
            final("Done. {last}"),
        ],
    )
    run = await deployment.start("plain", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    await leave(run)
    await deployment.say(question, "Approve")
    assert "Ada approved." in await deployment.result(run)
    assert model.count(mark) == 3
    assert worker_deployment.effects(mark) == ["one"]
    await once(deployment, run)


async def test_two_questions_of_one_turn(deployment: Deployment, model: LoopbackModel, leave: Leave) -> None:
    mark = f"both-{leave.__name__}"

    def results(conversation: Conversation) -> Turn:
        if conversation.answered == 0:
            return call("ask_human", question="First?") & call("ask_human", question="Second?")
        return say(" / ".join(conversation.results))

    model.script(mark, results)
    run = await deployment.start("steps", prompt=f"[[{mark}]]")
    first, second = sorted(await deployment.asked(run, many=2), key=lambda question: question.prompt)
    await leave(run)
    await deployment.say(second, "two")
    await asyncio.sleep(0.5)
    await deployment.say(first, "one")
    assert await deployment.result(run) == "Ada answered: one / Ada answered: two"
    assert model.count(mark) == 2
    await once(deployment, run)


async def test_rounds_of_a_review(deployment: Deployment, model: LoopbackModel, leave: Leave) -> None:
    mark = f"review-{leave.__name__}"

    def drafts(conversation: Conversation) -> Turn:
        told = text_of(conversation.messages[-1])
        return say(f"Draft {conversation.answered + 1} {'shorter' in told}")

    model.script(mark, drafts)
    run = await deployment.start("reviewed", prompt=f"[[{mark}]]")
    first = await deployment.question(run)
    await leave(run)
    await deployment.say(first, "shorter")
    await deployment.until(run, lambda now: now.seq >= 5)
    second = await deployment.question(run)
    assert second.context == "Draft 2 True"
    await leave(run)
    await deployment.say(second, "Approve")
    assert await deployment.result(run) == "Draft 2 True"
    assert model.count(mark) == 2
    await once(deployment, run)


async def test_delegated_work(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave
) -> None:
    mark = f"team-{leave.__name__}"

    def played(conversation: Conversation) -> Turn:
        tools = {tool["function"]["name"] for tool in conversation.body.get("tools", [])}
        if "delegate_work_to_coworker" in tools:
            if conversation.answered:
                return say(" + ".join(conversation.results))
            return _delegate(mark, "Reader") & _delegate(mark, "Writer")
        who = conversation.messages[0]["content"][8:14]
        return [
            call("effect", mark=mark, what=who),
            call("ask_human", question=f"Right for {who}?"),
            say(conversation.results[-1] if conversation.results else ""),
        ][conversation.answered]

    model.script(mark, played)
    run = await deployment.start("team", prompt=f"[[{mark}]]")
    asked = await deployment.asked(run, many=2)
    await leave(run)
    for question in asked:
        await deployment.say(question, f"for the {question.asker}")
    assert await deployment.result(run) == "Ada answered: for the Reader + Ada answered: for the Writer"
    assert model.count(mark) == 8
    assert sorted(worker_deployment.effects(mark)) == ["Reader", "Writer"]
    await once(deployment, run)


def _delegate(mark: str, coworker: str) -> Turn:
    return call("delegate_work_to_coworker", task=f"[[{mark}]] do it", context="all", coworker=coworker)


async def test_finished_tasks_with_models_and_guardrails(
    deployment: Deployment, model: LoopbackModel, leave: Leave
) -> None:
    mark = f"chain-{leave.__name__}"

    def played(conversation: Conversation) -> Turn:
        prompt = "\n".join(map(text_of, conversation.messages))
        if "guardrail" in prompt.lower() and "Check this" not in prompt:
            return say('{"valid": true, "feedback": null}')
        if "Report on this" in prompt and "Publish this" not in prompt:
            return say('{"title": "Tides", "pages": 3}')
        if "Check this" in prompt and "Publish this" not in prompt:
            return say(f"A friendly text [[{mark}]]")
        if conversation.answered == 0:
            return call("ask_human", question="Publish?", kind="approval")
        return say(f"{'Tides' in prompt} {'A friendly text' in prompt} {conversation.results[-1]}")

    model.script(mark, played)
    run = await deployment.start("chain", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    before = model.count(mark)
    await leave(run)
    await deployment.say(question, "Approve")
    assert await deployment.result(run) == "True True Ada approved."
    assert model.count(mark) == before + 1
    events = await once(deployment, run)
    assert events.count("task_started") == events.count("task_completed") == 3


async def test_tasks_side_by_side(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave
) -> None:
    """The left one waits while the right one has finished: it isn't done again either."""
    mark = f"aside-{leave.__name__}"

    def side(conversation: Conversation) -> Turn:
        if conversation.answered == 0:
            return call("effect", mark=mark, what=conversation.marker)
        if conversation.marker == "left" and conversation.answered == 1:
            return call("ask_human", question="Left?")
        return say(conversation.results[-1])

    for marker in ("left", "right"):
        model.script(marker, side)
    model.script("joined", lambda said: say(str(sum(part in str(said.messages) for part in PARTS))))
    before = model.count()
    run = await deployment.start("aside", prompt="go")
    question = await deployment.question(run)
    await deployment.until(
        run, lambda now: now.seq >= 5
    )  # two tasks started, a question, and the right one is done
    await leave(run)
    await deployment.say(question, "yes")
    assert await deployment.result(run) == "2"
    assert model.count() - before == 6
    assert sorted(worker_deployment.effects(mark)) == ["left", "right"]
    await once(deployment, run)


PARTS = ("did right", "Ada answered: yes")


async def test_a_worker_that_dies_during_a_model_call(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    def played(conversation: Conversation) -> Turn:
        if conversation.answered:
            return say(conversation.results[-1])
        model.delay(LONG_S)  # From the next call on.
        return call("effect", mark="slowly", what="one")

    model.script("slowly", played)
    run = await deployment.start("steps", prompt="[[slowly]]")
    await called(model, "slowly", 2)
    model.delay(0)
    await asyncio.to_thread(worker_deployment.kill, run)
    assert await deployment.result(run) == "did one"
    assert worker_deployment.effects("slowly") == ["one"]
    assert model.count("slowly") == 3
    await once(deployment, run)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_worker_that_dies_among_parallel_tools(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, seed: int
) -> None:
    chosen = random.Random(seed)
    mark = f"parallel-{seed}"
    seconds = [chosen.choice([0.0, 0.3, LONG_S]) for _ in range(4)]
    turn = Turn()
    for number, each in enumerate(seconds):
        turn = turn & call("lasting", mark=mark, what=str(number), seconds=each)
    model.script(mark, [turn, say("{last}")])
    run = await deployment.start("steps", prompt=f"[[{mark}]]")
    await worker_deployment.did(mark, 4)

    async def recorded() -> bool:
        steps = await deployment.store.journal.read(run.id)
        ended = [each for each in steps if "/tool/" in each and not each.endswith(STARTED_SUFFIX)]
        if LONG_S not in seconds:
            return (await deployment.store.runs.get(run.id)).status.over
        return len(ended) == sum(each < LONG_S for each in seconds)

    await eventually(recorded)
    await asyncio.to_thread(worker_deployment.kill, run)
    assert await deployment.result(run) == "did 3"
    assert model.count(mark) == 2
    done = Counter(worker_deployment.effects(mark))
    for number, each in enumerate(seconds):
        assert done[str(number)] == (2 if each == LONG_S else 1), "only what was not recorded is done again"
    await once(deployment, run)
