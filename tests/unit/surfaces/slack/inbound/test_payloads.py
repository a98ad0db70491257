"""Forms come back as what people wrote."""

from bot.surfaces.chat.actions import REPLY, REPLY_FIELD
from bot.surfaces.slack.inbound.payloads import Submission


def test_words_are_read_as_their_writer_saw_them() -> None:
    assert said("shorter :+1:") == {REPLY_FIELD: "shorter 👍"}
    assert said(None) == {REPLY_FIELD: ""}


def said(value: str | None) -> object:
    values = {REPLY_FIELD: {REPLY_FIELD: {"value": value}}}
    view = {"id": "V1", "callback_id": REPLY, "state": {"values": values}}
    sent = {"team": {"id": "T1"}, "user": {"id": "U1"}, "view": view}
    return Submission.model_validate(sent).form_submission().values
