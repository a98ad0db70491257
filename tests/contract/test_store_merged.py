"""Lists that are spread over the shards come in pages: complete, in order, and each entry once."""

import asyncio

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.ports.lists import RunFilter
from bot.core.runs.crew import Crew
from bot.core.runs.run import RunStatus
from bot.store import redis_keys
from bot.store.merged import Position, merged
from bot.store.redis import RedisStore
from tests.contract.examples import ADA, DEMO, claimed, started
from tests.examples import examples

KEYS = [f"{redis_keys.base(shard)}:open{each}" for shard in (0, 3, 7) for each in ("", ":for:ada")]
names = st.text("abcdef", min_size=1, max_size=3)
# Few moments and many names: lots of entries share a moment, and some are in several sets.
entries = st.lists(st.tuples(st.integers(1, 4), names, st.sampled_from(KEYS)), max_size=120)


@pytest.mark.everywhere
@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(listed=entries, count=st.integers(1, 12), newest_first=st.booleans())
async def test_pages_are_the_list_in_parts(
    store: RedisStore, listed: list[tuple[int, str, str]], count: int, *, newest_first: bool
) -> None:
    # A name has one time, whichever sets it is in.
    times = {name: at for at, name, _ in listed}
    for key in KEYS:
        await store.connection.redis.delete(key)
    for _, name, key in listed:
        await store.connection.redis.zadd(key, {name: times[name]})
    expected = sorted(((at, name) for name, at in times.items()), reverse=newest_first)
    found: list[Position] = []
    while page := await merged(
        store.connection, KEYS, count, found[-1] if found else None, newest_first=newest_first
    ):
        assert len(page) <= count
        found += page
    assert found == expected


@pytest.mark.everywhere
async def test_a_page_of_one_shard_alone_is_complete(store: RedisStore) -> None:
    # By chance all may be in one: more than a shard's share of a page.
    await store.connection.redis.zadd(KEYS[0], {f"run/{n:03}": n for n in range(300)})
    page = await merged(store.connection, KEYS, 200)
    assert page == [(n, f"run/{n:03}") for n in range(200)]


@pytest.mark.everywhere
async def test_a_filter_without_an_index_finds_what_fits(store: RedisStore) -> None:
    over = [await started(store) for _ in range(2)]
    for run in over:
        await store.runs.cancel(run.id, ADA)
    running = [(await claimed(store)).run for _ in range(2)]
    queued = [await started(store) for _ in range(2)]
    for status, runs in (
        (RunStatus.CANCELLED, over),
        (RunStatus.RUNNING, running),
        (RunStatus.QUEUED, queued),
    ):
        listed = await store.runs.list(RunFilter(status=status))
        assert {run.id for run in listed} == {run.id for run in runs}
    assert {run.id for run in await store.runs.list(RunFilter(active=False))} == {run.id for run in over}
    assert await store.runs.list(RunFilter(active=False, status=RunStatus.QUEUED)) == []
    assert await store.runs.list(RunFilter(crew="of another name")) == []


@pytest.mark.everywhere
@pytest.mark.parametrize("limit", [1, 3, 20])
async def test_pages_of_what_fits_are_complete(store: RedisStore, limit: int) -> None:
    other = Crew(name="other", title="Other")
    # Together, so that several begin in the same millisecond.
    runs = await asyncio.gather(*(started(store, crew=other if n % 3 else DEMO) for n in range(40)))
    expected = sorted(((run.created_at, run.id) for run in runs if run.crew.name == "other"), reverse=True)
    found: list[tuple[int, str]] = []
    page = await store.runs.page(RunFilter(crew="other", limit=limit))
    while page.next is not None:
        found += [(run.created_at, run.id) for run in page.runs]
        page = await store.runs.page(RunFilter(crew="other", limit=limit, before=page.next))
    assert [*found, *((run.created_at, run.id) for run in page.runs)] == expected


async def test_a_page_costs_the_same_however_long_the_list_is(store: RedisStore, server: redis.Redis) -> None:
    runs = [f"{redis_keys.base(shard)}:runs" for shard in range(redis_keys.SHARDS)]

    async def sent() -> int:
        """How many bytes the server sends for a page of each list."""
        before = server.info("stats")["total_net_output_bytes"]
        await merged(store.connection, runs, 21, newest_first=True)
        await store.questions.open_page(20)
        await store.questions.open_page(20, [ADA.principal])
        return int(server.info("stats")["total_net_output_bytes"] - before)

    def grow(many: int) -> None:
        for shard in range(redis_keys.SHARDS):
            base = redis_keys.base(shard)
            for each in (f"{base}:runs", f"{base}:open", f"{base}:open:for:{ADA.principal}"):
                server.zadd(each, {f"{shard}-{n}/question": n for n in range(many)})

    grow(20)
    few = await sent()
    grow(2000)
    assert await sent() < 1.1 * few


async def test_a_status_that_no_run_has_is_looked_for_in_none(store: RedisStore, server: redis.Redis) -> None:
    for _ in range(20):
        await started(store)
    server.config_resetstat()
    assert await store.runs.list(RunFilter(status=RunStatus.FAILED)) == []
    assert "cmdstat_hmget" not in server.info("commandstats")
    assert len(await store.runs.list(RunFilter(status=RunStatus.QUEUED))) == 20
