"""What probes and Prometheus ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from bot.core.errors import StoreUnavailable
from bot.core.lists import Totals
from bot.core.ports import Health
from bot.metrics import CONTENT_TYPE, Metrics


@dataclass(frozen=True)
class Probes:
    """Answers whether this process is alive, and whether it is of use."""

    store: Health
    metrics: Metrics
    #: The surfaces that are on, and whether each is up.
    surfaces: Callable[[], Mapping[str, bool]]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self.health),
            web.get("/ready", self.ready),
            web.get("/metrics", self.figures),
        ]

    async def health(self, _: web.Request) -> web.Response:
        """This process runs; nothing else is asked."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return web.json_response({"status": "healthy", "timestamp": now})

    async def ready(self, _: web.Request) -> web.Response:
        """Whether a person who wants something now gets it: 200 if everything is up, else 503."""
        totals = await self._totals()
        surfaces = dict(self.surfaces())
        parts = {"redis": totals is not None, "worker": bool(totals and totals.workers), "surfaces": surfaces}
        ready = all([parts["redis"], parts["worker"], *surfaces.values()])
        return web.json_response({"ready": ready, **parts}, status=200 if ready else 503)

    async def figures(self, _: web.Request) -> web.Response:
        text = self.metrics.text(await self._totals(), round(time.time() * 1000))
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    async def _totals(self) -> Totals | None:
        try:
            return await self.store.totals()
        except StoreUnavailable:
            return None
