"""Help, the catalogue, the state of runs, and cancelling them: all of it private."""

import re

import pytest

from tests.loopback.slack import Message
from tests.scenario.stage import Scene, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


def run_id(told: Message) -> str:
    found = re.search(r"\(([0-9a-f]{8})\)", told.words)
    assert found, told.words
    return found[1]


@pytest.mark.parametrize("words", ["", "help"])
async def test_help_is_private(scene: Scene, words: str) -> None:
    done = await scene.crew(words)
    assert "/crew start" in done.private[0].words
    assert not scene.slack.messages(scene.channel)


async def test_unknown_words_get_help_with_the_nearest_match(scene: Scene) -> None:
    assert "Did you mean cancel?" in (await scene.crew("cancle")).private[0].words
    assert "start demo" in (await scene.crew("dmeo")).private[0].words


async def test_the_list_names_crews_and_their_inputs(scene: Scene) -> None:
    words = (await scene.crew("list")).private[0].words
    assert "*Form* (form): Has an input of every type." in words
    assert "tone (plain | playful, default plain)" in words


@over_both
async def test_status_shows_my_runs_and_those_of_the_channel(scene: Scene) -> None:
    await scene.asked("ask tides")
    await scene.asked("vote lighthouses", scene.bob)
    told = (await scene.crew("status")).private[0]
    assert "*Your runs*" in told.words
    assert "*Ask*" in told.words
    assert "*Other runs in this channel*" in told.words
    assert "*Vote*" in told.words


async def test_status_of_a_run_says_what_it_waits_for(scene: Scene) -> None:
    await scene.asked("ask tides")
    short = run_id(await scene.told(scene.ada, "Starting"))
    told = (await scene.crew(f"status {short}")).private[0]
    assert "waiting for an answer" in told.words
    assert "May tides go on?" in told.words


async def test_a_run_can_be_chosen_for_more_about_it(scene: Scene) -> None:
    await scene.asked("ask tides")
    told = (await scene.crew("status")).private[0]
    await scene.ada.select(told, next(label for label in told.labels if "Ask" in label))
    await scene.told(scene.ada, "May tides go on")


async def test_others_learn_nothing_of_a_run_that_is_elsewhere(scene: Scene) -> None:
    await scene.asked("ask secrets")
    short = run_id(await scene.told(scene.ada, "Starting"))
    done = await scene.crew(f"status {short}", scene.bob, scene.bob.im)
    assert "There is no run" in done.private[0].words


async def test_cancel_ends_the_run_and_rewrites_its_question(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    short = run_id(await scene.told(scene.ada, "Starting"))
    done = await scene.crew(f"cancel {short}")
    assert "Cancelled" in done.private[0].words
    await scene.slack.wait_for(lambda: "Approve" not in scene.now(question).labels)
    assert "is over already" in (await scene.crew(f"cancel {short}")).private[0].words


@over_both
async def test_without_a_run_cancel_offers_mine(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    await scene.asked("vote lighthouses", scene.bob)
    told = (await scene.crew("cancel")).private[0]
    mine = [label for label in told.labels if "Ask" in label]
    assert mine
    assert not [label for label in told.labels if "Vote" in label]
    await scene.ada.select(told, mine[0])
    await scene.slack.wait_for(lambda: "Approve" not in scene.now(question).labels)


@over_both
async def test_the_message_of_the_run_has_a_cancel_button(scene: Scene) -> None:
    parent = await scene.started("ask tides")
    question = await scene.question(parent)
    await scene.slack.wait_for(lambda: "run.cancel" in str(scene.now(parent).blocks))
    await scene.ada.press(scene.now(parent), "run.cancel")
    await scene.slack.wait_for(lambda: "Approve" not in scene.now(question).labels)


async def test_others_cannot_cancel(scene: Scene) -> None:
    parent = await scene.started("ask tides")
    question = await scene.question(parent)
    short = run_id(await scene.told(scene.ada, "Starting"))
    done = await scene.crew(f"cancel {short}", scene.bob)
    assert "isn't yours to cancel" in done.private[0].words
    await scene.bob.press(scene.now(parent), "run.cancel")
    await scene.slack.wait_for(
        lambda: len([m for m in scene.private(scene.bob) if "isn't yours" in m.words]) == 2
    )
    assert "Approve" in scene.now(question).labels
