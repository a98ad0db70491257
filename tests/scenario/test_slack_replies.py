"""Answers in the words of a thread: what counts, what is talk, and what is explained."""

import pytest

from tests.loopback.slack import Message
from tests.scenario.slack_deployment import ChannelDeployment, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def reply(deployment: ChannelDeployment, question: Message, text: str, **extra: object) -> None:
    assert question.thread_ts
    done = await deployment.ada.reply(deployment.channel, question.thread_ts, text, **extra)  # type: ignore[arg-type]
    assert done.ok, done.error


async def still_open(deployment: ChannelDeployment, question: Message) -> bool:
    """Nothing counted: a later reply that does count is the first that the crew hears of."""
    await reply(deployment, question, "the real answer")
    words = await deployment.said("The crew heard", question)
    return "the real answer" in words


@over_both
async def test_a_plain_reply_answers_the_open_question(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await reply(deployment, question, "They come &amp; go")
    assert "They come & go" in await deployment.said("The crew heard", question)


async def test_words_that_are_a_label_are_that_button(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    await reply(deployment, question, "APPROVE")
    assert "approved" in await deployment.said("The crew heard", question)
    question = await deployment.asked("pick tides")
    await reply(deployment, question, "Green")
    assert "chose 'green'" in await deployment.said("The crew heard", question)


@over_both
async def test_half_a_surrogate_pair_reaches_the_crew_as_one_character(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await reply(deployment, question, "half \ud83d of it")
    assert "half \ufffd of it" in await deployment.said("The crew heard", question)


@over_both
async def test_a_label_is_matched_as_people_type_it(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("pick tides")
    await reply(deployment, question, "\u00a0GREEN.")
    assert "chose 'green'" in await deployment.said("The crew heard", question)


async def test_words_decide_nothing_that_is_only_half_seen(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("long tides")
    await reply(deployment, question, "Approve")
    await deployment.told(deployment.ada, "Press “Show all”")
    await deployment.ada.press(question, "open.reply")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    done = await deployment.ada.submit(view, {"words": "approve"})
    assert any("Show all" in why for why in done.field_errors.values())
    assert await still_open(deployment, question)


async def test_other_words_to_an_approval_are_passed_on_as_words(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides")
    await reply(deployment, question, "yes, approved, go on!")
    assert "not an approval: yes, approved, go on!" in await deployment.said("The crew heard", question)
    assert "words" in deployment.now(question).words.lower()


async def test_a_reply_that_is_also_sent_to_the_channel_counts(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await reply(deployment, question, "for everybody", broadcast=True)
    assert "for everybody" in await deployment.said("The crew heard", question)


@over_both
async def test_files_are_named_in_the_answer(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await deployment.ada.upload(deployment.channel, ["map.pdf", "tide.csv"], "See these", question.thread_ts)
    assert "Attached: map.pdf, tide.csv" in await deployment.said("The crew heard", question)


async def test_talk_with_other_people_is_no_answer(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await reply(deployment, question, f"<@{deployment.bob.id}> what do you think?")
    await reply(deployment, question, "<!subteam^S0OPS|@ops> anybody?")
    assert await still_open(deployment, question)


@over_both
@pytest.mark.parametrize(
    "text", ["<@{bob}>", "<@{bob}> and <@{ada}>", "I think <@{bob}> should", "both, <@{bob}>"]
)
async def test_an_answer_that_follows_its_question_may_name_people(
    deployment: ChannelDeployment, text: str
) -> None:
    question = await deployment.asked("tell tides")
    await reply(deployment, question, text.format(bob=deployment.bob.id, ada=deployment.ada.id))
    heard = await deployment.said("The crew heard", question)
    assert f"@Bob ({deployment.bob.id})" in heard


@over_both
async def test_an_answer_that_mentions_the_app_may_name_people_at_any_time(
    deployment: ChannelDeployment,
) -> None:
    question = await deployment.asked("tell tides")
    assert question.thread_ts
    await deployment.bob.reply(
        deployment.channel, question.thread_ts, f"<@{deployment.ada.id}> what do you think?"
    )
    await deployment.ada.mention(
        deployment.channel, f"<@{deployment.bob.id}> should do it", question.thread_ts
    )
    heard = await deployment.said("The crew heard", question)
    assert f"@Bob ({deployment.bob.id}) should do it" in heard


@over_both
async def test_talk_is_told_privately_once_that_it_was_not_taken(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    assert question.thread_ts
    await reply(deployment, question, f"<@{deployment.bob.id}> can you look?")
    told = await deployment.told(deployment.ada, "not taken as an answer")
    assert told.thread_ts == question.thread_ts
    await deployment.bob.reply(deployment.channel, question.thread_ts, f"<@{deployment.ada.id}> later")
    await reply(deployment, question, f"thank you <@{deployment.bob.id}>")
    assert await still_open(deployment, question)
    assert len([each for each in deployment.private(deployment.ada) if "not taken" in each.words]) == 1
    assert not deployment.private(deployment.bob)


@over_both
async def test_edits_deletions_joins_and_bots_decide_nothing(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    assert question.thread_ts
    talk = await deployment.ada.reply(deployment.channel, question.thread_ts, f"<@{deployment.bob.id}> hm")
    assert talk.message
    await deployment.ada.edit(talk.message, "edited")
    await deployment.ada.delete(talk.message)
    carol = deployment.slack.person(f"{deployment.ada.id}CAROL", name="Carol")
    await carol.join(deployment.channel)
    await reply(deployment, question, "I am a bot", bot_id="B0OTHER", subtype="bot_message")
    await reply(deployment, question, "a bot too", bot_id="B0OTHER")
    await reply(deployment, question, "hidden", hidden=True)
    assert await still_open(deployment, question)


@over_both
async def test_a_question_that_somebody_deletes_is_asked_again_at_once(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("vote tides")
    await deployment.bob.delete(question)
    again = await deployment.question(question)
    assert (again.ts != question.ts, again.thread_ts) == (True, question.thread_ts)
    assert "Approve" in again.labels
    await deployment.bob.press(again, "Approve")
    assert "Bob approved" in await deployment.said("The crew heard", question)


async def test_a_reply_in_which_nothing_can_be_seen_is_no_answer(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await reply(deployment, question, "\u200b \u2066\u2069")
    assert await still_open(deployment, question)


async def test_what_is_said_outside_of_the_thread_is_no_answer(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    talk = (await deployment.ada.say(deployment.channel, "outside")).message
    assert talk
    await deployment.ada.reply(deployment.channel, talk.ts, "in another thread", broadcast=True)
    assert await still_open(deployment, question)


@over_both
async def test_somebody_elses_reply_is_explained_once(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    assert question.thread_ts
    await deployment.bob.reply(deployment.channel, question.thread_ts, "mine!")
    told = await deployment.told(deployment.bob, "isn't yours to decide")
    assert deployment.ada.id in told.words
    assert told.thread_ts == question.thread_ts
    await deployment.bob.reply(deployment.channel, question.thread_ts, "mine, I said!")
    assert await still_open(deployment, question)
    assert len(deployment.private(deployment.bob)) == 1


async def test_a_reply_after_the_end_is_explained_once(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await reply(deployment, question, "blue")
    await deployment.said("The crew heard", question)
    await reply(deployment, question, "or green")
    await deployment.told(deployment.ada, "is over|already settled")
    await reply(deployment, question, "thanks")
    await deployment.crew("help")
    assert len([m for m in deployment.private(deployment.ada) if "is over" in m.words]) <= 1


@over_both
async def test_with_two_open_questions_the_person_says_which_one(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await deployment.ada.mention(deployment.channel, "start pick colours", question.thread_ts)
    await deployment.slack.wait_for(lambda: len(deployment.open_questions(question)) == 2)
    await reply(deployment, question, "deep blue")
    told = await deployment.told(deployment.ada, "Which question is that for")
    assert "deep blue" in told.words
    assert told.labels == ["What about tides?", "Which colours?"]
    await deployment.ada.press(told, "What about tides?")
    assert "answered: deep blue" in await deployment.said("The crew heard", question)
    assert [m.words for m in deployment.open_questions(question) if "Which colours?" in m.words]


@over_both
async def test_the_same_reply_again_answers_no_later_question(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    assert question.thread_ts
    done = await deployment.ada.reply(deployment.channel, question.thread_ts, "blue")
    await deployment.said("The crew heard", question)
    await deployment.ada.mention(deployment.channel, "start tell colours", question.thread_ts)
    later = await deployment.slack.wait_for(
        lambda: [m for m in deployment.open_questions(question) if "colours" in m.words]
    )
    await deployment.ada.redeliver(done)
    await deployment.crew("status")
    assert "Answer..." in deployment.now(later[0]).labels
