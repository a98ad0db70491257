"""When a worker that nobody replaces claims no more runs."""

import asyncio

import pytest

from bot.settings import Settings
from crews.worker.edits import Edits
from crews.worker.retirement import Retirement


async def never_stopped(task: asyncio.Task[bool]) -> bool:
    await task
    return True


def retirement(*, claimed: int, outdated: bool = False) -> Retirement:
    """Of a worker that is recycled after three runs, and replaced with two threads that hang."""
    settings = Settings.model_validate({"CREWDECK_RECYCLE_AFTER": "3", "CREWDECK_OUTLIVED": "2"})
    edits = Edits(settings, lambda _: None)
    edits.outdated = outdated
    made = Retirement(settings, edits, None, never_stopped)
    for _ in range(claimed):
        made.count_claim()
    return made


@pytest.mark.parametrize(
    ("claimed", "holds_runs", "due"),
    [(2, False, False), (3, False, True), (3, True, False), (5, True, False), (6, True, True)],
)
async def test_it_ends_when_it_holds_nothing_or_has_executed_twice_as_many(
    claimed: int, *, holds_runs: bool, due: bool
) -> None:
    worker = retirement(claimed=claimed)
    assert await worker.is_due(holds_runs=holds_runs, leaked_threads=0) is due
    assert worker.left == 6 - claimed


@pytest.mark.parametrize("holds_runs", [True, False])
async def test_with_edited_code_it_ends_as_soon_as_it_holds_nothing(*, holds_runs: bool) -> None:
    worker = retirement(claimed=1, outdated=True)
    assert await worker.is_due(holds_runs=holds_runs, leaked_threads=0) is not holds_runs


@pytest.mark.parametrize(("leaked", "due"), [(1, False), (2, True)])
async def test_with_threads_that_hang_it_ends_at_once(leaked: int, *, due: bool) -> None:
    assert await retirement(claimed=1).is_due(holds_runs=True, leaked_threads=leaked) is due
