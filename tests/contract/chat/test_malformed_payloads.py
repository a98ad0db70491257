"""Payloads of Slack and Teams in which something is odd: they decide nothing, and nothing breaks."""

from __future__ import annotations

import copy
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.core.questions.question import Question
from bot.surfaces.chat import actions
from tests.contract.chat.finishing import finished
from tests.contract.chat.memory_inbound import target_of
from tests.contract.chat.mutations import MISSING, Path, mutated, replaced
from tests.contract.chat.played_crew import ADA, BOB
from tests.contract.chat.slack_inbound import SlackChat, slack_chat_over_http
from tests.contract.chat.teams_inbound import TeamsChat, teams_chat
from tests.examples import SEED
from tests.loopback.slack import Delivery

MUTATIONS = 300
REFUSED = {400, 401, 403, 404, 413, 501}
"""What says that a request is not the platform's, or not one that is known."""


@pytest.fixture
async def slack(redis_url: str) -> AsyncIterator[SlackChat]:
    async with slack_chat_over_http(redis_url) as made:
        yield made


@pytest.fixture
async def teams(redis_url: str) -> AsyncIterator[TeamsChat]:
    async with teams_chat(redis_url) as made:
        yield made


async def acted(chat: SlackChat | TeamsChat) -> Question:
    """A question that is Ada's alone to decide, and everything that Bob does about it."""
    question = await chat.asking("ok", ADA)
    target = target_of(question)
    await chat.says(BOB, "Approve")
    await chat.says(BOB, "Approve", files=("a.txt",))
    await chat.command(BOB, "status")
    await chat.press(BOB, actions.ANSWER_APPROVE, target)
    await chat.press(BOB, actions.RUN_CANCEL, target)
    await chat.submit(BOB, actions.REPLY, target.encode(), words="Approve")
    await chat.submit(BOB, actions.REJECT, target.encode(), words="Too much")
    return question


async def sent(chat: SlackChat, like: Delivery, payload: dict[str, Any]) -> int | None:
    """The status with which a payload is answered."""
    parcel = like.parcel
    delivery = await chat.slack.deliver(parcel.kind, payload)
    await finished(chat.inbound.background)
    return delivery.status


async def test_mutated_requests_of_slack_decide_nothing_and_leave_no_traceback(slack: SlackChat) -> None:
    question = await acted(slack)
    done, chance = list(slack.slack.deliveries), random.Random(SEED)
    with capture_logs() as logs:
        for _ in range(MUTATIONS):
            like = chance.choice(done)
            what, payload = mutated(like.parcel.payload, chance)
            status = await sent(slack, like, payload)
            assert status in {200, *REFUSED}, (SEED, what, status)
            assert not [each for each in logs if each["log_level"] == "error"], (SEED, what)
    assert await slack.outcome(question) == ""


@pytest.mark.parametrize(
    ("of", "path", "odd"),
    [
        ("block_actions", ("enterprise",), -1),
        ("block_actions", ("channel",), 1.5),
        ("view_submission", ("response_urls",), None),
        ("event_callback", ("event", "channel"), 0),
        ("event_callback", ("event", "user"), True),
        ("event_callback", ("event", "type"), ["message"]),
        ("event_callback", ("event", "user"), "U" * 5000),
        ("event_callback", ("event", "channel"), "C" * 5000),
        ("block_actions", ("user", "id"), "U" * 5000),
        ("view_submission", ("team", "id"), "T" * 5000),
        ("view_submission", ("view", "type"), MISSING),
        ("view_submission", ("view", "type"), "workflow_step"),
        ("view_submission", ("view", "blocks"), [{"type": "input", "element": "?"}]),
        ("view_submission", ("view", "state", "values", "words", "words"), {"selected_option": "?"}),
        ("block_actions", ("state", "values"), {"a": {"b": {"selected_options": ["?"]}}}),
    ],
)
async def test_what_slack_never_sends_is_refused(of: str, path: Path, odd: object, slack: SlackChat) -> None:
    await acted(slack)
    like = next(each for each in slack.slack.deliveries if each.parcel.payload.get("type") == of)
    assert await sent(slack, like, replaced(like.parcel.payload, path, odd)) == 400


@pytest.mark.parametrize("callback", [actions.REPLY, actions.REJECT, actions.EDIT])
async def test_a_form_that_is_about_nothing_says_so(callback: str, slack: SlackChat) -> None:
    with capture_logs() as logs:
        wrong = await slack.submit(BOB, callback, "?! ?! ?! ?! ?!", words="Approve")
    assert "what this form is about" in " ".join(wrong.values())
    assert not [each for each in logs if each["log_level"] == "error"]


async def test_mutated_activities_of_teams_decide_nothing_and_leave_no_traceback(teams: TeamsChat) -> None:
    question = await acted(teams)
    done = [copy.deepcopy(each.activity) for each in teams.teams.receipts]
    chance = random.Random(SEED)
    with capture_logs() as logs:
        for _ in range(MUTATIONS):
            what, activity = mutated(chance.choice(done), chance)
            status = (await teams.teams.deliver(activity)).status
            await finished(teams.inbound.background)
            assert status in {200, *REFUSED}, (SEED, what, status)
            assert not [each for each in logs if each["log_level"] == "error"], (SEED, what)
    assert await teams.outcome(question) == ""


@pytest.mark.parametrize(
    ("name", "odd"), [("timestamp", "0001-01-01T00:00:00"), ("id", "9" * 5000), ("id", "0")]
)
async def test_times_and_ids_that_are_out_of_range_break_nothing(
    name: str, odd: str, teams: TeamsChat
) -> None:
    question = await teams.asking("ok", ADA)
    with capture_logs() as logs:
        more: dict[str, Any] = {name: odd}
        await teams.says(BOB, "Approve", **more)
    assert not [each for each in logs if each["log_level"] == "error"]
    assert await teams.outcome(question) == ""
