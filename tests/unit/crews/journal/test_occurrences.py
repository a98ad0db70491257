"""What comes up again when an attempt is repeated, and what doesn't."""

from collections.abc import Iterator
from contextlib import contextmanager

from crews.journal.occurrences import ATTEMPT, Attempt, DuplicateCalls, Occurrences


def always(_content: object) -> bool:
    return True


@contextmanager
def within(attempt: Attempt) -> Iterator[Attempt]:
    token = ATTEMPT.set(attempt)
    try:
        yield attempt
    finally:
        ATTEMPT.reset(token)


def test_another_attempt_comes_to_the_same_but_for_the_model_call_that_failed() -> None:
    seen, agent = Occurrences(), object()
    with within(Attempt("task", agent)) as attempt:
        assert [seen.assign("tool"), seen.assign("tool"), seen.assign("model")] == [0, 1, 0]
        seen.asks(agent, "model", 0)
        seen.repeat(attempt, always)
        assert [seen.assign("tool"), seen.assign("tool"), seen.assign("tool"), seen.assign("model")] == [
            0,
            1,
            2,
            1,
        ]
    assert seen.assign("tool") == 3, "what is done after it is new"


def test_what_was_done_before_or_beside_an_attempt_is_not_repeated() -> None:
    seen = Occurrences()
    outer, inner = Attempt("task", object()), None
    with within(outer):
        assert seen.assign("tool") == 0
        with within(Attempt("part", object(), outer)) as inner:
            assert seen.assign("tool") == 1
            seen.repeat(inner, always)
        assert seen.assign("tool") == 1, "another agent was faster"
        with within(inner):
            assert seen.assign("tool") == 2
        seen.repeat(outer, always)
        assert [seen.assign("tool") for _ in range(3)] == [0, 1, 2]


def test_an_answer_that_failed_an_inner_attempt_stays_out_when_the_outer_one_is_repeated() -> None:
    seen, agent = Occurrences(), object()
    with within(Attempt("task", object())) as outer:
        with within(Attempt("part", agent, outer)) as inner:
            seen.asks(agent, "model", seen.assign("model"))
            seen.repeat(inner, always)
            assert seen.assign("model") == 1
        seen.repeat(outer, always)
        assert seen.assign("model") == 1


def test_what_does_not_come_again_stays_taken() -> None:
    seen = Occurrences()
    with within(Attempt("task", object())) as attempt:
        assert [seen.assign("tool"), seen.assign("prompt")] == [0, 0]
        seen.repeat(attempt, lambda content: content != "prompt")
        assert [seen.assign("tool"), seen.assign("prompt")] == [0, 1]


def test_others_model_calls_are_not_what_an_attempt_failed_with() -> None:
    seen = Occurrences()
    with within(Attempt("task", object())) as attempt:
        seen.asks(object(), "memory", seen.assign("memory"))
        seen.repeat(attempt, always)
        assert seen.assign("memory") == 0


def test_duplicate_calls_are_numbered_in_their_order_whichever_comes_first() -> None:
    seen = Occurrences()
    assert seen.assign("tool") == 0
    calls = DuplicateCalls(3)
    for member in (2, 0, 1):
        with seen.duplicate_call(calls, member):
            assert seen.assign("tool") == 1 + member
    assert seen.assign("tool") == 4


def test_numbers_that_no_duplicate_call_came_to_are_free_once_all_have_ended() -> None:
    """As if nobody had reserved them: journals of earlier releases go on."""
    seen = Occurrences()
    calls = DuplicateCalls(2)
    with seen.duplicate_call(calls, 0):
        assert [seen.assign("cached"), seen.assign("tool"), seen.assign("tool")] == [0, 0, 2]
    with seen.duplicate_call(calls, 1):
        assert seen.assign("cached") == 1
    assert [seen.assign("cached"), seen.assign("tool"), seen.assign("tool")] == [2, 1, 3]


def test_duplicate_calls_of_a_repeated_attempt_have_their_numbers_again() -> None:
    seen = Occurrences()
    for _ in range(2):
        with within(Attempt("task", object())) as attempt:
            calls = DuplicateCalls(2)
            for member in (1, 0):
                with seen.duplicate_call(calls, member):
                    assert seen.assign("tool") == member
            seen.repeat(attempt, always)
