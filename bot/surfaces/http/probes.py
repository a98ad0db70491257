"""Health and readiness probes, and the metrics endpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web

from bot.core.errors import StoreUnavailable
from bot.core.ports.lists import Totals
from bot.core.ports.store import Store
from bot.metrics import Metrics
from bot.surfaces.http.operations import RequestContext, reply
from bot.surfaces.http.views import HealthView

STORE_TIMEOUT_S = 2.0
"""How long a probe waits for the store, which may hang for longer than monitoring waits for figures."""
FIGURES = TypeVar("FIGURES")


@dataclass(frozen=True)
class Probes:
    """The handlers of `/health`, `/ready` and `/metrics`."""

    store: Store
    metrics: Metrics
    #: The enabled surfaces, and whether each is connected.
    surfaces: Callable[[], Mapping[str, bool]]
    #: The number of processes that deliver for this store; None if there is nothing to deliver to.
    delivering: Callable[[], Awaitable[int]] | None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/ready", self.ready),
            web.get("/metrics", self.figures),
        ]

    async def ready(self, _: web.Request) -> web.Response:
        """Readiness: 200 while the store answers, else 503.

        Workers, chat platforms and delivery are only reported in the body, because the console and the API
        work without them.
        """
        totals, delivering = await self._read()
        ready = totals is not None
        body = {
            "ready": ready,
            "redis": ready,
            "worker": bool(totals and totals.workers),
            "surfaces": dict(self.surfaces()),
            **({} if self.delivering is None else {"delivery": bool(delivering)}),
        }
        return web.json_response(body, status=200 if ready else 503)

    async def figures(self, _: web.Request) -> web.Response:
        from bot.exposition import CONTENT_TYPE, exposition  # loads Prometheus' library, once somebody asks

        totals, delivering = await self._read()
        text = exposition(
            self.metrics,
            totals,
            round(time.time() * 1000),
            self.store.health.unreadable(),
            self.surfaces(),
            delivering,
        )
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    async def _read(self) -> tuple[Totals | None, int | None]:
        """The store's figures, read together, as it may hang for both."""
        return await asyncio.gather(_in_time(self.store.health.totals()), self._delivering())

    async def _delivering(self) -> int | None:
        return None if self.delivering is None else await _in_time(self.delivering())


async def _in_time(figures: Awaitable[FIGURES]) -> FIGURES | None:
    """Figures of the store; None while it is away, or hangs."""
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            return await figures
    except (StoreUnavailable, TimeoutError):
        return None


async def health(_: RequestContext[None, None]) -> web.Response:
    """Liveness: the process responds."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return reply(HealthView(timestamp=now))
