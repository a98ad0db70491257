"""Ids of conversations have a codec."""

import pytest

from bot.surfaces.chat.places import Conversation
from bot.surfaces.teams.conversations import CHAT, full_id, parse

CHANNEL, GROUP, PERSONAL = "19:abc@thread.tacv2", "19:abc@thread.v2", "a:1-xyz_"


@pytest.mark.parametrize(
    ("teams", "ours"),
    [
        (f"{CHANNEL};messageid=1700", Conversation(CHANNEL, "1700")),
        ("19:old@thread.skype;messageid=1", Conversation("19:old@thread.skype", "1")),
        (CHANNEL, Conversation(CHANNEL, None)),
        (GROUP, Conversation(GROUP, CHAT)),
        (PERSONAL, Conversation(PERSONAL, CHAT)),
    ],
)
def test_ids_of_conversations_come_back(teams: str, ours: Conversation) -> None:
    assert parse(teams) == ours
    assert full_id(ours) == teams


def test_a_message_in_a_chat_begins_no_reply_chain() -> None:
    assert full_id(Conversation(GROUP, "1700")) == GROUP
