"""Clocks that are wrong, and machines that stand still: what has a time has the store's, and costs no run."""

import asyncio
import time
from functools import partial

import pytest

from bot.core.events.event import HumanInputReminded
from bot.core.questions.question import Action
from bot.core.runs.run import Run
from bot.store.embedded import Embedded
from tests.contract.crews.deployment import Deployment
from tests.faults.checks import ended_once
from tests.faults.killed_valkey import paused
from tests.faults.process_deployment import LEASE, ProcessDeployment, until
from tests.loopback.models import LoopbackModel, call, say
from tests.waiting import WITHIN

pytestmark = [pytest.mark.faults, pytest.mark.slow]

HOUR = 3600


async def test_deadlines_leases_and_times_are_right_where_clocks_are_wrong(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, mark: str
) -> None:
    """The question has a deadline of three seconds and a reminder after two."""
    model.script(
        mark,
        [
            call("lasting", mark=mark, what="work", seconds=60),
            call("ask_human", question="Which?", options=["Tea", "Coffee"]),
            say("{last}"),
        ],
    )
    workers = [processes.misled(HOUR), processes.misled(-HOUR)]
    for worker in workers:
        await worker.ready()
    began = time.time()
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    await processes.did(mark, 1)
    await asyncio.sleep(1.5 * LEASE)
    assert (await people.store.runs.get(run.id)).epoch == 1, "its lease holds"
    holder = await processes.held(run)
    holder.kill()
    killed = time.monotonic()
    await people.until(run, lambda now: now.epoch >= 3)
    assert time.monotonic() - killed < HOUR / 100
    question = await people.question(run)
    assert question.deadline_at is not None
    assert question.deadline_at - question.created_at == 3000
    assert "Nobody answered before the deadline" in await people.result(run)
    ended = time.time()
    settled = await people.store.questions.get(run.id, question.id)
    assert settled.outcome is not None
    assert settled.outcome.action is Action.EXPIRE
    events = await people.events(run)
    at = [event.at / 1000 for event in events]
    assert at == sorted(at)
    assert began - 1 < at[0] <= at[-1] < ended + 1
    [reminded] = [event for event in events if isinstance(event.body, HumanInputReminded)]
    assert settled.settled_at is not None
    assert 2000 <= reminded.at - question.created_at <= settled.settled_at - question.created_at
    assert 3000 <= settled.settled_at - question.created_at < 1000 * HOUR / 100
    await ended_once(people, run)


async def test_a_laptop_that_is_suspended_again_and_again_costs_no_run(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, mark: str
) -> None:
    """All processes stand still for longer than a lease, nothing new is recorded in between, and go on."""
    model.script(mark, [call("lasting", mark=mark, what="work", seconds=6 * LEASE), say("{last}")])
    web, *workers = processes.web(), processes.worker(), processes.worker()
    await web.up()
    for worker in workers:
        await worker.ready()
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    await processes.did(mark, 1)
    for _ in range(3):
        for machine in (web, *workers):
            machine.pause()
        await asyncio.sleep(1.5 * LEASE)
        for machine in (web, *workers):
            machine.resume()
        await asyncio.sleep(0.5 * LEASE)
    assert await people.result(run) == "did work"
    assert (await people.store.runs.get(run.id)).epoch == 1, "it stayed where it was"
    assert processes.effects(mark) == ["work"]
    await ended_once(people, run)


async def test_a_store_that_stands_still_costs_no_run(
    mortal: Embedded, mortal_processes: ProcessDeployment, model: LoopbackModel, mark: str
) -> None:
    """As while a failover lasts, or its machine is paused."""
    model.script(mark, [call("lasting", mark=mark, what="work", seconds=5 * LEASE), say("{last}")])
    for worker in [mortal_processes.worker(), mortal_processes.worker()]:
        await worker.ready()
    async with Deployment.at(mortal.url) as people:
        run = await people.start("stuck", prompt=f"[[{mark}]]")
        await mortal_processes.did(mark, 1)
        for _ in range(2):
            with paused(mortal.url):
                await asyncio.sleep(1.5 * LEASE)
            await asyncio.sleep(0.5 * LEASE)
        assert await people.result(run) == "did work"
        assert (await people.store.runs.get(run.id)).epoch == 1, "it stayed where it was"
        await ended_once(people, run)
    assert mortal_processes.effects(mark) == ["work"]


def _claimed(times: int, run: Run) -> bool:
    """Each claim counts the epoch up, and so does each loss."""
    return run.epoch >= 2 * times - 1


def _forgiven_or_over(processes: ProcessDeployment, run: Run) -> bool:
    """No crash is counted against it. Whoever has it last may end it before the other one speaks again."""
    return processes.field(run, "crash_count") == "0" or processes.field(run, "state") == "finished"


async def test_a_worker_that_alone_is_suspended_again_and_again_has_not_died(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, mark: str
) -> None:
    """Others take its run over each time, and nothing new is recorded. It speaks again: that was no death."""
    model.script(mark, [call("napping", mark=mark, what="work", seconds=60, times=4), say("{last}")])
    for worker in [processes.worker(), processes.worker()]:
        await worker.ready()
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    for times in range(1, 5):
        await processes.did(mark, times)
        holder = await processes.held(run)
        holder.pause()
        await people.until(run, partial(_claimed, times + 1))
        holder.resume()
        await until(lambda: _forgiven_or_over(processes, run), WITHIN, processes.story)
    assert await people.result(run) == "did work"
    await ended_once(people, run)
