"""The crews that workers announced: how long they stay known, what is forgotten, and what looking costs."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import redis

from bot.core.runs.crew import Crew, CrewProblem
from bot.core.starting import crew_named
from bot.core.wakeups import CREWS_TOPIC
from bot.store import redis_keys
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import DEMO
from tests.waiting import WITHIN

PYTHON = Crew(name="from_python", title="From Python")
MINUTE = 60_000


def crew(name: str, title: str = "Crew") -> Crew:
    return Crew(name=name, title=title)


def later(server: redis.Redis, by: int) -> None:
    """As if so many milliseconds had passed since all announcements."""
    for field, value in server.hgetall(redis_keys.CREWS).items():
        if str(field).startswith("source "):
            at, since = map(int, str(value).split())
            server.hset(redis_keys.CREWS, str(field), f"{at - by} {since - by}")


def sources(server: redis.Redis) -> set[str]:
    names = map(str, server.hkeys(redis_keys.CREWS))
    return {name.removeprefix("source ") for name in names if name.startswith("source ")}


def calls(server: redis.Redis) -> dict[str, int]:
    """How often each command came, since the last look."""
    found = {
        name.removeprefix("cmdstat_"): int(stats["calls"])
        for name, stats in server.info("commandstats").items()
    }
    server.config_resetstat()
    return {name: times for name, times in found.items() if name not in {"info", "config|resetstat"}}


async def test_crews_of_python_stay_known_while_their_only_worker_is_replaced(store: RedisStore) -> None:
    """A worker that starts announces what it knows without crewai, long before the rest."""
    await store.catalogue.announce("host:1", [DEMO, PYTHON])
    await store.catalogue.announce("host:1", [DEMO], complete=False)
    assert set(await store.catalogue.crews()) == {"demo", "from_python"}
    await store.catalogue.announce("host:1", [DEMO, PYTHON])
    assert set(await store.catalogue.crews()) == {"demo", "from_python"}


async def test_a_worker_without_crews_announces_that(store: RedisStore) -> None:
    """Also one that was silent for so long that nothing is known of it."""
    await store.catalogue.announce("host:1", [])
    await store.catalogue.announce("host:1", [])
    assert await store.catalogue.crews() == {}


async def test_also_where_each_worker_has_a_name_of_its_own(store: RedisStore, server: redis.Redis) -> None:
    """As containers have."""
    await store.catalogue.announce("pod-1", [DEMO, PYTHON])
    later(server, 10 * MINUTE)
    await store.catalogue.announce("pod-2", [DEMO], complete=False)
    assert set(await store.catalogue.crews()) == {"demo", "from_python"}
    assert sources(server) == {"pod-1", "pod-2"}, "nobody else knows it yet"
    await store.catalogue.announce("pod-2", [DEMO, PYTHON])
    assert set(await store.catalogue.crews()) == {"demo", "from_python"}
    assert sources(server) == {"pod-2"}


async def test_a_crew_that_was_taken_away_is_gone_once_its_worker_has_loaded(store: RedisStore) -> None:
    await store.catalogue.announce("host:1", [DEMO, PYTHON])
    await store.catalogue.announce("host:1", [DEMO], complete=False)
    await store.catalogue.announce("host:1", [DEMO])
    assert set(await store.catalogue.crews()) == {"demo"}
    await store.catalogue.announce("host:1", [])
    assert await store.catalogue.crews() == {}


async def test_problems_are_told_once_until_their_source_has_none_or_is_silent(
    store: RedisStore, server: redis.Redis
) -> None:
    broken = CrewProblem(name="blog", problem="blog/crew.py:3: it can't be imported", remedy="Correct it.")
    other = CrewProblem(name="audit", problem="audit: it has no crew")
    await store.catalogue.announce("host:1", [DEMO], problems=[broken])
    await store.catalogue.announce("host:2", [], problems=[broken, other])
    assert await store.catalogue.problems() == (other, broken)
    assert set(await store.catalogue.crews()) == {"demo"}
    await store.catalogue.announce("host:1", [DEMO], complete=False)
    assert broken in await store.catalogue.problems(), "what is still loading may be broken yet"
    await store.catalogue.announce("host:1", [DEMO])
    await store.catalogue.announce("host:2", [], problems=[other])
    assert await store.catalogue.problems() == (other,)
    later(server, 10 * MINUTE)
    await store.catalogue.announce("host:1", [DEMO])
    assert await store.catalogue.problems() == ()
    server.hset(redis_keys.CREWS, "problems host:3", '[{"name": 1}]')
    server.hset(redis_keys.CREWS, "version", "damaged")
    assert await store.catalogue.problems() == ()
    assert set(await store.catalogue.crews()) == {"demo"}, "one bad record stops nothing else"


async def test_what_nobody_announces_any_more_is_forgotten_after_a_week(
    store: RedisStore, server: redis.Redis
) -> None:
    await store.catalogue.announce("old", [PYTHON])
    later(server, 6 * 24 * 60 * MINUTE)
    await store.catalogue.announce("new", [DEMO])
    assert set(await store.catalogue.crews()) == {"demo", "from_python"}, "its workers may come back"
    later(server, 25 * 60 * MINUTE)
    await store.catalogue.announce("new", [DEMO])
    assert set(await store.catalogue.crews()) == {"demo"}
    assert sources(server) == {"new"}
    assert 0 < server.pttl(redis_keys.CREWS) <= 7 * 24 * 60 * MINUTE, (
        "and all of it, if nobody announces anything"
    )


async def test_host_names_do_not_pile_up(store: RedisStore, server: redis.Redis) -> None:
    """Five hundred workers that died, each on a host of its own; one crew is known to them alone."""
    for number in range(500):
        await store.catalogue.announce(f"pod-{number}", [DEMO, PYTHON])
    later(server, 10 * MINUTE)
    await store.catalogue.announce("alive", [DEMO])
    assert len(sources(server)) == 2
    assert set(await store.catalogue.crews()) == {"demo", "from_python"}
    assert server.hlen(redis_keys.CREWS) == 2 + 3 + 1


async def test_a_command_costs_one_field_however_many_workers_there_were(
    store: RedisStore, server: redis.Redis
) -> None:
    for number in range(500):
        await store.catalogue.announce(f"pod-{number}", [crew(f"crew-{n}") for n in range(5)])
    first = await store.catalogue.crews()
    calls(server)
    for _ in range(20):
        assert await store.catalogue.crews() is first, "it is parsed once"
    assert calls(server) == {"hget": 20}
    await store.catalogue.announce("pod-7", [crew(f"crew-{n}") for n in range(5)])
    calls(server)
    assert await store.catalogue.crews() is first, "the same again is no change"
    assert calls(server) == {"hget": 1}
    await store.catalogue.announce("pod-7", [crew("crew-3", "Renamed")])
    assert (await store.catalogue.crews())["crew-3"].title == "Renamed"
    assert set(await store.catalogue.crews()) == {f"crew-{n}" for n in range(5)}


async def test_of_a_crew_that_several_announce_the_newest_words_count(store: RedisStore) -> None:
    await store.catalogue.announce("a", [crew("one", "old")])
    await asyncio.sleep(0.002)
    await store.catalogue.announce("b", [crew("one", "new")])
    await asyncio.sleep(0.002)
    await store.catalogue.announce("a", [crew("one", "old")])
    assert (await store.catalogue.crews())["one"].title == "new", "who says the same as ever has no news"
    await asyncio.sleep(0.002)
    await store.catalogue.announce("a", [crew("one", "old")], complete=False)
    assert (await store.catalogue.crews())["one"].title == "old", "but who has started has read it now"


async def test_different_crews_of_one_name_are_a_problem_while_both_are_up(
    store: RedisStore, server: redis.Redis
) -> None:
    await store.catalogue.announce("a:1", [crew("pay", "Pay invoices"), DEMO])
    await store.catalogue.announce("b:2", [crew("pay", "Pay salaries"), DEMO])
    [problem] = await store.catalogue.problems()
    assert problem.name == "pay"
    assert problem.problem.startswith("workers of a and b announce different crews of this name")
    assert "Give one of them another name" in problem.remedy
    later(server, 3 * MINUTE)
    await store.catalogue.announce("b:2", [crew("pay", "Pay all salaries"), DEMO])
    assert await store.catalogue.problems() == ()
    await store.catalogue.announce("a:1", [crew("pay", "Pay all salaries"), DEMO])
    assert await store.catalogue.problems() == ()


async def test_a_crew_that_can_not_be_read_hides_no_other(store: RedisStore, server: redis.Redis) -> None:
    """A newer release announced it."""
    await store.catalogue.announce("a", [DEMO])
    server.hset(
        redis_keys.CREWS, mapping={"crew a newer": json.dumps({"name": "newer"}), "version": "another"}
    )
    assert set(await store.catalogue.crews()) == {"demo"}


async def test_what_a_former_release_kept_there_is_thrown_away(
    store: RedisStore, server: redis.Redis
) -> None:
    server.hset(redis_keys.CREWS, "host:0123456789ab", json.dumps({"at": 1, "crews": [{"name": "old"}]}))
    assert await store.catalogue.crews() == {}
    await store.catalogue.announce("a", [DEMO])
    assert set(await store.catalogue.crews()) == {"demo"}
    assert set(server.hkeys(redis_keys.CREWS)) == {"crew a demo", "source a", "version"}


@pytest.fixture
async def elsewhere(store_url: str) -> AsyncIterator[RedisStore]:
    """The same store, as another process has it."""
    async with open_store(store_url) as opened:
        yield opened


async def test_while_announcements_are_heard_of_looking_costs_nothing(
    store: RedisStore, elsewhere: RedisStore, server: redis.Redis
) -> None:
    wakeups = store.events.wakeups()
    assert not (await anext(wakeups)).topics
    await store.catalogue.announce("a", [DEMO])
    async with asyncio.timeout(WITHIN):
        while CREWS_TOPIC not in (await anext(wakeups)).topics:
            continue
    assert set(await store.catalogue.crews()) == {"demo"}
    calls(server)
    for _ in range(10):
        await store.catalogue.crews()
    assert "hget" not in calls(server)
    # Heard of, it is known, and asked for by name it is known even before.
    await elsewhere.catalogue.announce("b", [PYTHON])
    assert (await crew_named(store.catalogue, "from_python")).name == "from_python"
    async with asyncio.timeout(WITHIN):
        while CREWS_TOPIC not in (await anext(wakeups)).topics:
            continue
    assert set(await store.catalogue.crews()) == {"demo", "from_python"}
    # A repeated announcement changes nothing, and wakes nobody.
    await elsewhere.catalogue.announce("b", [PYTHON])
    calls(server)
    await store.catalogue.crews()
    assert "hgetall" not in calls(server)
    await wakeups.aclose()  # type: ignore[attr-defined]


async def test_who_announces_crews_knows_them_before_it_hears_of_that(store: RedisStore) -> None:
    wakeups = store.events.wakeups()
    assert not (await anext(wakeups)).topics
    await store.catalogue.announce("a", [DEMO])
    async with asyncio.timeout(WITHIN):
        while CREWS_TOPIC not in (await anext(wakeups)).topics:
            continue
    assert set(await store.catalogue.crews()) == {"demo"}
    # Nobody takes this announcement's wake-up.
    await store.catalogue.announce("b", [PYTHON])
    assert set(await store.catalogue.crews()) == {"demo", "from_python"}
    await wakeups.aclose()  # type: ignore[attr-defined]


async def test_a_process_that_hears_of_no_announcements_looks_each_time(store: RedisStore) -> None:
    await store.catalogue.announce("a", [DEMO])
    assert set(await store.catalogue.crews()) == {"demo"}
    await store.catalogue.announce("b", [PYTHON])
    assert set(await store.catalogue.crews()) == {"demo", "from_python"}
