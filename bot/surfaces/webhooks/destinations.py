"""Destinations of events: endpoints of the settings, and addresses from the start of runs."""

from __future__ import annotations

from typing import Protocol

import structlog
from pydantic import SecretStr

from bot.core.endpoints import PER_RUN_ENDPOINT, Endpoint, derived, surface_of
from bot.core.ports import Runs
from bot.core.webhooks import Webhooks

log = structlog.get_logger(__name__)


class Destination(Protocol):
    """The destination of a surface's events."""

    surface: str

    async def endpoint(self, run_id: str) -> Endpoint | None:
        """The endpoint for this run; None if it has none. Raises NotFound."""

    async def blocked(self) -> bool:
        """Whether deliveries are suspended."""

    async def hang_up(self, why: str) -> bool:
        """Handle 410. True if the endpoint is disabled for all runs now, and the event is not given up."""


class ConfiguredEndpoint:
    """An endpoint of the settings, for all runs."""

    def __init__(self, endpoint: Endpoint, webhooks: Webhooks) -> None:
        self.surface = endpoint.surface
        self._endpoint = endpoint
        self._webhooks = webhooks

    async def endpoint(self, _: str) -> Endpoint:
        return self._endpoint

    async def blocked(self) -> bool:
        disabled = (await self._webhooks.disabled()).get(self.surface)
        return disabled is not None and disabled.fingerprint == self._endpoint.fingerprint

    async def hang_up(self, why: str) -> bool:
        log.warning("An endpoint answered 410: it is disabled until an operator enables it", to=self.surface)
        await self._webhooks.disable(self.surface, why, self._endpoint.fingerprint)
        return True


class PerRunEndpoint:
    """The address from the run's start, signed with a secret that is derived for the requester."""

    surface = surface_of(PER_RUN_ENDPOINT)

    def __init__(self, runs: Runs, secrets: tuple[SecretStr, ...]) -> None:
        self._runs = runs
        self._secrets = secrets

    async def endpoint(self, run_id: str) -> Endpoint | None:
        run = await self._runs.get(run_id)
        secrets = tuple(derived(secret, run.requester.principal) for secret in self._secrets)
        for place in run.followers:
            if place.surface == self.surface:
                return Endpoint(name=PER_RUN_ENDPOINT, url=SecretStr(place.ref), secrets=secrets)
        return None

    async def blocked(self) -> bool:
        return False

    async def hang_up(self, _: str) -> bool:
        return False
