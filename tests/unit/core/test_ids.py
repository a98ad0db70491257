"""Ids are derived, and read back where that is promised."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from bot.core import ids

runs = st.text(max_size=30).map(ids.run_id)


@given(run=runs, other=runs, seq=st.integers(1, 2**32 - 1))
def test_an_event_id_is_a_cursor_of_its_own_run(run: str, other: str, seq: int) -> None:
    event = ids.event_id(run, seq)
    assert UUID(event).version == 8
    assert ids.event_seq(run, event) == seq
    assert ids.event_seq(run, event.upper()) == seq
    assert other == run or ids.event_seq(other, event) is None


def test_what_is_no_event_id_is_no_cursor() -> None:
    run = ids.run_id("key")
    for cursor in ("", "7", run, ids.event_id(run, 1)[:-1], str(UUID(int=0))):
        assert ids.event_seq(run, cursor) is None


def test_ids_stay_the_same_from_release_to_release() -> None:
    run = ids.run_id("slack:T1:Ev1")
    assert run == "b49580e1-5c77-5061-b885-38cf681a75aa"
    assert ids.part_id(run, "crew") == "040e7059-743d-5b40-aaff-21e9b9814529"
    assert ids.event_id(run, 3) == "b4d1f803-80c7-8d34-b32f-9e2400000003"
    assert ids.short(run) == run[:8]
