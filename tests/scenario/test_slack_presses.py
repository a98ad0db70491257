"""Buttons, selects and modals: one decision counts, and every other press is explained."""

import asyncio

import pytest

from tests.loopback.slack import Message
from tests.scenario.slack_deployment import ChannelDeployment, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


@over_both
@pytest.mark.parametrize(("label", "heard"), [("Approve", "approved"), ("Reject", "rejected")])
async def test_an_approval_is_decided_by_a_press(
    deployment: ChannelDeployment, label: str, heard: str
) -> None:
    question = await deployment.asked("ask tides")
    done = await deployment.ada.press(question, label)
    assert done.ok
    assert heard in await deployment.said("The crew heard", question)
    settled = deployment.now(question)
    assert not {"Approve", "Reject"} & set(settled.labels)
    assert deployment.ada.id in settled.words


@over_both
async def test_whose_name_has_half_a_surrogate_pair_can_decide(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    await deployment.slack.change(deployment.ada, name="Ada \ud83d")
    await deployment.ada.press(question, "Approve")
    assert "Ada \ufffd approved" in await deployment.said("The crew heard", question)


async def test_a_choice_is_made_by_a_press(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("pick colours")
    assert {"red", "green", "blue"} <= set(question.labels)
    await deployment.ada.press(question, "blue")
    assert "chose 'blue'" in await deployment.said("The crew heard", question)


@over_both
async def test_a_long_choice_is_made_in_a_select(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("pick_many colours")
    await deployment.ada.select(question, "g7")
    assert "chose 'g7'" in await deployment.said("The crew heard", question)


@over_both
async def test_a_question_is_answered_in_a_modal(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await deployment.ada.press(question, "open.reply")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    done = await deployment.ada.submit(view, {"words": "They <come> & go"})
    assert done.ok
    words = await deployment.said("The crew heard", question)
    assert "The crew heard: Ada answered: They <come> & go" in words


@over_both
async def test_a_review_asks_for_changes_until_it_is_approved(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("review tides")
    await deployment.ada.press(question, "open.reply")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    await deployment.ada.submit(view, {"words": "Approve"})
    again = await deployment.until(
        lambda: next(m for m in deployment.open_questions(question) if m.ts != question.ts)
    )
    await deployment.ada.press(again, "Approve")
    await deployment.said("Completed|A draft about tides", question)


@over_both
async def test_all_of_a_long_question_is_read_before_it_is_decided(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("long tides")
    assert "Approve" not in question.labels
    await deployment.ada.press(question, "open.full")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    assert " ".join(view.words.split()).count("All of this has to be read") == 260
    await deployment.ada.press(view, "Approve")
    assert "approved" in await deployment.said("The crew heard", question)
    await deployment.slack.wait_for(lambda: "Recorded" in deployment.slack.view(deployment.ada.id).words)


@over_both
async def test_of_two_presses_at_once_one_counts(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("vote tides")
    both = await asyncio.gather(
        deployment.ada.press(question, "Approve"), deployment.bob.press(question, "Reject")
    )
    assert all(done.ok for done in both)
    words = await deployment.said("The crew heard", question)
    assert ("approved" in words) != ("Bob rejected" in words)
    await deployment.slack.wait_for(lambda: told_late(deployment))
    assert len(told_late(deployment)) == 1


def told_late(deployment: ChannelDeployment) -> list[Message]:
    """What Ada and Bob were told who came too late."""
    told = [*deployment.private(deployment.ada), *deployment.private(deployment.bob)]
    return [each for each in told if "already settled" in each.words]


@over_both
async def test_somebody_elses_press_is_explained_each_time(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    assert (await deployment.bob.press(question, "Approve")).ok
    assert (await deployment.bob.press(question, "Reject")).ok
    await deployment.slack.wait_for(lambda: len(deployment.private(deployment.bob)) == 2)
    assert f"Ask <@{deployment.ada.id}>" in deployment.private(deployment.bob)[0].words
    assert "Approve" in deployment.now(question).labels


async def test_somebody_else_gets_no_modal(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await deployment.bob.press(question, "open.reply")
    await deployment.told(deployment.bob, "isn't yours to decide")
    with pytest.raises(LookupError):
        deployment.slack.view(deployment.bob.id)


async def test_who_may_answer_is_checked_again_when_a_modal_is_sent(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await deployment.ada.press(question, "open.reply")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    done = await deployment.bob.submit(view, {"words": "mine"})
    assert any("isn't yours" in why for why in done.field_errors.values())


async def test_a_press_on_a_settled_question_is_explained(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    await deployment.ada.press(question, "Approve")
    await deployment.said("The crew heard", question)
    assert (await deployment.ada.press(question, "Reject")).ok
    assert "Approve" in (await deployment.told(deployment.ada, "already settled by")).words


@over_both
async def test_a_modal_of_a_settled_question_says_so(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    await deployment.ada.press(question, "open.reply")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    await deployment.ada.press(question, "Approve")
    await deployment.said("The crew heard", question)
    done = await deployment.ada.submit(view, {"words": "too late"})
    assert any("already settled" in why for why in done.field_errors.values())


async def test_a_press_on_an_unknown_question_is_explained(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    unknown = str(question.body).replace(question.button("Approve")[1]["value"], "gone gone")
    stale = type(question)(__import__("ast").literal_eval(unknown), question.channel)
    assert (await deployment.ada.press(stale, "Approve")).ok
    await deployment.told(deployment.ada, "no longer there")


async def test_a_press_after_the_run_was_cancelled_is_explained(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    told = await deployment.answer("cancel")
    await deployment.ada.select(told, told.labels[0])
    await deployment.told(deployment.ada, "Cancelled")
    await deployment.ada.press(question, "Approve")
    await deployment.told(deployment.ada, "was withdrawn because its run ended")


@over_both
async def test_the_same_press_again_says_and_does_nothing_more(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("vote tides")
    first = await deployment.ada.press(question, "Approve")
    for attempt in (1, 2, 3):
        assert (await deployment.ada.redeliver(first, attempt)).ok
    words = await deployment.said("The crew heard", question)
    assert words.count("The crew heard") == 1
    assert not [m for m in deployment.private(deployment.ada) if "settled" in m.words]


@over_both
async def test_a_modal_that_comes_too_late_is_explained(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    deployment.slack.fail("views.open", error="expired_trigger_id")
    assert (await deployment.ada.press(question, "open.reply")).ok
    await deployment.told(deployment.ada, "press again")


@over_both
async def test_the_home_tab_shows_what_waits_for_me(deployment: ChannelDeployment) -> None:
    await deployment.asked("ask tides")
    assert (await deployment.ada.open_home()).ok
    home = await deployment.slack.wait_for(lambda: deployment.slack.home(deployment.ada.id))
    assert "May tides go on?" in home.words
