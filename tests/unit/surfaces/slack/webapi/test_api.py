"""Slack's budgets are kept, and spent on what matters most first."""

from hypothesis import given
from hypothesis import strategies as st

from bot.surfaces.chat.flow_control import CallQueue, Rate
from bot.surfaces.chat.platform import Priority
from bot.surfaces.slack.webapi.api import edits


def spend(queue: CallQueue, priority: Priority, now: float) -> float:
    """Wait until one call is allowed; the time when it is."""
    ticket = queue.enqueue(priority)
    while (seconds := queue.try_acquire(ticket, now)) > 0:
        now += seconds
    return now


def test_a_burst_is_allowed_and_then_the_rate() -> None:
    queue = CallQueue(Rate(per_second=1, burst=3))
    times = []
    now = 0.0
    for _ in range(6):
        now = spend(queue, Priority.NEWS, now)
        times.append(round(now))
    assert times == [0, 0, 0, 1, 2, 3]


def test_a_process_spends_its_share_of_the_rate() -> None:
    queue = CallQueue(Rate(per_second=1, burst=1), share=0.5)
    now, times = 0.0, []
    for _ in range(3):
        now = spend(queue, Priority.NEWS, now)
        times.append(round(now))
    assert times == [0, 2, 4]


def test_decisions_overtake_progress() -> None:
    queue = CallQueue(Rate(per_second=1, burst=1))
    assert queue.try_acquire(queue.enqueue(Priority.NEWS), 0) == 0
    waiting = queue.enqueue(Priority.PROGRESS)
    decision = queue.enqueue(Priority.DECISION)
    assert queue.try_acquire(waiting, 1.0) > 0
    assert queue.try_acquire(decision, 1.0) == 0


def test_channels_take_turns_within_a_priority() -> None:
    queue = CallQueue(Rate(per_second=1, burst=1))
    assert queue.try_acquire(queue.enqueue(Priority.DECISION), 0) == 0
    busy = [queue.enqueue(Priority.DECISION, "C0BUSY") for _ in range(5)]
    quiet = queue.enqueue(Priority.DECISION, "C0QUIET")
    made = []
    for now in range(1, 7):
        for ticket in sorted([*busy, quiet], key=lambda each: each.number):
            if ticket not in made and queue.try_acquire(ticket, float(now)) == 0:
                made.append(ticket)
                break
    assert [ticket.channel for ticket in made] == ["C0BUSY", "C0QUIET", *["C0BUSY"] * 4]


def test_progress_leaves_the_reserve_to_decisions() -> None:
    queue = CallQueue(Rate(per_second=1, burst=3, reserved=2))
    assert queue.try_acquire(queue.enqueue(Priority.PROGRESS), 0) == 0
    assert queue.seconds_until_allowed(Priority.PROGRESS, 0) > 0
    assert queue.seconds_until_allowed(Priority.DECISION, 0) == 0
    assert queue.try_acquire(queue.enqueue(Priority.DECISION), 0) == 0


def test_after_a_rate_limit_nothing_is_sent_for_as_long_as_slack_says() -> None:
    queue = CallQueue(Rate(per_second=1, burst=5))
    queue.pause(30, now=0)
    assert 29 < spend(queue, Priority.DECISION, 0) < 32


def test_who_gives_up_makes_room() -> None:
    queue = CallQueue(Rate(per_second=1, burst=1))
    first, second = queue.enqueue(Priority.NEWS), queue.enqueue(Priority.NEWS)
    queue.remove(first)
    assert queue.try_acquire(second, 0) == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(list(Priority))), min_size=60, max_size=150))
def test_no_minute_holds_more_than_fifty_edits(asked: list[tuple[float, Priority]]) -> None:
    queue, now, made = CallQueue(edits(50)), 0.0, []
    for pause, priority in asked:
        now = spend(queue, priority, now + pause)
        made.append(now)
    assert all(sum(at <= other < at + 60 for other in made) <= 50 for at in made)
