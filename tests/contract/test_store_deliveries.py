"""What surfaces have still to show: pending until shown, by one process a shard."""

import asyncio

import pytest

from bot.core.actor import Actor
from bot.core.event import TaskStarted
from bot.core.outbox import DeliveryState
from bot.core.policy import Policy
from bot.core.run import Claim
from bot.core.unlinking import unlink
from bot.store.redis import RedisStore
from bot.store.redis_keys import shard_of
from tests.contract.examples import LEASE, PLACE, approval, claimed, response, started
from tests.waiting import eventually

TASK = TaskStarted(crew_id="c", task_id="t", task="Write", number=1, total=1)


class Desk:
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
async def desk(store: RedisStore) -> Desk:
    return Desk(store, await claimed(store, place=PLACE))


async def test_a_run_is_pending_until_its_newest_event_is_shown(desk: Desk) -> None:
    assert await desk.pending() == [desk.run]
    assert await desk.lease()
    assert await desk.shown(1, parent="C1/1700.1")
    assert await desk.pending() == []
    assert await desk.store.outbox.state("slack", desk.run) == DeliveryState(
        cursor=1, messages={"parent": "C1/1700.1"}
    )
    await desk.store.events.append(desk.claim, TASK)
    assert await desk.pending() == [desk.run]


async def test_what_happens_during_a_delivery_stays_pending(desk: Desk) -> None:
    await desk.lease()
    await desk.store.events.append(desk.claim, TASK)
    assert await desk.shown(1)
    assert await desk.pending() == [desk.run]


async def test_a_late_report_does_not_turn_the_cursor_back(desk: Desk) -> None:
    await desk.lease()
    await desk.store.events.append(desk.claim, TASK)
    await desk.shown(2)
    await desk.shown(1, q="C1/1700.2")
    assert await desk.store.outbox.state("slack", desk.run) == DeliveryState(
        cursor=2, messages={"q": "C1/1700.2"}
    )
    assert await desk.pending() == []


async def test_a_postponed_run_is_silent_whatever_happens_in_it(desk: Desk) -> None:
    await desk.lease()
    assert await desk.store.outbox.postpone("slack", desk.owner, desk.run, LEASE)
    await desk.store.events.append(desk.claim, TASK)
    assert await desk.pending() == []
    assert await desk.store.outbox.postpone("slack", desk.owner, desk.run, 0.01)
    assert await eventually(desk.pending) == [desk.run]


async def test_a_run_without_a_place_is_nobodys_to_show(store: RedisStore) -> None:
    run = await started(store)
    assert await store.outbox.pending("slack", shard_of(run.id)) == []


async def test_a_shard_is_one_processs_until_given_back_or_expired(desk: Desk) -> None:
    other = Desk(desk.store, desk.claim, "other")
    assert await desk.lease()
    assert await desk.lease()
    assert not await other.lease()
    await other.store.outbox.release_shard("slack", other.shard, "other")
    assert not await other.lease()
    await desk.store.outbox.release_shard("slack", desk.shard, "web")
    assert await other.lease(0.02)
    await asyncio.sleep(0.03)
    assert not await other.shown(1)
    assert await desk.lease()
    assert not await other.shown(1)
    assert await desk.shown(1)


async def test_a_copy_that_turns_up_is_adopted_unless_one_is_known(desk: Desk) -> None:
    await desk.store.outbox.adopt("slack", desk.run, "q1", "C1/1700.5")
    await desk.store.outbox.adopt("slack", desk.run, "q1", "C1/1700.6")
    assert (await desk.store.outbox.state("slack", desk.run)).messages == {"q1": "C1/1700.5"}


async def test_an_adopted_copy_keeps_its_run_pending_until_it_is_looked_after(desk: Desk) -> None:
    await desk.lease()
    await desk.shown(1)
    assert await desk.pending() == []
    await desk.store.outbox.adopt("slack", desk.run, "q1", "C1/1700.5")
    await desk.store.outbox.adopt("slack", desk.run, "q1", "C1/1700.5")
    await desk.shown(1, other="C1/1700.6")
    assert await desk.pending() == [desk.run]
    assert (await desk.store.outbox.state("slack", desk.run)).outdated == {"q1"}
    await desk.shown(1, q1="C1/1700.5")
    assert await desk.pending() == []
    assert (await desk.store.outbox.state("slack", desk.run)).outdated == frozenset()


async def test_an_answer_before_the_place_of_its_question_is_recorded_counts(desk: Desk) -> None:
    question = await desk.store.questions.ask(desk.claim, approval(desk.claim))
    await desk.store.questions.respond(desk.run, question.id, response())
    await desk.store.outbox.adopt("slack", desk.run, question.id, "C1/1700.7")
    await desk.lease()
    await desk.shown(2, **{question.id: "C1/1700.7"})
    assert await desk.pending() == [desk.run]
    assert not (await desk.store.questions.get(desk.run, question.id)).open


# ── relayed to other surfaces ───────────────────────────────────────────────────────────────────────────


async def relayed(desk: Desk) -> list[str]:
    return await desk.store.outbox.pending("teams", desk.shard)


async def test_question_events_are_relayed_to_surfaces_that_asked_for_them(desk: Desk) -> None:
    outbox = desk.store.outbox
    await outbox.lease_shard("webhook:crm", desk.shard, "web", LEASE)
    await outbox.lease_shard("teams", desk.shard, "web", LEASE, relay=True)
    await desk.store.events.append(desk.claim, TASK)
    assert await relayed(desk) == []
    await desk.store.questions.ask(desk.claim, approval(desk.claim))
    assert await relayed(desk) == [desk.run]
    assert await outbox.pending("webhook:crm", desk.shard) == []
    assert await outbox.mark_delivered("teams", "web", desk.run, 3, {"q1": "a/1"})
    assert await relayed(desk) == []
    assert (await outbox.state("teams", desk.run)).messages == {"q1": "a/1"}
    await outbox.adopt("teams", desk.run, "q2", "a/2")
    assert await relayed(desk) == [desk.run]


async def test_nothing_is_relayed_of_a_run_that_lives_on_no_chat_surface(store: RedisStore) -> None:
    claim = await claimed(store)
    shard = shard_of(claim.run.id)
    await store.outbox.lease_shard("teams", shard, "web", LEASE, relay=True)
    await store.questions.ask(claim, approval(claim))
    assert await store.outbox.pending("teams", shard) == []


async def test_a_surface_shows_only_runs_that_live_there_or_are_relayed(desk: Desk) -> None:
    outbox = desk.store.outbox
    await outbox.lease_shard("teams", desk.shard, "web", LEASE)
    await desk.store.questions.ask(desk.claim, approval(desk.claim))
    await outbox.mark_delivered("teams", "web", desk.run, 2, {"q1": "a/1"})
    await outbox.adopt("teams", desk.run, "q2", "a/2")
    assert (await outbox.state("teams", desk.run)) == DeliveryState()


async def test_questions_of_who_unlinks_are_shown_anew_except_in_the_runs_home(desk: Desk) -> None:
    slack, teams = (Actor(surface=each, tenant="T1", user_id="U1") for each in ("slack", "teams"))
    await desk.store.directory.redeem(await desk.store.directory.new_code(slack), teams)
    outbox = desk.store.outbox
    await desk.lease()
    await outbox.lease_shard("teams", desk.shard, "web", LEASE, relay=True)
    question = approval(desk.claim).model_copy(update={"policy": Policy(deciders=(slack.principal,))})
    await desk.store.questions.ask(desk.claim, question)
    others = approval(desk.claim, "other").model_copy(update={"policy": Policy(deciders=("slack:T1:U2",))})
    await desk.store.questions.ask(desk.claim, others)
    newest = (await desk.store.runs.get(desk.run)).seq
    await desk.shown(newest)
    await outbox.mark_delivered("teams", "web", desk.run, newest)
    assert await outbox.pending("teams", desk.shard) == []
    assert await unlink(desk.store, teams, slack.principal)
    [name] = (await outbox.state("teams", desk.run)).outdated
    assert name.split(":")[:2] == ["redrawn", question.id]
    assert await outbox.pending("teams", desk.shard) == [desk.run]
    assert await desk.pending() == []
    await outbox.mark_delivered("teams", "web", desk.run, newest, {name: ""})
    assert await outbox.pending("teams", desk.shard) == []
