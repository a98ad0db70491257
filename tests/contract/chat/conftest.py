"""A deployment for each chat platform."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.chat.deployment import Deployment, deployed


@pytest.fixture(params=["memory", "slack", "teams"])
async def deployment(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Deployment]:
    async with deployed(request.param, redis_url) as made:
        yield made
