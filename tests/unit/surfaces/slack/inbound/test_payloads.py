"""Forms come back as what people wrote."""

import pytest

from bot.surfaces.chat.actions import REPLY, REPLY_FIELD
from bot.surfaces.slack.inbound.event_payloads import Event
from bot.surfaces.slack.inbound.payloads import BlockAction, Submission
from bot.surfaces.slack.webapi.files import SlackFile


def test_words_are_read_as_their_writer_saw_them() -> None:
    assert said("shorter :+1:") == {REPLY_FIELD: "shorter 👍"}
    assert said(None) == {REPLY_FIELD: ""}


def test_of_an_app_for_a_whole_organisation_the_team_is_the_persons() -> None:
    who = {"id": "U1", "team_id": "T1"}
    pressed = BlockAction.model_validate(
        {
            "team": None,
            "user": who,
            "actions": [{"action_id": "answer.approve", "value": "r1 q1", "action_ts": "1.1", "url": None}],
            "container": None,
            "state": None,
            "message": {"ts": "1.0", "thread_ts": None},
            "view": None,
        }
    ).press()
    assert (pressed.reply_to.tenant, pressed.value, pressed.key) == ("T1", "r1 q1", "slack:T1:press:U1:1.1")
    view = {"id": "V1", "callback_id": REPLY, "hash": None, "app_installed_team_id": None, "state": None}
    sent = Submission.model_validate({"team": None, "user": who, "view": view}).form_submission()
    assert (sent.reply_to.tenant, sent.key, sent.installation) == ("T1", "slack:T1:view:V1", "")


@pytest.mark.parametrize(
    ("more", "attached"),
    [
        ({"files": [{"name": "map.pdf"}, {"title": "Tides", "name": None}]}, ("map.pdf", "Tides")),
        ({"files": [{"id": "F1", "file_access": "check_file_info"}]}, ("",)),
        ({"attachments": [{"is_msg_unfurl": True, "text": "Approve"}]}, ("",)),
        ({"files": None, "attachments": None, "blocks": None}, ()),
    ],
)
def test_what_came_beside_words_is_known_by_name(more: dict[str, object], attached: tuple[str, ...]) -> None:
    message = {"type": "message", "channel": "C1", "ts": "1.5", "thread_ts": "1.0", "user": "U1", "text": ""}
    event = Event.model_validate({"team_id": "T1", "event": {**message, **more}})
    said = event.incoming("T1", "U0APP")
    assert (said.answer_text({}), said.attached) == ("", attached)


@pytest.mark.parametrize(("other", "follows"), [("1.499999", True), ("1.500000", False), ("1.6", False)])
def test_a_message_follows_those_with_an_earlier_timestamp(other: str, *, follows: bool) -> None:
    message = {"type": "message", "channel": "C1", "ts": "1.500000", "user": "U1", "text": "Yes"}
    event = Event.model_validate({"team_id": "T1", "event": message})
    assert event.incoming("T1", "U0APP").follows(other) is follows


def said(value: str | None) -> object:
    values = {REPLY_FIELD: {REPLY_FIELD: {"value": value}}}
    view = {"id": "V1", "callback_id": REPLY, "state": {"values": values}}
    sent = {"team": {"id": "T1"}, "user": {"id": "U1"}, "view": view}
    return Submission.model_validate(sent).form_submission().values


def test_a_file_of_which_slack_says_little_is_taken() -> None:
    chosen = {"id": "F1", "name": None, "mimetype": None, "size": None, "url_private": None}
    element = {"type": "file_input", "files": [chosen]}
    view = {"id": "V1", "callback_id": REPLY, "state": {"values": {"plan": {"plan": element}}}}
    sent = {"team": {"id": "T1"}, "user": {"id": "U1"}, "view": view}
    value = Submission.model_validate(sent).form_submission().values["plan"]
    assert SlackFile.model_validate_json(value) == SlackFile(id="F1")
