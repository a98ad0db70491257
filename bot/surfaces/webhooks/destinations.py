"""Where events go: to an endpoint of the settings, or to the address that came with a run's start."""

from __future__ import annotations

from typing import Protocol

import structlog
from pydantic import SecretStr

from bot.core.endpoints import PER_RUN_ENDPOINT, Endpoint, derived, surface_of
from bot.core.ports import Runs
from bot.core.webhooks import Webhooks

log = structlog.get_logger(__name__)


class Destination(Protocol):
    """Where the events of a run go on one surface."""

    surface: str

    async def endpoint(self, run_id: str) -> Endpoint | None:
        """None: nowhere. Raises NotFound."""

    async def blocked(self) -> bool:
        """Whether nothing may be sent now."""

    async def hang_up(self, why: str) -> bool:
        """The receiver wants no more (410). True if that is about all runs: nothing is given up then."""


class ConfiguredEndpoint:
    """To an endpoint of the settings, for all runs."""

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
        log.warning(
            "An endpoint wants no more webhooks: it is off until somebody enables it", to=self.surface
        )
        await self._webhooks.disable(self.surface, why, self._endpoint.fingerprint)
        return True


class PerRunEndpoint:
    """To the address that came with the run's start, signed with a secret of who started it."""

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
