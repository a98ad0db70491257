"""A run that is queued, as people at a terminal see it: what it waits for."""

import asyncio
from collections.abc import Iterator

import pytest

from bot.core.people.actor import Actor
from bot.core.runs.crew import Crew
from bot.core.starting import plan
from bot.store.redis import open_store
from tests.scenario.server import Server
from tests.scenario.terminal.person import person, piped

CREW = Crew(name="tides", title="Tide report")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server.started({"CREWDECK_WORKERS": "0"}, wait="announced") as started:
        yield started


def test_who_starts_before_any_worker_is_up_is_told_so(server: Server) -> None:
    refused = piped(server.url, "start", "demo", "topic=tides")
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert refused.stderr.startswith(b"crewdeck: No worker is up yet")


def test_who_follows_a_queued_run_is_told_what_it_waits_for(server: Server) -> None:
    async def start() -> str:
        async with open_store(server.store_url) as store:
            run, _ = await store.runs.start(
                plan(CREW, {}, Actor(surface="http", user_id="ada"), key="queued")
            )
            return run.id

    async def finish(run_id: str) -> None:
        async with open_store(server.store_url) as store:
            [claim] = await store.queue.claim("w", [CREW.name], 1, 60)
            assert claim.run.id == run_id
            await store.queue.finish(claim, result="High water at noon")

    run_id = asyncio.run(start())
    with person(server.url, "follow", run_id) as ada:
        ada.sees("Tide report", "Queued. No worker that can run Tide report is up.")
        asyncio.run(finish(run_id))
        ada.sees("High water at noon")
        assert ada.leaves() == 0
