"""What an event of Slack's says: which message somebody deleted."""

from typing import Any

import pytest

from bot.surfaces.chat.inbound.ports import DeletedMessage
from bot.surfaces.slack.inbound.event_payloads import Event

LEFT = {"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "ts": "1.0", "thread_ts": "1.0"}
REPLY = {"type": "message", "user": "U1", "ts": "2.0", "thread_ts": "1.0"}


def deleted(**said: Any) -> DeletedMessage | None:
    event = {"type": "message", "channel": "C1", "ts": "3.0", "hidden": True, **said}
    return Event.model_validate({"team_id": "T1", "event": event}).deleted("")


@pytest.mark.parametrize(
    ("said", "thread", "gone"),
    [
        ({"subtype": "message_deleted", "deleted_ts": "2.0", "previous_message": REPLY}, "1.0", "2.0"),
        ({"subtype": "message_deleted", "deleted_ts": "1.0"}, "1.0", "1.0"),
        ({"subtype": "message_changed", "message": LEFT, "previous_message": {"ts": "1.0"}}, "1.0", "1.0"),
        ({"subtype": "message_changed", "message": LEFT, "previous_message": None}, "1.0", "1.0"),
        ({"subtype": "message_deleted", "deleted_ts": "1.0", "previous_message": LEFT}, "1.0", "1.0"),
    ],
)
def test_a_message_that_is_deleted_is_known_with_and_without_replies(
    said: dict[str, Any], thread: str, gone: str
) -> None:
    assert deleted(**said) == DeletedMessage("T1", "C1", thread, gone)


@pytest.mark.parametrize(
    "said",
    [
        {"subtype": "message_changed", "message": REPLY, "previous_message": REPLY},
        {"subtype": "message_changed", "message": None},
        {"subtype": "message_deleted"},
        {"subtype": "message_replied", "message": LEFT},
        {"subtype": None},
    ],
)
def test_nothing_else_is_a_deletion(said: dict[str, Any]) -> None:
    assert deleted(**said) is None
