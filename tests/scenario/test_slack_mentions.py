"""Speaking to the app by mentioning it."""

import pytest

from tests.scenario.slack_deployment import ChannelDeployment, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


@over_both
async def test_a_mention_starts_a_crew(deployment: ChannelDeployment) -> None:
    await deployment.ada.mention(deployment.channel, 'start ask topic="tide mills"')
    parent = await deployment.until(lambda: deployment.runs()[0])
    assert "May tide mills go on?" in (await deployment.question(parent)).words
    assert len(deployment.runs()) == 1


@over_both
async def test_inside_a_thread_the_run_lives_in_that_thread(deployment: ChannelDeployment) -> None:
    talk = (await deployment.bob.say(deployment.channel, "What about the tides?")).message
    assert talk
    await deployment.ada.mention(deployment.channel, "start ask tides", talk.ts)
    question = await deployment.question(talk)
    assert question.thread_ts == talk.ts
    await deployment.ada.press(question, "Approve")
    await deployment.said("The crew heard", talk)


@over_both
async def test_what_is_missing_is_asked_for_by_a_button_to_the_modal(deployment: ChannelDeployment) -> None:
    await deployment.ada.mention(deployment.channel, "start form tide mills")
    told = await deployment.told(deployment.ada, "needs some more")
    await deployment.ada.press(told, "open.start")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    await deployment.ada.submit(view, {"Body": "words", "Count": "3"})
    parent = await deployment.until(lambda: deployment.runs()[0])
    await deployment.said("tide mills, words, 3", parent)


async def test_other_commands_are_answered_privately(deployment: ChannelDeployment) -> None:
    await deployment.ada.mention(deployment.channel, "list")
    assert "(demo)" in (await deployment.told(deployment.ada, "Demo")).words
    assert [m.user for m in deployment.slack.messages(deployment.channel)] == [deployment.ada.id]


async def test_unknown_words_get_help_once(deployment: ChannelDeployment) -> None:
    await deployment.ada.mention(deployment.channel, "strat ask")
    await deployment.told(deployment.ada, "Did you mean start")
    assert len(deployment.private(deployment.ada)) == 1


async def test_in_a_direct_message_no_mention_is_needed(deployment: ChannelDeployment) -> None:
    await deployment.ada.say(deployment.ada.im, "list")
    await deployment.told(deployment.ada, r"\(demo\)")


@over_both
async def test_a_mention_that_is_a_command_is_never_an_answer(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await deployment.ada.mention(deployment.channel, "status", question.thread_ts)
    await deployment.told(deployment.ada, "Your runs")
    await deployment.ada.mention(deployment.channel, "stauts", question.thread_ts)
    await deployment.told(deployment.ada, "Did you mean status")
    assert deployment.open_questions(question)


async def test_other_words_to_the_app_in_the_thread_are_an_answer(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await deployment.ada.mention(deployment.channel, "make it blue", question.thread_ts)
    assert "make it blue" in await deployment.said("The crew heard", question)


@over_both
async def test_the_same_mention_again_starts_nothing(deployment: ChannelDeployment) -> None:
    done = await deployment.ada.mention(deployment.channel, "start ask tides")
    assert done.twin
    await deployment.ada.redeliver(done)
    await deployment.ada.redeliver(done.twin)
    parent = await deployment.until(lambda: deployment.runs()[0])
    await deployment.question(parent)
    assert len(deployment.runs()) == 1
