"""An outage of Redis, logged once when it begins and once when it ends."""

from __future__ import annotations

import structlog

from bot.core.errors import StoreUnavailable

log = structlog.get_logger(__name__)


class Outage:
    """Logs the beginning and the end of an outage, once each."""

    def __init__(self) -> None:
        self._away = False

    def began(self, error: StoreUnavailable) -> None:
        if not self._away:
            log.error("Redis is away; waiting for it", reason=str(error))
        self._away = True

    def ended(self) -> None:
        if self._away:
            log.info("Redis is back")
        self._away = False
