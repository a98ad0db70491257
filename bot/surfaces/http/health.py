"""Whether this process is alive."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from bot.surfaces.http.operations import Call, reply
from bot.surfaces.http.views import HealthView


async def health(_: Call[None, None]) -> web.Response:
    """It runs; nothing else is asked."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return reply(HealthView(timestamp=now))
