"""What of a run is under way."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import pytest

from crews.journal.writer import Writer
from crews.run.activity import Activity
from tests.waiting import WITHIN

NOTHING = cast("Any", None)


@pytest.fixture
def activity() -> Activity:
    """Nothing is written, so nothing of the writer's is unwritten."""
    return Activity(Writer(NOTHING, NOTHING, lambda: None))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_step_is_under_way_until_it_is_ended_once(activity: Activity) -> None:
    with activity.step() as first, activity.step():
        first.end()
        first.end()
        assert activity.idle() is None, "the other one is"
    assert activity.idle() is not None


def test_a_submitted_call_is_under_way_until_its_first_step_begins(
    activity: Activity, pool: ThreadPoolExecutor
) -> None:
    begins, took, ends = threading.Event(), threading.Event(), threading.Event()

    def call() -> str:
        begins.wait(WITHIN)
        with activity.step():
            pass
        took.set()
        ends.wait(WITHIN)
        return "done"

    done = activity.track_call(call, submit=pool.submit)
    assert activity.idle() is None
    begins.set()
    assert took.wait(WITHIN)
    assert activity.idle() is not None, "it waits, for example for people"
    ends.set()
    assert done.result(WITHIN) == "done"


def raises() -> None:
    raise ValueError


@pytest.mark.parametrize("call", [raises, lambda: None])
def test_a_submitted_call_without_a_step_is_under_way_until_it_ends(
    activity: Activity, pool: ThreadPoolExecutor, call: Callable[[], None]
) -> None:
    activity.track_call(call, submit=pool.submit).exception(WITHIN)
    pool.shutdown()
    assert activity.idle() is not None


def test_a_submitted_call_that_is_never_made_is_not_under_way(activity: Activity) -> None:
    submitted: Future[None] = activity.track_call(lambda: None, submit=lambda _call: Future())
    assert activity.idle() is None
    assert submitted.cancel()
    assert activity.idle() is not None


def test_later_calls_of_a_thread_are_not_taken_for_an_earlier_one(
    activity: Activity, pool: ThreadPoolExecutor
) -> None:
    activity.track_call(lambda: None, submit=pool.submit).result(WITHIN)

    def other() -> bool:
        with activity.step():
            return activity.idle() is None

    assert pool.submit(other).result(WITHIN)
