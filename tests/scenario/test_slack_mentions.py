"""Speaking to the app by mentioning it."""

import pytest

from tests.scenario.stage import Scene, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


@over_both
async def test_a_mention_starts_a_crew(scene: Scene) -> None:
    await scene.ada.mention(scene.channel, 'start ask topic="tide mills"')
    parent = await scene.until(lambda: scene.runs()[0])
    assert "May tide mills go on?" in (await scene.question(parent)).words
    assert len(scene.runs()) == 1


@over_both
async def test_inside_a_thread_the_run_lives_in_that_thread(scene: Scene) -> None:
    talk = (await scene.bob.say(scene.channel, "What about the tides?")).message
    assert talk
    await scene.ada.mention(scene.channel, "start ask tides", talk.ts)
    question = await scene.question(talk)
    assert question.thread_ts == talk.ts
    await scene.ada.press(question, "Approve")
    await scene.said("The crew heard", talk)


@over_both
async def test_what_is_missing_is_asked_for_by_a_button_to_the_modal(scene: Scene) -> None:
    await scene.ada.mention(scene.channel, "start form tide mills")
    told = await scene.told(scene.ada, "needs some more")
    await scene.ada.press(told, "open.start")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    await scene.ada.submit(view, {"Body": "words", "Count": "3"})
    parent = await scene.until(lambda: scene.runs()[0])
    await scene.said("tide mills, words, 3", parent)


async def test_other_commands_are_answered_privately(scene: Scene) -> None:
    await scene.ada.mention(scene.channel, "list")
    assert "(demo)" in (await scene.told(scene.ada, "Demo")).words
    assert [m.user for m in scene.slack.messages(scene.channel)] == [scene.ada.id]


async def test_unknown_words_get_help_once(scene: Scene) -> None:
    await scene.ada.mention(scene.channel, "strat ask")
    await scene.told(scene.ada, "Did you mean start")
    assert len(scene.private(scene.ada)) == 1


async def test_in_a_direct_message_no_mention_is_needed(scene: Scene) -> None:
    await scene.ada.say(scene.ada.im, "list")
    await scene.told(scene.ada, r"\(demo\)")


@over_both
async def test_a_mention_that_is_a_command_is_never_an_answer(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await scene.ada.mention(scene.channel, "status", question.thread_ts)
    await scene.told(scene.ada, "Your runs")
    await scene.ada.mention(scene.channel, "stauts", question.thread_ts)
    await scene.told(scene.ada, "Did you mean status")
    assert scene.open_questions(question)


async def test_other_words_to_the_app_in_the_thread_are_an_answer(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await scene.ada.mention(scene.channel, "make it blue", question.thread_ts)
    assert "make it blue" in await scene.said("The crew heard", question)


@over_both
async def test_the_same_mention_again_starts_nothing(scene: Scene) -> None:
    done = await scene.ada.mention(scene.channel, "start ask tides")
    assert done.twin
    await scene.ada.redeliver(done)
    await scene.ada.redeliver(done.twin)
    parent = await scene.until(lambda: scene.runs()[0])
    await scene.question(parent)
    assert len(scene.runs()) == 1
