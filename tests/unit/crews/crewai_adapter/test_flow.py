"""Patches of CrewAI's Flow."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

THREADS = 8


def test_runs_that_begin_at_the_same_time_share_the_definition_of_a_flow() -> None:
    """CrewAI alone derives one in each thread, from a class to which the others add theirs."""
    from crewai.flow.flow import Flow, start

    from crews.crewai_adapter import flow

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
