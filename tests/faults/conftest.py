"""Two workers that share a store, and a model provider; all of it shared by the tests of a session."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.crews.conftest import model
from tests.contract.crews.deck import Deck
from tests.faults.fleet import Fleet
from tests.loopback.models import LoopbackModel

__all__ = ["model"]


@pytest.fixture(scope="session")
def fleet(model: LoopbackModel) -> Iterator[Fleet]:
    with Fleet.started(model.base_url) as fleet:
        yield fleet


@pytest.fixture
async def deck(fleet: Fleet) -> AsyncIterator[Deck]:
    async with Deck.at(fleet.redis_url) as deck:
        yield deck
