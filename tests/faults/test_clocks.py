"""Machines whose clocks are an hour wrong: what has a time has the store's."""

import asyncio
import time

import pytest

from bot.core.events import HumanInputReminded
from bot.core.model import Action
from tests.contract.crews.deck import Deck
from tests.faults.checks import ended_once
from tests.faults.site import LEASE, Site
from tests.loopback.models import LoopbackModel, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow]

HOUR = 3600


async def test_deadlines_leases_and_times_are_right_where_clocks_are_wrong(
    site: Site, people: Deck, model: LoopbackModel, mark: str
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
    workers = [site.misled(HOUR), site.misled(-HOUR)]
    for worker in workers:
        await worker.ready()
    began = time.time()
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    await site.did(mark, 1)
    await asyncio.sleep(1.5 * LEASE)
    assert (await people.store.run(run.id)).epoch == 1, "its lease holds"
    holder = await site.held(run)
    holder.kill()
    killed = time.monotonic()
    await people.until(run, lambda now: now.epoch == 3)
    assert time.monotonic() - killed < LEASE + 1
    question = await people.question(run)
    assert question.deadline_at is not None
    assert question.deadline_at - question.created_at == 3000
    assert "Nobody answered before the deadline" in await people.result(run)
    ended = time.time()
    settled = await people.store.question(run.id, question.id)
    assert settled.outcome is not None
    assert settled.outcome.action is Action.EXPIRE
    events = await people.events(run)
    at = [event.at / 1000 for event in events]
    assert at == sorted(at)
    assert began - 1 < at[0] <= at[-1] < ended + 1
    [reminded] = [event for event in events if isinstance(event.body, HumanInputReminded)]
    assert 2000 <= reminded.at - question.created_at < 3000
    assert 3000 <= (settled.settled_at or 0) - question.created_at < 4500
    await ended_once(people, run)
