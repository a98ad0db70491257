"""What a message of the wake-up channel says, also one of another release."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.events.event import PublishedEvent
from bot.core.ports.store import Wakeup
from bot.store.events import read_wakeup

EVENT = PublishedEvent("run-1", 7, 1795982465893, '{"type": "run_changed", "change": "a b"}')


def test_topics_and_the_events_in_the_lines_after_them() -> None:
    line = f"{EVENT.run_id} {EVENT.seq} {EVENT.at} {EVENT.body}"
    assert read_wakeup("run:run-1 cancelled") == Wakeup(("run:run-1", "cancelled"))
    assert read_wakeup(f"run:run-1\n{line}") == Wakeup(("run:run-1",), (EVENT,))
    assert read_wakeup(f"run:run-1\n{line}\n{line}") == Wakeup(("run:run-1",), (EVENT, EVENT))


@pytest.mark.parametrize("line", ["", "run-1", "run-1 7 x {}", "run-1  1 {}", "run-1 7 1", "v2 of this form"])
def test_lines_of_another_release_are_left_out_with_all_others(line: str) -> None:
    known = f"{EVENT.run_id} {EVENT.seq} {EVENT.at} {EVENT.body}"
    assert read_wakeup(f"run:run-1\n{known}\n{line}") == Wakeup(("run:run-1",))


@given(st.text())
def test_any_message_is_read(message: str) -> None:
    topics = message.partition("\n")[0].split()
    assert list(read_wakeup(message).topics) == topics
