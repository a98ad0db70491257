"""Forms of several steps in Teams' dialogs: Back, locales, and somebody who was first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import JsonValue

from bot.core.forms.fields import Field, FieldType
from bot.core.locales import Locale
from bot.core.people.policy import Policy
from bot.core.questions.question import Question, QuestionKind, Source
from bot.core.questions.response import Approve
from bot.core.questions.tool_call import ToolCall
from bot.surfaces.chat import actions
from bot.surfaces.teams import card_data
from tests.contract.chat.finishing import finished
from tests.contract.chat.memory_inbound import target_of
from tests.contract.chat.played_crew import ADA, BOB
from tests.contract.chat.teams_inbound import TeamsChat, teams_chat
from tests.loopback.teams import Body
from tests.loopback.teams.people import data_of
from tests.loopback.teams.state import inputs, words

ORDER = (
    Field(name="amount", type=FieldType.NUMBER, required=True, min=0),
    Field(name="due", type=FieldType.DATETIME),
    *(Field(name=f"note_{number}") for number in range(1, 5)),
    Field(name="last", required=True),
    Field(name="more"),
)


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[TeamsChat]:
    async with teams_chat(redis_url) as made:
        yield made


async def asked(chat: TeamsChat) -> Question:
    return await chat.asking("ok", ADA, BOB, kind=QuestionKind.FORM, options=(), form=ORDER)


async def sent(chat: TeamsChat, user: str, name: str, data: Body) -> Body:
    """The card that the dialog shows next; a card of its words at the end."""
    who = chat.people[user]
    activity = who.activity("invoke", chat.channel, chat.thread, name=name, value={"data": data})
    answered = await chat.teams.deliver(activity)
    assert answered.status == 200
    await finished(chat.inbound.background)
    shown = answered.body["task"]["value"]
    card: Body = shown["card"]["content"] if isinstance(shown, dict) else {"body": [], "words": shown}
    return card


async def opened(chat: TeamsChat, user: str, question: Question) -> Body:
    button = card_data.button(actions.OPEN_REPLY, target_of(question).encode())
    return await sent(chat, user, "task/fetch", button)


async def pressed(
    chat: TeamsChat, user: str, card: Body, label: str, values: Mapping[str, str] | None = None
) -> Body:
    """A button of a dialog, as a client presses it: not where something required is missing."""
    return await sent(chat, user, "task/submit", data_of([card], label, values))


def values_in(card: Body) -> dict[str, Any]:
    return {each["id"]: each.get("value", "") for each in inputs(card)}


async def values_of(chat: TeamsChat, question: Question) -> Mapping[str, object]:
    outcome = (await chat.store.questions.get(question.run_id, question.id)).outcome
    assert outcome is not None
    return outcome.values or {}


async def test_back_brings_what_was_just_typed_though_something_required_is_missing(chat: TeamsChat) -> None:
    question = await asked(chat)
    first = await opened(chat, BOB, question)
    second = await pressed(chat, BOB, first, "Next", {"input.amount": "12", "input.note_1": "early"})
    assert "Step 2 of 2" in words([second])
    back = await pressed(chat, BOB, second, "Back", {"input.more": "typed just now"})
    assert values_in(back)["input.note_1"] == "early"
    wrong = await pressed(chat, BOB, back, "Next", {"input.amount": "a dozen", "input.due": "tomorrow"})
    assert (values_in(wrong)["input.amount"], values_in(wrong)["input.due"]) == ("a dozen", "tomorrow")
    reopened = values_in(await opened(chat, BOB, question))
    assert (reopened["input.amount"], reopened["input.due"]) == ("a dozen", "tomorrow")
    right = {"input.amount": "12", "input.due": "2026-12-24T18:30+01:00"}
    again = await pressed(chat, BOB, wrong, "Next", right)
    assert values_in(again)["input.more"] == "typed just now"
    wrong = await pressed(chat, BOB, again, "Send")
    assert "⚠" in words([wrong])
    await pressed(chat, BOB, wrong, "Send", {"input.last": "done"})
    assert (await values_of(chat, question))["more"] == "typed just now"


async def test_who_is_late_sees_who_was_first_and_what_they_typed_in_all_steps(chat: TeamsChat) -> None:
    question = await asked(chat)
    bob = await pressed(chat, BOB, await opened(chat, BOB, question), "Next", {"input.amount": "12.5"})
    ada = await pressed(chat, ADA, await opened(chat, ADA, question), "Next", {"input.amount": "1"})
    await pressed(chat, ADA, ada, "Send", {"input.last": "hers"})
    late = words([await pressed(chat, BOB, bob, "Send", {"input.last": "his"})])
    for part in ("Ada was first", "12.5", "his"):
        assert part in late
    assert (await values_of(chat, question))["last"] == "hers"


@pytest.mark.parametrize(
    ("locale", "timezone", "typed", "amount", "due"),
    [
        ("de-DE", "Europe/Berlin", ("1.234,5", "24.12.2026 18:30"), 1234.5, "2026-12-24T18:30:00+01:00"),
        ("en-US", "America/New_York", ("1,234.5", "2026-12-24 18:30"), 1234.5, "2026-12-24T18:30:00-05:00"),
        ("de-CH", "Europe/Zurich", ("1234.5", "24.12.2026 18:30"), 1234.5, "2026-12-24T18:30:00+01:00"),
    ],
)
async def test_numbers_and_times_are_read_as_the_persons_client_writes_them(
    chat: TeamsChat, locale: str, timezone: str, typed: tuple[str, str], amount: float, due: str
) -> None:
    ada = chat.people[ADA]
    ada.locale, ada.timezone = locale, timezone
    question = await asked(chat)
    first = await opened(chat, ADA, question)
    given = {"input.amount": typed[0], "input.due": typed[1]}
    second = await pressed(chat, ADA, first, "Next", given)
    await pressed(chat, ADA, second, "Send", {"input.last": "done"})
    values = await values_of(chat, question)
    assert (values["amount"], values["due"]) == (amount, due)


async def test_what_a_client_does_not_say_stays_as_it_was_said_before(chat: TeamsChat) -> None:
    ada = chat.people[ADA]
    ada.locale, ada.timezone = "fr-FR", "Europe/Paris"
    await chat.command(ADA, "help")
    ada.locale, ada.timezone = "", ""
    await chat.command(ADA, "help")
    assert await chat.inbound.people.locale(ada.object_id) == Locale(tag="fr-FR", timezone="Europe/Paris")
    assert await chat.inbound.people.locale(chat.people[BOB].object_id) == Locale()


CALL: dict[str, JsonValue] = {"note": "A", "text": "It is long. " * 400}


@pytest.mark.parametrize(
    ("action", "label"), [(actions.OPEN_EDIT, "Approve"), (actions.OPEN_REJECT, "Reject")]
)
async def test_a_form_about_what_is_no_longer_asked_never_counts(
    chat: TeamsChat, action: str, label: str
) -> None:
    call = ToolCall(tool="publish", arguments=CALL, proposed=CALL, editable=("note", "text"))
    both = Policy(deciders=tuple(chat.person(each).principal for each in (ADA, BOB)), need=2)
    question = await chat.asking(source=Source.GATE, call=call, policy=both)
    shown = await sent(chat, BOB, "task/fetch", card_data.button(action, target_of(question).encode()))
    edit = Approve(
        actor=chat.person(ADA), key="edit", digest=question.digest, arguments={"text": "It is short."}
    )
    await chat.store.questions.respond(question.run_id, question.id, edit)
    for _ in range(2):
        shown = await pressed(chat, BOB, shown, label)
        assert "changed since you were shown it" in words([shown])
    assert len(await chat.store.questions.responses(question.run_id, question.id)) == 1
