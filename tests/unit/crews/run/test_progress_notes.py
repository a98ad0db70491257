"""What a crew says of its progress: the newest text wins, at a rate that falls in long runs."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import ids
from bot.core.errors import StoreUnavailable
from bot.core.text import valid
from crews.run.progress_notes import INTERVAL_S, MAX_LENGTH, PER_SECOND, ProgressNotes, cleaned


class Recorded:
    """A store that keeps texts, and may fail."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.fails = False

    async def record(self, _claim: object, body: Any, _key: str) -> None:  # noqa: ANN401 - an event's body
        if self.fails:
            raise StoreUnavailable("away")
        self.texts.append(body.text)


def notes(store: Recorded, clock: list[float]) -> ProgressNotes:
    run: Any = SimpleNamespace(
        loop=asyncio.get_running_loop(),
        run_id=ids.run_id("one"),
        crew_id="c",
        claim=SimpleNamespace(epoch=1),
        identity=SimpleNamespace(task=lambda _: None),
        stopped=None,
    )
    recording: Any = store
    return ProgressNotes(run, recording, lambda: clock[0])


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_first_text_is_recorded_at_once_and_of_the_next_ones_the_newest() -> None:
    store, clock = Recorded(), [0.0]
    told = notes(store, clock)
    for number in range(5):
        told.add(f"{number} of 5")
    await settle()
    assert store.texts == ["4 of 5"]
    told.add("again")
    await settle()
    assert store.texts == ["4 of 5"]


async def test_a_store_that_is_away_harms_nothing() -> None:
    store, clock = Recorded(), [0.0]
    told = notes(store, clock)
    store.fails = True
    told.add("lost")
    await settle()
    store.fails, clock[0] = False, 10.0
    told.add("kept")
    await settle()
    assert store.texts == ["kept"]


async def test_long_runs_record_less_often() -> None:
    store, clock = Recorded(), [0.0]
    told = notes(store, clock)
    assert told.interval_s == INTERVAL_S
    for number in range(2 * PER_SECOND):
        clock[0] += 1000.0
        told.add(str(number))
        await settle()
    assert len(store.texts) == 2 * PER_SECOND
    assert told.interval_s == pytest.approx(2 * INTERVAL_S)


@given(st.text())
def test_a_text_is_one_short_line(text: str) -> None:
    line = cleaned(text)
    assert len(line) <= MAX_LENGTH
    assert line == " ".join(line.split())
    assert valid(line) == line
