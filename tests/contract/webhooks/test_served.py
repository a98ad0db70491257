"""Webhooks of a real server process."""

import asyncio

from bot.store.redis import RedisStore
from tests.contract.examples import DEMO, started
from tests.contract.webhooks.conftest import SECRET
from tests.contract.webhooks.receiver import Receiver
from tests.scenario.server import Server


async def test_a_server_sends_what_happens_in_runs_and_says_so_when_it_starts(
    store: RedisStore, redis_url: str, receiver: Receiver
) -> None:
    await store.catalogue.announce("here", [DEMO])
    settings = {
        "CREWDECK_WORKERS": "0",
        "CREWDECK_REDIS_URL": redis_url,
        "CREWDECK_WEBHOOKS": f"crm={receiver.url}/s3cret {SECRET}",
        "CREWDECK_WEBHOOK_ALLOW_PRIVATE": "1",
        "CREWDECK_LOG_LEVEL": "DEBUG",
    }
    async with Server.start(settings) as server:
        receiver.planned.append(500)
        await started(store)
        await started(store)
        await receiver.until(lambda: len(receiver.requests) == 2)
        assert "Webhooks to   crm (127.0.0.1)" in server.output
        again = "A webhook was not delivered and will be retried"
        await asyncio.to_thread(server.wait_for, lambda: again in server.errors)
        missed = 'result="missed"} 1.0'
        await asyncio.to_thread(server.wait_for, lambda: missed in server.get("/metrics")[1])
        story = server.story()
    # The other one as well, if all this took until it was tried again.
    assert receiver.accepted
    for request in receiver.accepted:
        assert request.verified(SECRET)["type"] == "run_started"
    for secret in ("s3cret", SECRET):
        assert secret not in story
