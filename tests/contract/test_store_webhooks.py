"""What followers of runs have still to get: on each server that is at hand."""

import pytest

from bot.core import ids
from bot.core.errors import NotFound
from bot.core.events.event import TaskStarted
from bot.core.ports.webhooks import EndpointState
from bot.core.runs.place import Place
from bot.core.runs.run import Run
from bot.store.redis import RedisStore
from bot.store.redis_keys import shard_of
from tests.contract.examples import LEASE, PLACE, claimed, new_run, started
from tests.waiting import eventually

CRM, OPS = "webhook:crm", "webhook:ops"
TASK = TaskStarted(crew_id="c", task_id="t", task="Write", number=1, total=1)


async def _pending(store: RedisStore, run: Run, surface: str = CRM) -> bool:
    return run.id in await store.outbox.pending(surface, shard_of(run.id))


@pytest.fixture
async def run(store: RedisStore) -> Run:
    """A run with two events, followed by one endpoint; its shard is leased to `web`."""
    await store.webhooks.follow([CRM])
    claim = await claimed(store, place=PLACE)
    await store.events.append(claim, TASK)
    assert await store.outbox.lease_shard(CRM, shard_of(claim.run.id), "web", LEASE)
    return await store.runs.get(claim.run.id)


async def test_followers_are_those_of_the_runs_start(store: RedisStore, run: Run) -> None:
    assert await _pending(store, run)
    assert await _pending(store, run, "slack")
    await store.webhooks.follow([OPS])
    other = await started(store)
    assert not await _pending(store, other)
    assert await _pending(store, other, OPS)
    assert not await _pending(store, run, OPS)


async def test_a_run_can_bring_a_follower_of_its_own(store: RedisStore) -> None:
    here = Place(surface=OPS, ref="somewhere")
    run, _ = await store.runs.start(new_run().model_copy(update={"followers": (here,)}))
    assert run.followers == (here,)
    assert await _pending(store, run, OPS)


async def test_it_is_pending_until_its_newest_event_has_passed(store: RedisStore, run: Run) -> None:
    assert await store.webhooks.state(CRM, run.id) == EndpointState()
    assert await store.webhooks.ack_event(CRM, "web", run.id, 1)
    assert await _pending(store, run)
    for _ in range(2):  # as when the first answer was lost
        assert await store.webhooks.ack_event(CRM, "web", run.id, 2)
    assert not await _pending(store, run)
    assert await store.webhooks.state(CRM, run.id) == EndpointState(cursor=2)
    assert await _pending(store, run, "slack")


async def test_only_who_holds_the_shard_may_say_so(store: RedisStore, run: Run) -> None:
    assert not await store.webhooks.ack_event(CRM, "other", run.id, 2)
    assert not await store.webhooks.nack_event(CRM, "other", run.id, tries=1, why="no", seconds=9)
    assert await store.webhooks.state(CRM, run.id) == EndpointState()
    assert await store.webhooks.failing(CRM) == []


async def test_what_failed_waits_and_is_listed(store: RedisStore, run: Run) -> None:
    for _ in range(2):
        assert await store.webhooks.nack_event(
            CRM, "web", run.id, tries=1, why="it answered 500", seconds=LEASE
        )
    assert not await _pending(store, run)
    [failing] = await store.webhooks.failing(CRM)
    assert (failing.run_id, failing.tries, failing.why) == (run.id, 1, "it answered 500")
    await store.webhooks.nack_event(CRM, "web", run.id, tries=1, why="it answered 500", seconds=0.01)
    assert await eventually(lambda: _pending(store, run))
    assert (await store.webhooks.state(CRM, run.id)).tries == 1
    await store.webhooks.ack_event(CRM, "web", run.id, 1)
    assert await store.webhooks.failing(CRM) == []
    assert await store.webhooks.state(CRM, run.id) == EndpointState(cursor=1)


async def test_what_was_given_up_is_listed_until_it_arrives(store: RedisStore, run: Run) -> None:
    for _ in range(2):
        await store.webhooks.ack_event(CRM, "web", run.id, 1, failure="it answered 500")
    await store.webhooks.ack_event(CRM, "web", run.id, 2)
    [given_up] = await store.webhooks.dead_letters(CRM)
    assert (given_up.run_id, given_up.seq, given_up.why) == (run.id, 1, "it answered 500")
    assert await store.webhooks.resend(CRM, run.id, [1, 7]) == 1
    assert await _pending(store, run)
    state = await store.webhooks.state(CRM, run.id)
    assert (state.cursor, list(state.again), state.before) == (2, [1], 0)
    assert not state.is_done(1)
    assert state.is_done(2)
    await store.webhooks.ack_event(CRM, "web", run.id, 1)
    assert not await _pending(store, run)
    assert await store.webhooks.dead_letters(CRM) == []


async def test_who_is_gone_may_come_back(store: RedisStore, run: Run) -> None:
    await store.webhooks.ack_event(CRM, "web", run.id, 1, failure="it answered 410", gone=True)
    assert (await store.webhooks.state(CRM, run.id)).gone
    await store.webhooks.resend(CRM, run.id, [1])
    assert not (await store.webhooks.state(CRM, run.id)).gone


async def test_an_endpoint_is_disabled_until_it_is_enabled(store: RedisStore) -> None:
    await store.webhooks.disable(CRM, "it answered 410 Gone", "f1")
    [(surface, disabled)] = (await store.webhooks.disabled()).items()
    assert (surface, disabled.why, disabled.fingerprint) == (CRM, "it answered 410 Gone", "f1")
    await store.webhooks.enable(CRM)
    assert await store.webhooks.disabled() == {}


async def test_an_event_id_is_enough_to_find_its_run(store: RedisStore, run: Run) -> None:
    await started(store)
    assert await store.webhooks.find_event(ids.event_id(run.id, 2)) == (run, 2)
    with pytest.raises(NotFound, match="There is no event"):
        await store.webhooks.find_event(ids.event_id("another run", 2))
