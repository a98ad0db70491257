"""When answers that came one upon the other have been handed over, and how many runs go on then."""

import math

from crews.worker.waiting_runs import BURST_GAP_S, MAX_BURST_S, SMALL_BURST, AnswerBurst

START = 100.0


def test_a_lull_ends_a_burst_and_the_next_answer_begins_another_one() -> None:
    burst = AnswerBurst(most=8)
    small = []
    for number in range(SMALL_BURST + 1):
        burst.hand_over(f"run {number}", START)
        small.append(burst.is_small)
    assert small == [*[True] * SMALL_BURST, False]
    assert burst.lull_ends_at == START + BURST_GAP_S
    burst.hand_over("another", START + 2 * BURST_GAP_S)
    assert burst.is_small
    assert burst.ends_at == START + 2 * BURST_GAP_S + MAX_BURST_S


def test_a_burst_lasts_as_long_as_an_answer_is_on_its_way() -> None:
    burst = AnswerBurst(most=8)
    burst.expect("slow", START)
    burst.hand_over("quick", START + 1)
    assert burst.lull_ends_at == math.inf
    assert burst.ends_at == START + MAX_BURST_S
    assert burst.expect_no_more("slow")
    assert not burst.expect_no_more("slow")
    assert burst.lull_ends_at == START + 1 + BURST_GAP_S


def test_after_each_lull_twice_as_many_go_on_until_another_answer_comes() -> None:
    burst, now = AnswerBurst(most=6), START
    burst.hand_over("first", now)
    numbers = []
    while burst.lull_ends_at > now:
        now = burst.lull_ends_at
        numbers.append(burst.ramp_up(now))
    assert numbers == [1, 2, 4]
    burst.hand_over("second", now)
    assert burst.lull_ends_at == now + BURST_GAP_S
    assert burst.ramp_up(now) == 1
