"""A Redis Cluster: whatever node has a run's keys by now, the store finds it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import ClusterDownError

from bot.commands.main import main
from bot.core.errors import SettingsError, StoreUnavailable
from bot.core.questions.decision import Verdict
from bot.core.runs.run import Claim, RunError, RunStatus
from bot.core.wakeups import Wakeups
from bot.store import redis_keys
from bot.store.redis import RedisStore, open_store
from bot.store.redis_client.peers import View, check_owner, confirmations_needed, confirms, contradicts
from tests.contract.examples import DEMO, LEASE, PLACE, approval, claimed, event_types, response, started
from tests.contract.servers import SLOTS, Cluster, Server, empty
from tests.contract.test_store_keeping import eventful, traces
from tests.ports import HOST
from tests.waiting import WITHIN

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
        if nodes.owner(redis_keys.run(claim.run.id)) is node:
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
        owners: list[Server] = []
        while set(owners) != set(nodes.primaries):  # where a run lives is decided by its id
            assert len(owners) < 100
            owners.append(nodes.owner(redis_keys.run((await started(store)).id)))
        assert len(await store.queue.claim("w", [DEMO.name], len(owners), LEASE)) == len(owners)


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
    question = await store.questions.ask(claim, approval(claim))
    nodes.promote(nodes.replica)
    ruling = await store.questions.respond(claim.run.id, question.id, response())
    assert ruling.verdict is Verdict.SETTLED
    assert [run.id for run in await store.runs.find(claim.run.id)] == [claim.run.id]
    await store.queue.finish(claim, result="done")
    assert nodes.owner(redis_keys.run(claim.run.id)) is nodes.replica


async def test_after_the_death_of_a_primary_its_replica_goes_on_with_every_answer(
    store: RedisStore, nodes: Cluster
) -> None:
    claim = await claimed_on(store, nodes, nodes.primaries[0])
    elsewhere = await claimed_on(store, nodes, nodes.primaries[1])
    question = await store.questions.ask(claim, approval(claim))
    shelf = next(name for name in "abcdefgh" if nodes.owner(redis_keys.pending(name)) is nodes.primaries[0])
    assert (await store.questions.respond(claim.run.id, question.id, response())).verdict is Verdict.SETTLED
    await store.key_values.save_pending(shelf, "press", "to be worked on")
    nodes.lose_patience()
    nodes.primaries[0].kill()
    assert await event_types(store, elsewhere.run.id) == ["run_started"]
    events = await sooner_or_later(lambda: event_types(store, claim.run.id))
    assert events[-1] == "human_input_completed"
    assert await store.key_values.pending(shelf) == {"press": "to be worked on"}
    another = await store.questions.ask(claim, approval(claim, "another"))
    assert another.open


async def test_an_answer_that_a_replaced_primary_takes_is_given_to_the_next_one(
    store: RedisStore, nodes: Cluster
) -> None:
    claim = await claimed_on(store, nodes, nodes.primaries[0])
    question = await store.questions.ask(claim, approval(claim))
    await store.outbox.pending("slack", redis_keys.shard_of(claim.run.id))  # until the replica has all this
    async with open_store(nodes.url) as unsuspecting:
        nodes.replace_unnoticed()
        ruling = await unsuspecting.questions.respond(claim.run.id, question.id, response())
    assert nodes.primaries[0].info("replication", "role") == "master", "it doesn't know yet"
    assert ruling.verdict is Verdict.SETTLED
    async with open_store(nodes.replica.url) as promoted:
        [said] = await promoted.questions.responses(claim.run.id, question.id)
        assert said.same_as(response())


async def test_a_primary_is_believed_that_enough_others_vouch_for(nodes: Cluster) -> None:
    async with AsyncExitStack() as stack:
        addresses = [node.url for node in nodes.nodes] + [f"redis://{HOST}:1"]
        clients = [await stack.enter_async_context(Redis.from_url(each)) for each in addresses]
        first, second, third, replica, gone = clients
        await check_owner(second, [gone], SLOTS // 2)  # it has no replica
        await check_owner(first, [gone, second], 0)
        await check_owner(first, [second, third], 0)
        for others in ([gone], [replica], [gone, replica]):
            with pytest.raises(ClusterDownError, match="too few"):
                await check_owner(first, others, 0)
        with pytest.raises(ClusterDownError, match="no longer"):
            await check_owner(replica, [second, third], 0)
    assert [confirmations_needed(others) for others in range(8)] == [0, 1, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("owner", "epoch", "judged"),
    [("a", 3, (False, True)), ("b", 4, (True, False)), ("b", 2, (False, False)), (None, 0, (False, False))],
    ids=["agrees", "knows a later one", "is behind", "knows of none"],
)
def test_what_another_node_says_of_a_primary(
    owner: str | None,
    epoch: int,
    judged: tuple[bool, bool],
) -> None:
    own = View("a", primary=True, owner="a", epoch=3)
    other = View("c", primary=True, owner=owner, epoch=epoch)
    assert (contradicts(other, own), confirms(other, own)) == judged


async def test_a_run_is_tried_again_and_deleted_wherever_its_traces_are(
    store: RedisStore, nodes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CREWDECK_REDIS_URL", nodes.url)
    with ExitStack() as stack:
        servers = [stack.enter_context(node.asked()) for node in nodes.primaries]
        claim = await eventful(store, *servers)
        for number in range(9):
            await store.key_values.set(f"noted {number}", claim.run.id, 60)
            await store.key_values.save_pending(f"todo {number}", "press", claim.run.id)
        await store.queue.finish(claim, error=RunError(code="quarantined", message="Three workers died."))
        assert await asyncio.to_thread(main, ["runs", "retry", claim.run.id[:8]]) == 0
        [again] = [run for run in await store.runs.at(PLACE) if run.retry_of == claim.run.id]
        assert "kept/t1/model/x/0" in await store.journal.read(again.id)
        assert await asyncio.to_thread(main, ["runs", "delete", again.id, "--cancel", "--yes"]) == 0
        assert traces(again.id, *servers) == ""
        # A node that has none of what is asked for first.
        nodes.promote(nodes.replica)
        await store.runs.delete(claim.run.id)
        servers[0] = stack.enter_context(nodes.replica.asked())
        assert traces(claim.run.id, *servers) == ""


async def test_wake_ups_come_from_every_node(store: RedisStore, nodes: Cluster) -> None:
    fed = Wakeups()
    with fed.watch("ready") as ready:
        following = asyncio.create_task(fed.follow(store.events))
        assert await ready.wait(WITHIN)
    for node in nodes.primaries:
        claim = await claimed_on(store, nodes, node)
        with fed.watch(f"run:{claim.run.id}") as woken:
            await store.questions.ask(claim, approval(claim))
            assert await woken.wait(WITHIN)
            assert woken.clear() == {f"run:{claim.run.id}"}
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_what_is_on_its_way_to_another_node_waits_and_is_not_half_done(
    store: RedisStore, nodes: Cluster
) -> None:
    source, target = nodes.primaries[0], nodes.primaries[1]
    claim = await claimed_on(store, nodes, source)
    slot = key_slot(redis_keys.run(claim.run.id).encode())
    target.tell("CLUSTER SETSLOT", slot, "IMPORTING", source.tell("CLUSTER MYID"))
    source.tell("CLUSTER SETSLOT", slot, "MIGRATING", target.tell("CLUSTER MYID"))
    try:
        with pytest.raises(StoreUnavailable, match="being moved"):
            await store.questions.ask(claim, approval(claim))
    finally:
        source.tell("CLUSTER SETSLOT", slot, "STABLE")
        target.tell("CLUSTER SETSLOT", slot, "STABLE")
    assert (await store.questions.ask(claim, approval(claim))).open
    assert await event_types(store, claim.run.id) == ["run_started", "human_input_required"]
