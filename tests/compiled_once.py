"""In a fresh checkout one process of `pytest -n` compiles all modules of tests, and the others wait for it.

Each process collects all tests. Those that begin together would each compile, and rewrite the assertions of,
what none has kept yet: that takes as long as the rest of a collection. Meanwhile the second one computes what
hypothesis knows of all characters, and keeps it for the others as well.
"""

import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import strategies
from xdist.workermanage import WorkerController

from tests.waiting import WITHIN

TESTS = Path(__file__).parent
FOLDER = "compiled_once"
"""Under which the others are told the folder where the first one says that it is done."""
FIRST = "gw0"
SECOND = "gw1"
KEPT = pytest.StashKey[str]()


def is_fresh() -> bool:
    """No test was collected here before."""
    return not any(TESTS.glob("unit/core/__pycache__/test_*.pyc"))


def appoint(node: WorkerController) -> None:
    """In the process that starts the others, for each one: the first has not compiled anything yet."""
    if node.gateway.id == FIRST and is_fresh() and not sys.dont_write_bytecode:
        folder = tempfile.TemporaryDirectory(prefix="crewdeck-")
        node.config.add_cleanup(folder.cleanup)
        node.config.stash[KEPT] = folder.name
    if (name := node.config.stash.get(KEPT, None)) is not None:
        node.workerinput[FOLDER] = name


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """In each process: one that dies holds the others up, but not for ever."""
    told: dict[str, str] = getattr(session.config, "workerinput", {})
    if FOLDER not in told:
        return (yield)
    compiled = Path(told[FOLDER], "compiled")
    if told["workerid"] == FIRST:
        try:
            return (yield)
        finally:
            compiled.touch()
    if told["workerid"] == SECOND:
        strategies.text().validate()
    give_up = time.monotonic() + WITHIN
    while not compiled.exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    return (yield)
