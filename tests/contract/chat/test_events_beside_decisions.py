"""What Slack tells of beside a decision: in any order, and as often as it likes, it decides nothing."""

from __future__ import annotations

import copy
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.core.questions.question import Action
from bot.surfaces.chat import actions
from tests.contract.chat.finishing import finished
from tests.contract.chat.memory_inbound import target_of
from tests.contract.chat.played_crew import ADA, BOB, GREETER
from tests.contract.chat.slack_inbound import CHANNEL, SlackChat, slack_chat_over_http
from tests.examples import SEED

ACTS = 80


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[SlackChat]:
    async with slack_chat_over_http(redis_url) as made:
        yield made


async def by_an_app(chat: SlackChat, **changes: Any) -> None:
    """An answer of Ada's as an app would write it, or as a notice has it."""
    await chat.says(BOB, "Approve")
    like = copy.deepcopy(chat.slack.deliveries[-1].parcel.payload)
    like["event"] |= {"user": chat.people[ADA].id, "ts": chat.slack.workspace.next_ts(), **changes}
    await chat.slack.deliver("events_api", like)
    await finished(chat.inbound.background)


async def again(chat: SlackChat, chance: random.Random) -> None:
    """Something is delivered once more."""
    await chat.people[ADA].redeliver(chance.choice(chat.slack.deliveries))
    await finished(chat.inbound.background)


async def test_whatever_is_told_beside_a_decision_decides_nothing(chat: SlackChat) -> None:
    chance = random.Random(SEED)
    open_still = await chat.asking("other", ADA, crew=GREETER)
    parent = (await chat.people[ADA].say(CHANNEL, "Another thread")).message
    assert parent is not None
    chat.parent = parent
    question = await chat.asking("ok", ADA)
    target = target_of(question)
    told: list[Callable[[], Awaitable[object]]] = [
        lambda: chat.says(ADA, "Approve", elsewhere=True),
        lambda: chat.says(ADA, "Approve", edited=True),
        lambda: chat.says(ADA, "Approve", to=BOB),
        lambda: chat.says(ADA, "", files=("Approve.txt",)),
        lambda: chat.press(BOB, actions.ANSWER_APPROVE, target),
        lambda: chat.submit(BOB, actions.REPLY, target.encode(), words="Approve"),
        lambda: by_an_app(chat, bot_id="B0OTHER"),
        lambda: by_an_app(chat, subtype="message_changed"),
        lambda: by_an_app(chat, subtype="bot_message"),
        lambda: by_an_app(chat, thread_ts=chat.slack.workspace.next_ts()),
        lambda: by_an_app(chat, channel=chat.people[ADA].im),
        lambda: again(chat, chance),
    ]
    decides_at = chance.randrange(ACTS)
    with capture_logs() as logs:
        for number in range(ACTS):
            assert await chat.outcome(question) == (Action.REJECT if number > decides_at else ""), SEED
            if number == decides_at:
                await chat.press(ADA, actions.ANSWER_REJECT, target)
            else:
                await chance.choice(told)()
        assert await chat.outcome(open_still) == "", SEED
    assert not [each for each in logs if each["log_level"] == "error"], SEED
