"""A token bucket gives out its burst at once, and its rate after that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.token_bucket import TokenBucket


def test_the_burst_is_there_at_once_and_then_the_rate() -> None:
    bucket = TokenBucket(per_second=2, burst=3)
    assert [bucket.take(0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(0.25) == 0.25
    assert bucket.take(0.5) == 0
    assert bucket.take(0.5) == 0.5


def test_it_holds_no_more_than_its_burst() -> None:
    bucket = TokenBucket(per_second=10, burst=2)
    assert bucket.take(0) == 0
    assert [bucket.take(1000) > 0 for _ in range(3)] == [False, False, True]


def test_a_clock_that_goes_back_returns_nothing() -> None:
    bucket = TokenBucket(per_second=1, burst=1)
    assert [bucket.take(10), bucket.take(5), bucket.take(10)] == [0, 1, 1]


@pytest.mark.parametrize("taken", [1, 5])
def test_what_was_taken_in_advance_returns_first(taken: int) -> None:
    bucket = TokenBucket(per_second=1, burst=1)
    bucket.refill(0)
    bucket.tokens -= taken
    assert bucket.seconds_until(1) == taken
    assert bucket.take(taken - 0.5) == 0.5


@given(st.floats(0.1, 50), st.integers(1, 20), st.lists(st.floats(0, 3), min_size=1, max_size=100), st.data())
def test_no_span_of_time_has_more_than_its_burst_and_its_rate(
    per_second: float, burst: int, pauses: list[float], data: st.DataObject
) -> None:
    bucket, now, taken = TokenBucket(per_second, burst), 0.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now) == 0:
            taken.append(now)
    if not taken:
        return
    first = data.draw(st.integers(0, len(taken) - 1))
    last = data.draw(st.integers(first, len(taken) - 1))
    assert last - first + 1 <= burst + (taken[last] - taken[first]) * per_second + 1e-6
