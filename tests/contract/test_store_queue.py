"""In which order queued runs are taken, and that none is lost or taken twice; on the real store."""

import asyncio
import itertools

import redis

from bot.core.people.actor import Actor
from bot.core.runs.crew import Crew
from bot.core.runs.run import Claim, RunStatus
from bot.core.wakeups import queue_topic
from bot.store import redis_keys
from bot.store.redis import RedisStore
from tests.contract.examples import (
    ADA,
    BOB,
    DEMO,
    LEASE,
    LOST,
    PLACE,
    RETRY_AFTER,
    approval,
    claimed,
    new_run,
    response,
    started,
)
from tests.waiting import WITHIN

OTHER = Crew(name="other", title="Other")
BOTH = ["demo", "other"]
_people = (Actor(surface="http", user_id=f"person-{n}") for n in itertools.count())


async def burst(store: RedisStore, many: int, by: Actor = ADA, crew: Crew = DEMO) -> list[str]:
    """So many runs, one after the other, each in a millisecond of its own; their ids."""
    ids = []
    for _ in range(many):
        ids.append((await started(store, crew, by)).id)
        await asyncio.sleep(0.001)
    return ids


async def taken(store: RedisStore, many: int, crews: list[str] = BOTH) -> list[Claim]:
    """So many claims of one run each, in their order, each in a millisecond of its own."""
    claims: list[Claim] = []
    for _ in range(many):
        claims += await store.queue.claim("w", crews, 1, LEASE)
        await asyncio.sleep(0.001)
    return claims


async def test_a_single_run_is_not_kept_waiting_by_somebodys_burst(store: RedisStore) -> None:
    await burst(store, 50)
    await taken(store, 3)
    [single] = await burst(store, 1, BOB)
    assert single in {claim.run.id for claim in await taken(store, 2)}


async def test_a_crews_burst_keeps_no_other_crew_waiting(store: RedisStore) -> None:
    for _ in range(20):
        await burst(store, 2, next(_people))
    others = await burst(store, 3, crew=OTHER)
    found = [claim.run.id for claim in await taken(store, 6)]
    assert [run_id for run_id in found if run_id in others] == others


async def test_who_has_many_runs_gets_as_many_as_others_until_theirs_are_gone(store: RedisStore) -> None:
    people = [next(_people) for _ in range(3)]
    for who, many in zip(people, (40, 5, 10), strict=True):
        await burst(store, many, who)
    order = [claim.run.requester.user_id for claim in await store.queue.claim("w", BOTH, 15, LEASE)]
    assert {order.count(who.user_id) for who in people} == {5}
    order = [claim.run.requester.user_id for claim in await taken(store, 10)]
    assert [order.count(who.user_id) for who in people] == [5, 0, 5]


async def test_turns_are_kept_between_workers_and_between_claims(store: RedisStore) -> None:
    people = [next(_people) for _ in range(4)]
    for who in people:
        await burst(store, 6, who)
    order: list[str] = []
    for n in range(12):
        [claim] = await store.queue.claim(f"w{n % 3}", BOTH, 1, LEASE)
        order.append(claim.run.requester.user_id)
    assert order == [who.user_id for who in people] * 3


async def test_revived_runs_go_ahead_of_new_ones(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim))
    assert await store.queue.park(claim, [asked.id])
    dying = await claimed(store, worker="dying")
    new = await burst(store, 3, BOB)
    await store.questions.respond(claim.run.id, asked.id, response())
    await store.queue.abandon("dying", LOST)
    order = [each.run.id for each in await taken(store, 3)]
    assert set(order[:2]) == {claim.run.id, dying.run.id}
    assert order[2] == new[0]


async def test_runs_that_are_cancelled_or_paused_keep_nobody_waiting(store: RedisStore) -> None:
    [first, second] = await burst(store, 2)
    await store.runs.cancel(first, ADA)
    there = (await started(store, by=BOB, place=PLACE)).id
    await store.runs.pause_tenant(PLACE.tenant, "revoked")
    assert [claim.run.id for claim in await taken(store, 3)] == [second]
    await store.runs.pause_tenant(PLACE.tenant, None)
    assert [claim.run.id for claim in await taken(store, 3)] == [there]
    assert (await store.health.totals()).queued == {}


async def test_none_is_lost_or_taken_twice_by_many_workers(store: RedisStore) -> None:
    runs = [await burst(store, 10, next(_people), crew) for crew in (DEMO, OTHER) for _ in range(2)]

    async def work(name: str) -> list[str]:
        found: list[str] = []
        while claims := await store.queue.claim(name, BOTH, 5, LEASE):
            found += [claim.run.id for claim in claims]
        return found

    held = await asyncio.gather(*(work(f"w{n}") for n in range(4)))
    assert sorted(run_id for each in held for run_id in each) == sorted(itertools.chain(*runs))


async def test_a_claim_costs_the_same_however_much_waits(store: RedisStore, server: redis.Redis) -> None:
    async def commands() -> int:
        before = server.info("stats")["total_commands_processed"]
        assert len(await store.queue.claim("w", BOTH, 4, LEASE)) == 4
        after = server.info("stats")["total_commands_processed"]
        return int(after) - int(before)

    people = [next(_people) for _ in range(12)]
    await asyncio.gather(*(started(store, DEMO, who) for who in people))
    few = await commands()
    await asyncio.gather(*(started(store, DEMO, who) for who in people * 15))
    assert await commands() < few * 1.5


# ── limits of a crew ────────────────────────────────────────────────────────────────────────────────────────

MOST = {"demo": 2}


async def test_so_many_runs_of_a_crew_work_at_once_in_all_workers(store: RedisStore) -> None:
    await burst(store, 6)
    await burst(store, 2, crew=OTHER)
    claims = await asyncio.gather(*(store.queue.claim(f"w{n}", BOTH, 4, LEASE, most=MOST) for n in range(4)))
    held = [claim for each in claims for claim in each]
    assert sorted(claim.run.crew.name for claim in held) == ["demo", "demo", "other", "other"]
    [first, second] = [claim for claim in held if claim.run.crew == DEMO]
    await store.queue.release_slots(second.worker, "demo", [first.run.id])
    if second.worker != first.worker:
        assert await store.queue.claim("w9", BOTH, 4, LEASE, most=MOST) == [], "it is not the other's to give"
    await store.queue.release_slots(first.worker, "demo", [first.run.id])
    assert len(await store.queue.claim("w9", BOTH, 4, LEASE, most=MOST)) == 1


async def test_a_dead_workers_place_is_free_after_its_lease(store: RedisStore, server: redis.Redis) -> None:
    await burst(store, 3)
    [claim] = await store.queue.claim("dead", ["demo"], 3, LEASE, most={"demo": 1})
    slots = redis_keys.slots("demo")
    ends = int(str(server.hget(slots, claim.run.id)).removesuffix(" dead"))
    assert 0 < ends - await store.clock.now() <= LEASE * 1000
    assert await store.queue.claim("w", ["demo"], 3, LEASE, most={"demo": 1}) == []
    server.hset(slots, claim.run.id, f"{ends - LEASE * 1000:.0f} dead")
    assert len(await store.queue.claim("w", ["demo"], 3, LEASE, most={"demo": 1})) == 1


async def test_the_run_of_a_dead_worker_needs_no_second_place(store: RedisStore) -> None:
    await burst(store, 1)
    [claim] = await store.queue.claim("dead", ["demo"], 3, LEASE, most={"demo": 1})
    await store.queue.abandon("dead", LOST)
    [again] = await store.queue.claim("w", ["demo"], 3, LEASE, most={"demo": 1})
    assert again.run.id == claim.run.id
    await store.queue.release_slots("dead", "demo", [claim.run.id])
    await burst(store, 1)
    assert await store.queue.claim("w", ["demo"], 3, LEASE, most={"demo": 1}) == [], (
        "its place is the new holder's"
    )


async def test_who_has_lost_a_run_takes_its_place_from_nobody(store: RedisStore) -> None:
    """A worker that was suspended renews what it held before it hears of it, and then gives it back."""
    run_id, other = await burst(store, 2)
    [claim] = await store.queue.claim("suspended", ["demo"], 1, LEASE, most={"demo": 1})
    await store.queue.heartbeat("suspended", [claim], 0)
    await store.clock.apply_due(LOST)
    [again] = await store.queue.claim("w", ["demo"], 1, LEASE, most={"demo": 1})
    assert again.run.id == claim.run.id
    await store.queue.acquire_slots("suspended", "demo", [claim.run.id], None, LEASE)
    await store.queue.release_slots("suspended", "demo", [claim.run.id])
    assert await store.queue.claim("w2", ["demo"], 1, LEASE, most={"demo": 1}) == []
    await store.queue.finish(again, result="done")
    await store.queue.release_slots("w", "demo", [claim.run.id])
    [last] = await store.queue.claim("w2", ["demo"], 1, LEASE, most={"demo": 1})
    assert {claim.run.id, last.run.id} == {run_id, other}


async def test_a_run_that_works_keeps_its_place_whatever_the_limit_is_by_now(store: RedisStore) -> None:
    await burst(store, 3)
    claims = await store.queue.claim("w", ["demo"], 2, LEASE, most={"demo": 2})
    ids = [claim.run.id for claim in claims]
    assert await store.queue.acquire_slots("w", "demo", ids, None, LEASE) == set(ids)
    assert await store.queue.claim("w2", ["demo"], 2, LEASE, most={"demo": 1}) == []
    assert await store.queue.acquire_slots("w2", "demo", ["another"], 2, LEASE) == set()


async def test_who_waits_for_a_place_is_woken_when_one_is_free(store: RedisStore) -> None:
    [run_id] = await burst(store, 1)
    await store.queue.claim("w", ["demo"], 1, LEASE, most={"demo": 1})
    wakeups = store.events.wakeups()
    await anext(wakeups)
    await store.queue.release_slots("w", "demo", [run_id])
    async with asyncio.timeout(WITHIN):
        assert queue_topic(redis_keys.shard_of("demo")) in (await anext(wakeups)).topics
    await wakeups.aclose()  # type: ignore[attr-defined]


# ── suspects, and runs that are tried again later ───────────────────────────────────────────────────────────


async def die(store: RedisStore, times: int, *, worker: str = "dying") -> None:
    for _ in range(times):
        await store.queue.claim(worker, BOTH, 50, LEASE)
        await store.queue.abandon(worker, LOST)


async def test_a_poison_run_is_quarantined_and_those_beside_it_are_not(store: RedisStore) -> None:
    """All were with it when two workers died; the third time each is alone."""
    runs = await burst(store, 4)
    poison = runs[1]
    await die(store, 2)
    assert await store.queue.claim("w", BOTH, 50, LEASE) == []
    await asyncio.sleep(RETRY_AFTER)
    assert await store.clock.apply_due(LOST) == 4
    assert await store.queue.claim("w", BOTH, 50, LEASE) == [], "nobody takes them beside others"
    assert set(await store.queue.suspected(BOTH)) == set(runs)
    await burst(store, 1, BOB)
    for _ in runs:
        [claim] = await store.queue.claim("single", BOTH, 1, LEASE, isolated=True)
        if claim.run.id == poison:
            await store.queue.abandon("single", LOST)
        else:
            await store.queue.finish(claim, result="done")
    ends = {run_id: (await store.runs.get(run_id)).status for run_id in runs}
    assert ends == dict.fromkeys(runs, RunStatus.COMPLETED) | {poison: RunStatus.FAILED}
    assert (await store.runs.get(poison)).error == LOST


async def test_the_first_death_costs_no_time_and_the_second_a_little(
    store: RedisStore, server: redis.Redis
) -> None:
    [run_id] = await burst(store, 1)
    await die(store, 1)
    assert [claim.run.id for claim in await store.queue.claim("w", BOTH, 1, LEASE)] == [run_id]
    before = await store.clock.now()
    await store.queue.abandon("w", LOST)
    due = server.zscore(redis_keys.delayed(redis_keys.shard_of(run_id)), run_id)
    assert due is not None
    assert due >= before + 1000 * RETRY_AFTER
    assert await store.queue.suspected(BOTH) == []
    await asyncio.sleep(RETRY_AFTER)
    assert [await store.clock.apply_due(LOST), await store.clock.apply_due(LOST)] == [1, 0], "once"
    assert await store.queue.suspected(BOTH) == [run_id]


async def test_a_run_that_is_handed_back_is_queued_at_once(store: RedisStore) -> None:
    [run_id] = await burst(store, 1)
    for _ in range(4):
        [claim] = await store.queue.claim("w", BOTH, 1, LEASE)
        await store.queue.release(claim)
    assert (await store.runs.get(run_id)).status is RunStatus.QUEUED


async def test_a_suspect_that_gets_on_is_none_any_more(store: RedisStore) -> None:
    await burst(store, 1)
    await die(store, 2)
    await asyncio.sleep(RETRY_AFTER)
    await store.clock.apply_due(LOST)
    [claim] = await store.queue.claim("single", BOTH, 1, LEASE, isolated=True)
    await store.journal.put_if_absent(claim, "step", "done")
    await store.queue.release(claim)
    assert len(await store.queue.claim("w", BOTH, 1, LEASE)) == 1


async def test_a_run_that_is_tried_later_can_be_cancelled(store: RedisStore, server: redis.Redis) -> None:
    [run_id] = await burst(store, 1)
    await die(store, 2)
    await store.runs.cancel(run_id, ADA)
    await asyncio.sleep(RETRY_AFTER)
    assert await store.clock.apply_due(LOST) == 0
    assert server.exists(redis_keys.delayed(redis_keys.shard_of(run_id))) == 0


# ── what a queued run waits for ─────────────────────────────────────────────────────────────────────────────


async def said(store: RedisStore, run_id: str) -> tuple[str, int | None]:
    wait = (await store.runs.waits([await store.runs.get(run_id)]))[run_id]
    return wait.code, wait.ahead


async def up(store: RedisStore, worker: str = "w", most: int | None = None) -> None:
    """A worker that runs `demo`."""
    await store.queue.register_worker(worker, {"demo": most}, LEASE)


async def test_a_run_that_no_live_worker_can_take_waits_for_one(
    store: RedisStore, server: redis.Redis
) -> None:
    [demo] = await burst(store, 1)
    [other] = await burst(store, 1, crew=OTHER)
    assert await said(store, demo) == ("worker", None)
    await up(store)
    assert await said(store, demo) == ("turn", 0)
    assert await said(store, other) == ("worker", None)
    stored = server.hget(redis_keys.WORKER_CREWS, "w")
    assert stored is not None
    at, _, offer = str(stored).partition(" ")
    server.hset(redis_keys.WORKER_CREWS, "w", f"{int(at) - (LEASE + 2) * 1000:.0f} {offer}")
    assert await said(store, demo) == ("worker", None)
    await up(store)
    await store.queue.abandon("w", LOST)
    assert await said(store, demo) == ("worker", None)


async def test_a_worker_knows_what_the_others_that_are_alive_have_room_for(
    store: RedisStore, server: redis.Redis
) -> None:
    await store.queue.register_worker("here", {"demo": None}, LEASE, room=1)
    await store.queue.register_worker("there", {"demo": 2, "other": None}, LEASE, room=3)
    await store.queue.register_worker("dead", {"demo": None}, LEASE, room=4)
    at, _, offer = str(server.hget(redis_keys.WORKER_CREWS, "dead")).partition(" ")
    server.hset(redis_keys.WORKER_CREWS, "dead", f"{int(at) - (LEASE + 2) * 1000:.0f} {offer}")
    # As a release wrote it that knew no room.
    server.hset(redis_keys.WORKER_CREWS, "former", f'{at} {{"crews": {{"demo": null}}, "lease": {LEASE}}}')
    others = await store.queue.other_workers("here")
    assert sorted((each.room, *sorted(each.crews)) for each in others) == [
        (0, "demo"),
        (3, "demo", "other"),
    ]


async def test_a_run_is_told_how_many_go_before_it(store: RedisStore) -> None:
    await up(store)
    await burst(store, 20)
    [bob] = await burst(store, 1, BOB)
    last = (await burst(store, 3, BOB))[-1]
    assert await said(store, bob) == ("turn", 1)
    assert await said(store, last) == ("turn", 7)
    order = [claim.run.id for claim in await taken(store, 8, ["demo"])]
    assert (order.index(bob), order.index(last)) == (1, 7)


async def test_what_was_begun_before_goes_before_a_new_run(store: RedisStore) -> None:
    await up(store)
    claim = await claimed(store)
    [new] = await burst(store, 1, BOB)
    await store.queue.release(claim)
    assert await said(store, new) == ("turn", 1)
    assert await said(store, claim.run.id) == ("turn", 0)


async def test_a_run_of_a_crew_that_has_reached_its_limit_is_told_so(store: RedisStore) -> None:
    await up(store, most=1)
    await burst(store, 2)
    [claim] = await store.queue.claim("w", ["demo"], 2, LEASE, most={"demo": 1})
    [last] = await burst(store, 1)
    waits = await store.runs.waits([await store.runs.get(last)])
    assert waits[last].message == (
        "1 of at most 1 runs of this crew are working. One run of its crew goes before it."
    )
    await store.queue.release_slots("w", "demo", [claim.run.id])
    assert await said(store, last) == ("turn", 1)


async def test_other_reasons(store: RedisStore) -> None:
    await up(store)
    held, _ = await store.runs.start(new_run(place=PLACE, awaiting_thread=True))
    assert await said(store, held.id) == ("place", None)
    placed = (await started(store, place=PLACE)).id
    await store.runs.pause_tenant(PLACE.tenant, "revoked")
    assert await said(store, placed) == ("paused", None)
    await store.runs.pause_tenant(PLACE.tenant, None)
    before = await store.clock.now()
    await die(store, 2)
    wait = (await store.runs.waits([await store.runs.get(placed)]))[placed]
    assert wait.code == "retry"
    assert "Two workers died" in wait.message
    assert wait.until is not None
    assert wait.until >= before + 1000 * RETRY_AFTER
    await asyncio.sleep(RETRY_AFTER)
    await store.clock.apply_due(LOST)
    assert await said(store, placed) == ("alone", None)


async def test_a_run_that_its_worker_gave_back_says_so_and_blames_no_crash(store: RedisStore) -> None:
    await up(store)
    claim = await claimed(store)
    await store.queue.defer(claim, 60)
    wait = (await store.runs.waits([await store.runs.get(claim.run.id)]))[claim.run.id]
    assert wait.code == "retry"
    assert "died" not in wait.message
    assert "could not read" in wait.message


async def test_runs_that_are_taken_wait_for_nothing(store: RedisStore) -> None:
    claim = await claimed(store)
    assert await store.runs.waits([claim.run]) == {}


async def test_depths_of_the_queue_are_counted(store: RedisStore) -> None:
    await burst(store, 3)
    claim = await claimed(store)
    await store.queue.release(claim)
    assert (await store.health.totals()).queued == {"new:demo": 3, "resumed:demo": 1}
