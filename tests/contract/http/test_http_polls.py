"""Clients that poll come back at once, all of them, behind an event that this process has just sent."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.contract.http.served import Served

MANY = 30


async def polled(served: Served, run_id: str) -> list[dict[str, Any]]:
    """All that a client gets, which polls until the run is over."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != "run_completed":
        query = {"last_event_id": found[-1]["event_id"] if found else "", "wait": "30"}
        answer = await served.get(f"/poll/human-input/{run_id}", params=query)
        assert answer.status_code == 200, answer.text
        found += answer.json()["events"]
    return found


async def test_all_who_poll_a_run_get_every_event_once(served: Served) -> None:
    claim = await served.started()
    async with asyncio.TaskGroup() as group:
        polling = [group.create_task(polled(served, claim.run.id)) for _ in range(MANY)]
        for number in range(1, 6):
            await served.work(claim, number)
            await asyncio.sleep(0.02 * number)
        await served.store.queue.finish(claim, result="done")
    for each in polling:
        assert [event["seq"] for event in each.result()] == list(range(1, 13))


async def test_a_poll_behind_the_last_event_returns_at_once(served: Served) -> None:
    claim = await served.started()
    polling = asyncio.create_task(polled(served, claim.run.id))
    await served.store.queue.finish(claim, result="done")
    [*_, last] = await polling
    query = {"last_event_id": last["event_id"], "wait": "60"}
    async with asyncio.timeout(55):
        answer = await served.get(f"/poll/human-input/{claim.run.id}", params=query)
    assert answer.json() == {"events": []}


async def test_a_poll_that_comes_back_later_has_missed_nothing(served: Served) -> None:
    claim = await served.started()
    path = f"/poll/human-input/{claim.run.id}"
    [first] = (await served.get(path)).json()["events"]
    query = {"last_event_id": first["event_id"], "wait": "30"}
    waiting = asyncio.create_task(served.get(path, params=query))
    await asyncio.sleep(0.1)
    await served.ask(claim)
    assert [event["seq"] for event in (await waiting).json()["events"]] == [2]
    # Nobody follows now, and more happens.
    await served.work(claim, 1)
    found = [first]
    while found[-1]["seq"] < 4:
        query = {"last_event_id": found[-1]["event_id"], "wait": "30"}
        found += (await served.get(path, params=query)).json()["events"]
    assert [event["seq"] for event in found] == [1, 2, 3, 4]
