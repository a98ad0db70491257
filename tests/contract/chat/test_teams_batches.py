"""Approvals that share a message in Teams: deciders see what decides them, others what shows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.core.people.policy import Policy
from bot.core.questions.question import Action, Question, Source
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.run import Claim
from bot.core.wakeups import Wakeups
from bot.metrics import Metrics
from bot.surfaces.chat.delivery.outbox import OutboxWorker
from bot.surfaces.chat.delivery.question_sender import QuestionSender
from bot.surfaces.chat.delivery.thread import DeliveryRecorder, RunMessages
from bot.surfaces.chat.message_keys import question_message, questions_at
from bot.surfaces.chat.places import MessageRef
from bot.surfaces.chat.recipients import Recipients
from tests.contract.chat.finishing import finished
from tests.contract.chat.played_crew import ADA, BOB
from tests.contract.chat.teams_inbound import TeamsChat, teams_chat
from tests.contract.examples import approval
from tests.loopback.teams import Message
from tests.loopback.teams.state import inputs, labels, words
from tests.waiting import WITHIN, alongside

EVE = "eve"


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[TeamsChat]:
    async with teams_chat(redis_url) as made, delivering(made):
        await made.command(ADA, "help")  # from what Teams sends, the app learns where to post
        yield made


@asynccontextmanager
async def delivering(chat: TeamsChat) -> AsyncIterator[None]:
    wakeups, recipients = Wakeups(), Recipients(chat.inbound.people.actor)
    worker = OutboxWorker(chat.store, wakeups, chat.platform, Metrics(), "web-1", recipients=recipients)
    async with alongside(wakeups.follow(chat.store.events), worker.run()):
        yield


async def asked(chat: TeamsChat, claim: Claim, title: str, *deciders: str) -> Question:
    """An approval of a tool call, of which people see the title."""
    call = ToolCall(tool="pay", title=title, arguments={"to": title}, proposed={"to": title})
    people = tuple(chat.person(each).principal for each in deciders or (ADA,))
    policy = Policy(deciders=people, name="pay", version="v1", who=("finance",), admins=False)
    gate = {"source": Source.GATE, "call": call, "prompt": title, "policy": policy}
    return await chat.store.questions.ask(claim, approval(claim, title).model_copy(update=gate))


async def shared(chat: TeamsChat, there: Callable[[Message], bool]) -> Message:
    """The message with the approvals, as soon as it is so."""
    async with asyncio.timeout(WITHIN):
        while True:
            asking = [each for each in chat.teams.messages(chat.channel) if "Acme" in each.words]
            if asking and there(asking[0]):
                return asking[0]
            await asyncio.sleep(0.02)


async def view(chat: TeamsChat, user: str, message: Message) -> dict[str, Any]:
    """The card as this person's client gets it when it asks for it."""
    refresh = message.refresh
    assert refresh is not None
    value = {"action": refresh["action"], "trigger": "automatic"}
    who = chat.people[user]
    activity = who.activity(
        "invoke", chat.channel, chat.thread, name="adaptiveCard/action", value=value, replyToId=message.id
    )
    answered = await chat.teams.deliver(activity)
    card: dict[str, Any] = answered.body["value"]
    return card


async def test_only_deciders_see_what_decides_a_batch(chat: TeamsChat) -> None:
    claim = await chat.claimed()
    await asked(chat, claim, "Acme")
    await shared(chat, lambda message: message.refresh is not None)
    await asked(chat, claim, "Bolt")
    message = await shared(chat, lambda message: "Bolt" in message.words)
    assert message.labels == ["Open 1", "Open 2"]
    assert message.refresh is not None
    assert message.refresh["userIds"] == [chat.people[ADA].user.id]
    adas = await view(chat, ADA, message)
    assert {"Approve ticked", "Reject ticked", "Open 1", "Open 2"} <= set(labels(adas))
    assert "Bolt" in words([adas])
    bobs = await view(chat, BOB, message)
    assert labels(bobs) == ["Open 1", "Open 2"]


async def test_what_is_ticked_in_a_view_of_ones_own_is_decided(chat: TeamsChat) -> None:
    claim = await chat.claimed()
    first = await asked(chat, claim, "Acme")
    await shared(chat, lambda message: message.refresh is not None)
    second = await asked(chat, claim, "Bolt")
    third = await asked(chat, claim, "Cato")
    message = await shared(chat, lambda message: "Cato" in message.words)
    card = await view(chat, ADA, message)
    [boxes] = [each for each in inputs(card) if each.get("isMultiSelect")]
    ticked = ",".join(each["value"] for each in boxes["choices"][:2])
    answered = await chat.people[ADA].press_on([card], "Approve ticked", {boxes["id"]: ticked}, of=message)
    assert "Approved 2 of 2" in str(answered.body)
    assert [await chat.outcome(each) for each in (first, second)] == [Action.APPROVE, Action.APPROVE]
    assert await chat.outcome(third) == ""
    after = await shared(chat, lambda message: "2 of 3 are settled" in message.words)
    assert after.labels == ["Open 3"]


async def test_everybody_who_may_decide_one_of_them_gets_a_view(chat: TeamsChat) -> None:
    claim = await chat.claimed()
    await asked(chat, claim, "Acme", ADA, BOB)
    await shared(chat, lambda message: message.refresh is not None)
    bolt = await asked(chat, claim, "Bolt", ADA)
    message = await shared(chat, lambda message: "Bolt" in message.words)
    assert message.refresh is not None
    assert set(message.refresh["userIds"]) == {each.user.id for each in chat.people.values()}
    card = await view(chat, BOB, message)
    [boxes] = [each for each in inputs(card) if each.get("isMultiSelect")]
    ticked = ",".join(each["value"] for each in boxes["choices"])
    answered = await chat.people[BOB].press_on([card], "Approve ticked", {boxes["id"]: ticked}, of=message)
    await finished(chat.inbound.background)
    told = [str(answered.body), *(each.words for each in chat.teams.messages(chat.people[BOB].chat))]
    assert "Approved 1 of 2" in " ".join(told)
    assert await chat.outcome(bolt) == ""


async def test_a_view_of_ones_own_has_what_was_added_a_moment_ago(redis_url: str) -> None:
    """Teams asks for it as soon as the message changes, also before our edit is answered."""
    async with teams_chat(redis_url) as chat:
        await chat.command(ADA, "help")
        claim = await chat.claimed()
        async with delivering(chat):
            await asked(chat, claim, "Acme")
            message = await shared(chat, lambda message: message.refresh is not None)
        bolt = await asked(chat, claim, "Bolt")
        outbox, surface = chat.store.outbox, chat.place.surface
        await outbox.lease_shard(surface, outbox.shard_of(bolt.run_id), "web-2", 60)
        recorder = DeliveryRecorder(outbox, surface, "web-2")
        messages = RunMessages(chat.platform, recorder, claim.run, await recorder.recorded(bolt.run_id))
        sender = QuestionSender(chat.store, chat.platform.capabilities.limits)
        beside = MessageRef(message.conversation, message.id)
        with chat.teams.connector.faults.holding_answers("update"):
            joined = asyncio.create_task(sender.join(messages, bolt, question_message(bolt.id), beside))
            message = await shared(chat, lambda message: "Bolt" in message.words)
            card = await view(chat, ADA, message)
        assert await joined
        assert {"Approve ticked", "Open 1", "Open 2"} <= set(labels(card))
        assert questions_at((await recorder.recorded(bolt.run_id)).messages, beside) >= {bolt.id}
