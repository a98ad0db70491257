"""Which run is shown next, and which progress message is redrawn next: nobody waits behind a busy channel."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bot.surfaces.chat.delivery.scheduler import FairScheduler, ProgressUpdater
from tests.virtual_time import in_virtual_time
from tests.waiting import WITHIN


def test_a_quiet_channel_comes_right_after_a_busy_ones_first() -> None:
    scheduler = FairScheduler(limit=4, limit_per_channel=3)
    waiting = {f"busy{number}": "B" for number in range(20)} | {"quiet": "Q"}
    assert scheduler.next(waiting) == ["busy0", "quiet", "busy1", "busy2"]


def test_a_channel_that_had_its_turn_comes_after_those_that_wait_longer() -> None:
    scheduler = FairScheduler(limit=1, limit_per_channel=1)
    shown = []
    waiting = {"a1": "A", "a2": "A", "a3": "A", "b1": "B", "b2": "B"}
    while waiting:
        [run_id] = scheduler.next(waiting)
        shown.append(run_id)
        del waiting[run_id]
        scheduler.ended(run_id)
    assert shown == ["a1", "b1", "a2", "b2", "a3"]


def test_what_is_shown_is_not_begun_again() -> None:
    scheduler = FairScheduler(limit=9, limit_per_channel=9)
    assert scheduler.next({"a": "A"}) == ["a"]
    assert scheduler.next({"a": "A"}) == []


@given(st.lists(st.sampled_from("ABCDEFG"), max_size=60), st.integers(1, 12), st.integers(1, 5), st.data())
def test_room_is_used_and_nobody_takes_more_than_their_share(
    channels: list[str], at_once: int, each: int, data: st.DataObject
) -> None:
    waiting = {f"{channel}{number}": channel for number, channel in enumerate(channels)}
    scheduler, shown, done = FairScheduler(at_once, each), list[str](), Counter[str]()
    while waiting or shown:
        for run_id in scheduler.next(waiting):
            done[waiting.pop(run_id)] += 1
            shown.append(run_id)
        busy = Counter(run_id[0] for run_id in shown)
        assert len(shown) <= at_once
        assert all(number <= each for number in busy.values())
        if len(shown) < at_once:
            assert all(busy[channel] == each for channel in waiting.values())
        ending = data.draw(st.integers(0, len(shown) - 1))
        scheduler.ended(shown.pop(ending))
    assert done == Counter(channels)


@in_virtual_time
async def test_a_redraw_that_is_due_now_comes_before_one_that_is_due_later() -> None:
    drawn: list[str] = []
    both = asyncio.Event()

    async def draw(run_id: str) -> None:
        drawn.append(run_id)
        if len(drawn) == 2:
            both.set()

    async def room() -> None:
        return

    clock = asyncio.get_running_loop().time
    updater = ProgressUpdater(draw, room, interval_s=0.01, clock=clock)
    drawing = asyncio.create_task(updater.run())
    updater.schedule("later", 0.3)
    await asyncio.sleep(0)
    updater.schedule("now")
    async with asyncio.timeout(WITHIN):
        await both.wait()
    drawing.cancel()
    assert drawn == ["now", "later"]


async def test_a_redraw_that_becomes_due_earlier_is_not_held_up_by_what_was_known_before() -> None:
    drawn: list[str] = []
    done = asyncio.Event()

    async def draw(run_id: str) -> None:
        drawn.append(run_id)
        done.set()

    async def room() -> None:
        return

    updater = ProgressUpdater(draw, room, interval_s=0.01)
    drawing = asyncio.create_task(updater.run())
    updater.schedule("run", 3600)
    await asyncio.sleep(0)
    updater.schedule("run")
    async with asyncio.timeout(WITHIN):
        await done.wait()
    drawing.cancel()
    assert drawn == ["run"]
