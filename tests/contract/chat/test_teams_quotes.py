"""Replies that quote a message: they are about that one, and decide no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from bot.core.questions.question import Action, QuestionKind
from tests.contract.chat.played_crew import ADA
from tests.contract.chat.teams_inbound import TeamsChat, teams_chat
from tests.loopback.teams import Body

Quote = Callable[[str], Body]


def by_entity(message_id: str) -> Body:
    quoted = {"type": "quotedReply", "quotedReply": {"messageId": message_id, "preview": "Pay?"}}
    return {"entities": [quoted], "text": f'<quoted messageId="{message_id}"/> Approve'}


def by_block_quote(message_id: str) -> Body:
    html = (
        f'<blockquote itemscope itemtype="http://schema.skype.com/Reply" itemid="{message_id}">'
        '<p itemprop="preview">Pay?</p></blockquote><p>Approve</p>'
    )
    return {"attachments": [{"contentType": "text/html", "content": html}], "text": "Approve"}


EITHER_WAY = pytest.mark.parametrize("quote", [by_entity, by_block_quote])


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[TeamsChat]:
    async with teams_chat(redis_url) as made:
        yield made


@EITHER_WAY
async def test_approve_under_a_quote_of_another_message_approves_nothing(
    chat: TeamsChat, quote: Quote
) -> None:
    question = await chat.asking(posted=False)
    await chat.show(question, "17")
    assert "quoted a message that asks nothing now" in await chat.says(ADA, "", **quote("16"))
    assert "quoted a message that asks nothing now" in await chat.says(ADA, "", **quote(""))
    assert await chat.outcome(question) == ""


@EITHER_WAY
async def test_a_quote_says_which_question_is_meant(chat: TeamsChat, quote: Quote) -> None:
    first, second = await chat.asking("first", posted=False), await chat.asking("second", posted=False)
    await chat.show(first, "17")
    await chat.show(second, "18")
    assert await chat.says(ADA, "", **quote("18")) == ""
    assert [await chat.outcome(each) for each in (first, second)] == ["", Action.APPROVE]


async def test_words_under_a_quote_are_the_answer_without_the_quote(chat: TeamsChat) -> None:
    question = await chat.asking(posted=False, kind=QuestionKind.TEXT, options=())
    await chat.show(question, "17")
    assert await chat.says(ADA, "", **by_entity("17")) == ""
    outcome = (await chat.store.questions.get(question.run_id, question.id)).outcome
    assert outcome is not None
    assert outcome.comment == "Approve"
