"""Messages of Microsoft Graph as activities: their text, their mentions, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from bot.surfaces.chat.inbound.ports import IncomingMessage
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.teams.inbound.history import as_activity, text_of
from bot.surfaces.teams.inbound.payloads import Activity

APP = "11111111-1111-4111-8111-111111111111"
ADA = "22222222-2222-4222-8222-222222222222"
PLACE = ChatPlace("teams", "tenant", "19:c@thread.tacv2", "1700")


def message(content: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "1701",
        "messageType": "message",
        "createdDateTime": "2026-11-29T10:00:00.5Z",
        "from": {"user": {"id": ADA, "displayName": "Ada"}},
        "body": {"contentType": "html", "content": content},
        **more,
    }


def incoming(given: dict[str, Any]) -> IncomingMessage | None:
    made = as_activity(given, PLACE, APP)
    return Activity.model_validate(made).incoming() if made else None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>yes</p>", "yes"),
        ("1 &lt; 2 &amp; 3&nbsp;", "1 < 2 & 3"),
        ("<div>one<br>two</div><p>three</p>", "one\ntwo\nthree"),
        ('<p><at id="0">Ada B</at>&nbsp;yes</p>', "<at>Ada B</at>\u00a0yes"),
        ('<p>fine <emoji id="smile" alt="🙂"></emoji></p>', "fine 🙂"),
        ("<p>unclosed <b>bold", "unclosed bold"),
        ("&lt;at&gt;typed&lt;/at&gt;", "<at>typed</at>"),
        ("", ""),
    ],
)
def test_html_becomes_the_text_of_an_activity(content: str, text: str) -> None:
    assert text_of(content) == text


def test_a_message_is_the_same_as_the_activity_that_was_missed() -> None:
    mentions = [{"id": 0, "mentionText": "Crewdeck", "mentioned": {"application": {"id": APP}}}]
    said = incoming(message('<p><at id="0">Crewdeck</at>&nbsp;approve</p>', mentions=mentions))
    assert said is not None
    assert said.key == "teams:tenant:message:19:c@thread.tacv2:1701"
    assert (said.reply_to.user, said.reply_to.thread) == (ADA, "1700")
    assert said.sent_at == 1795946400.5
    assert said.from_person
    assert said.addressed == "approve"
    assert not said.names_others


def test_a_message_quotes_what_its_attachments_refer_to() -> None:
    attachments = [{"id": "17", "contentType": "messageReference", "content": "{}"}, {"id": "18"}]
    said = incoming(message('<attachment id="17"></attachment><p>approve</p>', attachments=attachments))
    assert said is not None
    assert said.quoted == {"17"}
    assert said.answer_text({}) == "approve"


def test_whom_a_message_mentions_is_told_apart_from_the_app() -> None:
    mentions = [{"id": 0, "mentionText": "Bob", "mentioned": {"user": {"id": "b"}}}]
    said = incoming(message('<p><at id="0">Bob</at> can you look?</p>', mentions=mentions))
    assert said is not None
    assert said.names_others
    assert said.speaks_to_others


@pytest.mark.parametrize(
    "more",
    [
        {"lastEditedDateTime": "2026-11-29T10:01:00Z"},
        {"deletedDateTime": "2026-11-29T10:01:00Z"},
        {"messageType": "systemEventMessage"},
        {"from": {"application": {"id": APP}}},
        {"from": None},
        {"from": {"user": {"id": ""}}},
        {"from": {"user": "Ada"}},
    ],
)
def test_what_no_person_wrote_or_has_changed_since_is_left_out(more: dict[str, Any]) -> None:
    assert incoming(message("<p>approve</p>", **more)) is None
