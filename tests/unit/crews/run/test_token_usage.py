"""The tokens of recorded and repeated model calls, each counted once."""

from crews.journal.model_call import RecordedStep
from crews.run.token_usage import MANAGER, USAGE, Tokens, TokenUsage


class Call:
    """A model call, and what the model has counted without it being made."""

    def __init__(self, member: str | None, **used: int) -> None:
        self.member = member
        self.used: Tokens = used
        self.restored: Tokens = {}

    def restore(self, used: Tokens) -> None:
        self.restored = used


def step(name: str, **used: int) -> RecordedStep:
    return RecordedStep(name, {"result": "words", USAGE: used} if used else None)


def test_calls_are_counted_by_task_and_member() -> None:
    usage = TokenUsage()
    assert usage.count_made(step("t1/model/a/0"), Call("1", total_tokens=3)) == {USAGE: {"total_tokens": 3}}
    usage.count_made(step("t1/model/b/0"), Call("1", total_tokens=4, successful_requests=1))
    usage.count_made(step("t1/model/c/0"), Call(MANAGER, total_tokens=5))
    usage.count_made(step("t1/model/d/0"), Call(None, total_tokens=100))
    usage.count_made(step("t10/model/a/0"), Call("1", total_tokens=100))
    assert usage.of("t1") == {
        "1": {"total_tokens": 7, "successful_requests": 1},
        MANAGER: {"total_tokens": 5},
    }


def test_a_recorded_call_is_counted_once_in_a_process() -> None:
    usage = TokenUsage()
    first, again = Call("2"), Call("2")
    usage.count_replayed(step("t1/model/a/0", total_tokens=3), first)
    usage.count_replayed(step("t1/model/a/0", total_tokens=3), again)
    assert (first.restored, again.restored) == ({"total_tokens": 3}, {})
    made = Call("2", total_tokens=4)
    usage.count_made(step("t1/model/b/0"), made)
    usage.count_replayed(step("t1/model/b/0", total_tokens=4), made)  # CrewAI tries the task again.
    assert made.restored == {}
    assert usage.of("t1") == {"2": {"total_tokens": 7}}


def test_a_call_that_failed_and_was_made_again_has_used_both() -> None:
    usage = TokenUsage()
    usage.count_made(step("t1/model/a/0"), Call("1", total_tokens=3))
    assert usage.count_made(step("t1/model/a/0"), Call("1", total_tokens=4)) == {USAGE: {"total_tokens": 7}}
    assert usage.of("t1") == {"1": {"total_tokens": 7}}


def test_what_earlier_releases_recorded_has_no_tokens() -> None:
    usage = TokenUsage()
    call = Call("1")
    usage.count_replayed(RecordedStep("t1/model/a/0", {"result": "words"}), call)
    usage.count_replayed(step("t1/model/b/0", total_tokens=3), None)
    assert usage.count_made(step("t1/model/c/0"), Call("1")) == {}
    assert (call.restored, usage.of("t1")) == ({}, {})
