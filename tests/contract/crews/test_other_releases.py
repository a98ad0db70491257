"""Runs with a journal that a worker can't go on from: it says why, and nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis
from pydantic import JsonValue
from structlog.testing import capture_logs

from bot.core import starting
from bot.core.runs.run import Claim, RunStatus
from bot.core.wakeups import Wakeups
from bot.store import redis_keys
from bot.store.redis import RedisStore, open_store
from crews.definitions.defined_crews import read_crew
from crews.run.store_proxy import StoreProxy
from crews.worker.slots import Slots
from tests.contract.crews.deployment import ADA
from tests.contract.examples import LEASE, LOST, approval
from tests.waiting import WITHIN

DEMO = Path(__file__).resolve().parents[3] / "config" / "demo"
KEY = bytes(32)

pytestmark = pytest.mark.usefixtures("crewai_environment")


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    async with open_store(redis_url) as opened:
        yield opened


async def claimed(store: RedisStore) -> Claim:
    definition, _ = read_crew(DEMO)
    assert definition is not None
    inputs: dict[str, JsonValue] = {"topic": "tide mills", "pace": 0}
    await store.runs.start(starting.plan(definition.card(), inputs, ADA, key=uuid.uuid4().hex))
    return await held(store)


async def held(store: RedisStore) -> Claim:
    [claim] = await store.queue.claim("w1", ["demo"], 1, LEASE)
    return claim


@asynccontextmanager
async def executing(store: RedisStore, claim: Claim) -> AsyncIterator[asyncio.Task[None]]:
    """A worker's part that executes runs, on this store: of a run of which something is recorded by now."""
    from crews.building.build import YamlCrew
    from crews.worker.runtime import Runtime

    definition, _ = read_crew(DEMO)
    assert definition is not None
    wakeups = Wakeups()
    slots = Slots(store.queue, claim.worker, lease=60, most=50)
    proxy = StoreProxy(asyncio.get_running_loop(), store, wakeups, slots)
    runtime = Runtime({"demo": YamlCrew(definition)}, proxy)
    following = asyncio.create_task(wakeups.follow(store.events))
    execution = asyncio.create_task(runtime.execute(claim.model_copy(update={"begun": True})))
    try:
        yield execution
    finally:
        runtime.stop(claim.run.id)
        await execution
        following.cancel()
        await asyncio.wait({following})


async def test_a_run_whose_key_is_missing_waits_until_it_is_there(store: RedisStore, redis_url: str) -> None:
    claim = await claimed(store)
    async with open_store(redis_url, journal_keys=[KEY]) as sealing:
        await sealing.journal.put_if_absent(claim, "format", "2")
        await sealing.journal.put_if_absent(claim, "t9/tool/x/0", '{"result": "secret"}')
        with capture_logs() as logs:
            async with executing(store, claim) as execution:
                await execution
        [said] = [proxy for proxy in logs if proxy["log_level"] == "error"]
        assert "CREWDECK_JOURNAL_KEY" in said["reason"]
        waiting = await store.runs.get(claim.run.id)
        assert (waiting.status, waiting.error) == (RunStatus.QUEUED, None)
        assert await store.queue.claim("w1", ["demo"], 1, LEASE) == [], "not again at once"
        _a_minute_passes(redis_url, claim)
        await store.clock.apply_due(LOST)
        async with executing(sealing, again := await held(store)):
            async with asyncio.timeout(WITHIN):
                for _ in itertools.count():
                    if await store.questions.open():
                        break
                    await asyncio.sleep(0.05)
            assert (await sealing.journal.read(again.run.id))["t9/tool/x/0"] == '{"result": "secret"}'
            await store.runs.cancel(claim.run.id, ADA)


def _a_minute_passes(redis_url: str, claim: Claim) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.zadd(f"{redis_keys.base(redis_keys.shard_of(claim.run.id))}:delayed", {claim.run.id: 0})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("format", "3", "has the format 3"),
        ("t1/model/abc/0", '{"result": "of an earlier release"}', "has the format 1"),
    ],
)
async def test_a_run_of_another_release_ends_and_says_why(
    store: RedisStore, name: str, value: str, why: str
) -> None:
    claim = await claimed(store)
    await store.journal.put_if_absent(claim, name, value)
    async with executing(store, claim) as execution:
        await execution
    failed = await store.runs.get(claim.run.id)
    assert failed.error is not None
    assert failed.error.code == "other_release"
    assert why in failed.error.message
    assert f"crewdeck runs retry {claim.run.id[:8]}" in failed.error.message
    assert await store.journal.read(claim.run.id) == {name: value}, "it can be tried again elsewhere"


async def test_a_run_whose_question_a_worker_does_not_understand_waits_for_one_that_does(
    store: RedisStore, redis_url: str
) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim))
    key = redis_keys.question(claim.run.id, asked.id)
    with redis.Redis.from_url(redis_url, decode_responses=True) as server:
        spec = json.loads(str(server.hget(key, "spec")))
        spec["policy"]["quorum"] = 2
        server.hset(key, "spec", json.dumps(spec))
        before = server.hgetall(key)
        async with executing(store, claim) as execution:
            await execution
        waiting = await store.runs.get(claim.run.id)
        assert (waiting.status, waiting.error) == (RunStatus.INPUT_REQUIRED, None)
        assert await store.queue.claim("w1", ["demo"], 1, LEASE) == [], "not again at once"
        assert server.hgetall(key) == before
    assert await store.journal.read(claim.run.id) == {}
