"""Patches of CrewAI's Flow."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

THREADS = 8


@pytest.fixture
def _often_switched() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_often_switched")
def test_runs_that_begin_at_the_same_time_share_the_definition_of_a_flow() -> None:
    """CrewAI alone derives one in each thread, from a class to which the others add theirs."""
    from crewai.flow.flow import Flow, start

    from crews.crewai_adapter.flows import flow

    flow.install()
    methods = {f"method_{number}": start()(lambda _: None) for number in range(200)}
    made: type[Flow[Any]] = type("Made", (Flow,), methods)
    together = threading.Barrier(THREADS)

    def define() -> int:
        together.wait()
        return id(made.flow_definition())

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda _: define(), range(THREADS)))
    assert len(set(found)) == 1
