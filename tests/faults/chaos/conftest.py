"""A nursery for all tests of the folder: importing crewai takes seconds."""

from collections.abc import Iterator

import pytest

from tests.faults.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery.opened() as nursery:
        yield nursery
