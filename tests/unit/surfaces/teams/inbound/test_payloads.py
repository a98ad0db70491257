"""Activities as the engine's values: keys, places, who said what to whom, and what is quoted."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.locales import Locale
from bot.surfaces.chat.inbound.ports import ReplyTarget
from bot.surfaces.chat.places import MessageRef
from bot.surfaces.teams.card_data import Pressed, Submitted
from bot.surfaces.teams.inbound.payloads import UNKNOWN, Activity, quoted_in, without_quotes
from tests.linear import LINEAR, growth

TENANT = "00000000-0000-0000-0000-000000007e4a"
CHANNEL, GROUP, PERSONAL = "19:x@thread.tacv2", "19:x@thread.v2", "a:x"
APP = {"id": "28:app", "name": "Crewdeck"}


def mention(account_id: str, name: str, **more: Any) -> dict[str, Any]:
    mentioned = {"id": account_id, "name": name, **more}
    return {"type": "mention", "mentioned": mentioned, "text": f"<at>{name}</at>"}


def activity(where: str = f"{CHANNEL};messageid=1", kind: str = "channel", **more: Any) -> Activity:
    given = {
        "type": "message",
        "id": "1700",
        "timestamp": "2026-11-29T12:00:00.500Z",
        "serviceUrl": "https://smba.example/emea/",
        "from": {"id": "29:ada", "name": "Ada", "aadObjectId": "ADA"},
        "recipient": APP,
        "conversation": {"id": where, "conversationType": kind, "tenantId": TENANT},
        **more,
    }
    return Activity.model_validate(given)


@pytest.mark.parametrize(
    ("where", "kind", "target"),
    [
        (f"{CHANNEL};messageid=1", "channel", ReplyTarget(TENANT, "ada", CHANNEL, "1")),
        (GROUP, "groupChat", ReplyTarget(TENANT, "ada", GROUP, "chat")),
        (PERSONAL, "personal", ReplyTarget(TENANT, "ada", PERSONAL, "chat")),
    ],
)
def test_a_reply_goes_to_the_chain_or_the_chat(where: str, kind: str, target: ReplyTarget) -> None:
    made = activity(where, kind)
    assert made.to_sender == target
    assert made.incoming().reply_to == target
    assert made.incoming().is_reply
    assert made.incoming().sent_at == pytest.approx(1795953600.5)


def test_in_a_personal_chat_all_is_said_to_the_app() -> None:
    message = activity(PERSONAL, "personal", text="start demo").incoming()
    assert (message.direct, message.addressed, message.command_text({})) == (True, "start demo", "start demo")


def test_in_a_channel_only_what_begins_with_a_mention_is() -> None:
    said = activity(text="<at>Crewdeck</at> start demo", entities=[mention("28:app", "Crewdeck")])
    assert said.incoming().addressed == "start demo"
    assert activity(text="start demo").incoming().addressed is None


def test_a_mention_without_its_text_is_found_by_the_name() -> None:
    """Teams leaves the text out where the name has an ampersand in it."""
    app, bob = mention("28:app", "R&D crews"), mention("29:bob", "Bob & Bo")
    del app["text"], bob["text"]
    said = activity(text="<at>R&D crews</at> start demo <at>Bob & Bo</at>", entities=[app, bob]).incoming()
    assert (said.addressed, said.command_text({})) == ("start demo @Bob & Bo", "start demo @Bob & Bo")


def test_in_the_chat_of_two_people_not_all_is_said_to_the_app() -> None:
    message = activity("19:a_b@unq.gbl.spaces", "personal", text="start demo").incoming()
    assert (message.direct, message.addressed) == (False, None)


def test_who_else_is_mentioned_makes_it_talk() -> None:
    talk = activity(text="<at>Bob</at> and now?", entities=[mention("29:bob", "Bob")]).incoming()
    assert (talk.names_others, talk.speaks_to_others) == (True, True)
    tag = activity(text="see <at>Ops</at>", entities=[mention("tag", "Ops", type="tag")]).incoming()
    assert (tag.names_others, tag.speaks_to_others) == (True, True)
    both = activity(
        text="<at>Crewdeck</at> ask <at>Bob</at>",
        entities=[mention("28:app", "Crewdeck"), mention("29:bob", "Bob")],
    ).incoming()
    assert (both.names_others, both.speaks_to_others) == (False, False)
    assert both.answer_text({}) == "ask @Bob"


def test_attached_files_are_named_and_other_attachments_are_not() -> None:
    files = [
        {"contentType": "application/vnd.microsoft.teams.file.download.info", "name": "tides.csv"},
        {"contentType": "text/html", "content": "<p>see</p>"},
        {"contentType": "messageReference", "id": "17"},
        {"contentType": "image/png", "contentUrl": "https://smba.example/1"},
    ]
    said = activity(text="see", attachments=files).incoming()
    assert said.answer_text({}) == "see"
    assert said.attached == ("tides.csv", "")
    assert activity(text="see", attachments=files[1:3]).incoming().attached == ()


@pytest.mark.parametrize(
    ("other", "follows"),
    [("1699", True), ("1701", False), ("1:aBc", None), ("\u0661\u0667\u0660\u0661", None)],
)
def test_a_message_follows_those_with_a_smaller_number(other: str, *, follows: bool | None) -> None:
    assert activity(id="1700").incoming().follows(other) is follows


@pytest.mark.parametrize(
    "sender",
    [{"id": "28:app", "aadObjectId": "x"}, {"id": "28:other", "name": "Bot"}, {"id": "29:anonymous"}],
)
def test_apps_and_anonymous_people_are_no_persons(sender: dict[str, Any]) -> None:
    given: dict[str, Any] = {"from": sender}
    assert not activity(**given).incoming().from_person


def test_a_press_is_on_the_message_that_it_replies_to_and_one_in_a_dialog_on_none() -> None:
    made = activity(type="invoke", replyToId="1699")
    pressed = Pressed("answer.approve", "run question", ("a", "b"))
    on_card, in_dialog = made.press(pressed), made.press(pressed, form_id="dialog")
    assert on_card.message == MessageRef(CHANNEL, "1699")
    assert on_card.ticked == ("a", "b")
    assert in_dialog.message is None
    assert on_card.key == f"teams:{TENANT}:invoke:{CHANNEL}:1700"


def test_a_submission_has_the_fields_by_name() -> None:
    sent = activity(type="invoke").submission(Submitted("start", "draft", {"input.topic": "mills"}))
    assert (sent.callback, sent.metadata, sent.values) == ("start", "draft", {"input.topic": "mills"})
    assert sent.installation == CHANNEL


PARIS = {"type": "clientInfo", "locale": "fr-FR", "timezone": "Europe/Paris"}


@pytest.mark.parametrize(
    ("more", "tag", "timezone"),
    [
        ({}, "", ""),
        ({"locale": "de-DE", "localTimezone": "Europe/Berlin"}, "de-DE", "Europe/Berlin"),
        ({"locale": None, "localTimezone": None}, "", ""),
        ({"entities": [PARIS]}, "fr-FR", "Europe/Paris"),
        ({"locale": "en-GB", "entities": [PARIS]}, "en-GB", "Europe/Paris"),
        ({"entities": [PARIS | {"type": "mention"}]}, "", ""),
        ({"locale": "x" * 5000}, "x" * 100, ""),
    ],
)
def test_a_client_says_its_locale_and_time_zone(more: dict[str, Any], tag: str, timezone: str) -> None:
    assert activity(**more).client_locale == Locale(tag=tag, timezone=timezone)


REPLY = 'itemscope itemtype="http://schema.skype.com/Reply"'


@pytest.mark.parametrize(
    ("html", "ids"),
    [
        pytest.param("<p>Approve</p>", [], id="nothing"),
        pytest.param(f'<blockquote {REPLY} itemid="17"><p>Pay?</p></blockquote>Approve', ["17"], id="one"),
        pytest.param(f"<BLOCKQUOTE itemid='17'\n{REPLY}>", ["17"], id="another order, case and quotes"),
        pytest.param(
            f'<blockquote {REPLY} itemid="1">a</blockquote><blockquote {REPLY} itemid="2">',
            ["1", "2"],
            id="two",
        ),
        pytest.param(f"<blockquote {REPLY}>", [UNKNOWN], id="nobody knows which"),
        pytest.param('<blockquote itemid="17">as people quote themselves</blockquote>', [], id="no message"),
    ],
)
def test_quoted_messages_are_found_in_html(html: str, ids: list[str]) -> None:
    assert list(quoted_in(html)) == ids


@pytest.mark.parametrize(
    "unit", ["<blockquote ", f"<blockquote {REPLY} ", "<blockquote itemtype=", "itemid='"]
)
def test_html_is_read_in_linear_time(unit: str) -> None:
    assert growth(lambda times: list(quoted_in(unit * times)), 10_000) < LINEAR


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<quoted messageId="17"/> Approve', "Approve"),
        ('<quoted messageId="17"></quoted>Approve', "Approve"),
        ("Approve", "Approve"),
    ],
)
def test_tags_that_stand_for_quotes_are_no_words(text: str, words: str) -> None:
    assert without_quotes(text) == words
