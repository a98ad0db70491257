"""Tasks that CrewAI starts again inside a run: what was recorded is met, also after the worker was killed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import pytest

from bot.core.questions.question import QuestionKind
from bot.core.runs.run import Run
from tests.contract.crews.deployment import Deployment
from tests.faults.worker_deployment import WorkerDeployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, final, react, say, text_of

pytestmark = [pytest.mark.faults, pytest.mark.slow]

Leave = Callable[[Run], Awaitable[None]]
EMPTY = say("")


@pytest.fixture(params=["stays", "killed"])
def leave(request: pytest.FixtureRequest, worker_deployment: WorkerDeployment) -> Leave:
    """What happens to the run's worker while people are asked."""

    async def stays(_run: Run) -> None:
        return

    async def killed(run: Run) -> None:
        await asyncio.to_thread(worker_deployment.kill, run)

    return killed if request.param == "killed" else stays


class Faltering:
    """Answers by how many turns a conversation has had; some turns come to something else the first time."""

    def __init__(self, turns: Sequence[Turn], first: dict[int, Turn | Callable[[], object]]) -> None:
        self._turns = turns
        self._first = dict(first)

    def __call__(self, conversation: Conversation) -> Turn:
        number = conversation.answered
        first = self._first.pop(number, None)
        if isinstance(first, Turn):
            return first
        if first is not None:
            first()
        turn = self._turns[min(number, len(self._turns) - 1)]
        last = conversation.results[-1] if conversation.results else ""
        return Turn(turn.text.replace("{last}", last) if turn.text is not None else None, turn.calls)


async def told_once(deployment: Deployment, run: Run) -> None:
    events = await deployment.events(run)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    told = [
        f"{event.body.type} {getattr(event.body, 'question_id', getattr(event.body, 'task_id', ''))}"
        for event in events
    ]
    assert max(Counter(told).values()) == 1, told


@pytest.mark.parametrize("crew", ["native", "written"])
async def test_after_empty_answers_nothing_is_done_or_asked_again(
    worker_deployment: WorkerDeployment,
    deployment: Deployment,
    model: LoopbackModel,
    leave: Leave,
    mark: str,
    crew: str,
) -> None:
    turns = {
        "native": [
            call("keyed", mark=mark),
            call("ask_human", question="Go on?", kind="approval"),
            say("{last}"),
        ],
        "written": [
            react("Order.", "keyed", mark=mark),
            react("Ask.", "ask_human", question="Go on?", kind="approval"),
            final("{last}"),
        ],
    }
    model.script(mark, Faltering(turns[crew], {1: EMPTY, 2: EMPTY}))
    run = await deployment.start(crew, prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    await leave(run)
    await deployment.say(question, "Approve")
    assert "Ada approved." in await deployment.result(run)
    assert len(worker_deployment.effects(mark)) == 1, "the order is made once"
    assert len(await deployment.store.questions.list(run.id)) == 1, "the question is asked once"
    assert model.count(mark) == 5, "only the answers that were empty are asked for again"
    await told_once(deployment, run)


async def test_after_a_providers_failure(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave, mark: str
) -> None:
    def fails() -> None:
        model.fail(500, times=3)  # as often as the provider's client tries

    turns = [call("keyed", mark=mark), call("ask_human", question="Go on?"), say("{last}")]
    model.script(mark, Faltering(turns, {0: fails}))
    run = await deployment.start("native", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    await leave(run)
    model.fail(500, times=3)
    await deployment.say(question, "yes")
    assert await deployment.result(run) == "Ada answered: yes"
    assert len(worker_deployment.effects(mark)) == 1
    assert len(await deployment.store.questions.list(run.id)) == 1
    assert model.count(mark) == 3 + 2 * 3
    await told_once(deployment, run)


async def test_after_a_guardrail_rejected_the_output(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave, mark: str
) -> None:
    def good(conversation: Conversation) -> Turn:
        objected = "It has to be good" in str(conversation.messages)
        turns = [
            call("keyed", mark=mark),
            call("ask_human", question="Go on?"),
            say(f"good: {conversation.results[-1]}" if objected else "bad")
            if conversation.results
            else EMPTY,
        ]
        return turns[conversation.answered]

    model.script(mark, good)
    run = await deployment.start("guarded", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    await leave(run)
    await deployment.say(question, "yes")
    assert await deployment.result(run) == "good: Ada answered: yes"
    assert len(worker_deployment.effects(mark)) == 1
    assert len(await deployment.store.questions.list(run.id)) == 1
    assert model.count(mark) == 6, "with the objection in its prompt the model is asked anew"
    await told_once(deployment, run)


async def test_the_same_objection_twice_asks_the_model_anew(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, mark: str
) -> None:
    tries: list[str] = []

    def said(conversation: Conversation) -> Turn:
        if conversation.answered == 0:
            return call("keyed", mark=mark)
        tries.append("bad")
        return say("bad" if len(tries) < 4 else "good")

    model.script(mark, said)
    run = await deployment.start("guarded", prompt=f"[[{mark}]]")
    assert await deployment.result(run) == "good"
    assert len(tries) == 4
    assert len(worker_deployment.effects(mark)) == 1


async def test_a_review_keeps_its_rounds(
    deployment: Deployment, model: LoopbackModel, worker_deployment: WorkerDeployment, leave: Leave, mark: str
) -> None:
    turns = [call("keyed", mark=mark), say("Draft 1"), say("Draft 2")]
    model.script(mark, Faltering(turns, {1: EMPTY, 2: EMPTY}))
    run = await deployment.start("attempts_reviewed", prompt=f"[[{mark}]]")
    first = await deployment.question(run)
    assert (first.kind, first.context) == (QuestionKind.REVIEW, "Draft 1")
    await leave(run)
    await deployment.say(first, "shorter")
    await deployment.until(run, lambda now: now.status.over or now.seq >= 5)
    second = await deployment.question(run)
    assert (second.context, second.round) == ("Draft 2", 2)
    assert "shorter" in text_of(model.requests[-1].body["messages"][-1])
    await deployment.say(second, "Approve")
    assert await deployment.result(run) == "Draft 2"
    assert len(worker_deployment.effects(mark)) == 1
    assert model.count(mark) == 5
    await told_once(deployment, run)


async def test_delegated_work(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave, mark: str
) -> None:
    work = {"task": f"[[{mark}-part]] do it", "context": "all", "coworker": "Helper"}
    manager = Faltering([call("delegate_work_to_coworker", **work), say("{last}")], {1: EMPTY})
    helper = Faltering(
        [call("keyed", mark=mark), call("ask_human", question="Go on?"), say("{last}")], {1: EMPTY, 2: EMPTY}
    )
    model.script(mark, manager)
    model.script(f"{mark}-part", helper)
    run = await deployment.start("delegating", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    await leave(run)
    await deployment.say(question, "yes")
    assert await deployment.result(run) == "Ada answered: yes"
    assert len(worker_deployment.effects(mark)) == 1
    assert len(await deployment.store.questions.list(run.id)) == 1
    assert (model.count(mark), model.count(f"{mark}-part")) == (3, 5)
    await told_once(deployment, run)


async def test_the_same_call_twice_in_one_attempt(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave, mark: str
) -> None:
    turns = [
        call("keyed", mark=mark),
        call("ask_human", question="Go on?"),
        call("keyed", mark=mark, seconds=0.0),
        call("keyed", mark=mark) & call("keyed", mark=mark, seconds=0.1),
        say("{last}"),
    ]
    model.script(mark, Faltering(turns, {2: EMPTY, 4: EMPTY}))
    run = await deployment.start("native", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    await leave(run)
    await deployment.say(question, "yes")
    await deployment.result(run)
    keys = worker_deployment.effects(mark)
    assert len(keys) == len(set(keys)), "each call is made once, with a key of its own"
    assert len(await deployment.store.questions.list(run.id)) == 1


async def test_what_a_loop_does_again_is_done_again(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, mark: str
) -> None:
    model.script(mark, Faltering([call("keyed", mark=mark), say("done")], {1: EMPTY}))
    run = await deployment.start("loop", prompt=f"[[{mark}]]")
    assert await deployment.result(run) == "looped"
    keys = worker_deployment.effects(mark)
    assert len(keys) == len(set(keys)) == 2
    assert model.count(mark) == 5


async def test_an_agents_own_guardrail(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, mark: str
) -> None:
    turns = [call("keyed", mark=mark), say("good")]
    model.script(mark, Faltering(turns, {1: say("bad")}))
    run = await deployment.start("kickoff", prompt=f"[[{mark}]]")
    assert await deployment.result(run) == "good / good"
    keys = worker_deployment.effects(mark)
    assert len(keys) == len(set(keys)) == 2
    assert model.count(mark) == 5
