"""What is kept of runs that are over, for how long, and what is left when they are deleted: nothing."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
import redis

from bot.core import ids
from bot.core.claim import Claim
from bot.core.errors import JournalSealed, NotFound, Refused
from bot.core.event import TaskStarted
from bot.core.lists import RunFilter
from bot.core.ports import Fenced
from bot.core.question import Deadline
from bot.core.run import RunStatus
from bot.store import redis_keys
from bot.store.redis import RedisStore, open_store
from tests.contract.lossy import lossy_line
from tests.contract.world import ADA, DEMO, LEASE, LOST, PLACE, approval, claimed, new_run, response, started
from tests.faults.releases import dump

CRM = "webhook:crm"
TASK = TaskStarted(crew_id="c", task_id="t", task="Write", number=1, total=1)
FAR = (10**9, 10**9)
"""Retention and age of journals that pass in no test."""
KEYS = [bytes([number]) * 32 for number in range(3)]


async def eventful(store: RedisStore, *servers: redis.Redis) -> Claim:
    """A run that has left traces wherever runs can."""
    await store.follow([CRM])
    await started(store, place=PLACE)
    # In each way in which a run changes hands, within one lease.
    await store.claim("died", [DEMO.name], 1, LEASE, most={DEMO.name: 5})
    await store.abandon("died", LOST)
    [stopping] = await store.claim("stops", [DEMO.name], 1, LEASE, most={DEMO.name: 5})
    await store.release(stopping)
    [claim] = await store.claim("w1", [DEMO.name], 1, LEASE, most={DEMO.name: 5})
    run_id, shard = claim.run.id, redis_keys.shard_of(claim.run.id)
    await store.also_at(run_id, PLACE.model_copy(update={"ref": "D1/1.2"}))
    await store.note(claim, "t1/model/x/0", json.dumps({"result": "said"}))
    await store.record(claim, TASK)
    for name, deadline in (("first", None), ("second", Deadline(after=600, remind_after=300))):
        await store.ask(claim, approval(claim, name, deadline))
    await store.respond(run_id, ids.part_id(run_id, "first"), response())
    for surface in (CRM, "slack"):
        assert await store.lease_shard(surface, shard, "web", LEASE)
    await store.delivered("slack", "web", run_id, 2, {"run": "C1/1.1"})
    await store.passed(CRM, "web", run_id, 1, failure="410")
    await store.missed(CRM, "web", run_id, tries=1, why="503", seconds=60)
    await store.send_again(CRM, run_id, [1])
    await store.remember("noted", f"{run_id} and more", 60)
    await store.once(f"told:{run_id}")
    await store.shelve("todo", "press", json.dumps({"run": run_id}))
    await store.shelve("another", run_id, "{}")
    await store.keep(f"kept:{run_id}", "x", 60)
    await store.keep("kept", f"of {run_id}", 60)
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
    await store.ask(other, approval(other))
    claim = await eventful(store, server)
    run_id = claim.run.id
    with pytest.raises(Refused, match="cancel it first"):
        await store.delete(run_id)
    await store.cancel(run_id, ADA)
    await store.delete(run_id)
    assert traces(run_id, server) == ""
    with pytest.raises(NotFound):
        await store.run(run_id)
    with pytest.raises(NotFound):
        await store.delete(run_id)
    assert [run.id for run in await store.runs_at(PLACE)] == [other.run.id], "others are as they were"
    assert len((await store.inbox_now()).open) == 1
    totals = await store.totals()
    assert (totals.runs.get("cancelled", 0), totals.questions_open) == (0, 1)


async def test_a_deletion_names_the_keys_of_its_run(store: RedisStore, server: redis.Redis) -> None:
    """It looks at nothing else, however much there is."""
    claim = await eventful(store, server)
    others = [await claimed(store) for _ in range(20)]
    for other in others:
        await store.ask(other, approval(other))
        await store.remember(f"of {other.run.id}", other.run.id, 60)
    await store.cancel(claim.run.id, ADA)
    server.config_resetstat()
    await store.delete(claim.run.id)
    used = {
        name.removeprefix("cmdstat_"): each["calls"] for name, each in server.info("commandstats").items()
    }
    assert not {"scan", "keys", "sscan", "hscan", "xrange", "xrevrange", "zrange", "hgetall"} & used.keys()
    assert sum(used.values()) < 150, used
    assert traces(claim.run.id, server) == ""
    assert len((await store.inbox_now()).open) == len(others)


async def test_what_is_remembered_of_another_run_by_now_stays(store: RedisStore) -> None:
    first, second = await claimed(store), await claimed(store)
    await store.remember("newest", first.run.id, 60)
    await store.remember("newest", second.run.id, 60)
    await store.finish(first, result="done")
    await store.delete(first.run.id)
    assert await store.recall("newest") == second.run.id


@pytest.mark.parametrize("how", ["deleted", "forgotten"])
async def test_what_started_a_run_that_is_gone_starts_it_no_second_time(
    store: RedisStore, server: redis.Redis, how: str
) -> None:
    """Whatever surface that was: the same word is the same run."""
    new = new_run()
    await store.start(new)
    await store.cancel(new.id, ADA)
    if how == "deleted":
        await store.delete(new.id)
    else:
        await asyncio.sleep(0.002)
        await RedisStore(store._connection, retention=0.0).tick(LOST)  # noqa: SLF001 - a store that keeps nothing
    for _ in range(2):
        with pytest.raises(Refused, match="deleted") as refused:
            await store.start(new)
        assert refused.value.code == "run_deleted"
    with pytest.raises(NotFound):
        await store.run(new.id)
    assert traces(new.id, server) == "", "and nothing of it is left"
    marks = server.keys("*:gone:*")
    assert len(marks) == 1
    assert 0 < server.pttl(marks[0]) <= 7 * 24 * 3600 * 1000
    assert (await store.start(new_run()))[1], "others start"


async def test_whoever_works_for_a_deleted_run_leaves_nothing_behind(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await eventful(store, server)
    run_id = claim.run.id
    await store.cancel(run_id, ADA)
    await store.delete(run_id)
    for late in (store.note(claim, "step", "x"), store.record(claim, TASK), store.finish(claim, result="")):
        with pytest.raises(Fenced):
            await late
    assert await store.beat("w1", [claim], LEASE) == {run_id}
    await store.delivered("slack", "web", run_id, 9, {"end": "C1/2.2"})
    await store.passed(CRM, "web", run_id, 2)
    await store.missed(CRM, "web", run_id, tries=2, why="503", seconds=60)
    await store.adopt("slack", run_id, "q", "C1/3.3")
    await store.also_at(run_id, PLACE)
    await store.tick(LOST)
    assert traces(run_id, server) == ""


async def test_a_deletion_whose_answer_was_lost_is_no_surprise(
    store: RedisStore, server: redis.Redis, data_dir: Path
) -> None:
    path: str = server.connection_pool.connection_kwargs["path"]
    async with lossy_line(data_dir / "line.sock", path) as line, open_store(line.url) as far:
        runs = [await started(store) for _ in range(2)]
        for run in runs:
            await store.cancel(run.id, ADA)
        await far.delete(runs[0].id)  # so that the script is known there
        line.lose(1)
        await far.delete(runs[1].id)
    assert await store.runs(RunFilter()) == []


async def test_a_journal_expires_before_its_run(store: RedisStore) -> None:
    live, over = await claimed(store), await claimed(store)
    for claim in (live, over):
        await store.note(claim, "step", "x")
    await store.finish(over, result="done")
    await RedisStore(store._connection, *FAR).tick(LOST)  # noqa: SLF001 - a store of another age
    assert (await store.journal_extent(over.run.id)).entries == 1
    await RedisStore(store._connection, retention=FAR[0], journal=0.0).tick(LOST)  # noqa: SLF001
    extent = await store.journal_extent(over.run.id)
    assert (extent.entries, extent.bytes, extent.expired) == (0, 0, True)
    assert (await store.run(over.run.id)).result == "done"
    assert await store.journal(live.run.id) == {"step": "x"}, "nothing of a live run expires"


async def test_a_run_begins_with_the_journal_that_it_is_handed(
    store: RedisStore, server: redis.Redis
) -> None:
    entries = {f"kept/{number}": "x" * 100_000 for number in range(6)}
    new = new_run()
    assert await store.hand_on(new.id, entries)
    assert server.pttl(redis_keys.journal(new.id)) > 0, "if it is never started, nothing stays"
    await store.start(new)
    assert server.pttl(redis_keys.journal(new.id)) == -1
    assert await store.journal(new.id) == entries
    assert not await store.hand_on(new.id, {"late": "x"})
    assert await store.journal(new.id) == entries


async def test_a_run_that_is_set_aside_comes_back_by_itself(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.set_aside(claim, 0.2)
    assert (await store.run(claim.run.id)).status is RunStatus.QUEUED
    assert await store.claim("w2", [DEMO.name], 9, LEASE) == []
    with pytest.raises(Fenced):
        await store.finish(claim, result="late")
    while not await store.tick(LOST):
        pass
    [again] = await store.claim("w2", [DEMO.name], 9, LEASE)
    assert again.run.id == claim.run.id
    await store.set_aside(again, 0.0)
    await store.cancel(claim.run.id, ADA)
    await store.tick(LOST)
    assert await store.claim("w2", [DEMO.name], 9, LEASE) == []


# ── encryption ──────────────────────────────────────────────────────────────────────────────────────────


async def test_with_a_key_nothing_readable_is_stored_in_journals(
    store: RedisStore, store_url: str, server: redis.Redis
) -> None:
    claim = await claimed(store)
    await store.note(claim, "before", "written in the clear")
    async with open_store(store_url, journal_keys=KEYS[:1]) as sealing:
        await sealing.note(claim, "t1/model/x/0", "a model's words")
        await sealing.write(claim, [("done/1", "a task's result")])
        assert await sealing.note(claim, "t1/model/x/0", "later") == "a model's words"
        await sealing.hand_on(new_run("handed").id, {"kept/x": "handed words"})
        everything = {"before": "written in the clear", "t1/model/x/0": "a model's words"}
        assert await sealing.journal(claim.run.id) == everything | {"done/1": "a task's result"}
    stored = str(dump.taken(server, expiring=True))
    for words in ("a model's words", "a task's result", "handed words"):
        assert words not in stored
        assert base64.b64encode(words.encode()).decode()[:12] not in stored


async def test_further_keys_open_what_they_sealed(store: RedisStore, store_url: str) -> None:
    claim = await claimed(store)
    for number, keyring in enumerate(([KEYS[0]], [KEYS[1], KEYS[0]], [KEYS[2], KEYS[1], KEYS[0]])):
        async with open_store(store_url, journal_keys=keyring) as sealing:
            await sealing.note(claim, str(number), f"words {number}")
            assert await sealing.journal(claim.run.id) == {str(n): f"words {n}" for n in range(number + 1)}
    for keyring in ([], [KEYS[1]]):
        async with open_store(store_url, journal_keys=keyring) as other:
            with pytest.raises(JournalSealed, match=f"CREWDECK_JOURNAL_KEY.*{claim.run.id}"):
                await other.journal(claim.run.id)


async def test_a_sealed_value_can_not_be_moved(
    store: RedisStore, store_url: str, server: redis.Redis
) -> None:
    claim, other = await claimed(store), await claimed(store)
    async with open_store(store_url, journal_keys=KEYS[:1]) as sealing:
        await sealing.note(claim, "step", "ours")
        sealed = server.hget(redis_keys.journal(claim.run.id), "step")
        server.hset(redis_keys.journal(claim.run.id), "another", sealed)
        server.hset(redis_keys.journal(other.run.id), "step", sealed)
        for run_id in (claim.run.id, other.run.id):
            with pytest.raises(JournalSealed, match="moved"):
                await sealing.journal(run_id)
