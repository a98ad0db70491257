"""One store, many machines: any web process will do for anything, and none of them has to live."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import redis

from bot.core.claim import Claim
from bot.store import redis_keys
from tests.contract.http.following import all_of, over_sse
from tests.contract.http.served import Served, http_client
from tests.faults.site import Site, announced, until
from tests.faults.town import Town
from tests.scenario.stage import CREWS

pytestmark = [pytest.mark.faults, pytest.mark.slow]

THREADS = 12
TAKEN_OVER = 15.0
"""Seconds; the lease on a part of the deliveries is 8 s."""


@pytest.fixture
async def town(site: Site) -> AsyncIterator[Town]:
    async with Town.built(site, webs=3) as built:
        yield built


async def test_started_here_executed_there_answered_elsewhere_and_followed_somewhere_else(town: Town) -> None:
    on, (a, c, d) = town.on, town.webs
    b = town.site.worker(CREWDECK_CONFIG_DIR=str(CREWS))
    await b.ready()
    await announced(on.store.catalogue, "ask")
    ada = town.slack.person("U0ADA", name="Ada")
    town.reach(a)
    assert (await ada.command("/crew", "start ask tides")).ok
    question = await on.sees(lambda: on.said("May tides go on?"), 30)
    [shown] = await on.store.questions.open()
    async with http_client(d.url, 5) as client:
        served = Served(d.url, on.store, client, d.bearer)  # type: ignore[arg-type]
        following = asyncio.create_task(all_of(over_sse(served, f"/{shown.run_id}")))
        town.reach(c)
        assert (await ada.press(question, "Approve")).ok
        await on.sees(
            lambda: on.said("The crew heard: U0ADA approved") or on.said("The crew heard: Ada approved")
        )
        told = [json.loads(data)["type"] for data, _ in await following]
    assert told == [
        "run_started",
        "task_started",
        "human_input_required",
        "human_input_completed",
        "task_completed",
        "run_completed",
    ]


async def test_deliveries_are_shared_and_taken_over_from_a_process_that_dies(town: Town) -> None:
    """In each thread everything is said once and in order, whoever says it."""
    on = town.on
    claims = [await on.claimed(await on.start(channel=_channel(town, n))) for n in range(THREADS)]
    await until(lambda: sorted(_shares(town)) == [2, 3, 3], TAKEN_OVER, lambda: str(_shares(town)))
    await _ask_everywhere(town, claims, "Before")
    town.webs[0].kill()
    await _ask_everywhere(town, claims, "After")
    for number in range(THREADS):
        said = re.findall(r"(\w+)\?", "\n".join(m.text for m in town.slack.messages(f"C0MANY{number}")))
        assert said == ["Before", "After"]
    await until(lambda: sorted(_shares(town)) == [4, 4], TAKEN_OVER, lambda: str(_shares(town)))


def _channel(town: Town, number: int) -> str:
    return town.slack.add_channel(f"C0MANY{number}").id


def _shares(town: Town) -> list[int]:
    """How many parts of the deliveries each process has."""
    with redis.Redis.from_url(town.site.redis_url) as client:
        owners = [client.get(f"{redis_keys.base(shard)}:shard:slack") for shard in range(redis_keys.SHARDS)]
    return list(Counter(owner for owner in owners if owner).values())


async def _ask_everywhere(town: Town, claims: list[Claim], words: str) -> None:
    """Ask in each run, and wait until all of it was said, and recorded: else it may be said once more."""
    for claim in claims:
        await town.on.ask(claim, f"{words}?")
    for claim in claims:
        await town.on.until(lambda claim=claim: _shown(town, claim))  # type: ignore[misc]


async def _shown(town: Town, claim: Claim) -> bool:
    run = await town.on.store.runs.get(claim.run.id)
    return (await town.on.store.outbox.state("slack", run.id)).cursor >= run.seq
