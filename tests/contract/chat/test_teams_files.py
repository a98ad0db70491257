"""Files that are offered in a personal chat of Teams, and what their reader answers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.surfaces.chat.platform import SharedFile
from tests.contract.chat.played_crew import ADA
from tests.contract.chat.teams_inbound import TeamsChat, teams_chat
from tests.loopback.teams import Message
from tests.loopback.teams.people import Person

TIDES = SharedFile("tides.md", b"# Tides", "The result")
INFO = "application/vnd.microsoft.teams.card.file.info"


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[TeamsChat]:
    async with teams_chat(redis_url) as made:
        await made.command(ADA, "help")  # from what Teams sends, the app learns where to post
        yield made


async def offered(chat: TeamsChat, ada: Person) -> Message:
    """The message with the file."""
    await chat.platform.upload(await chat.platform.open_direct(ada.object_id), TIDES, run_id="run")
    return chat.teams.messages(ada.chat)[-1]


async def test_a_file_that_is_wanted_is_uploaded_once_and_shown(chat: TeamsChat) -> None:
    ada = chat.people[ADA]
    message = await offered(chat, ada)
    for _ in range(2):
        assert (await ada.answer_file_consent(message, chat.teams.upload_url(TIDES.name))).status == 200
    assert chat.teams.uploads == {TIDES.name: TIDES.content}
    shown = [each for each in chat.teams.messages(ada.chat) if INFO in str(each.body.get("attachments"))]
    assert [each.body["attachments"][0]["name"] for each in shown] == [TIDES.name]


async def test_a_file_that_is_declined_can_not_be_had_later(chat: TeamsChat) -> None:
    ada = chat.people[ADA]
    message = await offered(chat, ada)
    address = chat.teams.upload_url(TIDES.name)
    assert (await ada.answer_file_consent(message, address, accept=False)).status == 200
    assert (await ada.answer_file_consent(message, address)).status == 200
    assert chat.teams.uploads == {}
    assert chat.teams.messages(ada.chat)[-1].body == message.body
