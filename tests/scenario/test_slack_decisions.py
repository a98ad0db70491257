"""Decisions by several people in Slack: gates and edits, reasons, batches, user groups, linked identities.

A real server delivers and receives; the tests play the crew's worker and the people.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from pydantic import JsonValue
from redis.asyncio import Redis

from bot.core.people.actor import Actor
from bot.core.people.policy import Group, Policy, PolicyDefinition, resolve
from bot.core.ports.store import Store
from bot.core.questions.question import Outcome, Question, Source
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.run import Claim
from bot.core.wakeups import Wakeups
from bot.store import redis_keys
from bot.store.redis import open_store
from bot.surfaces.slack.groups import LISTED_TTL_S
from tests.loopback.slack import Delivery, Message, Person
from tests.loopback.slack.state import UserGroup
from tests.scenario.outbox import CREW, Outbox
from tests.scenario.slack_deployment import ChannelDeployment, over_both
from tests.waiting import WITHIN

pytestmark = pytest.mark.asyncio(loop_scope="session")

ARGUMENTS: dict[str, JsonValue] = {"recipient": "Acme", "amount": 1200, "reference": "Invoice 7"}
PARAMETERS: dict[str, JsonValue] = {
    "properties": {"amount": {"type": "integer"}, "reference": {"type": "string"}}
}

TREASURY = CREW.model_copy(update={"name": "treasury", "title": "Treasury"})
KEYS = itertools.count()
"""All tests of a session share one store."""


@dataclass
class Payments:
    """A run whose worker is the test, in a channel with Ada and Bob, who are its finance department."""

    deployment: ChannelDeployment
    outbox: Outbox
    claim: Claim
    finance: UserGroup

    async def gate(self, title: str, **more: Any) -> Question:
        """A tool call that waits for its approval: by two people of finance, unless said otherwise."""
        arguments = ARGUMENTS | more.pop("arguments", {})
        call = ToolCall(
            tool="send_money", title=title, arguments=arguments, proposed=arguments,
            editable=("amount", "reference"), parameters=PARAMETERS, secrets={"pin": "hmac"},
        )  # fmt: skip
        policy = self.policy(**more)
        return await self.outbox.ask(self.claim, title, source=Source.GATE, call=call, policy=policy)

    def policy(self, **more: Any) -> Policy:
        group = Group(name="finance", members=(f"slack::{self.finance.id}", *more.pop("members", ())))
        definition = PolicyDefinition(
            **{"name": "pay", "who": ("finance",), "need": 2, "groups": (group,), **more}
        )
        return resolve(definition, self.claim.run.requester)

    async def card(self, words: str) -> Message:
        """The message that shows these words and can be pressed."""
        return await self.deployment.until(
            lambda: next(each for each in self._cards() if words in each.words)
        )

    def _cards(self) -> list[Message]:
        thread = self.deployment.slack.messages(self.deployment.channel)
        return [each for each in thread if each.thread_ts not in {None, each.ts}]

    async def shows(self, card: Message, words: str) -> Message:
        """The same message, as soon as it shows these words."""

        def found() -> Message:
            now = self.deployment.now(card)
            if words not in now.words:
                raise LookupError(words)
            return now

        return await self.deployment.until(found)

    async def outcome(self, question: Question) -> Outcome | None:
        return (await self.outbox.store.questions.get(question.run_id, question.id)).outcome


async def claimed(store: Store) -> Claim:
    """The run in the test's hands, as soon as it is queued. No worker of the server knows its crew."""
    async with asyncio.timeout(WITHIN):
        while True:
            for claim in await store.queue.claim("worker", [TREASURY.name], 1, 600):
                return claim
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="session")
async def payments(deployment: ChannelDeployment) -> AsyncIterator[Payments]:
    number = deployment.channel.removeprefix("C0CHANNEL")
    people = (deployment.ada, deployment.bob)
    finance = deployment.slack.user_group(f"S0FIN{number}", f"finance{number}", people)
    async with open_store(deployment.server.store_url) as store:
        outbox = Outbox(deployment.slack, store, Wakeups(), _keys=KEYS)
        await store.catalogue.announce("tests", [TREASURY])
        run = await outbox.start(channel=deployment.channel, by=deployment.ada.id, crew=TREASURY)
        try:
            yield Payments(deployment, outbox, await claimed(store), finance)
        finally:
            with suppress(Exception):
                await store.runs.cancel(run.id, run.requester)


async def filled(payments: Payments, who: Person, card: Message, button: str, **values: str) -> Delivery:
    """Press a button that opens a form, and submit it with these values; what came of it."""
    await who.press(card, button)
    view = await payments.deployment.slack.wait_for(lambda: payments.deployment.slack.view(who.id))
    return await who.submit(view, fields(values))


def fields(values: dict[str, str]) -> dict[str, str]:
    """What is filled into a form, by the names of its fields."""
    return {name if name == "words" else f"edit.argument.{name}": value for name, value in values.items()}


@over_both
async def test_two_people_approve_a_gate_that_one_of_them_edits(payments: Payments) -> None:
    ada, bob = payments.deployment.ada, payments.deployment.bob
    gate = await payments.gate("Send € 1,200 to Acme")
    card = await payments.card("Send € 1,200 to Acme")
    for words in (
        "with the tool send_money",
        "as the app",
        "recipient:",
        "Acme",
        "1200",
        "pin:",
        "secret",
        "pay",
    ):
        assert words in card.words
    assert "hmac" not in card.words
    await bob.press(card, "Approve")
    counted = await payments.shows(card, "1 of 2")
    assert bob.id in counted.words
    await bob.press(counted, "Approve")
    await payments.deployment.told(bob, "already approved")

    await filled(payments, ada, counted, "Edit and approve...", amount="900", reference="Invoice 7")
    edited = await payments.shows(card, "No longer counted")
    assert "1200 → 900" in edited.words
    await payments.deployment.said("edited what is to be approved", card)
    await bob.press(counted, "Approve")
    await payments.deployment.told(bob, "has changed")
    assert await payments.outcome(gate) is None
    await bob.press(edited, "Approve")
    settled = await payments.shows(card, "Edited and approved")
    assert not settled.labels
    outcome = await payments.outcome(gate)
    assert outcome is not None
    assert outcome.arguments == {**ARGUMENTS, "amount": 900}
    assert [each.by.user_id for each in outcome.responses] == [ada.id, bob.id]
    assert {each.by.authentication for each in outcome.responses} == {"slack"}


@over_both
async def test_a_gate_is_rejected_with_a_reason(payments: Payments) -> None:
    gate = await payments.gate("Send € 1,200 to Acme")
    card = await payments.card("Send € 1,200 to Acme")
    await filled(payments, payments.deployment.ada, card, "Reject...", words="Too much :tada:")
    settled = await payments.shows(card, "Rejected")
    assert "Too much" in settled.words
    outcome = await payments.outcome(gate)
    assert outcome is not None
    assert outcome.comment == "Too much 🎉"


@pytest.mark.parametrize(
    ("button", "sent", "other", "why"),
    [
        ("Edit and approve...", {"amount": "900"}, {"amount": "800"}, "has changed"),
        ("Reject...", {"words": "Too much"}, {"words": "Pay it later"}, "already settled"),
    ],
)
async def test_a_form_that_is_sent_again_with_something_else_is_no_repetition(
    payments: Payments, button: str, sent: dict[str, str], other: dict[str, str], why: str
) -> None:
    """Slack offers that where our answer was lost, and the form stays open."""
    ada = payments.deployment.ada
    gate = await payments.gate("Send € 1,200 to Acme")
    await ada.press(await payments.card("Send € 1,200 to Acme"), button)
    view = await payments.deployment.slack.wait_for(lambda: payments.deployment.slack.view(ada.id))
    for _ in range(2):
        assert not (await ada.submit(view, fields(sent))).field_errors
    refused = await ada.submit(view, fields(other))
    assert any(why in each for each in refused.field_errors.values())
    [response] = await payments.outbox.store.questions.responses(gate.run_id, gate.id)
    assert response.comment == sent.get("words", "")


@over_both
async def test_several_approvals_are_ticked_in_one_message(payments: Payments) -> None:
    ada = payments.deployment.ada
    gates = [
        await payments.gate(f"Pay {name}", need=1, arguments={"recipient": name})
        for name in ("Acme", "Bolt", "Cato")
    ]
    await payments.card("Pay Acme")
    shared = await payments.card("Pay Cato")
    assert "3 approvals are asked for" in shared.words
    await ada.select(shared, "1. Pay Acme")
    await ada.press(shared, "Approve ticked", ticked=["1. Pay Acme", "3. Pay Cato"])
    await payments.deployment.told(ada, "Approved 2 of 2")
    after = await payments.shows(shared, "2 of 3 are settled")
    assert [(await payments.outcome(each)) is not None for each in gates] == [True, False, True]
    await ada.press(after, "Open 2")
    view = await payments.deployment.slack.wait_for(lambda: payments.deployment.slack.view(ada.id))
    await ada.press(view, "Approve")
    await payments.shows(shared, "all of them are settled")
    record = await payments.outbox.store.questions.record(gates[1].run_id, gates[1].id)
    assert [each.by.user_id for each in record.opened] == [ada.id]


async def test_words_do_not_open_a_gate(payments: Payments) -> None:
    gate = await payments.gate("Send € 1,200 to Acme")
    card = await payments.card("Send € 1,200 to Acme")
    await payments.deployment.ada.reply(card.channel, str(card.thread_ts), "Approve")
    await payments.deployment.told(payments.deployment.ada, "Press one of the buttons")
    assert await payments.outcome(gate) is None


async def test_who_leaves_the_user_group_no_longer_counts(payments: Payments) -> None:
    ada, bob = payments.deployment.ada, payments.deployment.bob
    gate = await payments.gate("Send € 1,200 to Acme")
    card = await payments.card("Send € 1,200 to Acme")
    await ada.press(card, "Approve")
    counted = await payments.shows(card, "1 of 2")
    payments.finance.users.remove(ada.id)
    await nothing_is_fresh(payments)
    await bob.press(counted, "Approve")
    shown = await payments.shows(card, "No longer counted")
    assert "1 of 2" in shown.words
    assert await payments.outcome(gate) is None
    await ada.press(shown, "Approve")
    await payments.deployment.told(ada, "isn't yours to decide")


async def nothing_is_fresh(payments: Payments) -> None:
    """Return once the server reads the group anew for the next decision: it lists them for some seconds."""
    await asyncio.sleep(LISTED_TTL_S + 0.1)
    async with Redis.from_url(payments.deployment.server.store_url) as redis:
        assert await redis.delete(redis_keys.live_group(f"slack::{payments.finance.id}"))


async def test_a_linked_identity_decides_as_the_same_person(payments: Payments) -> None:
    ada = payments.deployment.ada
    directory = payments.outbox.store.directory
    elsewhere = Actor(surface="teams", tenant="3f2c", user_id=f"9d41-{ada.id}", name="Ada of Teams")
    await payments.gate("Pay Acme", need=1, groups=(Group(name="finance", members=(elsewhere.principal,)),))
    card = await payments.card("Pay Acme")
    await ada.press(card, "Approve")
    await payments.deployment.told(ada, "isn't yours to decide")
    await payments.deployment.crew(f"link {await directory.new_code(elsewhere)}")
    asked = await payments.deployment.told(ada, "Ada of Teams")
    await ada.press(asked, "Yes, link us")
    await payments.deployment.told(ada, "Linked")
    await ada.press(card, "Approve")
    await payments.shows(card, "Approved")
