"""What surfaces have still to show: pending until shown, by one process a shard."""

import asyncio

import pytest

from bot.core.events.event import TaskStarted
from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.ports.outbox import DeliveryState
from bot.core.runs.run import Claim
from bot.core.unlinking import unlink
from bot.store.redis import RedisStore
from bot.store.redis_keys import shard_of
from tests.contract.examples import (
    DEMO,
    LEASE,
    PLACE,
    UNPLACED,
    approval,
    claimed,
    new_run,
    response,
    started,
)
from tests.contract.outboxes import open_thread
from tests.waiting import eventually

TASK = TaskStarted(crew_id="c", task_id="t", task="Write", number=1, total=1)


class DeliveryProcess:
    """One web process that shows one run."""

    def __init__(self, store: RedisStore, claim: Claim, owner: str = "web") -> None:
        self.store, self.claim, self.owner = store, claim, owner
        self.run, self.shard = claim.run.id, shard_of(claim.run.id)

    async def lease(self, seconds: float = LEASE) -> bool:
        return await self.store.outbox.lease_shard("slack", self.shard, self.owner, seconds)

    async def pending(self) -> list[str]:
        return await self.store.outbox.pending("slack", self.shard)

    async def shown(self, cursor: int, **messages: str) -> bool:
        return await self.store.outbox.mark_delivered("slack", self.owner, self.run, cursor, messages)


@pytest.fixture
async def process(store: RedisStore) -> DeliveryProcess:
    return DeliveryProcess(store, await claimed(store, place=PLACE))


async def test_a_run_is_pending_until_its_newest_event_is_shown(process: DeliveryProcess) -> None:
    assert await process.pending() == [process.run]
    assert await process.lease()
    assert await process.shown(1, parent="C1/1700.1")
    assert await process.pending() == []
    assert await process.store.outbox.state("slack", process.run) == DeliveryState(
        cursor=1, messages={"parent": "C1/1700.1"}
    )
    await process.store.events.append(process.claim, TASK)
    assert await process.pending() == [process.run]


async def test_what_happens_during_a_delivery_stays_pending(process: DeliveryProcess) -> None:
    await process.lease()
    await process.store.events.append(process.claim, TASK)
    assert await process.shown(1)
    assert await process.pending() == [process.run]


async def test_a_late_report_does_not_turn_the_cursor_back(process: DeliveryProcess) -> None:
    await process.lease()
    await process.store.events.append(process.claim, TASK)
    await process.shown(2)
    await process.shown(1, q="C1/1700.2")
    assert await process.store.outbox.state("slack", process.run) == DeliveryState(
        cursor=2, messages={"q": "C1/1700.2"}
    )
    assert await process.pending() == []


async def test_a_postponed_run_is_silent_whatever_happens_in_it(process: DeliveryProcess) -> None:
    await process.lease()
    assert await process.store.outbox.postpone("slack", process.owner, process.run, LEASE)
    await process.store.events.append(process.claim, TASK)
    assert await process.pending() == []
    assert await process.store.outbox.postpone("slack", process.owner, process.run, 0.01)
    assert await eventually(process.pending) == [process.run]


async def test_a_run_without_a_place_is_nobodys_to_show(store: RedisStore) -> None:
    run = await started(store)
    assert await store.outbox.pending("slack", shard_of(run.id)) == []


async def test_a_shard_is_one_processs_until_given_back_or_expired(process: DeliveryProcess) -> None:
    other = DeliveryProcess(process.store, process.claim, "other")
    assert await process.lease()
    assert await process.lease()
    assert not await other.lease()
    await other.store.outbox.release_shard("slack", other.shard, "other")
    assert not await other.lease()
    await process.store.outbox.release_shard("slack", process.shard, "web")
    assert await other.lease(0.02)
    await asyncio.sleep(0.03)
    assert not await other.shown(1)
    assert await process.lease()
    assert not await other.shown(1)
    assert await process.shown(1)


async def test_what_opens_a_thread_is_recorded_and_queues_the_run_at_once(store: RedisStore) -> None:
    run, _ = await store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    outbox, shard = store.outbox, shard_of(run.id)
    await outbox.lease_shard("slack", shard, "web", LEASE)
    assert await outbox.mark_delivered("slack", "web", run.id, 1, {"run": "C1/1700.1"}, place=PLACE)
    assert await outbox.state("slack", run.id) == DeliveryState(cursor=1, messages={"run": "C1/1700.1"})
    assert await outbox.pending("slack", shard) == []
    [claim] = await store.queue.claim("w", [DEMO.name], 10, LEASE)
    assert (claim.run.id, claim.run.place) == (run.id, PLACE)


async def test_who_lost_the_shard_queues_no_run(store: RedisStore) -> None:
    """Whoever holds it opens the thread, which is where the run lives."""
    run, _ = await store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    await store.outbox.lease_shard("slack", shard_of(run.id), "other", LEASE)
    assert not await store.outbox.mark_delivered("slack", "web", run.id, 1, {"run": "C1/1"}, place=PLACE)
    assert (await store.runs.get(run.id)).awaiting_thread
    assert await store.outbox.state("slack", run.id) == DeliveryState()
    assert await store.queue.claim("w", [DEMO.name], 10, LEASE) == []


async def test_a_run_that_was_cancelled_before_its_thread_is_opened_has_it(store: RedisStore) -> None:
    run, _ = await store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    await store.runs.cancel(run.id, run.requester)
    await open_thread(store, run.id, PLACE)
    assert [found.id for found in await store.runs.at(PLACE)] == [run.id]
    assert await store.queue.claim("w", [DEMO.name], 10, LEASE) == []
    assert await store.outbox.pending("slack", shard_of(run.id)) == [run.id]


async def test_a_copy_that_turns_up_is_adopted_unless_one_is_known(process: DeliveryProcess) -> None:
    await process.store.outbox.adopt("slack", process.run, "q1", "C1/1700.5")
    await process.store.outbox.adopt("slack", process.run, "q1", "C1/1700.6")
    assert (await process.store.outbox.state("slack", process.run)).messages == {"q1": "C1/1700.5"}


async def test_an_adopted_copy_keeps_its_run_pending_until_it_is_looked_after(
    process: DeliveryProcess,
) -> None:
    await process.lease()
    await process.shown(1)
    assert await process.pending() == []
    await process.store.outbox.adopt("slack", process.run, "q1", "C1/1700.5")
    await process.store.outbox.adopt("slack", process.run, "q1", "C1/1700.5")
    await process.shown(1, other="C1/1700.6")
    assert await process.pending() == [process.run]
    assert (await process.store.outbox.state("slack", process.run)).outdated == {"q1"}
    await process.shown(1, q1="C1/1700.5")
    assert await process.pending() == []
    assert (await process.store.outbox.state("slack", process.run)).outdated == frozenset()


async def test_an_answer_before_the_place_of_its_question_is_recorded_counts(
    process: DeliveryProcess,
) -> None:
    question = await process.store.questions.ask(process.claim, approval(process.claim))
    await process.store.questions.respond(process.run, question.id, response())
    await process.store.outbox.adopt("slack", process.run, question.id, "C1/1700.7")
    await process.lease()
    await process.shown(2, **{question.id: "C1/1700.7"})
    assert await process.pending() == [process.run]
    assert not (await process.store.questions.get(process.run, question.id)).open


# ── relayed to other surfaces ───────────────────────────────────────────────────────────────────────────


async def relayed(process: DeliveryProcess) -> list[str]:
    return await process.store.outbox.pending("teams", process.shard)


async def test_question_events_are_relayed_to_surfaces_that_asked_for_them(process: DeliveryProcess) -> None:
    outbox = process.store.outbox
    await outbox.lease_shard("webhook:crm", process.shard, "web", LEASE)
    await outbox.lease_shard("teams", process.shard, "web", LEASE, relay=True)
    await process.store.events.append(process.claim, TASK)
    assert await relayed(process) == []
    await process.store.questions.ask(process.claim, approval(process.claim))
    assert await relayed(process) == [process.run]
    assert await outbox.pending("webhook:crm", process.shard) == []
    assert await outbox.mark_delivered("teams", "web", process.run, 3, {"q1": "a/1"})
    assert await relayed(process) == []
    assert (await outbox.state("teams", process.run)).messages == {"q1": "a/1"}
    await outbox.adopt("teams", process.run, "q2", "a/2")
    assert await relayed(process) == [process.run]


async def test_nothing_is_relayed_of_a_run_that_lives_on_no_chat_surface(store: RedisStore) -> None:
    claim = await claimed(store)
    shard = shard_of(claim.run.id)
    await store.outbox.lease_shard("teams", shard, "web", LEASE, relay=True)
    await store.questions.ask(claim, approval(claim))
    assert await store.outbox.pending("teams", shard) == []


async def test_a_surface_shows_only_runs_that_live_there_or_are_relayed(process: DeliveryProcess) -> None:
    outbox = process.store.outbox
    await outbox.lease_shard("teams", process.shard, "web", LEASE)
    await process.store.questions.ask(process.claim, approval(process.claim))
    await outbox.mark_delivered("teams", "web", process.run, 2, {"q1": "a/1"})
    await outbox.adopt("teams", process.run, "q2", "a/2")
    assert (await outbox.state("teams", process.run)) == DeliveryState()


async def test_questions_of_who_unlinks_are_shown_anew_except_in_the_runs_home(
    process: DeliveryProcess,
) -> None:
    slack, teams = (Actor(surface=each, tenant="T1", user_id="U1") for each in ("slack", "teams"))
    await process.store.directory.redeem(await process.store.directory.new_code(slack), teams)
    outbox = process.store.outbox
    await process.lease()
    await outbox.lease_shard("teams", process.shard, "web", LEASE, relay=True)
    question = approval(process.claim).model_copy(update={"policy": Policy(deciders=(slack.principal,))})
    await process.store.questions.ask(process.claim, question)
    others = approval(process.claim, "other").model_copy(update={"policy": Policy(deciders=("slack:T1:U2",))})
    await process.store.questions.ask(process.claim, others)
    newest = (await process.store.runs.get(process.run)).seq
    await process.shown(newest)
    await outbox.mark_delivered("teams", "web", process.run, newest)
    assert await outbox.pending("teams", process.shard) == []
    assert await unlink(process.store, teams, slack.principal)
    [name] = (await outbox.state("teams", process.run)).outdated
    assert name.split(":")[:2] == ["redrawn", question.id]
    assert await outbox.pending("teams", process.shard) == [process.run]
    assert await process.pending() == []
    await outbox.mark_delivered("teams", "web", process.run, newest, {name: ""})
    assert await outbox.pending("teams", process.shard) == []
