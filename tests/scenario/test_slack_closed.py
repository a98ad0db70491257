"""Where a channel is closed to the app, everybody who may answer is asked directly, and nobody else may."""

from __future__ import annotations

import asyncio

import pytest

from bot.core.people.actor import Actor
from bot.core.people.policy import Approvers
from bot.core.questions.question import Question
from bot.exposition import exposition
from bot.surfaces.chat.message_keys import notification_failures
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.slack import SURFACE
from tests.contract.outboxes import make_due
from tests.loopback.slack import GENERAL, LoopbackSlack, Message
from tests.scenario.outbox import TEAM, Outbox
from tests.scenario.slack_deployment import Transport, connect, serving

BOB, EVE = "U0BOB", "U0EVE"
THEIRS = Approvers(requester=False, listed=(BOB, EVE))
TRANSPORTS: tuple[Transport, ...] = ("http", "socket")


async def close(slack: LoopbackSlack, how: str) -> None:
    if how == "archived":
        await slack.archive(GENERAL)
    elif how == "left":
        slack.remove_app(GENERAL)
    else:
        del slack.workspace.channels[GENERAL]


def im(on: Outbox, user: str) -> str:
    return on.slack.workspace.open_im(user).id


def people(on: Outbox) -> None:
    on.slack.person(BOB, name="Bob")
    on.slack.person(EVE, name="Eve")


async def seen(on: Outbox, user: str, words: str) -> Message:
    return await on.sees(lambda: on.said(words, im(on, user)))


@pytest.mark.parametrize("how", ["archived", "left", "gone"])
async def test_every_decider_is_asked_directly(on: Outbox, how: str) -> None:
    people(on)
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.ask(claim, "First?", approvers=THEIRS)
        await on.sees(lambda: on.said("First?"))
        await close(on.slack, how)
        second = await on.ask(claim, "Second?", approvers=THEIRS, task_id="the next task")
        for user in (BOB, EVE):
            for words in ("First?", "Second?"):
                assert (await seen(on, user, words)).labels == ["Approve", "Reject", "Reply..."]
        hers = await seen(on, "U0ADA", "Second?")
        assert hers.labels == []
        assert "was asked in a direct message" in hers.words
        bob = Actor(surface="slack", tenant=TEAM, user_id=BOB, name="Bob")
        await on.answer(second, by=bob)
        for user in (BOB, EVE, "U0ADA"):
            settled = await seen(on, user, "*Approved*")
            assert "Second?" in settled.words
            assert settled.labels == []
    assert on.times_said("Second?", im(on, BOB)) == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_their_buttons_and_replies_work_and_the_requesters_do_not(
    on: Outbox, web: dict[str, str], transport: Transport
) -> None:
    bob, eve = on.slack.person(BOB, name="Bob"), on.slack.person(EVE, name="Eve")
    run = await on.start()
    async with serving(on.slack, transport, web) as server:
        claim = await on.claimed(run)
        await on.slack.archive(GENERAL)
        first = await on.ask(claim, "First?", approvers=THEIRS)
        second = await on.ask(claim, "Second?", approvers=THEIRS)
        connect(on.slack, server, transport)
        theirs = await seen(on, BOB, "First?")
        ada = on.slack.person("U0ADA", name="Ada")
        assert (await ada.press(theirs, "Approve")).ok
        await on.slack.wait_for(lambda: "isn't yours" in str(told(on, "U0ADA")))
        assert (await on.store.questions.get(run.id, first.id)).open
        assert (await bob.press(theirs, "Approve")).ok
        await on.until(lambda: is_settled(on, first))
        words = await seen(on, EVE, "Second?")
        assert words.thread_ts is None
        await on.until(lambda: lives_there(on, words))
        assert (await eve.reply(words.channel, words.ts, "reject")).ok
        await on.until(lambda: is_settled(on, second))
    outcome = (await on.store.questions.get(run.id, second.id)).outcome
    assert outcome is not None
    assert (outcome.action, outcome.by and outcome.by.user_id) == ("reject", EVE)


async def lives_there(on: Outbox, message: Message) -> bool:
    """Whether it is recorded by now that replies to this message are about the run."""
    return bool(await on.store.runs.at(ChatPlace(SURFACE, TEAM, message.channel, message.ts).encode()))


def told(on: Outbox, user: str) -> list[str]:
    return [each.words for each in [*on.slack.ephemerals(user), *on.slack.messages(im(on, user))]]


async def is_settled(on: Outbox, question: Question) -> bool:
    return not (await on.store.questions.get(question.run_id, question.id)).open


async def test_who_can_be_told_is_told_though_others_cannot(on: Outbox) -> None:
    people(on)
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.slack.archive(GENERAL)
        del on.slack.workspace.users[BOB]
        await on.ask(claim, "First?", approvers=THEIRS)
        await seen(on, EVE, "First?")
        await on.until(lambda: caught_up(on, run.id))
    assert notification_failures((await on.store.outbox.state(SURFACE, run.id)).messages) == {}


async def caught_up(on: Outbox, run_id: str) -> bool:
    return (await on.store.outbox.state(SURFACE, run_id)).cursor == (await on.store.runs.get(run_id)).seq


async def test_nobody_told_is_not_told_and_tried_again(on: Outbox) -> None:
    people(on)
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.slack.archive(GENERAL)
        on.slack.fail("conversations.open", error="messages_tab_disabled", times=None)
        question = await on.ask(claim, "First?", approvers=THEIRS)
        await on.until(lambda: is_unnotified(on, question))
        assert "crewdeck_unnotified_questions_total 1.0" in exposition(on.metrics, None, 0).decode()
        assert not await caught_up(on, run.id)
        on.slack.heal()
        await on.until(lambda: caught_up_when_retried(on, run.id))
        for user in (BOB, EVE):
            assert "Approve" in (await seen(on, user, "First?")).labels
    assert not await is_unnotified(on, question)


async def is_unnotified(on: Outbox, question: Question) -> bool:
    state = await on.store.outbox.state(SURFACE, question.run_id)
    return question.id in notification_failures(state.messages)


async def test_a_channel_that_opens_again_is_used_again(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await asyncio.to_thread(on.slack.remove_app, GENERAL)
        on.slack.fail("conversations.open", error="messages_tab_disabled", times=None)
        question = await on.ask(claim, "First?", approvers=Approvers(anyone=True, requester=False))
        await on.until(lambda: is_unnotified(on, question))
        on.slack.invite_app(GENERAL)
        await on.until(lambda: caught_up_when_retried(on, run.id))
        assert on.said("First?")
    assert not await is_unnotified(on, question)


async def caught_up_when_retried(on: Outbox, run_id: str) -> bool:
    """Retries at once, and again: the process postpones the run after it has noted who isn't notified."""
    await make_due(on.store, SURFACE, run_id)
    return await caught_up(on, run_id)


async def test_status_says_that_nobody_could_be_told(on: Outbox, web: dict[str, str]) -> None:
    people(on)
    run = await on.start()
    async with serving(on.slack, "http", web):
        claim = await on.claimed(run)
        await on.slack.archive(GENERAL)
        on.slack.fail("conversations.open", error="messages_tab_disabled", times=None)
        question = await on.ask(claim, "First?", approvers=THEIRS)
        await on.until(lambda: is_unnotified(on, question))
        status = await on.slack.person("U0ADA", name="Ada").command("/crew", f"status {run.id}")
        told = await on.slack.wait_for(lambda: status.private[0])
        assert "None of them could be told (messages_tab_disabled)" in told.words
