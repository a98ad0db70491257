"""Microsoft's SDK as a second opinion: its types know what we read and what we send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import ModuleType

import pytest

from bot.surfaces.chat import actions
from bot.surfaces.chat.inbound.ports import Reply
from bot.surfaces.chat.messages import Actions, Button, Form, Message, Paragraph, text_message
from bot.surfaces.teams import card_data
from bot.surfaces.teams.inbound import invokes
from bot.surfaces.teams.inbound.invokes import DialogAnswer, PressAnswer
from bot.surfaces.teams.inbound.payloads import Activity
from bot.surfaces.teams.renderer import render_card, render_message
from tests.loopback.teams import Body, LoopbackTeams, Person

BUTTON = Button("Approve", actions.ANSWER_APPROVE, "run question")
ASKED = Message(("May it go on?",), (Paragraph(("May it go on?",)), Actions((BUTTON,))))


@pytest.fixture(scope="module")
def sdk() -> ModuleType:
    """Imported by who needs it: that takes a second."""
    imported: ModuleType = pytest.importorskip("microsoft_teams.api")
    return imported


@pytest.fixture
async def teams() -> AsyncIterator[LoopbackTeams]:
    async with LoopbackTeams() as made:
        yield made


def activities(teams: LoopbackTeams, ada: Person) -> list[Body]:
    channel = teams.channel()
    execute = {
        "type": "Action.Execute",
        "verb": "crewdeck",
        "data": card_data.button("answer.approve", "run"),
    }
    task = {"data": card_data.form("start", "draft"), "context": {"theme": "default"}}
    return [
        ada.activity("message", channel, "1", text="<at>Crewdeck</at> start demo"),
        ada.activity("message", ada.chat, "", value=card_data.button("answer.approve", "run")),
        ada.activity("messageUpdate", channel, "1", text="changed", channelData={"eventType": "editMessage"}),
        ada.activity("messageDelete", channel, "1", channelData={"eventType": "softDeleteMessage"}),
        ada.activity(
            "invoke", channel, "1", name="adaptiveCard/action", value={"action": execute, "trigger": "manual"}
        ),
        ada.activity("invoke", channel, "1", name="task/fetch", value=task),
        ada.activity("invoke", channel, "1", name="task/submit", value=task),
        ada.activity("installationUpdate", ada.chat, "", action="add"),
    ]


async def test_the_activities_of_the_loopback_are_microsofts_and_ours(
    teams: LoopbackTeams, sdk: ModuleType
) -> None:
    for given in activities(teams, teams.person("Ada")):
        theirs, ours = sdk.ActivityTypeAdapter.validate_python(given), Activity.model_validate(given)
        assert theirs.type == ours.type
        assert theirs.id == ours.id
        assert theirs.conversation.id == ours.chat.id
        assert theirs.from_.aad_object_id == ours.sender.object_id


def test_messages_are_what_the_sdk_would_send(sdk: ModuleType) -> None:
    for message in (ASKED, text_message("Hello")):
        sent = sdk.MessageActivityInput.model_validate(render_message(message))
        assert sent.type == "message"
        assert sent.text or sent.attachments


async def test_answers_to_presses_are_what_the_sdk_would_give(sdk: ModuleType) -> None:
    async def current() -> Body:
        # Microsoft's documentation has `Full`, its types have `full`; Teams takes both.
        return render_card(ASKED) | {"msteams": {"width": "full"}}

    answer = PressAnswer(current)
    for reply in (Reply(), Reply(say=text_message("That isn't yours to decide."))):
        await answer(reply)
        known = sdk.AdaptiveCardInvokeResponse
        types = getattr(known, "__args__", (known,))
        assert any(_reads(each, answer.body) for each in types), answer.body


async def test_dialogs_are_what_the_sdk_would_open(sdk: ModuleType) -> None:
    form = Form("Answer", (Paragraph(("Your answer",)),), callback="reply", metadata="run", submit="Send")
    answer = DialogAnswer()
    for reply in (Reply(form=form), Reply(say=text_message("Too late.")), Reply()):
        await answer(reply)
        assert _reads(sdk.TaskModuleResponse, answer.body), answer.body
    assert invokes.dialog(form)["task"]["type"] == "continue"


def _reads(kind: type, body: Body) -> bool:
    """Whether one of the SDK's types takes a body."""
    try:
        kind.model_validate(body)  # type: ignore[attr-defined]
    except ValueError:
        return False
    return True
