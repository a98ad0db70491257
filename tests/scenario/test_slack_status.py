"""Help, the catalogue, the state of runs, and cancelling them: all of it private."""

import re

import pytest

from tests.loopback.slack import Message
from tests.scenario.slack_deployment import ChannelDeployment, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


def run_id(told: Message) -> str:
    found = re.search(r"\(([0-9a-f]{8})\)", told.words)
    assert found, told.words
    return found[1]


@pytest.mark.parametrize("words", ["", "help"])
async def test_help_is_private(deployment: ChannelDeployment, words: str) -> None:
    told = await deployment.answer(words)
    assert "/crew start" in told.words
    assert not deployment.slack.messages(deployment.channel)


async def test_unknown_words_get_help_with_the_nearest_match(deployment: ChannelDeployment) -> None:
    assert "Did you mean cancel?" in (await deployment.answer("cancle")).words
    assert "start demo" in (await deployment.answer("dmeo")).words


async def test_the_list_names_crews_and_their_inputs(deployment: ChannelDeployment) -> None:
    words = (await deployment.answer("list")).words
    assert "*Form* (form): Has an input of every type." in words
    assert "tone (plain | playful, default plain)" in words


@over_both
async def test_status_shows_my_runs_and_those_of_the_channel(deployment: ChannelDeployment) -> None:
    await deployment.asked("ask tides")
    await deployment.asked("vote lighthouses", deployment.bob)
    told = await deployment.answer("status")
    assert "*Your runs*" in told.words
    assert "*Ask*" in told.words
    assert "*Other runs here*" in told.words
    assert "*Vote*" in told.words


async def test_status_of_a_run_says_what_it_waits_for(deployment: ChannelDeployment) -> None:
    await deployment.asked("ask tides")
    short = run_id(await deployment.told(deployment.ada, "Starting"))
    told = await deployment.answer(f"status {short}")
    assert "waiting for an answer" in told.words
    assert "May tides go on?" in told.words


async def test_a_run_can_be_chosen_for_more_about_it(deployment: ChannelDeployment) -> None:
    await deployment.asked("ask tides")
    told = await deployment.answer("status")
    await deployment.ada.select(told, next(label for label in told.labels if "Ask" in label))
    await deployment.told(deployment.ada, "May tides go on")


async def test_others_learn_nothing_of_a_run_that_is_elsewhere(deployment: ChannelDeployment) -> None:
    await deployment.asked("ask secrets")
    short = run_id(await deployment.told(deployment.ada, "Starting"))
    told = await deployment.answer(f"status {short}", deployment.bob, deployment.bob.im)
    assert "There is no run" in told.words


async def test_cancel_ends_the_run_and_rewrites_its_question(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    short = run_id(await deployment.told(deployment.ada, "Starting"))
    told = await deployment.answer(f"cancel {short}")
    assert "Cancelled" in told.words
    await deployment.slack.wait_for(lambda: "Approve" not in deployment.now(question).labels)
    assert "is over already" in (await deployment.answer(f"cancel {short}")).words


@over_both
async def test_without_a_run_cancel_offers_mine(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    await deployment.asked("vote lighthouses", deployment.bob)
    told = await deployment.answer("cancel")
    mine = [label for label in told.labels if "Ask" in label]
    assert mine
    assert not [label for label in told.labels if "Vote" in label]
    await deployment.ada.select(told, mine[0])
    await deployment.slack.wait_for(lambda: "Approve" not in deployment.now(question).labels)


@over_both
async def test_the_message_of_the_run_has_a_cancel_button(deployment: ChannelDeployment) -> None:
    parent = await deployment.started("ask tides")
    question = await deployment.question(parent)
    await deployment.slack.wait_for(lambda: "run.cancel" in str(deployment.now(parent).blocks))
    await deployment.ada.press(deployment.now(parent), "run.cancel")
    await deployment.slack.wait_for(lambda: "Approve" not in deployment.now(question).labels)


async def test_others_cannot_cancel(deployment: ChannelDeployment) -> None:
    parent = await deployment.started("ask tides")
    question = await deployment.question(parent)
    short = run_id(await deployment.told(deployment.ada, "Starting"))
    told = await deployment.answer(f"cancel {short}", deployment.bob)
    assert "isn't yours to cancel" in told.words
    await deployment.bob.press(deployment.now(parent), "run.cancel")
    await deployment.slack.wait_for(
        lambda: len([m for m in deployment.private(deployment.bob) if "isn't yours" in m.words]) == 2
    )
    assert "Approve" in deployment.now(question).labels
