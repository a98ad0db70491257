"""One store, many machines: any web process will do for anything, and none of them has to live."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import redis

from bot.core.runs.run import Claim
from bot.store import redis_keys
from tests.contract.http.following import all_of, over_sse
from tests.contract.http.served import Served, http_client
from tests.faults.multi_web_deployment import MultiWebDeployment
from tests.faults.process_deployment import ProcessDeployment, announced, until
from tests.scenario.slack_deployment import CREWS
from tests.waiting import WITHIN

pytestmark = [pytest.mark.faults, pytest.mark.slow]

THREADS = 12


@pytest.fixture
async def multi_web(processes: ProcessDeployment) -> AsyncIterator[MultiWebDeployment]:
    async with MultiWebDeployment.built(processes, webs=3) as built:
        yield built


async def test_started_here_executed_there_answered_elsewhere_and_followed_somewhere_else(
    multi_web: MultiWebDeployment,
) -> None:
    on, (a, c, d) = multi_web.on, multi_web.webs
    b = multi_web.processes.worker(CREWDECK_CONFIG_DIR=str(CREWS))
    await b.ready()
    await announced(on.store.catalogue, "ask")
    ada = multi_web.slack.person("U0ADA", name="Ada")
    multi_web.reach(a)
    assert (await ada.command("/crew", "start ask tides")).ok
    question = await on.sees(lambda: on.said("May tides go on?"))
    [shown] = await on.store.questions.open()
    async with http_client(d.url, WITHIN) as client:
        served = Served(d.url, on.store, client, d.bearer)  # type: ignore[arg-type]
        following = asyncio.create_task(all_of(over_sse(served, f"/{shown.run_id}")))
        multi_web.reach(c)
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


async def test_deliveries_are_shared_and_taken_over_from_a_process_that_dies(
    multi_web: MultiWebDeployment,
) -> None:
    """In each thread everything is said once and in order, whoever says it."""
    on = multi_web.on
    claims = [await on.claimed(await on.start(channel=_channel(multi_web, n))) for n in range(THREADS)]
    await until(
        lambda: sorted(_shares(multi_web)) == [2, 3, 3],
        WITHIN,
        lambda: str(_shares(multi_web)),
    )
    await _ask_everywhere(multi_web, claims, "Before")
    multi_web.webs[0].kill()
    await _ask_everywhere(multi_web, claims, "After")
    for number in range(THREADS):
        said = re.findall(r"(\w+)\?", "\n".join(m.text for m in multi_web.slack.messages(f"C0MANY{number}")))
        assert said == ["Before", "After"]
    await until(
        lambda: sorted(_shares(multi_web)) == [4, 4],
        WITHIN,
        lambda: str(_shares(multi_web)),
    )


def _channel(multi_web: MultiWebDeployment, number: int) -> str:
    return multi_web.slack.add_channel(f"C0MANY{number}").id


def _shares(multi_web: MultiWebDeployment) -> list[int]:
    """How many parts of the deliveries each process has."""
    with redis.Redis.from_url(multi_web.processes.redis_url) as client:
        owners = [client.get(f"{redis_keys.base(shard)}:shard:slack") for shard in range(redis_keys.SHARDS)]
    return list(Counter(owner for owner in owners if owner).values())


async def _ask_everywhere(multi_web: MultiWebDeployment, claims: list[Claim], words: str) -> None:
    """Ask in each run, and wait until all of it was said, and recorded: else it may be said once more."""
    for claim in claims:
        await multi_web.on.ask(claim, f"{words}?", task_id=words)
    for claim in claims:
        await multi_web.on.until(lambda claim=claim: _shown(multi_web, claim))  # type: ignore[misc]


async def _shown(multi_web: MultiWebDeployment, claim: Claim) -> bool:
    run = await multi_web.on.store.runs.get(claim.run.id)
    return (await multi_web.on.store.outbox.state("slack", run.id)).cursor >= run.seq
