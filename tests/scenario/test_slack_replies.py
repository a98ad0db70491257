"""Answers in the words of a thread: what counts, what is talk, and what is explained."""

import pytest

from tests.loopback.slack import Message
from tests.scenario.stage import Scene, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def reply(scene: Scene, question: Message, text: str, **extra: object) -> None:
    assert question.thread_ts
    done = await scene.ada.reply(scene.channel, question.thread_ts, text, **extra)  # type: ignore[arg-type]
    assert done.ok, done.error


async def still_open(scene: Scene, question: Message) -> bool:
    """Nothing counted: a later reply that does count is the first that the crew hears of."""
    await reply(scene, question, "the real answer")
    words = await scene.said("The crew heard", question)
    return "the real answer" in words


@over_both
async def test_a_plain_reply_answers_the_open_question(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await reply(scene, question, "They come &amp; go")
    assert "They come & go" in await scene.said("The crew heard", question)


async def test_words_that_are_a_label_are_that_button(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    await reply(scene, question, "APPROVE")
    assert "approved" in await scene.said("The crew heard", question)
    question = await scene.asked("pick tides")
    await reply(scene, question, "Green")
    assert "chose 'green'" in await scene.said("The crew heard", question)


@over_both
async def test_half_a_surrogate_pair_reaches_the_crew_as_one_character(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await reply(scene, question, "half \ud83d of it")
    assert "half \ufffd of it" in await scene.said("The crew heard", question)


@over_both
async def test_a_label_is_matched_as_people_type_it(scene: Scene) -> None:
    question = await scene.asked("pick tides")
    await reply(scene, question, "\u00a0GREEN.")
    assert "chose 'green'" in await scene.said("The crew heard", question)


async def test_words_decide_nothing_that_is_only_half_seen(scene: Scene) -> None:
    question = await scene.asked("long tides")
    await reply(scene, question, "Approve")
    await scene.told(scene.ada, "Press “Show all”")
    await scene.ada.press(question, "open.reply")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    done = await scene.ada.submit(view, {"words": "approve"})
    assert any("Show all" in why for why in done.field_errors.values())
    assert await still_open(scene, question)


async def test_other_words_to_an_approval_are_passed_on_as_words(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    await reply(scene, question, "yes, approved, go on!")
    assert "not an approval: yes, approved, go on!" in await scene.said("The crew heard", question)
    assert "words" in scene.now(question).words.lower()


async def test_a_reply_that_is_also_sent_to_the_channel_counts(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await reply(scene, question, "for everybody", broadcast=True)
    assert "for everybody" in await scene.said("The crew heard", question)


@over_both
async def test_files_are_named_in_the_answer(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await scene.ada.upload(scene.channel, ["map.pdf", "tide.csv"], "See these", question.thread_ts)
    assert "Attached: map.pdf, tide.csv" in await scene.said("The crew heard", question)


async def test_talk_with_other_people_is_no_answer(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await reply(scene, question, f"<@{scene.bob.id}> what do you think?")
    await reply(scene, question, "<!subteam^S0OPS|@ops> anybody?")
    assert await still_open(scene, question)


@over_both
@pytest.mark.parametrize(
    "text", ["<@{bob}>", "<@{bob}> and <@{ada}>", "I think <@{bob}> should", "both, <@{bob}>"]
)
async def test_an_answer_that_follows_its_question_may_name_people(scene: Scene, text: str) -> None:
    question = await scene.asked("tell tides")
    await reply(scene, question, text.format(bob=scene.bob.id, ada=scene.ada.id))
    heard = await scene.said("The crew heard", question)
    assert f"@Bob ({scene.bob.id})" in heard


@over_both
async def test_an_answer_that_mentions_the_app_may_name_people_at_any_time(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    assert question.thread_ts
    await scene.bob.reply(scene.channel, question.thread_ts, f"<@{scene.ada.id}> what do you think?")
    await scene.ada.mention(scene.channel, f"<@{scene.bob.id}> should do it", question.thread_ts)
    heard = await scene.said("The crew heard", question)
    assert f"@Bob ({scene.bob.id}) should do it" in heard


@over_both
async def test_talk_is_told_privately_once_that_it_was_not_taken(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    assert question.thread_ts
    await reply(scene, question, f"<@{scene.bob.id}> can you look?")
    told = await scene.told(scene.ada, "not taken as an answer")
    assert told.thread_ts == question.thread_ts
    await scene.bob.reply(scene.channel, question.thread_ts, f"<@{scene.ada.id}> later")
    await reply(scene, question, f"thank you <@{scene.bob.id}>")
    assert await still_open(scene, question)
    assert len([each for each in scene.private(scene.ada) if "not taken" in each.words]) == 1
    assert not scene.private(scene.bob)


@over_both
async def test_edits_deletions_joins_and_bots_decide_nothing(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    assert question.thread_ts
    talk = await scene.ada.reply(scene.channel, question.thread_ts, f"<@{scene.bob.id}> hm")
    assert talk.message
    await scene.ada.edit(talk.message, "edited")
    await scene.ada.delete(talk.message)
    carol = scene.slack.person(f"{scene.ada.id}CAROL", name="Carol")
    await carol.join(scene.channel)
    await reply(scene, question, "I am a bot", bot_id="B0OTHER", subtype="bot_message")
    await reply(scene, question, "a bot too", bot_id="B0OTHER")
    await reply(scene, question, "hidden", hidden=True)
    assert await still_open(scene, question)


async def test_what_is_said_outside_of_the_thread_is_no_answer(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    talk = (await scene.ada.say(scene.channel, "outside")).message
    assert talk
    await scene.ada.reply(scene.channel, talk.ts, "in another thread", broadcast=True)
    assert await still_open(scene, question)


@over_both
async def test_somebody_elses_reply_is_explained_once(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    assert question.thread_ts
    await scene.bob.reply(scene.channel, question.thread_ts, "mine!")
    told = await scene.told(scene.bob, "isn't yours to decide")
    assert scene.ada.id in told.words
    assert told.thread_ts == question.thread_ts
    await scene.bob.reply(scene.channel, question.thread_ts, "mine, I said!")
    assert await still_open(scene, question)
    assert len(scene.private(scene.bob)) == 1


async def test_a_reply_after_the_end_is_explained_once(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await reply(scene, question, "blue")
    await scene.said("The crew heard", question)
    await reply(scene, question, "or green")
    await scene.told(scene.ada, "is over|already settled")
    await reply(scene, question, "thanks")
    await scene.crew("help")
    assert len([m for m in scene.private(scene.ada) if "is over" in m.words]) <= 1


@over_both
async def test_with_two_open_questions_the_person_says_which_one(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await scene.ada.mention(scene.channel, "start pick colours", question.thread_ts)
    await scene.slack.wait_for(lambda: len(scene.open_questions(question)) == 2, 20)
    await reply(scene, question, "deep blue")
    told = await scene.told(scene.ada, "Which question is that for")
    assert "deep blue" in told.words
    assert told.labels == ["What about tides?", "Which colours?"]
    await scene.ada.press(told, "What about tides?")
    assert "answered: deep blue" in await scene.said("The crew heard", question)
    assert [m.words for m in scene.open_questions(question) if "Which colours?" in m.words]


@over_both
async def test_the_same_reply_again_answers_no_later_question(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    assert question.thread_ts
    done = await scene.ada.reply(scene.channel, question.thread_ts, "blue")
    await scene.said("The crew heard", question)
    await scene.ada.mention(scene.channel, "start tell colours", question.thread_ts)
    later = await scene.slack.wait_for(
        lambda: [m for m in scene.open_questions(question) if "colours" in m.words], 20
    )
    await scene.ada.redeliver(done)
    await scene.crew("status")
    assert "Answer..." in scene.now(later[0]).labels
