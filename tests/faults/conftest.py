"""Two workers that share a store, and a model provider; all of it shared by the tests of a session."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from bot.store.embedded import Embedded
from tests.contract.conftest import redis_server
from tests.contract.crews.conftest import model
from tests.contract.crews.deck import Deck
from tests.faults.fleet import Fleet
from tests.faults.nursery import Nursery
from tests.faults.site import Site
from tests.loopback.models import LoopbackModel

__all__ = ["model", "redis_server"]
_MARKS = itertools.count(1)


@pytest.fixture(scope="session")
def fleet(model: LoopbackModel, nursery: Nursery) -> Iterator[Fleet]:
    with Fleet.started(model.base_url, nursery) as fleet:
        yield fleet


@pytest.fixture
async def deck(fleet: Fleet) -> AsyncIterator[Deck]:
    async with Deck.at(fleet.redis_url) as deck:
        yield deck


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where the processes of a site come from: importing crewai is done once."""
    with Nursery.opened() as opened:
        yield opened


@pytest.fixture
def site(redis_url: str, nursery: Nursery, model: LoopbackModel) -> Iterator[Site]:
    """Processes, as the test makes them, on an empty embedded Valkey."""
    with Site.built(nursery, redis_url, model.base_url) as built:
        yield built


@pytest.fixture(params=["embedded", "redis_server"])
def any_site(request: pytest.FixtureRequest, nursery: Nursery, model: LoopbackModel) -> Iterator[Site]:
    """The same on the embedded Valkey, then on a real Redis where there is one."""
    url: str = request.getfixturevalue(request.param)
    with redis.Redis.from_url(url) as client:
        client.flushall()
    with Site.built(nursery, url, model.base_url) as built:
        yield built


@pytest.fixture
async def people(site: Site) -> AsyncIterator[Deck]:
    """Who starts runs on the site, and answers them."""
    async with Deck.at(site.redis_url) as deck:
        yield deck


@pytest.fixture
def mark() -> str:
    """What the test's own prompts and effects are known by."""
    return f"m{next(_MARKS)}"


@pytest.fixture
def mortal(data_dir: Path) -> Iterator[Embedded]:
    """An embedded Valkey of the test's own, which may be killed."""
    server = Embedded.attach(data_dir)
    yield server
    server.ensure()
    server.detach()


@pytest.fixture
def mortal_site(mortal: Embedded, nursery: Nursery, model: LoopbackModel) -> Iterator[Site]:
    """A site on it."""
    with Site.built(nursery, mortal.url, model.base_url) as built:
        yield built
