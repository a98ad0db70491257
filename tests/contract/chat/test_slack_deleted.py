"""Messages of the app that somebody deletes in Slack, which tells of it in one of two ways."""

from __future__ import annotations

import pytest

from bot.core.ports.outbox import redrawn_message
from bot.surfaces.chat.message_keys import direct_question
from bot.surfaces.chat.messages import text_message
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.slack import SURFACE
from tests.contract.chat.finishing import finished
from tests.contract.chat.played_crew import ADA
from tests.contract.chat.slack_inbound import slack_chat_over_http


@pytest.mark.parametrize("replied", [True, False])
async def test_a_direct_question_is_to_be_shown_anew_with_and_without_replies(
    redis_url: str, *, replied: bool
) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        question, ada = await chat.asking("ok", ADA), chat.people[ADA]
        posted = await chat.api.post(await chat.api.open_direct(ada.id), text_message("Publish it?"))
        where = ChatPlace(SURFACE, chat.slack.workspace.team_id, posted.channel, posted.message_id)
        await chat.store.runs.add_place(question.run_id, where.encode())
        name = direct_question(question.id, ada.id)
        await chat.store.outbox.adopt(SURFACE, question.run_id, name, posted.encode())
        if replied:
            await ada.reply(posted.channel, posted.message_id, "Which one?")
        await ada.delete(chat.slack.message(posted.channel, posted.message_id))
        await finished(chat.inbound.background)
        state = await chat.store.outbox.state(SURFACE, question.run_id)
        assert redrawn_message(posted.encode()) in state.outdated
