"""What was recorded of a class: exceptions are raised again; of a class that has changed people are asked."""

import asyncio

import pytest

from bot.core.question import Source
from tests.contract.crews.deck import Deck
from tests.faults.fleet import Fleet
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_flow_catches_what_it_caught_before(
    fleet: Fleet, deck: Deck, model: LoopbackModel, mark: str
) -> None:
    model.fail(400)
    run = await deck.start("refused", prompt=f"[[{mark}]]")
    question = await deck.question(run)
    await asyncio.to_thread(fleet.kill, run)
    await deck.say(question, "yes")
    assert await deck.result(run) == "['400 server_error', 'it is closed'] yes"
    assert fleet.effects(mark) == ["failed"]


@pytest.mark.parametrize("asked_in", ["report", "publish"])
async def test_an_output_class_that_was_changed_under_a_run_is_asked_about(
    fleet: Fleet, deck: Deck, model: LoopbackModel, mark: str, asked_in: str
) -> None:
    """Whether the task that has it is finished, or waits."""

    def said(conversation: Conversation) -> Turn:
        task = "publish" if "Publish this" in str(conversation.messages) else "report"
        if task == asked_in and conversation.answered == 0:
            return call("ask_human", question="Go on?")
        return say('{"title": "Tides", "pages": 3}' if task == "report" else "published")

    model.script(mark, said)
    run = await deck.start("reporting", prompt=f"[[{mark}]]")
    question = await deck.question(run)
    with fleet.rewritten("steps", {}, REPORT="longer"):
        await deck.say(question, "yes")
        doubt = await deck.question(run)
        assert doubt.source is Source.SYSTEM
        assert "task “report”" in doubt.prompt
        await deck.say(doubt, "Go on from here")
        assert await deck.result(run) == "published"
    assert (
        len([each for each in await deck.store.questions.list(run.id) if each.source is not Source.SYSTEM])
        == 1
    )


async def test_a_result_whose_class_was_changed_is_asked_about_before_the_tool_is_called_again(
    fleet: Fleet, deck: Deck, model: LoopbackModel, mark: str
) -> None:
    model.script(mark, [call("filing", mark=mark), call("ask_human", question="Go on?"), say("{last}")])
    run = await deck.start("filing", prompt=f"[[{mark}]]")
    question = await deck.question(run)
    with fleet.rewritten("steps", {}, REPORT="longer"):
        await deck.say(question, "yes")
        doubt = await deck.question(run)
        assert (
            "what the tool “filing” returned can't be read any more, since Report has changed" in doubt.prompt
        )
        assert fleet.effects(mark) == ["filed"]
        await deck.say(doubt, "Go on from here")
        await fleet.did(mark, 2)
        other = await deck.question(run)
        assert "asks its model something else" in other.prompt, "it returned something else"
        await deck.say(other, "Go on from here")
        assert await deck.result(run) == "Ada answered: yes"
    assert fleet.effects(mark) == ["filed", "filed"]
