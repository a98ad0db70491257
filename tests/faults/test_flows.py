"""Flows whose worker is killed, or that leave memory: nothing that was recorded is done again."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator

import pytest

from bot.core.questions.question import QuestionKind
from bot.core.runs.run import Run, RunStatus
from tests.contract.crews.deployment import ADA, Deployment
from tests.faults.test_resuming import once
from tests.faults.test_retries import failed, retried
from tests.faults.worker_deployment import WorkerDeployment
from tests.loopback.models import LoopbackModel, call, say, text_of

pytestmark = [pytest.mark.faults, pytest.mark.slow]

Leave = Callable[[Run], Awaitable[None]]


@pytest.fixture(params=["killed", "parked"])
def leave(request: pytest.FixtureRequest, worker_deployment: WorkerDeployment) -> Leave:
    """Have the run leave its worker: the process dies, or the hot window passes."""

    async def killed(run: Run) -> None:
        await asyncio.to_thread(worker_deployment.kill, run)

    return killed if request.param == "killed" else worker_deployment.parked


async def test_rounds_of_feedback(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave
) -> None:
    mark = f"campaign-{leave.__name__}"
    facts = [
        call("effect", mark=mark, what="looked up"),
        call("ask_human", question="Tides where?"),
        say("{last}"),
    ]
    model.script(f"{mark}-facts", facts)
    model.script(f"{mark}-draft", lambda said: say(text_of(said.messages[-1]).partition("]] ")[2].strip()))
    run = await deployment.start("campaign", mark=mark)
    where = await deployment.question(run)
    await worker_deployment.parked(run)
    await deployment.say(where, "Brest")
    await deployment.until(run, lambda now: now.seq >= 6)
    first = await deployment.question(run)
    assert (first.kind, first.prompt) == (QuestionKind.CHOICE, "Publish it?")
    assert '"text":"1"' in first.context
    await deployment.say(first, "shorter, please")
    await deployment.until(run, lambda now: now.seq >= 8)
    again = await deployment.question(run)
    assert "shorter, please" in again.prompt, "words decide nothing: it is asked again"
    await deployment.say(again, "needs_revision")
    await deployment.until(run, lambda now: now.seq >= 12)
    second = await deployment.question(run)
    assert "2 shorter, please" in second.context
    await leave(run)
    await deployment.say(second, "Approved")
    result = await deployment.result(run)
    assert result.startswith(
        "2 shorter, please (approved) of ['1', '2 shorter, please'] on Ada answered: Brest"
    )
    assert model.count(f"{mark}-facts") == 3
    assert model.count(f"{mark}-draft") == 2
    done = worker_deployment.effects(mark)
    assert done[:2] == ["research", "looked up"]
    assert [each for each in done if each.startswith("draft")] == ["draft 1", "draft 2"]
    assert len([each for each in done if re.fullmatch(r"publish [0-9a-f-]{36}", each)]) == 1
    events = await once(deployment, run)
    assert events.count("task_started") == events.count("task_completed") == 4


async def test_methods_side_by_side(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave
) -> None:
    mark = f"branches-{leave.__name__}"
    model.script(
        f"{mark}-right",
        [call("effect", mark=mark, what="did"), call("ask_human", question="Right?"), say("{last}")],
    )
    model.script(f"{mark}-odd", [call("keyed", mark=mark), say("odd one")])
    run = await deployment.start("branches", mark=mark)
    left, right = sorted(await deployment.asked(run, many=2), key=lambda question: question.prompt)
    await deployment.until(run, lambda now: now.seq >= 7)
    await leave(run)
    await deployment.say(right, "rightly")
    await asyncio.sleep(0.5)
    await deployment.say(left, "leftly")
    await deployment.until(run, lambda now: now.seq >= 13)
    closing = await deployment.question(run)
    assert closing.kind is QuestionKind.TEXT
    assert closing.context == "leftly | Ada answered: rightly | odd one"
    await worker_deployment.parked(run)
    await deployment.say(closing, "no")
    assert await deployment.result(run) == '["leftly | Ada answered: rightly | odd one", "no", "None"]'
    assert model.count(f"{mark}-right") == 3
    assert model.count(f"{mark}-odd") == 2
    done = worker_deployment.effects(mark)
    assert done.count("did") == done.count("joined") == 1
    assert len([each for each in done if re.fullmatch(r"[0-9a-f-]{36}", each)]) == 1, (
        "its tool isn't called again"
    )

    assert done.count("odd") > 1, "its result could not be kept"
    await once(deployment, run)


async def test_turns_of_a_conversation(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, leave: Leave
) -> None:
    mark = f"chat-{leave.__name__}"
    model.script(mark, lambda said: say(f"{said.answered} {text_of(said.messages[-1])}"))
    run = await deployment.start("chat", prompt=f"[[{mark}]]")
    shown = (f"0 [[{mark}]]", "Is it done?", "It is under way.", "2 Thanks")
    for number, said in enumerate((f"work {mark}", "yes", "Thanks", "exit")):
        question = await deployment.question(run)
        assert question.prompt == shown[number]
        await leave(run)
        await deployment.say(question, said)
    assert await deployment.result(run) == "2 Thanks"
    assert model.count(mark) == 2
    assert worker_deployment.effects(mark) == ["worked"]
    await once(deployment, run)


async def test_who_was_first_stays_so(worker_deployment: WorkerDeployment, deployment: Deployment) -> None:
    """And a deadline that passes while the run is out of memory isn't an approval, whatever is declared."""
    run = await deployment.start("racing", mark="-")
    question = await deployment.question(run)
    assert (question.kind, question.context) == (QuestionKind.APPROVAL, "quick won")
    await worker_deployment.parked(run)
    await deployment.say(question, "Approve")
    assert await deployment.result(run) == "approved, slow was last"
    await once(deployment, run)
    silent = await deployment.start("silent", mark="-")
    done = await deployment.over(silent)
    assert done.error is not None
    assert done.error.code == "expired"


@pytest.fixture
def rework(worker_deployment: WorkerDeployment) -> Iterator[Callable[[], None]]:
    """Have flows be others from now on, until the test is over."""
    mark = worker_deployment.effects_file.with_name("reworked")
    yield mark.touch
    mark.unlink(missing_ok=True)


@pytest.mark.parametrize("chosen", ["Go on from here", "Cancel the run"])
async def test_a_flow_that_was_reworked_under_its_run_asks(
    worker_deployment: WorkerDeployment,
    deployment: Deployment,
    model: LoopbackModel,
    rework: Callable[[], None],
    chosen: str,
) -> None:
    mark = f"reworked-{chosen[:2]}"
    model.script(mark, [say("Gathered")])
    run = await deployment.start("reworked", mark=mark)
    asked = await deployment.question(run)
    assert asked.prompt == "Right?"
    await worker_deployment.parked(run)
    rework()
    await deployment.say(asked, "yes")
    doubt = await deployment.question(run)
    assert "its flow doesn't come to “Check” any more" in doubt.prompt
    assert "is dropped: the flow goes on with its state as it was after “Gather”." in doubt.prompt
    await deployment.say(doubt, chosen)
    if chosen == "Cancel the run":
        done = await deployment.over(run)
        assert done.status is RunStatus.CANCELLED
    else:
        await deployment.say(await deployment.question(run), "no")
        assert await deployment.result(run) == "Gathered no"
    assert model.count(mark) == 1


async def test_a_flow_without_one_of_its_methods_keeps_what_came_after_it(
    worker_deployment: WorkerDeployment, deployment: Deployment, rework: Callable[[], None]
) -> None:
    run = await deployment.start("shortened", mark="shortened")
    asked = await deployment.question(run)
    await worker_deployment.parked(run)
    rework()
    await deployment.say(asked, "yes")
    doubt = await deployment.question(run)
    assert "doesn't come to “Check” any more" in doubt.prompt
    await deployment.say(doubt, "Go on from here")
    really = await deployment.question(run)
    assert really.prompt == "Really?"
    await worker_deployment.parked(run)
    await deployment.say(really, "sure")
    assert await deployment.result(run) == "Dear all, checked, ['yes', 'sure']"
    assert worker_deployment.effects("shortened") == ["written"]


async def test_a_flow_that_failed_is_tried_again_from_where_it_was(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    mark = "sending"
    model.script(mark, [say("Gathered")])
    turns = [call("effect", mark=mark, what="sent"), call("ask_human", question="Once more?"), say("{last}")]
    model.script(f"{mark}-send", turns)
    run = await deployment.start("sending", mark=mark)
    question = await deployment.question(run)
    model.fail(401)
    await deployment.say(question, "no")
    await failed(deployment, run, "model_error")
    model.fail(401)
    second = await retried(deployment, run)
    await failed(deployment, second, "model_error")
    third = await retried(deployment, second)
    assert await deployment.result(third) == "Gathered, Ada answered: no"
    assert await deployment.store.questions.list(third.id) == [], "nobody is asked again"
    assert await once(deployment, third) == [
        "run_started", *("task_started", "task_completed") * 2, "run_completed",
    ]  # fmt: skip
    done = worker_deployment.effects(mark)
    assert (done.count("gathered"), done.count("sent")) == (1, 1)
    keys = [each for each in done if each.startswith("key ")]
    assert len(keys) >= 3, "what a method does outside of its steps is done again"
    assert len(set(keys)) == 1


async def test_a_flow_that_was_reworked_is_tried_again_and_nobody_is_asked(
    deployment: Deployment, model: LoopbackModel, rework: Callable[[], None]
) -> None:
    mark = "reworked-again"
    model.script(mark, [say("Gathered")])
    run = await deployment.start("reworked", mark=mark)
    await deployment.question(run)
    await deployment.store.runs.cancel(run.id, ADA)
    rework()
    new = await retried(deployment, run)
    proofread = await deployment.question(new)
    assert proofread.prompt == "Proofread?"
    await deployment.say(proofread, "no")
    assert await deployment.result(new) == "Gathered no"
    assert model.count(mark) == 1
