"""A question's message where its run does not live: all can be pressed, and people are who they are here."""

from __future__ import annotations

import pytest

from bot.core.people.actor import Actor
from bot.core.runs.place import Place
from bot.core.runs.run import Run, RunStatus
from bot.surfaces.chat.formatted_text import Mention, plain_words, platform_suffix
from bot.surfaces.chat.messages import Actions, Audience, Button, Message, Paragraph, SmallPrint
from bot.surfaces.chat.wording.relayed import as_known, relayed
from tests.contract.examples import new_run

ADA = Actor(surface="teams", tenant="T", user_id="ada", name="Ada")
HERE = Mention("slack:T1:U0ADA", "Ada L.")
KNOWN = {"teams:T:ada": HERE, "teams::ada": HERE}


def a_run() -> Run:
    place = Place(surface="teams", tenant="T", ref="c/m")
    fields = new_run(by=ADA, place=place).model_dump(
        include={"id", "crew", "requester", "approvers", "cancellers"}
    )
    return Run(**fields, place=place, status=RunStatus.INPUT_REQUIRED, created_at=0)


def test_a_relayed_question_offers_all_and_says_where_it_is_from() -> None:
    row = Actions((Button("Approve", "answer.approve"),), Audience(("teams:T:ada",), "about"))
    message = Message(("Publish?",), (Paragraph(("Publish?",)), row))
    shown = relayed(message, a_run(), KNOWN)
    assert [each.audience for each in shown.blocks if isinstance(each, Actions)] == [None]
    *_, last = shown.blocks
    assert isinstance(last, SmallPrint)
    assert plain_words(last.lines[0]).startswith("Asked in Teams, in a run of Ada. ")


def test_text_alone_says_it_too() -> None:
    shown = relayed(Message(("Publish?",)), a_run(), {})
    assert shown.blocks == ()
    assert "Asked in Teams" in plain_words(shown.summary)


def test_who_is_known_here_is_mentioned_as_such_and_who_acted_elsewhere_is_not() -> None:
    acted = Mention("teams:T:ada", "Ada")
    lines = (("Ask ", Mention("teams::ada"), " or ", Mention("teams:T:bob")), (acted, " approved"))
    shown = as_known(Message(lines[0], tuple(map(Paragraph, lines))), KNOWN)
    expected = ("Ask ", HERE, " or ", Mention("teams:T:bob"))
    assert shown == Message(expected, (Paragraph(expected), Paragraph(lines[1])))


@pytest.mark.parametrize(
    ("here", "principal", "words"),
    [
        ("slack", "teams:T:ada", ", in Teams"),
        ("teams", "slack:T1:U1", ", in Slack"),
        ("slack", "slack:T1:U1", ""),
        ("teams", "http::key:ci", ""),
        ("slack", "console::ada", ""),
    ],
)
def test_where_somebody_acts_is_said_of_other_chat_platforms(here: str, principal: str, words: str) -> None:
    assert platform_suffix(here, Mention(principal, "Ada")) == words
