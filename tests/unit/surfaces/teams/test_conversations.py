"""Ids of conversations have a codec."""

import pytest

from bot.surfaces.chat.places import Conversation
from bot.surfaces.teams.conversations import CHAT, full_id, is_personal, parse

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


TWO_PEOPLE = "19:8b0d7e1c-1111-4222-8333-444444444444_9c1e8f2d-5555-4666-8777-888888888888@unq.gbl.spaces"
MEETING = "19:meeting_MjQ0YzE5Nz@thread.v2"


@pytest.mark.parametrize("channel", [CHANNEL, "19:old@thread.skype", GROUP, MEETING, TWO_PEOPLE])
def test_where_others_read_nothing_is_personal(channel: str) -> None:
    assert not is_personal(channel)
    assert is_personal(PERSONAL)


def test_a_message_in_a_chat_begins_no_reply_chain() -> None:
    assert full_id(Conversation(GROUP, "1700")) == GROUP
