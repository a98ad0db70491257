"""Servers with replicas: an answer is confirmed when a failover can't take it back any more."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from bot.core.errors import SettingsError, StoreUnavailable
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Question
from bot.core.runs.run import RunStatus
from bot.store.durability import inspect
from bot.store.redis import RedisStore, open_store
from bot.store.redis_keys import shard_of
from bot.store.write_concern import WriteConcern
from tests.contract.examples import (
    DEMO,
    LEASE,
    LOST,
    PLACE,
    approval,
    claimed,
    event_types,
    new_run,
    response,
    started,
)
from tests.contract.servers import Pair, pair, until
from tests.contract.test_store_cluster import sooner_or_later


@pytest.fixture(scope="module")
def lasting() -> Iterator[Pair]:
    with pair() as servers:
        yield servers


@pytest.fixture
def servers(lasting: Pair) -> Iterator[Pair]:
    yield lasting
    lasting.mend()


@pytest.fixture
async def store(servers: Pair) -> AsyncIterator[RedisStore]:
    async with open_store(servers.url) as store:
        yield store


async def settled(store: RedisStore, question: Question, key: str = "press") -> Verdict:
    """What comes of an answer."""
    return (await store.questions.respond(question.run_id, question.id, response(key=key))).verdict


async def test_an_answer_that_no_replica_has_is_not_confirmed(store: RedisStore, servers: Pair) -> None:
    claim = await claimed(store, place=PLACE)
    question = await store.questions.ask(claim, approval(claim))
    servers.replica.freeze()
    shown = store.outbox.pending("slack", shard_of(claim.run.id))
    intended = store.journal.write(claim, [("1/tool/mail/0?", "{}")])
    kept = store.key_values.save_pending("todo", "press", "to be worked on")
    confirmed = [settled(store, question), store.runs.start(new_run("one")), shown, intended, kept]
    for outcome in await asyncio.gather(*confirmed, return_exceptions=True):
        assert isinstance(outcome, StoreUnavailable)
        assert "did not confirm" in str(outcome)
    await store.journal.write(claim, [("1/tool/look/0", "a result that can be had again")])
    servers.replica.thaw()
    assert await sooner_or_later(lambda: settled(store, question, "another press")) is Verdict.REPEATED
    assert (await sooner_or_later(lambda: store.runs.start(new_run("one"))))[0].status is RunStatus.QUEUED
    pending = lambda: store.outbox.pending("slack", shard_of(claim.run.id))  # noqa: E731
    assert await sooner_or_later(pending) == [claim.run.id]


async def test_a_run_is_a_workers_once_no_failover_can_give_it_to_another_as_well(
    store: RedisStore, servers: Pair
) -> None:
    run = await started(store)
    servers.replica.freeze()
    with pytest.raises(StoreUnavailable, match="did not confirm"):
        await store.queue.claim("w", [DEMO.name], 8, LEASE)
    servers.replica.thaw()
    claims = await sooner_or_later(lambda: store.queue.claim("w", [DEMO.name], 8, LEASE))
    assert run.id in {claim.run.id for claim in claims}


async def test_an_answer_that_was_confirmed_outlives_the_primary() -> None:
    with pair() as servers:
        async with open_store(servers.url) as store:
            claims = [await claimed(store) for _ in range(4)]
            questions = [await store.questions.ask(claim, approval(claim)) for claim in claims]
            verdicts = await asyncio.gather(*(settled(store, question) for question in questions))
            servers.lose_patience()
            servers.primary.kill()
            assert set(verdicts) == {Verdict.SETTLED}
            await sooner_or_later(store.health.ping)
            for claim, question in zip(claims, questions, strict=True):
                assert (await event_types(store, claim.run.id))[-1] == "human_input_completed"
                [said] = await store.questions.responses(claim.run.id, question.id)
                assert said.same_as(response())
            await store.queue.finish(claims[0], result="done")
            await store.queue.abandon(claims[1].worker, LOST)
            [taken, *_] = await store.queue.claim("w2", [DEMO.name], 4, LEASE)
            await store.queue.finish(taken, result="done")
        assert servers.sentinel.primary() == servers.replica.port


async def test_what_a_primary_takes_that_was_replaced_meanwhile_is_not_confirmed() -> None:
    with pair() as servers:
        async with open_store(servers.url) as store:
            claim = await claimed(store)
            question = await store.questions.ask(claim, approval(claim))
            # As when a machine is paused, moved, and goes on.
            servers.lose_patience()
            servers.primary.freeze()
            until(lambda: servers.sentinel.primary() == servers.replica.port, "a new primary")
            servers.primary.thaw()
            await sooner_or_later(lambda: settled(store, question))
        async with open_store(servers.replica.url) as promoted:
            found = await promoted.questions.get(question.run_id, question.id)
    assert found.outcome is not None


async def test_a_replica_that_left_is_waited_for_only_where_the_settings_say_so(
    store: RedisStore, servers: Pair
) -> None:
    claim = await claimed(store)
    first, second = [await store.questions.ask(claim, approval(claim, name)) for name in ("a", "b")]
    assert (await store.health.totals()).replicas == 1
    servers.replica.kill()
    assert await settled(store, first) is Verdict.SETTLED
    assert (await store.health.totals()).replicas == 0, "an operator sees it"
    async with open_store(servers.url, write_concern=WriteConcern(replicas=1)) as strict:
        with pytest.raises(StoreUnavailable, match="did not confirm"):
            await settled(strict, second)
    found = {(each.state, each.words) for each in await inspect(servers.url, WriteConcern(replicas=1))}
    assert ("ok", "the primary of crews, by 1 sentinel") in found
    assert ("broken", "0 replicas are connected, but answers wait for 1: none can be confirmed") in found


async def test_the_doctor_says_who_has_answers(servers: Pair) -> None:
    found = [each.words for each in await inspect(servers.url)]
    assert "answers are confirmed when its replica has them" in found


async def test_where_there_is_no_replica_nothing_is_waited_for(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.config_resetstat()
        async with open_store(redis_url) as store:
            claim = await claimed(store)
            question = await store.questions.ask(claim, approval(claim))
            assert await settled(store, question) is Verdict.SETTLED
        assert {"cmdstat_wait", "cmdstat_waitaof"}.isdisjoint(server.info("commandstats"))


async def test_an_answer_can_wait_for_the_disk(redis_url: str) -> None:
    async with open_store(redis_url, write_concern=WriteConcern(fsync=True)) as store:
        claim = await claimed(store)
        question = await store.questions.ask(claim, approval(claim))
        assert (
            await store.questions.respond(claim.run.id, question.id, response())
        ).verdict is Verdict.SETTLED
    assert "answers are confirmed when they are on disk" in [
        each.words for each in await inspect(redis_url, WriteConcern(fsync=True))
    ]


async def test_sentinels_that_know_no_such_service_are_quoted(servers: Pair) -> None:
    with pytest.raises(StoreUnavailable, match="No Sentinel knows"):
        async with open_store(servers.url.replace("/crews", "/others")):
            pass


async def test_a_sentinel_address_without_a_service_is_refused() -> None:
    with pytest.raises(SettingsError, match="name of the service"):
        async with open_store("redis+sentinel://127.0.0.1:1"):
            pass
