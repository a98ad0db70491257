"""A worker that has lost a run, in whatever way, can record nothing of it any more, with whichever verb."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from redis.asyncio import Redis

from bot.core.events.event import TaskStarted
from bot.core.files import stored_file
from bot.core.ports.queue import Fenced
from bot.core.ports.store import Store
from bot.core.runs.run import Claim, Run
from bot.store import lua
from bot.store.redis import RedisStore
from bot.store.redis_keys import shard_of
from tests.contract.examples import (
    ADA,
    DEMO,
    LEASE,
    LOST,
    PLACE,
    approval,
    claimed,
    response,
)

pytestmark = pytest.mark.everywhere

SCRIPTS = Path(lua.__file__).parent / "scripts"
TASK = TaskStarted(crew_id="c", task_id="t", task="Write", number=1, total=1)
DIGEST = "sha256:" + 64 * "0"
FILE = stored_file("late.txt", b"late")
Verb = Callable[[Store, Claim], Awaitable[object]]
Loss = Callable[[RedisStore, Claim], Awaitable[None]]

VERBS: dict[str, Verb] = {
    "events.append": lambda store, claim: store.events.append(claim, TASK),
    "files.attach": lambda store, claim: store.files.attach(claim, FILE, b"late"),
    "journal.put_if_absent": lambda store, claim: store.journal.put_if_absent(claim, "late", "late"),
    "journal.write": lambda store, claim: store.journal.write(claim, [("late?", "{}"), ("late", "late")]),
    "questions.ask": lambda store, claim: store.questions.ask(claim, approval(claim, "late")),
    "questions.record_executed": lambda store, claim: store.questions.record_executed(
        claim, approval(claim).id, DIGEST, DIGEST
    ),
    "queue.defer": lambda store, claim: store.queue.defer(claim, 60),
    "queue.finish": lambda store, claim: store.queue.finish(claim, result="late", changes=[("late", "late")]),
    "queue.park": lambda store, claim: store.queue.park(claim, [approval(claim).id], 99_000),
    "queue.release": lambda store, claim: store.queue.release(claim, 99_000),
}
"""Every verb that takes a claim."""
UNFENCED = {"queue.heartbeat": "tells of each run whether it is lost"}
"""Verbs that take claims and raise nothing."""


async def expired(store: RedisStore, claim: Claim) -> None:
    """Nobody has it yet."""
    await store.queue.heartbeat(claim.worker, [claim], 0)
    await store.clock.apply_due(LOST)


async def taken(store: RedisStore, claim: Claim) -> None:
    await expired(store, claim)
    await claims_again(store, "w2")


async def died(store: RedisStore, claim: Claim) -> None:
    await store.queue.abandon(claim.worker, LOST)
    await claims_again(store, "w2")


async def claimed_again_by_the_same_worker(store: RedisStore, claim: Claim) -> None:
    """A thread of the first time is still at work."""
    await store.queue.release(claim)
    await claims_again(store, claim.worker)


async def parked(store: RedisStore, claim: Claim) -> None:
    await store.queue.park(claim, [approval(claim).id])


async def parked_and_answered(store: RedisStore, claim: Claim) -> None:
    await store.queue.park(claim, [approval(claim).id])
    await store.questions.respond(claim.run.id, approval(claim).id, response())
    await claims_again(store, "w2")


async def deferred(store: RedisStore, claim: Claim) -> None:
    await store.queue.defer(claim, 60)


async def cancelled(store: RedisStore, claim: Claim) -> None:
    await store.runs.cancel(claim.run.id, ADA)


async def deleted(store: RedisStore, claim: Claim) -> None:
    await cancelled(store, claim)
    await store.runs.delete(claim.run.id)


async def finished_by_another(store: RedisStore, claim: Claim) -> None:
    await expired(store, claim)
    await store.queue.finish(await claims_again(store, "w2"), result="on time")


async def claims_again(store: RedisStore, worker: str) -> Claim:
    [claim] = await store.queue.claim(worker, [DEMO.name], 1, LEASE)
    return claim


LOSSES: tuple[Loss, ...] = (
    expired,
    taken,
    died,
    claimed_again_by_the_same_worker,
    parked,
    parked_and_answered,
    deferred,
    cancelled,
    deleted,
    finished_by_another,
)


def takes_claims(method: Callable[..., object]) -> bool:
    """Whether one of its parameters is a claim, or some."""
    hints = {name: hint for name, hint in get_type_hints(method).items() if name != "return"}
    return any("Claim" in str(getattr(hint, "__args__", "")) or hint is Claim for hint in hints.values())


def test_every_verb_that_takes_a_claim_is_in_the_table() -> None:
    found = {
        f"{component}.{name}"
        for component, port in get_type_hints(Store).items()
        for name, method in inspect.getmembers(port, inspect.isfunction)
        if takes_claims(method)
    }
    assert found == set(VERBS) | set(UNFENCED)


def test_every_script_that_gets_an_epoch_checks_the_claim() -> None:
    for path in sorted(SCRIPTS.glob("*.lua")):
        text = path.read_text()
        named = next((line for line in text.splitlines() if line.startswith("-- ARGV:")), "")
        if "epoch" in named:
            assert "holds_claim(" in text, path.name


async def everything(store: RedisStore) -> dict[str, Any]:
    """All that is stored but how often workers crashed: one that was taken for dead speaks again."""
    found: dict[str, Any] = {}
    for primary in await store.connection.primaries():
        async for key in primary.scan_iter():
            kept = found[key] = await stored(primary, key)
            if isinstance(kept, dict):
                for uncounted in ("crash_count", "expired_epochs"):
                    kept.pop(uncounted, None)
    return found


async def stored(redis: Redis, key: str) -> object:
    match await redis.type(key):
        case "hash":
            return await redis.hgetall(key)
        case "list":
            return await redis.lrange(key, 0, -1)
        case "set":
            return await redis.smembers(key)
        case "stream":
            return await redis.xrange(key)
        case "zset":
            return await redis.zrange(key, 0, -1, withscores=True)
        case _:
            return await redis.get(key)


@pytest.mark.parametrize("loss", LOSSES)
async def test_who_has_lost_a_run_changes_nothing_of_it(loss: Loss, store: RedisStore) -> None:
    claim = await claimed(store)
    await store.questions.ask(claim, approval(claim))
    await store.journal.write(claim, [("step", "kept")])
    await loss(store, claim)
    before = await everything(store)
    for name, verb in VERBS.items():
        with pytest.raises(Fenced):
            await verb(store, claim)
        assert await everything(store) == before, name
    assert await store.queue.heartbeat(claim.worker, [claim], LEASE, {claim.run.id: 99_000}) == {claim.run.id}


# ── a delivery process that has lost its shard ──────────────────────────────────────────────────────────────

OWNED: dict[str, Callable[[Store, Run], Awaitable[object]]] = {
    "outbox.lease_shard": lambda store, run: store.outbox.lease_shard(
        "slack", shard_of(run.id), "late", LEASE
    ),
    "outbox.release_shard": lambda store, run: store.outbox.release_shard("slack", shard_of(run.id), "late"),
    "outbox.mark_delivered": lambda store, run: store.outbox.mark_delivered(
        "slack", "late", run.id, 9, {"root": "C1/9"}
    ),
    "outbox.postpone": lambda store, run: store.outbox.postpone("slack", "late", run.id, 60),
    "webhooks.ack_event": lambda store, run: store.webhooks.ack_event("slack", "late", run.id, 9),
    "webhooks.nack_event": lambda store, run: store.webhooks.nack_event(
        "slack", "late", run.id, tries=9, why="late", seconds=99
    ),
}
"""Every verb of who delivers."""
UNOWNED = {
    "outbox.adopt": "of whoever receives a press on an orphaned message",
    "outbox.redraw": "of whoever unlinks an identity",
    "outbox.redraw_message": "of whoever receives that a message was deleted",
    "outbox.pending": "reads",
    "outbox.shard_of": "reads",
    "outbox.state": "reads",
}
"""Verbs of the outbox that need no shard."""


def test_every_verb_of_who_delivers_is_in_the_table() -> None:
    ports = get_type_hints(Store)
    found = {
        f"{component}.{name}"
        for component in ("outbox", "webhooks")
        for name, method in inspect.getmembers(ports[component], inspect.isfunction)
        if "owner" in inspect.signature(method).parameters
        or (component == "outbox" and not name.startswith("_"))
    }
    assert found == set(OWNED) | set(UNOWNED)


def test_every_script_that_gets_an_owner_checks_who_holds_the_shard() -> None:
    for path in sorted(SCRIPTS.glob("*.lua")):
        text = path.read_text()
        named = next((line for line in text.splitlines() if line.startswith("-- ARGV:")), "")
        if "surface, owner" in named:
            assert "':shard:'" in text, path.name


async def test_who_has_lost_a_shard_changes_nothing_in_it(store: RedisStore) -> None:
    run = (await claimed(store, place=PLACE)).run
    assert await store.outbox.lease_shard("slack", shard_of(run.id), "late", LEASE)
    await store.outbox.release_shard("slack", shard_of(run.id), "late")
    assert await store.outbox.lease_shard("slack", shard_of(run.id), "holder", LEASE)
    before = await everything(store)
    for name, verb in OWNED.items():
        assert not await verb(store, run), name
        assert await everything(store) == before, name
