"""User groups that a policy names by handle are pinged, as soon as Slack has said which group that is."""

from __future__ import annotations

import json

from bot.surfaces.chat.formatted_text import Mention
from bot.surfaces.chat.messages import text_message
from bot.surfaces.chat.places import Conversation
from tests.contract.chat.slack_inbound import CHANNEL, SlackChat, slack_chat_over_http

FINANCE = text_message(Mention("slack::@finance"), " can answer.")


async def posted(chat: SlackChat) -> str:
    at = await chat.api.post(Conversation(CHANNEL, chat.parent.ts), FINANCE)
    return json.dumps(chat.slack.message(CHANNEL, at.message_id).body)


async def test_a_group_is_pinged_where_slack_says_which_it_is(redis_url: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        chat.slack.user_group("S0FIN1234", "Finance", tuple(chat.people.values()))
        for _ in range(2):
            assert '"usergroup_id": "S0FIN1234"' in await posted(chat)
    assert len(chat.slack.called("usergroups.list")) == 1


async def test_a_group_that_slack_does_not_tell_of_is_named(redis_url: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        chat.slack.fail("usergroups.list", error="missing_scope", times=None)
        for _ in range(2):
            shown = await posted(chat)
            assert "@finance" in shown
            assert "usergroup_id" not in shown
    assert len(chat.slack.called("usergroups.list")) == 1
