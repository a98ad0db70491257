"""A web process among records that it can't read: it lives, and everything else goes on."""

import asyncio
import json
from collections.abc import Iterator

import pytest
import redis

from bot.core.questions.question import Question, QuestionKind
from bot.core.runs.run import Claim
from bot.store import redis_keys
from tests.loopback.slack import Message
from tests.scenario.outbox import ADA, Outbox
from tests.scenario.server import Server
from tests.scenario.slack_deployment import SlackDeployment, serving


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


async def placed(on: Outbox) -> Claim:
    """A run whose thread is open, held by the test."""
    return await on.claimed(await on.start())


def newer(server: redis.Redis, key: str) -> None:
    server.hset(key, "version", redis_keys.RECORD + 1)


def damaged(server: redis.Redis, key: str) -> None:
    server.hset(key, "spec", "{")


def policy_of_two(server: redis.Redis, key: str) -> None:
    spec = json.loads(str(server.hget(key, "spec")))
    spec["policy"] = spec.get("policy", {}) | {"quorum": 2}
    server.hset(key, "spec", json.dumps(spec))


def question_key(question: Question) -> str:
    return redis_keys.question(question.run_id, question.id)


async def test_delivery_and_the_home_tab_go_on_with_the_others(on: Outbox, server: redis.Redis) -> None:

    async with on.web() as web:
        claims = [await placed(on) for _ in range(6)]
        await on.sees(lambda: on.said("Demo"))
    spoilt = [await on.ask(claim, f"Strange {n}?") for n, claim in enumerate(claims[:3])]
    for question, spoil in zip(spoilt, (newer, damaged, policy_of_two), strict=True):
        spoil(server, question_key(question))
    newer(server, redis_keys.run(claims[3].run.id))
    await on.ask(claims[4], "Plain?")
    odd = await on.ask(claims[5], "Oddly posted?")
    server.hset(
        redis_keys.shown(claims[5].run.id, "slack"),
        mapping={"copy:drawn": "long ago", f"copy:question:{odd.id}:9": "?"},
    )
    before = {question.id: server.hgetall(question_key(question)) for question in spoilt}
    async with on.web() as web:
        await on.sees(lambda: on.said("Plain?"))
        await web.home.opened(ADA)
        await on.slack.wait_for(lambda: "Plain?" in on.slack.home(ADA.user_id).words)
        await on.end_task(claims[4], 1, 1)
        later = await placed(on)
        await on.ask(later, "Later?")
        await on.sees(lambda: on.said("Later?"))
        assert not web.task.done()
    assert on.said("Strange") is None
    assert before == {question.id: server.hgetall(question_key(question)) for question in spoilt}
    waiting = {
        run_id
        for shard in range(redis_keys.SHARDS)
        for run_id in server.zrange(f"{redis_keys.base(shard)}:outbox:slack", 0, -1)
    }
    assert {claim.run.id for claim in (*claims[:3], claims[5])} <= waiting, (
        "a process that can read them shows them"
    )


async def test_a_process_that_starts_reads_what_it_can(
    on: Outbox, web: dict[str, str], server: redis.Redis
) -> None:
    """Recovery, missed replies, deliveries of processes that died, and who is up."""
    async with serving(on.slack, "http", web):
        claim, other, third = [await placed(on) for _ in range(3)]
        plain = await on.ask(claim, "Which tides?", kind=QuestionKind.TEXT)
        shown: Message = await on.sees(lambda: on.said("Which tides?"))
        spoilt = await on.ask(other, "Strange?", kind=QuestionKind.TEXT)
        asked = await on.ask(third, "Odd place?", kind=QuestionKind.TEXT)
        await on.sees(lambda: on.said("Odd place?"))
    policy_of_two(server, question_key(spoilt))
    server.hset(redis_keys.shown(third.run.id, "slack"), mapping={"copy:moved": "nowhere", "copy:drawn": "x"})
    shelf = redis_keys.pending("slack:deliveries")
    bad = {"a": "{", "b": "[]", "c": '{"owner": "gone"}', "d": '{"owner": "gone", "payload": 7}'}
    for key, text in bad.items():
        server.hset(shelf, key, text)
    for name in ("slack:web", "slack:catchup"):
        server.set(redis_keys.key_value(name), "{")
    ada = on.slack.person(ADA.user_id)
    assert not (await ada.reply(shown.channel, shown.thread_ts or "", "blue")).ok
    async with serving(on.slack, "http", web) as running:
        await on.until(lambda: _settled(on, plain))
        assert (await on.store.questions.get(third.run.id, asked.id)).open
        await asyncio.to_thread(running.wait_for, lambda: unreadable(running) >= UNREADABLE)
        slack_deployment = SlackDeployment(on.slack, running, "http")
        assert (await slack_deployment.in_a_channel().crew("list")).ok
    assert dict(server.hgetall(shelf)) == bad


UNREADABLE = {
    'crewdeck_unreadable_records{kind="delivery"} 4.0',
    'crewdeck_unreadable_records{kind="question"} 1.0',
    'crewdeck_unreadable_records{kind="place"} 1.0',
}


def unreadable(server: Server) -> set[str]:
    """What its figures say of records that it can't read: each part of it reads some of them by itself."""
    status, metrics = server.get("/metrics")
    assert status == 200
    return {line for line in metrics.splitlines() if line.startswith("crewdeck_unreadable_records{")}


async def _settled(on: Outbox, question: Question) -> bool:
    return not (await on.store.questions.get(question.run_id, question.id)).open
