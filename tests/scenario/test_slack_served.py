"""A real web process whose worker the tests play: what crews seldom do, and much of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from statistics import median

import redis

from bot.core.events.event import TaskStarted
from bot.core.ids import part_id
from bot.core.questions.question import Question
from bot.core.runs.run import Claim
from bot.surfaces.chat.delivery.outbox import MAX_CONCURRENT_RUNS
from tests.loopback.slack import GENERAL, Delivery
from tests.scenario.outbox import Outbox, delivering
from tests.scenario.slack_deployment import serving

SLACK_WAITS_S = 3.0
"""How long Slack waits for an acknowledgement before it tells the person that the app failed."""
ATTEMPTS = 3
"""Where much else is going on, all is acknowledged in time in one of them."""


async def acknowledged_at_once(act: Callable[[], Awaitable[list[Delivery]]]) -> None:
    """Do this until everything is acknowledged at once; at the last attempt it has to be."""
    took: list[list[tuple[bool, float]]] = []
    for _ in range(ATTEMPTS):
        acts = await act()
        took.append([(each.ok, each.elapsed) for each in acts])
        in_time = all(each.ok and each.elapsed < SLACK_WAITS_S for each in acts)
        if in_time and median(each.elapsed for each in acts) < SLACK_WAITS_S / 2:
            return
    raise AssertionError(f"Each time something is acknowledged too late: {took}")


async def test_a_long_question_whose_blocks_slack_refuses_is_decided_in_words(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web):
        claim = await on.claimed(await on.start())
        on.slack.fail("chat.postMessage", error="invalid_blocks", times=1)
        await on.ask(claim, "Publish this?", context="word " * 4000)
        shown = await on.sees(lambda: on.said("Publish this?"))
        assert shown.blocks == []
        assert shown.thread_ts
        assert on.slack.files()
        await on.slack.person("U0ADA").reply(GENERAL, shown.thread_ts, "approve")
        await on.sees(lambda: on.said("*Approved*"))


async def test_everything_is_acknowledged_at_once_while_crews_are_busy(
    on: Outbox, web: dict[str, str]
) -> None:
    ada = on.slack.person("U0ADA")
    async with serving(on.slack, "http", web):
        channels = [on.slack.add_channel(f"C0BUSY{number}").id for number in range(20)]
        claims = [await on.claimed(await on.start(channel=each)) for each in channels]
        await ada.command("/crew", "list")
        attempts = itertools.count(1)
        working = [asyncio.create_task(work(on, claim)) for claim in claims]

        async def act() -> list[Delivery]:
            prompt = f"May I go on with {next(attempts)}?"
            question = await on.ask(claims[0], prompt, task_id=prompt)
            shown = await on.sees(lambda: on.said(prompt, channels[0]))
            acts = [await ada.command("/crew", "status") for _ in range(10)]
            acts.append(await ada.press(shown, "Approve"))
            if acts[-1].ok:
                await on.until(lambda: settled(on, question))
            return acts

        await acknowledged_at_once(act)
        for task in working:
            task.cancel()


async def settled(on: Outbox, question: Question) -> bool:
    return not (await on.store.questions.get(question.run_id, question.id)).open


async def work(on: Outbox, claim: Claim) -> None:
    """One task after the other, twenty a second."""
    for number in range(1, 1000):
        task = part_id(claim.run.id, "task", number)
        body = TaskStarted(
            crew_id=part_id(claim.run.id, "crew"), task_id=task, task="Draft", number=number, total=1000
        )
        await on.store.events.append(claim, body)
        await asyncio.sleep(0.05)


async def test_what_is_too_long_for_a_window_is_decided_behind_its_file(
    on: Outbox, web: dict[str, str]
) -> None:
    ada = on.slack.person("U0ADA")
    async with serving(on.slack, "http", web):
        claim = await on.claimed(await on.start())
        question = await on.ask(claim, "Publish this?", context="word\u202e " * 40_000)
        shown = await on.sees(lambda: on.said("Publish this?"))
        [(_, content)] = on.slack.files().items()
        assert content.decode().count("word[U+202E]") == 40_000
        assert shown.labels == ["Show all", "Reply..."]
        assert shown.thread_ts
        await ada.reply(GENERAL, shown.thread_ts, "approve")
        await on.slack.wait_for(lambda: any("Show all" in each.words for each in on.slack.ephemerals(ada.id)))
        assert (await on.store.questions.get(question.run_id, question.id)).open
        await ada.press(shown, "Show all")
        view = await on.slack.wait_for(lambda: on.slack.view(ada.id))
        assert "all of it is in the file" in view.words
        await ada.press(view, "Approve")
        await on.sees(lambda: on.said("*Approved*"))


async def test_runs_that_can_not_be_shown_take_no_place_from_others(
    on: Outbox, web: dict[str, str], redis_url: str
) -> None:
    """More of them than are shown at a time; what they hold is not what this release writes."""
    runs = [await on.start() for _ in range(MAX_CONCURRENT_RUNS + 5)]
    with redis.Redis.from_url(redis_url, decode_responses=True) as server:
        for run in runs:
            [key] = server.scan_iter(match=f"*run:{run.id}")
            server.hset(key, "spec", '{"of": "another release"}')
    async with serving(on.slack, "http", web):
        await on.claimed(await on.start(topic="still shown"))
        await on.sees(lambda: on.said("still shown"))


async def test_a_text_that_took_a_parser_long_is_shown_and_acknowledged_at_once(
    on: Outbox, web: dict[str, str]
) -> None:
    hard = ("[](<" + " " * 1200 + "x " + "[" * 500 + "`*_" * 500 + "<!channel> ")[:9000]
    ada = on.slack.person("U0ADA")
    async with serving(on.slack, "http", web):
        claim = await on.claimed(await on.start(topic=hard))
        await on.ask(claim, hard, context=hard)
        await on.sees(lambda: on.said("Writer asks for approval"))
        await on.finish(claim, hard)

        async def act() -> list[Delivery]:
            return [await ada.command("/crew", "list " + hard) for _ in range(5)]

        await acknowledged_at_once(act)
        await on.sees(lambda: on.said("is done after"))


async def test_before_any_worker_has_announced_a_crew_a_start_says_so(redis_url: str) -> None:
    """It may well be a crew that there will be, so it is not called unknown."""
    settings = {"CREWDECK_REDIS_URL": redis_url, "CREWDECK_WORKERS": "0"}
    async with delivering(redis_url) as on, serving(on.slack, "http", settings):
        ada = on.slack.person("U0ADA", name="Ada")
        for words in ("start demo tides", "start", "list"):
            done = await ada.command("/crew", words, GENERAL)
            told = await on.slack.wait_for(lambda done=done: done.private[0])  # type: ignore[misc]
            assert "No worker is up yet" in told.words
