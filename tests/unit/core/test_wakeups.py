"""Waiting inside one process: who is woken, by what, and what a stream of events yields."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.core.errors import NotFound
from bot.core.events.event import Event, RunCompleted, TaskStarted
from bot.core.ports.store import Wakeup
from bot.core.wakeups import Wakeups, run_topic
from tests.waiting import WITHIN

RUN = "8a1c9a3e-0e0c-5c35-9a0e-3f6f1d9b7c11"


class Story:
    """A run's events, told one after the other: the port to follow, without a server."""

    def __init__(self, page: int = 1000) -> None:
        self.page = page
        self.told: list[Event] = []
        self.gone = False

    def tell(self, *, last: bool = False) -> None:
        seq = len(self.told) + 1
        body = (
            RunCompleted(result="")
            if last
            else TaskStarted(crew_id="c", task_id="t", task="T", number=seq, total=9)
        )
        self.told.append(Event(run_id=RUN, seq=seq, at=0, body=body))

    async def read(self, run_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
        if self.gone:
            raise NotFound("run", run_id)
        return self.told[after : after + min(limit, self.page)]

    async def wakeups(self) -> AsyncIterator[Wakeup]:
        yield Wakeup(("one", "two"))
        yield Wakeup()


async def test_a_signal_says_what_woke_it_and_stays_set_until_cleared() -> None:
    wakeups = Wakeups()
    with wakeups.watch("one", "two") as signal, wakeups.watch("other") as other:
        wakeups.wake(["one"])
        wakeups.wake(["two", "unknown"])
        assert await signal.wait(WITHIN)
        assert await signal.wait(WITHIN)
        assert signal.clear() == {"one", "two"}
        assert not await signal.wait(0.01)
        assert not await other.wait(0.01)


async def test_after_watching_nothing_is_left() -> None:
    wakeups = Wakeups()
    with wakeups.watch("one") as signal:
        pass
    wakeups.wake(["one"])
    wakeups.wake_all()
    assert not await signal.wait(0.01)


async def test_the_stores_wakeups_are_passed_on_to_all() -> None:
    wakeups = Wakeups()
    with wakeups.watch("one") as named, wakeups.watch("else") as unnamed:
        await wakeups.follow(Story())
        assert named.clear() == {"one"}
        assert await unnamed.wait(WITHIN)
        assert unnamed.clear() == set()


async def test_events_are_followed_live_to_the_last_one() -> None:
    wakeups, story = Wakeups(), Story()
    story.tell()
    seen: list[int] = []

    async def follow() -> None:
        seen.extend([event.seq async for event in wakeups.events(story, RUN)])

    async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        for last in (False, True):
            await asyncio.sleep(0)
            story.tell(last=last)
            wakeups.wake([run_topic(RUN)])
    assert seen == [1, 2, 3]


async def test_a_long_story_is_read_page_by_page_without_waiting() -> None:
    story = Story(page=2)
    for _ in range(6):
        story.tell()
    story.tell(last=True)
    async with asyncio.timeout(WITHIN):
        assert [event.seq async for event in Wakeups().events(story, RUN, after=1)] == [2, 3, 4, 5, 6, 7]


async def test_a_run_that_is_forgotten_meanwhile_ends_the_stream() -> None:
    wakeups, story = Wakeups(), Story()
    story.tell()
    stream = wakeups.events(story, RUN)
    assert (await anext(stream)).seq == 1
    story.gone = True
    wakeups.wake([run_topic(RUN)])
    with pytest.raises(NotFound):
        await anext(stream)
