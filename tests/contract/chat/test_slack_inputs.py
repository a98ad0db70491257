"""A crew's inputs as their writer saw them, whatever Slack makes of them on the way."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.ports.lists import RunFilter
from tests.contract.chat.finishing import finished
from tests.contract.chat.played_crew import ADA
from tests.contract.chat.slack_inbound import CHANNEL, SlackChat, slack_chat_over_http

TADA = {"type": "emoji", "name": "tada", "unicode": "1f389"}
LOGO = {"type": "emoji", "name": "our_logo"}


def blocks(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks of a message, as far as they say which emoji it has."""
    section = {"type": "rich_text_section", "elements": list(elements)}
    return [{"type": "rich_text", "block_id": "text", "elements": [section]}]


async def topic(chat: SlackChat) -> object:
    """The only input of the only run, which was started by these words."""
    await finished(chat.inbound.background)
    [run] = await chat.store.runs.list(RunFilter(requester=chat.person(ADA).principal, limit=10))
    return run.inputs["topic"]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("a :tada: party", "a 🎉 party"),
        ('topic=":tada: party"', "🎉 party"),
        ("our :our_logo: here", "our :our_logo: here"),
        ("2001:db8:a:1", "2001:db8:a:1"),
        ("call <tel:+15551234567|(555) 123-4567>", "call (555) 123-4567"),
        ("<mailto:ada@example.org|ada@example.org>", "ada@example.org"),
        ('topic="Smith &amp; Sons &lt;old&gt;"', "Smith & Sons <old>"),
    ],
)
@pytest.mark.parametrize("how", ["command", "direct message"])
async def test_an_input_is_what_was_written(redis_url: str, how: str, sent: str, read: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        ada, text = chat.people[ADA], f"start greeter {sent}"
        if how == "command":
            await ada.command("/crew", text, CHANNEL)
        else:
            await ada.say(ada.im, text, blocks=blocks(TADA, LOGO))
        assert await topic(chat) == read


async def test_a_message_says_which_of_its_words_are_emoji(redis_url: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        ada = chat.people[ADA]
        await ada.say(ada.im, "start greeter the code is :tada:", blocks=blocks())
        assert await topic(chat) == "the code is :tada:"
