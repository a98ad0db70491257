"""User groups that a policy names by handle are pinged, as soon as Slack has said which group that is."""

from __future__ import annotations

import json

from bot.surfaces.chat.messages import Mention, said
from bot.surfaces.chat.places import Conversation
from tests.contract.chat.slack_inbound import CHANNEL, SlackChat, slack_chat_over_http

FINANCE = said(Mention("slack::@finance"), " can answer.")


async def posted(chat: SlackChat) -> str:
    at = await chat.api.post(Conversation(CHANNEL, chat.parent.ts), FINANCE)
    return json.dumps(chat.slack.message(CHANNEL, at.message_id).body)


async def test_a_group_is_pinged_once_its_id_was_read(redis_url: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        chat.slack.user_group("S0FIN1234", "Finance", tuple(chat.people.values()))
        before = await posted(chat)
        assert "S0FIN1234" not in before
        assert "@finance" in before
        await chat.api.user_groups()
        assert '"usergroup_id": "S0FIN1234"' in await posted(chat)
