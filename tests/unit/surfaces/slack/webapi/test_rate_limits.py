"""Slack's budgets are kept, and spent on what matters most first."""

from hypothesis import given
from hypothesis import strategies as st

from bot.surfaces.chat.platform import Priority
from bot.surfaces.chat.rate_limiter import Rate, TokenBucket
from bot.surfaces.slack.webapi.rate_limits import edits


def spend(bucket: TokenBucket, priority: Priority, now: float) -> float:
    """Wait until one call is allowed; the time when it is."""
    ticket = bucket.join(priority)
    while (seconds := bucket.wait(ticket, now)) > 0:
        now += seconds
    return now


def test_a_burst_is_allowed_and_then_the_rate() -> None:
    bucket = TokenBucket(Rate(per_second=1, burst=3))
    times = []
    now = 0.0
    for _ in range(6):
        now = spend(bucket, Priority.NEWS, now)
        times.append(round(now))
    assert times == [0, 0, 0, 1, 2, 3]


def test_a_process_spends_its_share_of_the_rate() -> None:
    bucket = TokenBucket(Rate(per_second=1, burst=1), share=0.5)
    now, times = 0.0, []
    for _ in range(3):
        now = spend(bucket, Priority.NEWS, now)
        times.append(round(now))
    assert times == [0, 2, 4]


def test_decisions_overtake_progress() -> None:
    bucket = TokenBucket(Rate(per_second=1, burst=1))
    assert bucket.wait(bucket.join(Priority.NEWS), 0) == 0
    waiting = bucket.join(Priority.PROGRESS)
    decision = bucket.join(Priority.DECISION)
    assert bucket.wait(waiting, 1.0) > 0
    assert bucket.wait(decision, 1.0) == 0


def test_channels_take_turns_within_a_priority() -> None:
    bucket = TokenBucket(Rate(per_second=1, burst=1))
    assert bucket.wait(bucket.join(Priority.DECISION), 0) == 0
    busy = [bucket.join(Priority.DECISION, "C0BUSY") for _ in range(5)]
    quiet = bucket.join(Priority.DECISION, "C0QUIET")
    made = []
    for now in range(1, 7):
        for ticket in sorted([*busy, quiet], key=lambda each: each.number):
            if ticket not in made and bucket.wait(ticket, float(now)) == 0:
                made.append(ticket)
                break
    assert [ticket.channel for ticket in made] == ["C0BUSY", "C0QUIET", *["C0BUSY"] * 4]


def test_progress_leaves_the_reserve_to_decisions() -> None:
    bucket = TokenBucket(Rate(per_second=1, burst=3, reserved=2))
    assert bucket.wait(bucket.join(Priority.PROGRESS), 0) == 0
    assert bucket.room(Priority.PROGRESS, 0) > 0
    assert bucket.room(Priority.DECISION, 0) == 0
    assert bucket.wait(bucket.join(Priority.DECISION), 0) == 0


def test_after_a_rate_limit_nothing_is_sent_for_as_long_as_slack_says() -> None:
    bucket = TokenBucket(Rate(per_second=1, burst=5))
    bucket.hold(30, now=0)
    assert 29 < spend(bucket, Priority.DECISION, 0) < 32


def test_who_gives_up_makes_room() -> None:
    bucket = TokenBucket(Rate(per_second=1, burst=1))
    first, second = bucket.join(Priority.NEWS), bucket.join(Priority.NEWS)
    bucket.leave(first)
    assert bucket.wait(second, 0) == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(list(Priority))), min_size=60, max_size=150))
def test_no_minute_holds_more_than_fifty_edits(asked: list[tuple[float, Priority]]) -> None:
    bucket, now, made = TokenBucket(edits(50)), 0.0, []
    for pause, priority in asked:
        now = spend(bucket, priority, now + pause)
        made.append(now)
    assert all(sum(at <= other < at + 60 for other in made) <= 50 for at in made)
