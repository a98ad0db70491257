"""Flows whose worker is killed, or that leave memory: nothing that was recorded is done again."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator

import pytest

from bot.core.question import QuestionKind
from bot.core.run import Run, RunStatus
from tests.contract.crews.deck import ADA, Deck
from tests.faults.fleet import Fleet
from tests.faults.test_resuming import once
from tests.faults.test_retries import again, failed
from tests.loopback.models import LoopbackModel, call, say, text_of

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(300)]

Leave = Callable[[Run], Awaitable[None]]


@pytest.fixture(params=["killed", "parked"])
def leave(request: pytest.FixtureRequest, fleet: Fleet) -> Leave:
    """Have the run leave its worker: the process dies, or the hot window passes."""

    async def killed(run: Run) -> None:
        await asyncio.to_thread(fleet.kill, run)

    return killed if request.param == "killed" else fleet.parked


async def test_rounds_of_feedback(fleet: Fleet, deck: Deck, model: LoopbackModel, leave: Leave) -> None:
    mark = f"campaign-{leave.__name__}"
    facts = [
        call("effect", mark=mark, what="looked up"),
        call("ask_human", question="Tides where?"),
        say("{last}"),
    ]
    model.script(f"{mark}-facts", facts)
    model.script(f"{mark}-draft", lambda said: say(text_of(said.messages[-1]).partition("]] ")[2].strip()))
    run = await deck.start("campaign", mark=mark)
    where = await deck.question(run)
    await fleet.parked(run)
    await deck.say(where, "Brest")
    await deck.until(run, lambda now: now.seq >= 6)
    first = await deck.question(run)
    assert (first.kind, first.prompt) == (QuestionKind.CHOICE, "Publish it?")
    assert '"text":"1"' in first.context
    await deck.say(first, "shorter, please")
    await deck.until(run, lambda now: now.seq >= 8)
    again = await deck.question(run)
    assert "shorter, please" in again.prompt, "words decide nothing: it is asked again"
    await deck.say(again, "needs_revision")
    await deck.until(run, lambda now: now.seq >= 12)
    second = await deck.question(run)
    assert "2 shorter, please" in second.context
    await leave(run)
    await deck.say(second, "Approved")
    result = await deck.result(run)
    assert result.startswith(
        "2 shorter, please (approved) of ['1', '2 shorter, please'] on Ada answered: Brest"
    )
    assert model.count(f"{mark}-facts") == 3
    assert model.count(f"{mark}-draft") == 2
    done = fleet.effects(mark)
    assert done[:2] == ["research", "looked up"]
    assert [each for each in done if each.startswith("draft")] == ["draft 1", "draft 2"]
    assert len([each for each in done if re.fullmatch(r"publish [0-9a-f-]{36}", each)]) == 1
    events = await once(deck, run)
    assert events.count("task_started") == events.count("task_completed") == 4


async def test_methods_side_by_side(fleet: Fleet, deck: Deck, model: LoopbackModel, leave: Leave) -> None:
    mark = f"branches-{leave.__name__}"
    model.script(
        f"{mark}-right",
        [call("effect", mark=mark, what="did"), call("ask_human", question="Right?"), say("{last}")],
    )
    model.script(f"{mark}-odd", [call("keyed", mark=mark), say("odd one")])
    run = await deck.start("branches", mark=mark)
    left, right = sorted(await deck.asked(run, many=2), key=lambda question: question.prompt)
    await deck.until(run, lambda now: now.seq >= 7)
    await leave(run)
    await deck.say(right, "rightly")
    await asyncio.sleep(0.5)
    await deck.say(left, "leftly")
    await deck.until(run, lambda now: now.seq >= 13)
    closing = await deck.question(run)
    assert closing.kind is QuestionKind.TEXT
    assert closing.context == "leftly | Ada answered: rightly | odd one"
    await fleet.parked(run)
    await deck.say(closing, "no")
    assert await deck.result(run) == '["leftly | Ada answered: rightly | odd one", "no", "None"]'
    assert model.count(f"{mark}-right") == 3
    assert model.count(f"{mark}-odd") == 2
    done = fleet.effects(mark)
    assert done.count("did") == done.count("joined") == 1
    assert len([each for each in done if re.fullmatch(r"[0-9a-f-]{36}", each)]) == 1, (
        "its tool isn't called again"
    )

    assert done.count("odd") > 1, "its result could not be kept"
    await once(deck, run)


async def test_who_was_first_stays_so(fleet: Fleet, deck: Deck) -> None:
    """And a deadline that passes while the run is out of memory isn't an approval, whatever is declared."""
    run = await deck.start("racing", mark="-")
    question = await deck.question(run)
    assert (question.kind, question.context) == (QuestionKind.APPROVAL, "quick won")
    await fleet.parked(run)
    await deck.say(question, "Approve")
    assert await deck.result(run) == "approved, slow was last"
    await once(deck, run)
    silent = await deck.start("silent", mark="-")
    done = await deck.over(silent)
    assert done.error is not None
    assert done.error.code == "expired"


@pytest.fixture
def rework(fleet: Fleet) -> Iterator[Callable[[], None]]:
    """Have flows be others from now on, until the test is over."""
    mark = fleet.effects_file.with_name("reworked")
    yield mark.touch
    mark.unlink(missing_ok=True)


@pytest.mark.parametrize("chosen", ["Go on from here", "Cancel the run"])
async def test_a_flow_that_was_reworked_under_its_run_asks(
    fleet: Fleet, deck: Deck, model: LoopbackModel, rework: Callable[[], None], chosen: str
) -> None:
    mark = f"reworked-{chosen[:2]}"
    model.script(mark, [say("Gathered")])
    run = await deck.start("reworked", mark=mark)
    asked = await deck.question(run)
    assert asked.prompt == "Right?"
    await fleet.parked(run)
    rework()
    await deck.say(asked, "yes")
    doubt = await deck.question(run)
    assert "its flow doesn't come to “Check” any more" in doubt.prompt
    assert "is dropped: the flow goes on with its state as it was after “Gather”." in doubt.prompt
    await deck.say(doubt, chosen)
    if chosen == "Cancel the run":
        done = await deck.over(run)
        assert done.status is RunStatus.CANCELLED
    else:
        await deck.say(await deck.question(run), "no")
        assert await deck.result(run) == "Gathered no"
    assert model.count(mark) == 1


async def test_a_flow_without_one_of_its_methods_keeps_what_came_after_it(
    fleet: Fleet, deck: Deck, rework: Callable[[], None]
) -> None:
    run = await deck.start("shortened", mark="shortened")
    asked = await deck.question(run)
    await fleet.parked(run)
    rework()
    await deck.say(asked, "yes")
    doubt = await deck.question(run)
    assert "doesn't come to “Check” any more" in doubt.prompt
    await deck.say(doubt, "Go on from here")
    really = await deck.question(run)
    assert really.prompt == "Really?"
    await fleet.parked(run)
    await deck.say(really, "sure")
    assert await deck.result(run) == "Dear all, checked, ['yes', 'sure']"
    assert fleet.effects("shortened") == ["written"]


async def test_a_flow_that_failed_is_tried_again_from_where_it_was(
    fleet: Fleet, deck: Deck, model: LoopbackModel
) -> None:
    mark = "sending"
    model.script(mark, [say("Gathered")])
    turns = [call("effect", mark=mark, what="sent"), call("ask_human", question="Once more?"), say("{last}")]
    model.script(f"{mark}-send", turns)
    run = await deck.start("sending", mark=mark)
    question = await deck.question(run)
    model.fail(401)
    await deck.say(question, "no")
    await failed(deck, run, "model_error")
    model.fail(401)
    second = await again(deck, run)
    await failed(deck, second, "model_error")
    third = await again(deck, second)
    assert await deck.result(third) == "Gathered, Ada answered: no"
    assert await deck.store.questions.list(third.id) == [], "nobody is asked again"
    assert await once(deck, third) == [
        "run_started", *("task_started", "task_completed") * 2, "run_completed",
    ]  # fmt: skip
    done = fleet.effects(mark)
    assert (done.count("gathered"), done.count("sent")) == (1, 1)
    keys = [each for each in done if each.startswith("key ")]
    assert len(keys) >= 3, "what a method does outside of its steps is done again"
    assert len(set(keys)) == 1


async def test_a_flow_that_was_reworked_is_tried_again_and_nobody_is_asked(
    deck: Deck, model: LoopbackModel, rework: Callable[[], None]
) -> None:
    mark = "reworked-again"
    model.script(mark, [say("Gathered")])
    run = await deck.start("reworked", mark=mark)
    await deck.question(run)
    await deck.store.runs.cancel(run.id, ADA)
    rework()
    new = await again(deck, run)
    proofread = await deck.question(new)
    assert proofread.prompt == "Proofread?"
    await deck.say(proofread, "no")
    assert await deck.result(new) == "Gathered no"
    assert model.count(mark) == 1
