"""What Slack is answered, and what of a reply an answer can't carry."""

from bot.surfaces.chat.inbound.interactions import SILENT, Reply, said
from bot.surfaces.chat.messages import Form
from bot.surfaces.chat.wording.forms import WHOLE_FORM
from bot.surfaces.slack.inbound.acknowledgement import (
    NOTHING,
    Ack,
    Acknowledgement,
    of_command,
    of_modal,
    of_press,
)

FORM = Form("Your answer", (), submit="Send", callback="reply")


def test_a_command_is_answered_with_its_words_for_this_person_only() -> None:
    given, left = of_command(said("Started."))
    assert isinstance(given.body, dict)
    assert given.status == 200
    assert given.body["response_type"] == "ephemeral"
    assert given.body["text"] == "Started."
    assert left == SILENT


def test_a_command_that_says_nothing_is_answered_with_nothing() -> None:
    reply = Reply(form=FORM)
    assert of_command(reply) == (NOTHING, reply)


def test_a_press_carries_no_reply() -> None:
    reply = said("Approved.")
    assert of_press(reply) == (NOTHING, reply)


def test_what_is_wrong_in_a_modal_is_said_at_its_fields() -> None:
    reply = Reply(errors={"amount": "A number, please.", WHOLE_FORM: "Too late."})
    errors = {"amount": "A number, please.", "first": "Too late."}
    carried = Acknowledgement(body={"response_action": "errors", "errors": errors})
    assert of_modal(reply, "first") == (carried, SILENT)


def test_a_modal_shows_its_next_step() -> None:
    given, left = of_modal(Reply(form=FORM), "first")
    assert isinstance(given.body, dict)
    assert given.body["response_action"] == "update"
    assert given.body["view"]["callback_id"] == "reply"
    assert left == SILENT


def test_a_modal_without_more_to_show_closes() -> None:
    reply = said("Approved.")
    assert of_modal(reply, "first") == (NOTHING, reply)


async def test_an_acknowledgement_is_kept_and_the_rest_is_returned() -> None:
    ack = Ack(of_command)
    assert ack.given == NOTHING
    assert await ack(said("Started.")) == SILENT
    assert ack.given == of_command(said("Started."))[0]
