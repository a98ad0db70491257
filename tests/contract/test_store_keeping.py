"""What is kept of runs that are over, for how long, and what is left when they are deleted: nothing."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
import redis

from bot.core import ids
from bot.core.errors import JournalUndecryptable, NotFound, Refused
from bot.core.events.event import TaskStarted
from bot.core.ports.lists import RunFilter
from bot.core.ports.queue import Fenced
from bot.core.questions.question import Deadline
from bot.core.runs.run import Claim, RunStatus
from bot.store import redis_keys
from bot.store.clock import ClockSettings
from bot.store.redis import RedisStore, compose, open_store
from tests.contract.examples import (
    ADA,
    DEMO,
    LEASE,
    LOST,
    PLACE,
    approval,
    claimed,
    new_run,
    response,
    started,
)
from tests.contract.faulty_proxy import faulty_proxy
from tests.faults.releases import dump

CRM = "webhook:crm"
TASK = TaskStarted(crew_id="c", task_id="t", task="Write", number=1, total=1)
FAR = (10**9, 10**9)
"""Retention and age of journals that pass in no test."""
KEYS = [bytes([number]) * 32 for number in range(3)]


async def eventful(store: RedisStore, *servers: redis.Redis) -> Claim:
    """A run that has left traces wherever runs can."""
    await store.webhooks.follow([CRM])
    await started(store, place=PLACE)
    # In each way in which a run changes hands, within one lease.
    await store.queue.claim("died", [DEMO.name], 1, LEASE, most={DEMO.name: 5})
    await store.queue.abandon("died", LOST)
    [stopping] = await store.queue.claim("stops", [DEMO.name], 1, LEASE, most={DEMO.name: 5})
    await store.queue.release(stopping)
    [claim] = await store.queue.claim("w1", [DEMO.name], 1, LEASE, most={DEMO.name: 5})
    run_id, shard = claim.run.id, redis_keys.shard_of(claim.run.id)
    await store.runs.add_place(run_id, PLACE.model_copy(update={"ref": "D1/1.2"}))
    await store.journal.put_if_absent(claim, "t1/model/x/0", json.dumps({"result": "said"}))
    await store.events.append(claim, TASK)
    assert await store.outbox.lease_shard("teams", shard, "web", LEASE, relay=True)
    for name, deadline in (("first", None), ("second", Deadline(after=600, remind_after=300))):
        await store.questions.ask(claim, approval(claim, name, deadline))
    await store.questions.respond(run_id, ids.part_id(run_id, "first"), response())
    for surface in (CRM, "slack"):
        assert await store.outbox.lease_shard(surface, shard, "web", LEASE)
    await store.outbox.mark_delivered("teams", "web", run_id, 2, {"question:q:@u": "a/1"})
    await store.outbox.mark_delivered("slack", "web", run_id, 2, {"run": "C1/1.1"})
    await store.webhooks.ack_event(CRM, "web", run_id, 1, failure="410")
    await store.webhooks.nack_event(CRM, "web", run_id, tries=1, why="503", seconds=60)
    await store.webhooks.resend(CRM, run_id, [1])
    await store.key_values.set("noted", f"{run_id} and more", 60)
    await store.key_values.add(f"told:{run_id}")
    await store.key_values.save_pending("todo", "press", json.dumps({"run": run_id}))
    await store.key_values.save_pending("another", run_id, "{}")
    await store.key_values.set_if_absent(f"kept:{run_id}", "x", 60)
    await store.key_values.set_if_absent("kept", f"of {run_id}", 60)
    assert run_id in traces(run_id, *servers)
    return claim


def traces(run_id: str, *servers: redis.Redis) -> str:
    """All that is stored in which this run's id occurs."""
    stored = [
        f"{name} {value}" for each in servers for name, value in dump.taken(each, expiring=True).items()
    ]
    return "\n".join(text for text in stored if run_id in text)


async def test_of_a_deleted_run_nothing_is_left(store: RedisStore, server: redis.Redis) -> None:
    other = await claimed(store, place=PLACE)
    await store.questions.ask(other, approval(other))
    claim = await eventful(store, server)
    run_id = claim.run.id
    with pytest.raises(Refused, match="cancel it first"):
        await store.runs.delete(run_id)
    await store.runs.cancel(run_id, ADA)
    await store.runs.delete(run_id)
    assert traces(run_id, server) == ""
    with pytest.raises(NotFound):
        await store.runs.get(run_id)
    with pytest.raises(NotFound):
        await store.runs.delete(run_id)
    assert [run.id for run in await store.runs.at(PLACE)] == [other.run.id], "others are as they were"
    assert len((await store.inbox.snapshot()).open) == 1
    totals = await store.health.totals()
    assert (totals.runs.get("cancelled", 0), totals.questions_open) == (0, 1)


async def test_a_deletion_names_the_keys_of_its_run(store: RedisStore, server: redis.Redis) -> None:
    """It looks at nothing else, however much there is."""
    claim = await eventful(store, server)
    others = [await claimed(store) for _ in range(20)]
    for other in others:
        await store.questions.ask(other, approval(other))
        await store.key_values.set(f"of {other.run.id}", other.run.id, 60)
    await store.runs.cancel(claim.run.id, ADA)
    server.config_resetstat()
    await store.runs.delete(claim.run.id)
    used = {
        name.removeprefix("cmdstat_"): each["calls"] for name, each in server.info("commandstats").items()
    }
    assert not {"scan", "keys", "sscan", "hscan", "xrange", "xrevrange", "zrange", "hgetall"} & used.keys()
    assert sum(used.values()) < 150, used
    assert traces(claim.run.id, server) == ""
    assert len((await store.inbox.snapshot()).open) == len(others)


async def test_what_is_remembered_of_another_run_by_now_stays(store: RedisStore) -> None:
    first, second = await claimed(store), await claimed(store)
    await store.key_values.set("newest", first.run.id, 60)
    await store.key_values.set("newest", second.run.id, 60)
    await store.queue.finish(first, result="done")
    await store.runs.delete(first.run.id)
    assert await store.key_values.get("newest") == second.run.id


@pytest.mark.parametrize("how", ["deleted", "forgotten"])
async def test_what_started_a_run_that_is_gone_starts_it_no_second_time(
    store: RedisStore, server: redis.Redis, how: str
) -> None:
    """Whatever surface that was: the same word is the same run."""
    new = new_run()
    await store.runs.start(new)
    await store.runs.cancel(new.id, ADA)
    if how == "deleted":
        await store.runs.delete(new.id)
    else:
        await asyncio.sleep(0.002)
        await compose(store.connection, ClockSettings(retention=0.0)).clock.apply_due(LOST)
    for _ in range(2):
        with pytest.raises(Refused, match="deleted") as refused:
            await store.runs.start(new)
        assert refused.value.code == "run_deleted"
    with pytest.raises(NotFound):
        await store.runs.get(new.id)
    assert traces(new.id, server) == "", "and nothing of it is left"
    marks = server.keys("*:tombstone:*")
    assert len(marks) == 1
    assert 0 < server.pttl(marks[0]) <= 7 * 24 * 3600 * 1000
    assert (await store.runs.start(new_run()))[1], "others start"


async def test_whoever_works_for_a_deleted_run_leaves_nothing_behind(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await eventful(store, server)
    run_id = claim.run.id
    await store.runs.cancel(run_id, ADA)
    await store.runs.delete(run_id)
    for late in (
        store.journal.put_if_absent(claim, "step", "x"),
        store.events.append(claim, TASK),
        store.queue.finish(claim, result=""),
    ):
        with pytest.raises(Fenced):
            await late
    assert await store.queue.heartbeat("w1", [claim], LEASE) == {run_id}
    await store.outbox.mark_delivered("slack", "web", run_id, 9, {"end": "C1/2.2"})
    await store.webhooks.ack_event(CRM, "web", run_id, 2)
    await store.webhooks.nack_event(CRM, "web", run_id, tries=2, why="503", seconds=60)
    await store.outbox.adopt("slack", run_id, "q", "C1/3.3")
    await store.runs.add_place(run_id, PLACE)
    await store.clock.apply_due(LOST)
    assert traces(run_id, server) == ""


async def test_a_deletion_whose_answer_was_lost_is_no_surprise(
    store: RedisStore, server: redis.Redis, data_dir: Path
) -> None:
    path: str = server.connection_pool.connection_kwargs["path"]
    async with faulty_proxy(data_dir / "proxy.sock", path) as proxy, open_store(proxy.url) as far:
        runs = [await started(store) for _ in range(2)]
        for run in runs:
            await store.runs.cancel(run.id, ADA)
        await far.runs.delete(runs[0].id)  # so that the script is known there
        proxy.lose(1)
        await far.runs.delete(runs[1].id)
    assert await store.runs.list(RunFilter()) == []


async def test_a_journal_expires_before_its_run(store: RedisStore) -> None:
    live, over = await claimed(store), await claimed(store)
    for claim in (live, over):
        await store.journal.put_if_absent(claim, "step", "x")
    await store.queue.finish(over, result="done")
    await compose(store.connection, ClockSettings(*FAR)).clock.apply_due(LOST)
    assert (await store.journal.extent(over.run.id)).entries == 1
    await compose(store.connection, ClockSettings(retention=FAR[0], journal=0.0)).clock.apply_due(LOST)
    extent = await store.journal.extent(over.run.id)
    assert (extent.entries, extent.bytes, extent.expired) == (0, 0, True)
    assert (await store.runs.get(over.run.id)).result == "done"
    assert await store.journal.read(live.run.id) == {"step": "x"}, "nothing of a live run expires"


async def test_a_run_begins_with_the_journal_that_it_is_handed(
    store: RedisStore, server: redis.Redis
) -> None:
    entries = {f"kept/{number}": "x" * 100_000 for number in range(6)}
    new = new_run()
    assert await store.journal.seed(new.id, entries)
    assert server.pttl(redis_keys.journal(new.id)) > 0, "if it is never started, nothing stays"
    await store.runs.start(new)
    assert server.pttl(redis_keys.journal(new.id)) == -1
    assert await store.journal.read(new.id) == entries
    assert not await store.journal.seed(new.id, {"late": "x"})
    assert await store.journal.read(new.id) == entries


async def test_a_run_that_is_set_aside_comes_back_by_itself(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.queue.defer(claim, 0.2)
    assert (await store.runs.get(claim.run.id)).status is RunStatus.QUEUED
    assert await store.queue.claim("w2", [DEMO.name], 9, LEASE) == []
    with pytest.raises(Fenced):
        await store.queue.finish(claim, result="late")
    while not await store.clock.apply_due(LOST):
        pass
    [again] = await store.queue.claim("w2", [DEMO.name], 9, LEASE)
    assert again.run.id == claim.run.id
    await store.queue.defer(again, 0.0)
    await store.runs.cancel(claim.run.id, ADA)
    await store.clock.apply_due(LOST)
    assert await store.queue.claim("w2", [DEMO.name], 9, LEASE) == []


# ── encryption ──────────────────────────────────────────────────────────────────────────────────────────


async def test_with_a_key_nothing_readable_is_stored_in_journals(
    store: RedisStore, store_url: str, server: redis.Redis
) -> None:
    claim = await claimed(store)
    await store.journal.put_if_absent(claim, "before", "written in the clear")
    async with open_store(store_url, journal_keys=KEYS[:1]) as sealing:
        await sealing.journal.put_if_absent(claim, "t1/model/x/0", "a model's words")
        await sealing.journal.write(claim, [("done/1", "a task's result")])
        assert await sealing.journal.put_if_absent(claim, "t1/model/x/0", "later") == "a model's words"
        await sealing.journal.seed(new_run("handed").id, {"kept/x": "handed words"})
        everything = {"before": "written in the clear", "t1/model/x/0": "a model's words"}
        assert await sealing.journal.read(claim.run.id) == everything | {"done/1": "a task's result"}
    stored = str(dump.taken(server, expiring=True))
    for words in ("a model's words", "a task's result", "handed words"):
        assert words not in stored
        assert base64.b64encode(words.encode()).decode()[:12] not in stored


async def test_further_keys_open_what_they_sealed(store: RedisStore, store_url: str) -> None:
    claim = await claimed(store)
    for number, keyring in enumerate(([KEYS[0]], [KEYS[1], KEYS[0]], [KEYS[2], KEYS[1], KEYS[0]])):
        async with open_store(store_url, journal_keys=keyring) as sealing:
            await sealing.journal.put_if_absent(claim, str(number), f"words {number}")
            assert await sealing.journal.read(claim.run.id) == {
                str(n): f"words {n}" for n in range(number + 1)
            }
    for keyring in ([], [KEYS[1]]):
        async with open_store(store_url, journal_keys=keyring) as other:
            with pytest.raises(JournalUndecryptable, match=f"CREWDECK_JOURNAL_KEY.*{claim.run.id}"):
                await other.journal.read(claim.run.id)


async def test_a_sealed_value_can_not_be_moved(
    store: RedisStore, store_url: str, server: redis.Redis
) -> None:
    claim, other = await claimed(store), await claimed(store)
    async with open_store(store_url, journal_keys=KEYS[:1]) as sealing:
        await sealing.journal.put_if_absent(claim, "step", "ours")
        sealed = server.hget(redis_keys.journal(claim.run.id), "step")
        server.hset(redis_keys.journal(claim.run.id), "another", sealed)
        server.hset(redis_keys.journal(other.run.id), "step", sealed)
        for run_id in (claim.run.id, other.run.id):
            with pytest.raises(JournalUndecryptable, match="moved"):
                await sealing.journal.read(run_id)
