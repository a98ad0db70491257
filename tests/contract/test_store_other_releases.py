"""What a newer release wrote, or what is damaged: left as it is, told of, and in nobody's way."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import redis

from bot.core.errors import NotFound, UnreadableRecord
from bot.core.ports.lists import RunFilter
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action, Deadline, Question
from bot.core.runs.run import RunStatus
from bot.store import redis_keys
from bot.store.redis import RedisStore
from tests.contract.examples import ADA, DEMO, LEASE, LOST, PLACE, approval, claimed, response, started

Change = Callable[[redis.Redis, str], None]
"""Makes a stored hash one that this release doesn't understand."""


def with_version(server: redis.Redis, key: str) -> None:
    server.hset(key, "version", redis_keys.RECORD + 1)


def damaged(server: redis.Redis, key: str) -> None:
    server.hset(key, "spec", '{"id": "half a rec')


def no_version(server: redis.Redis, key: str) -> None:
    server.hset(key, "version", "one of these days")


def changed(**fields: Any) -> Change:
    def change(server: redis.Redis, key: str) -> None:
        spec = json.loads(str(server.hget(key, "spec")))
        server.hset(key, "spec", json.dumps(spec | fields))

    return change


QUESTIONS: Mapping[str, Change] = {
    "version": with_version,
    "no version": no_version,
    "damaged": damaged,
    "kind": changed(kind="vote"),
    "policy": changed(policy={"deciders": ["*"], "quorum": 2}),
    "field": changed(form={"type": "object"}),
    "silence": changed(deadline={"after": 0, "outcome": "expire", "escalate": "U2"}),
    "no object": changed(policy=["*"]),
}
RUNS: Mapping[str, Change] = {
    "version": with_version,
    "damaged": damaged,
    "policy": changed(cancellers={"deciders": ["*"], "quorum": 2}),
}


@pytest.fixture(params=QUESTIONS)
def newer(request: pytest.FixtureRequest) -> Change:
    return QUESTIONS[request.param]


def stored(server: redis.Redis, question: Question) -> dict[Any, Any]:
    return dict(server.hgetall(redis_keys.question(question.run_id, question.id)))


async def test_a_question_that_is_not_understood_is_never_decided(
    store: RedisStore, server: redis.Redis, newer: Change
) -> None:
    claim = await claimed(store)
    strange = await store.questions.ask(claim, approval(claim, "strange", Deadline(after=0, remind_after=0)))
    newer(server, redis_keys.question(claim.run.id, strange.id))
    before = stored(server, strange)
    plain = await store.questions.ask(claim, approval(claim, "plain", Deadline(after=0, outcome="reject")))
    for action in (Action.APPROVE, Action.REJECT, Action.RESPOND):
        for who in (ADA, ADA.model_copy(update={"admin": True})):
            with pytest.raises(UnreadableRecord, match=strange.id):
                await store.questions.respond(
                    claim.run.id, strange.id, response(action, by=who, comment="words")
                )
            with pytest.raises(UnreadableRecord, match=strange.id):
                await store.questions.prefetch(strange.id, who)
    assert await store.clock.apply_due(LOST) == 1
    settled = await store.questions.get(claim.run.id, plain.id)
    assert settled.outcome is not None
    assert settled.outcome.action is Action.REJECT
    assert await store.clock.apply_due(LOST) == 0
    with pytest.raises(UnreadableRecord):
        await store.runs.cancel(claim.run.id, ADA)
    assert stored(server, strange) == before
    assert await store.questions.responses(claim.run.id, strange.id) == []
    assert (await store.runs.get(claim.run.id)).status is RunStatus.INPUT_REQUIRED
    assert store.health.unreadable() == {"question": 1}


async def test_the_timers_of_such_a_question_stay_and_keep_nobody_awake(
    store: RedisStore, server: redis.Redis, newer: Change
) -> None:
    claim = await claimed(store)
    strange = await store.questions.ask(claim, approval(claim, "strange", Deadline(after=0, remind_after=0)))
    newer(server, redis_keys.question(claim.run.id, strange.id))
    timers = server.zrange(redis_keys.timers(redis_keys.shard_of(claim.run.id)), 0, -1, withscores=True)
    assert await store.clock.due(9) == 0
    await store.clock.apply_due(LOST)
    assert await store.clock.due(9) > 5
    assert (
        server.zrange(redis_keys.timers(redis_keys.shard_of(claim.run.id)), 0, -1, withscores=True) == timers
    )


async def test_lists_and_streams_go_on_without_such_a_question(
    store: RedisStore, server: redis.Redis, newer: Change
) -> None:
    claim = await claimed(store)
    strange, plain = [
        await store.questions.ask(claim, approval(claim, name)) for name in ("strange", "plain")
    ]
    newer(server, redis_keys.question(claim.run.id, strange.id))
    assert await store.questions.list(claim.run.id) == [plain]
    assert await store.questions.open() == [plain]
    assert await store.questions.open(deciders=[ADA.principal]) == [plain]
    refs = (await store.inbox.snapshot()).open
    assert len(list(await store.inbox.read(refs))) == 2
    with pytest.raises(UnreadableRecord):
        await store.questions.get(claim.run.id, strange.id)
    assert await store.questions.run_of(strange.id) == claim.run.id


async def test_a_timer_that_is_not_known_stays(store: RedisStore, server: redis.Redis) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim, deadline=Deadline(after=0)))
    timers = redis_keys.timers(redis_keys.shard_of(claim.run.id))
    unknown = {f"escalate/{claim.run.id}/{asked.id}/{number}": 1 for number in range(150)}
    unknown |= {"": 1, "deadline": 2, "remind//": 3, f"deadline/{claim.run.id}": 4, "{}": 5}
    server.zadd(timers, unknown)
    for _ in range(3):
        await store.clock.apply_due(LOST)
    assert not (await store.questions.get(claim.run.id, asked.id)).open
    assert {str(name): at for name, at in server.zscan_iter(timers)} == unknown
    assert await store.clock.due(9) > 5
    assert store.health.unreadable() == {"timer": len(unknown)}


@pytest.mark.parametrize("kind", RUNS)
async def test_a_run_that_is_not_understood_is_left_alone(
    store: RedisStore, server: redis.Redis, kind: str
) -> None:
    strange = await started(store, place=PLACE)
    RUNS[kind](server, redis_keys.run(strange.id))
    plain = await started(store, place=PLACE)
    claims = await store.queue.claim("w", [DEMO.name], 5, LEASE)
    assert [claim.run.id for claim in claims] == [plain.id]
    assert await store.runs.list(RunFilter()) == [claims[0].run]
    assert await store.runs.at(PLACE) == [claims[0].run]
    assert await store.runs.find(strange.id[:8]) == []
    for refused in (store.runs.get(strange.id), store.runs.cancel(strange.id, ADA)):
        with pytest.raises(UnreadableRecord):
            await refused
    assert server.hget(redis_keys.run(strange.id), "status") == "queued"
    assert store.health.unreadable() == {"run": 1}


async def test_a_question_of_a_newer_run_is_not_answered_by_its_id(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await claimed(store)
    plain = await store.questions.ask(claim, approval(claim))
    with_version(server, redis_keys.run(claim.run.id))
    with pytest.raises(UnreadableRecord, match=claim.run.id):
        await store.questions.prefetch(plain.id, ADA)
    assert store.health.unreadable() == {"run": 1}


async def test_leases_ages_and_deletion_leave_a_newer_run_alone(
    store: RedisStore, server: redis.Redis
) -> None:
    claim, ended = await claimed(store), await claimed(store)
    await store.queue.finish(ended, result="done")
    shard = {run_id: redis_keys.base(redis_keys.shard_of(run_id)) for run_id in (claim.run.id, ended.run.id)}
    for run_id in shard:
        with_version(server, redis_keys.run(run_id))
    server.zadd(f"{shard[claim.run.id]}:leases", {claim.run.id: 1})
    for kind in (":over", ":journals"):
        server.zadd(f"{shard[ended.run.id]}{kind}", {ended.run.id: 1})
    before = {run_id: server.hgetall(redis_keys.run(run_id)) for run_id in shard}
    assert await store.clock.apply_due(LOST) == 0
    assert await store.clock.due(9) > 5
    assert await store.queue.abandon("w1", LOST) == []
    with pytest.raises(UnreadableRecord):
        await store.runs.delete(ended.run.id)
    assert {run_id: server.hgetall(redis_keys.run(run_id)) for run_id in shard} == before


async def test_a_run_with_a_newer_question_is_not_taken_nor_deleted(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await claimed(store)
    strange = await store.questions.ask(claim, approval(claim))
    with_version(server, redis_keys.question(claim.run.id, strange.id))
    await store.queue.release(claim)
    assert await store.queue.claim("w2", [DEMO.name], 5, LEASE) == []
    server.hset(redis_keys.run(claim.run.id), "status", "failed")
    with pytest.raises(UnreadableRecord):
        await store.runs.delete(claim.run.id)
    assert server.exists(redis_keys.question(claim.run.id, strange.id))


async def test_records_have_a_version_and_nothing_that_an_older_release_could_decide_by(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim, deadline=Deadline(after=60)))
    record = stored(server, asked)
    assert record["version"] == server.hget(redis_keys.run(claim.run.id), "version") == str(redis_keys.RECORD)
    assert json.loads(record["rules"]) == {"policy": {"deciders": list(asked.policy.deciders)}}
    assert "silence" not in record


async def test_a_question_of_the_first_release_is_answered_and_expires(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await claimed(store)
    asked = [
        await store.questions.ask(claim, approval(claim, name, Deadline(after=60))) for name in ("one", "two")
    ]
    timers = redis_keys.timers(redis_keys.shard_of(claim.run.id))
    for question in asked:
        key = redis_keys.question(claim.run.id, question.id)
        server.hdel(key, "version", "revision")
        changed(digest="5" * 64)(server, key)
        server.zadd(timers, {f"deadline/{claim.run.id}/{question.id}": 1})
    assert (await store.questions.respond(claim.run.id, asked[0].id, response())).verdict is Verdict.SETTLED
    assert await store.clock.apply_due(LOST) == 1
    assert not (await store.questions.get(claim.run.id, asked[1].id)).open
    assert server.zcard(timers) == 0


async def test_a_question_that_is_gone_is_not_there(store: RedisStore) -> None:
    claim = await claimed(store)
    with pytest.raises(NotFound):
        await store.questions.get(claim.run.id, "nothing")
