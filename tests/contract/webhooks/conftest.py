"""A store, receivers, and the webhooks of one or more web processes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
import redis

from bot.core.wakeups import Wakeups
from bot.metrics import Metrics
from bot.settings import Settings
from bot.store.redis import RedisStore, open_store
from bot.surfaces.webhooks.dispatcher import RetrySchedule
from bot.surfaces.webhooks.surface import DeliveryTimings, open_webhooks
from tests.contract.webhooks.receiver import Receiver, receiving
from tests.waiting import WITHIN

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_" + "b2xk" * 8
QUICK = DeliveryTimings(RetrySchedule(first=0.05, factor=1.0, total=60.0), within=WITHIN, every=0.05)


@dataclass(frozen=True)
class Webhooks:
    """The webhooks of one web process."""

    settings: Settings
    metrics: Metrics


Opens = Callable[..., AbstractAsyncContextManager[Webhooks]]


def settings_for(receiver: Receiver | None = None, settings: Mapping[str, str] | None = None) -> Settings:
    endpoints = f"crm={receiver.url} {SECRET}" if receiver else ""
    return Settings.model_validate(
        {"CREWDECK_WEBHOOKS": endpoints, "CREWDECK_WEBHOOK_ALLOW_PRIVATE": "1", **(settings or {})}
    )


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, data_dir: object) -> None:
    monkeypatch.chdir(str(data_dir))


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    async with open_store(redis_url) as opened:
        yield opened


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    """The same server, to look behind the store."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
def opens(store: RedisStore) -> Opens:
    @asynccontextmanager
    async def _opens(settings: Settings, timings: DeliveryTimings = QUICK) -> AsyncIterator[Webhooks]:
        wakeups, metrics = Wakeups(), Metrics()
        following = asyncio.create_task(wakeups.follow(store.events))
        try:
            async with open_webhooks(settings, store, wakeups, metrics, timings):
                yield Webhooks(settings, metrics)
        finally:
            following.cancel()
            await asyncio.wait([following])

    return _opens
