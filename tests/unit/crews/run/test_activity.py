"""What of a run is under way."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, cast

import pytest

from crews.journal.writer import Writer
from crews.run.activity import BRANCH, Activity, branch_waits
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


def test_a_submitted_call_is_under_way_except_while_it_waits(
    activity: Activity, pool: ThreadPoolExecutor
) -> None:
    """Also between its steps, whatever it does there and however long that takes."""
    begins, took, asks, asked, answered, ends = (threading.Event() for _ in range(6))

    def call() -> str:
        begins.wait(WITHIN)
        with activity.step():
            pass
        took.set()
        asks.wait(WITHIN)
        with branch_waits():
            asked.set()
            answered.wait(WITHIN)
        took.set()
        ends.wait(WITHIN)
        return "done"

    done = activity.track_call(call, submit=pool.submit)
    assert activity.idle() is None
    begins.set()
    assert took.wait(WITHIN)
    assert activity.idle() is None, "its next step may be a question"
    assert activity.idle(steps_only=True) is not None
    took.clear()
    asks.set()
    assert asked.wait(WITHIN)
    assert activity.idle() is not None, "it waits, for example for people"
    answered.set()
    assert took.wait(WITHIN)
    assert activity.idle() is None
    ends.set()
    assert done.result(WITHIN) == "done"


def test_who_submits_calls_waits_until_the_last_one_ends(activity: Activity) -> None:
    first: Future[None] = Future()
    second: Future[None] = Future()
    with activity.new_branch():
        assert activity.idle() is None
        for each in (first, second):
            activity.track_call(lambda: None, submit=lambda _call, future=each: future)  # type: ignore[misc]
        first.set_result(None)
        assert activity.idle() is None, "the second one goes on"
        second.set_result(None)
        assert activity.idle() is None, "the branch that waited for them goes on"
    assert activity.idle() is not None


def test_a_call_in_a_context_of_its_own_is_the_line_there(
    activity: Activity, pool: ThreadPoolExecutor
) -> None:
    context = contextvars.copy_context()

    def call() -> bool:
        with branch_waits():
            return activity.idle() is not None

    assert activity.track_call(partial(context.run, call), submit=pool.submit, context=context).result(WITHIN)


def test_a_line_in_a_line_takes_its_place(activity: Activity, pool: ThreadPoolExecutor) -> None:
    def waits_in(own: AbstractContextManager[None]) -> bool:
        with own, branch_waits():
            return activity.idle() is not None

    with activity.new_branch():
        assert waits_in(activity.new_branch()), "the outer one waits for the inner one"
        assert waits_in(activity.own_branch()), "it is the branch of this thread"
        context = contextvars.copy_context()
        assert pool.submit(context.run, waits_in, activity.own_branch()).result(WITHIN), "another thread"
        assert activity.idle() is None


def test_a_line_that_ended_is_nobodys(activity: Activity) -> None:
    with activity.new_branch():
        with activity.new_branch():
            left_over = contextvars.copy_context()
        ended = left_over[BRANCH]
        assert ended is not None
        ended.wait()
        assert activity.idle() is None, "the thread of a tool that returned says nothing of who called it"

        def of_its_own() -> bool:
            with activity.own_branch():
                return activity.idle() is None

        assert left_over.run(of_its_own)


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
