"""The proxy of the chaos tests: it takes apart what passes, however it is cut into packets."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.store.redis_client.shared_connection import packed
from tests.faults.chaos.transition_proxy import frames

commands = st.lists(st.binary(), min_size=1).map(lambda words: packed([tuple(words)]))
replies = st.recursive(
    st.sampled_from(
        [b"+OK\r\n", b"-ERR no\r\n", b":7\r\n", b"$-1\r\n", b"*-1\r\n", b"_\r\n", b"$4\r\n\r\n\r\n\r\n"]
    ),
    lambda inner: st.lists(inner).map(lambda each: b"*%d\r\n" % len(each) + b"".join(each)),
)


@given(st.lists(commands | replies), st.lists(st.integers(0, 200)))
async def test_what_passes_comes_one_by_one_however_it_is_cut(passing: list[bytes], cuts: list[int]) -> None:
    whole, reader = b"".join(passing), asyncio.StreamReader()
    found: list[bytes] = []

    async def read() -> None:
        found.extend([frame async for frame in frames(reader)])

    reading = asyncio.create_task(read())
    for start, end in pairwise(sorted({0, len(whole), *(each for each in cuts if each < len(whole))})):
        reader.feed_data(whole[start:end])
        await asyncio.sleep(0)
    reader.feed_eof()
    await reading
    assert found == passing
