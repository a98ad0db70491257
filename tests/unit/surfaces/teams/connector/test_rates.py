"""Teams' rate limits are kept, whatever comes and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.surfaces.chat.flow_control import CallQueue
from bot.surfaces.chat.platform import Priority
from bot.surfaces.teams.connector.platform import RATES

WINDOWS = [(7, 1.0), (8, 2.0), (60, 30.0), (1800, 3600.0)]
"""Calls and seconds."""


def spend(queue: CallQueue, now: float) -> float:
    ticket = queue.enqueue(Priority.NEWS)
    while (seconds := queue.try_acquire(ticket, now)) > 0:
        now += seconds
    return now


@given(st.lists(st.floats(0, 20), max_size=120))
def test_a_conversation_gets_no_more_calls_than_teams_takes(pauses: list[float]) -> None:
    queues = [CallQueue(rate) for rate in RATES.values() if rate.by_channel]
    now, made = 0.0, []
    for pause in pauses:
        now += pause
        for queue in queues:
            now = spend(queue, now)
        made.append(now)
    for calls, seconds in WINDOWS:
        for first, last in zip(made, made[calls:], strict=False):
            assert last - first >= seconds - 1e-6


def test_an_hour_of_calls_is_within_the_limit() -> None:
    queues = [CallQueue(rate) for rate in RATES.values() if rate.by_channel]
    now, made = 0.0, 0
    while now < 3600:
        for queue in queues:
            now = spend(queue, now)
        made += 1
    assert made <= 1801
