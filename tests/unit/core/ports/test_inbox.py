"""The cursor of the stream of all runs: what is encoded is read back, and nothing else is taken for one."""

from hypothesis import given
from hypothesis import strategies as st

from bot.core.ports.inbox import Cursor, Position, Positions, was_trimmed

SHARDS = 8
positions = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1))


def _cursor(at: Positions, mark: tuple[Position, int] | None) -> Cursor:
    """One as it is given out: what was read of a snapshot is in it."""
    return Cursor(at, mark and (min(mark[0], at[mark[1]]), mark[1]))


cursors = st.builds(
    _cursor,
    st.tuples(*[positions] * SHARDS),
    st.none() | st.tuples(positions, st.integers(0, SHARDS - 1)),
)


@given(cursors)
def test_a_cursor_is_read_back(cursor: Cursor) -> None:
    text = cursor.encode()
    assert Cursor.decode(text, SHARDS) == cursor
    assert text.replace("-", "").replace("_", "").isalnum()


@given(st.text())
def test_anything_else_is_no_cursor(text: str) -> None:
    found = Cursor.decode(text, SHARDS)
    assert found is None or found.encode() == text


@given(cursors, st.integers(1, 20))
def test_a_cursor_that_was_cut_short_is_none(cursor: Cursor, cut: int) -> None:
    assert Cursor.decode(cursor.encode()[:-cut], SHARDS) is None


def test_one_shard_behind_what_is_kept_is_a_gap() -> None:
    start = [(5, 0)] * SHARDS
    assert not was_trimmed(start, start)
    assert was_trimmed([(4, 9), *start[1:]], start)


def test_a_mark_that_is_not_in_the_snapshot_is_of_no_cursor() -> None:
    at = ((5, 0),) * SHARDS
    assert Cursor.decode(Cursor(at, ((5, 0), SHARDS - 1)).encode(), SHARDS) is not None
    assert Cursor.decode(Cursor(at, ((5, 1), 0)).encode(), SHARDS) is None
    assert Cursor.decode(Cursor(at, ((5, 0), SHARDS)).encode(), SHARDS) is None
