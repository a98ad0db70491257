"""Clients that follow a run while connections are killed, and the processes that serve them too."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import redis
import websockets

from bot.core.runs.run import Claim
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import claimed
from tests.contract.http.following import TRANSPORTS, Follow, Sent
from tests.contract.http.served import Served, http_client
from tests.faults.process_deployment import ProcessDeployment, Web
from tests.waiting import WITHIN

pytestmark = [pytest.mark.faults, pytest.mark.slow]

TASKS = 60
CUT_OFF = (httpx.TransportError, websockets.WebSocketException, OSError)


@pytest.fixture
async def store(processes: ProcessDeployment) -> AsyncIterator[RedisStore]:
    async with open_store(processes.redis_url) as opened:
        yield opened


class Client:
    """Follows a run at one web process after the other, with what it has seen last."""

    def __init__(self, follow: Follow, store: RedisStore, webs: list[Web], seed: int) -> None:
        self._follow = follow
        self._store = store
        self._webs = webs
        self._chosen = random.Random(seed)
        self.seen: list[Sent] = []
        self.moves = -1

    async def follow(self, run_id: str) -> None:
        """Until the run's last event."""
        while not (self.seen and json.loads(self.seen[-1][0])["type"] == "run_completed"):
            self.moves += 1
            web = self._chosen.choice(self._webs)
            try:
                async with http_client(web.url, 5) as http:
                    served = Served(web.url, self._store, http, web.bearer)
                    cursor = self.seen[-1][1] if self.seen else ""
                    async for each in self._follow(served, f"/{run_id}", cursor):
                        self.seen.append(each)
            except CUT_OFF:
                await asyncio.sleep(0.05)

    @property
    def numbers(self) -> list[int]:
        told: list[dict[str, Any]] = [json.loads(data) for data, _ in self.seen]
        return [each["seq"] for each in told]


async def test_who_follows_misses_nothing_and_hears_nothing_twice(
    processes: ProcessDeployment, store: RedisStore
) -> None:
    """Wake-up connections are killed all the time, and web processes one after the other; new ones come."""
    webs = [processes.web() for _ in range(3)]
    for web in webs:
        await web.up()
    claim = await claimed(store)
    clients = [Client(follow, store, webs, seed) for seed, follow in enumerate(list(TRANSPORTS.values()) * 3)]
    following = [asyncio.create_task(client.follow(claim.run.id)) for client in clients]
    killing = asyncio.create_task(_kill_wakeups(processes))
    await _work(store, claim, processes, webs)
    await store.queue.finish(claim, result="done")
    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*following)
    killing.cancel()
    last = (await store.runs.get(claim.run.id)).seq
    for client in clients:
        assert client.numbers == list(range(1, last + 1))
    assert sum(client.moves for client in clients) >= len(clients), "everybody was moved at least once"


async def _work(store: RedisStore, claim: Claim, processes: ProcessDeployment, webs: list[Web]) -> None:
    async with http_client("http://unused", 5) as http:
        crew = Served("", store, http)
        for number in range(TASKS):
            await crew.work(claim, number, TASKS)
            await asyncio.sleep(0.03)
            if number % 15 == 10:
                webs.pop(0).kill()
                another = processes.web()
                await another.up()
                webs.append(another)


async def _kill_wakeups(processes: ProcessDeployment) -> None:
    with redis.Redis.from_url(processes.redis_url) as client:
        while True:
            client.client_kill_filter(_type="pubsub")
            await asyncio.sleep(0.2)
