"""A Redis Cluster: whatever node has a run's keys by now, the store finds it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
from redis.crc import key_slot

from bot.core.errors import SettingsError, StoreUnavailable
from bot.core.feed import Feed
from bot.core.model import Claim, RunStatus, Verdict
from bot.store import keys
from bot.store.redis import RedisStore, open_store
from tests.contract.servers import HOST, WITHIN, Cluster, Server, empty
from tests.contract.world import DEMO, LEASE, approval, claimed, response, started, told

Result = TypeVar("Result")


@pytest.fixture
def nodes(cluster: Cluster) -> Iterator[Cluster]:
    empty(cluster.url)
    yield cluster
    cluster.mend()


@pytest.fixture
async def store(nodes: Cluster) -> AsyncIterator[RedisStore]:
    async with open_store(nodes.url) as store:
        yield store


async def claimed_on(store: RedisStore, nodes: Cluster, node: Server) -> Claim:
    """A run whose keys this node has, held by a worker."""
    while True:
        claim = await claimed(store)
        if nodes.owner(keys.run(claim.run.id)) is node:
            return claim


async def sooner_or_later(work: Callable[[], Awaitable[Result]]) -> Result:
    """What comes of pressing again, and again, as people are told to."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                return await work()
            except StoreUnavailable:
                await asyncio.sleep(0.1)


async def test_the_address_of_one_node_will_do(nodes: Cluster) -> None:
    async with open_store(nodes.primaries[2].url) as store:
        runs = [await started(store) for _ in range(8)]
        assert {nodes.owner(keys.run(run.id)) for run in runs} == set(nodes.primaries)
        assert len(await store.claim("w", [DEMO.name], 8, LEASE)) == 8


async def test_a_numbered_database_of_a_node_names_the_right_address(nodes: Cluster) -> None:
    with pytest.raises(SettingsError, match="redis\\+cluster://"):
        async with open_store(f"{nodes.primaries[0].url}/3"):
            pass


async def test_a_node_that_is_gone_is_passed_over(
    nodes: Cluster,
) -> None:
    url = f"redis+cluster://{HOST}:1,{HOST}:{nodes.primaries[1].port}"
    async with open_store(url) as store:
        assert (await started(store)).status is RunStatus.QUEUED


async def test_when_a_part_changes_hands_nobody_notices(store: RedisStore, nodes: Cluster) -> None:
    claim = await claimed_on(store, nodes, nodes.primaries[0])
    question = await store.ask(claim, approval(claim))
    nodes.promote(nodes.replica)
    ruling = await store.respond(claim.run.id, question.id, response())
    assert ruling.verdict is Verdict.SETTLED
    assert [run.id for run in await store.find_run(claim.run.id)] == [claim.run.id]
    await store.finish(claim, result="done")
    assert nodes.owner(keys.run(claim.run.id)) is nodes.replica


async def test_after_the_death_of_a_primary_its_replica_goes_on_with_every_answer(
    store: RedisStore, nodes: Cluster
) -> None:
    claim = await claimed_on(store, nodes, nodes.primaries[0])
    elsewhere = await claimed_on(store, nodes, nodes.primaries[1])
    question = await store.ask(claim, approval(claim))
    assert (await store.respond(claim.run.id, question.id, response())).verdict is Verdict.SETTLED
    nodes.primaries[0].kill()
    assert await told(store, elsewhere.run.id) == ["run_started"]
    events = await sooner_or_later(lambda: told(store, claim.run.id))
    assert events[-1] == "human_input_completed"
    another = await store.ask(claim, approval(claim, "another"))
    assert another.open


async def test_wake_ups_come_from_every_node(store: RedisStore, nodes: Cluster) -> None:
    fed = Feed()
    with fed.watch("ready") as ready:
        following = asyncio.create_task(fed.follow(store))
        assert await ready.wait(WITHIN)
    for node in nodes.primaries:
        claim = await claimed_on(store, nodes, node)
        with fed.watch(f"run:{claim.run.id}") as woken:
            await store.ask(claim, approval(claim))
            assert await woken.wait(WITHIN)
            assert woken.clear() == {f"run:{claim.run.id}"}
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_what_is_on_its_way_to_another_node_waits_and_is_not_half_done(
    store: RedisStore, nodes: Cluster
) -> None:
    source, target = nodes.primaries[0], nodes.primaries[1]
    claim = await claimed_on(store, nodes, source)
    slot = key_slot(keys.run(claim.run.id).encode())
    target.tell("CLUSTER SETSLOT", slot, "IMPORTING", source.tell("CLUSTER MYID"))
    source.tell("CLUSTER SETSLOT", slot, "MIGRATING", target.tell("CLUSTER MYID"))
    try:
        with pytest.raises(StoreUnavailable, match="being moved"):
            await store.ask(claim, approval(claim))
    finally:
        source.tell("CLUSTER SETSLOT", slot, "STABLE")
        target.tell("CLUSTER SETSLOT", slot, "STABLE")
    assert (await store.ask(claim, approval(claim))).open
    assert await told(store, claim.run.id) == ["run_started", "human_input_required"]
