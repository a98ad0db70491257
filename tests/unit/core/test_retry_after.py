"""`Retry-After` as all who send requests read it: a pause in any case, a bounded one, and never an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest
from aiohttp import web

from bot.core.retry_after import MIN_RETRY_AFTER_S, parse_retry_after
from bot.surfaces.chat.failures import DEFAULT_RETRY_DELAY_S, MAX_RETRY_AFTER_S, retry_after
from crewdeck.client import ApiError, Client
from crewdeck.client.http import MAX_WAIT_S, MIN_WAIT_S, wait_of
from tests.waiting import WITHIN

NOW = 1_780_000_000.0
NONSENSE = (
    "",
    "0",
    "-3",
    "soon",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "٣",
    "0x10",
    "Fri, 99 Foo 2026",
    "\x00",
    "1, 2",
)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0.3", 0.3),
        ("1e-9", MIN_RETRY_AFTER_S),
        ("99999", 600.0),
        (formatdate(NOW + 42, usegmt=True), 42.0),
        (formatdate(NOW + 10**8, usegmt=True), 600.0),
        (formatdate(NOW - 42, usegmt=True), None),
        *((value, None) for value in NONSENSE),
        (None, None),
    ],
)
def test_it_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, most=600, now=NOW) == seconds


@pytest.mark.parametrize("value", NONSENSE)
def test_slack_is_asked_again_after_a_pause(value: str) -> None:
    assert retry_after({"Retry-After": value}) == DEFAULT_RETRY_DELAY_S
    assert retry_after({"retry-after": [value]}) == DEFAULT_RETRY_DELAY_S
    assert retry_after({"Retry-After": []}) == DEFAULT_RETRY_DELAY_S
    assert retry_after({}) == DEFAULT_RETRY_DELAY_S


def test_slack_is_asked_again_in_the_end() -> None:
    assert retry_after({"RETRY-AFTER": "30"}) == 30
    assert retry_after({"Retry-After": "1000000"}) == MAX_RETRY_AFTER_S
    assert retry_after({"Retry-After": formatdate(time.time() + 100, usegmt=True)}) == pytest.approx(
        100, abs=2
    )


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (0, MIN_WAIT_S),
        (-5, MIN_WAIT_S),
        (2, 2),
        (10**9, MAX_WAIT_S),
        ("soon", 1),
        (None, 1),
        (float("nan"), 1),
        ([], 1),
    ],
)
def test_the_client_waits_a_moment_and_not_for_ever(said: object, wait: float) -> None:
    assert wait_of(ApiError("rate_limited", 429, "Slower.", problem={"retry_after": said})) == wait


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("0", 2 * MIN_WAIT_S, 15),
        ("past", 2 * MIN_WAIT_S, 15),
        ("nonsense", 2, 15),
        ("soon", 0.3, 15),
    ],
)
async def test_the_client_pauses_between_its_tries(said: str, least: float, most: float) -> None:
    """The server says "later" twice, then answers."""
    came: list[float] = []

    async def answer(_: web.Request) -> web.Response:
        came.append(time.monotonic())
        dates = {"past": formatdate(0, usegmt=True), "soon": formatdate(time.time() + 2, usegmt=True)}
        if len(came) < 3:
            return web.Response(status=503, headers={"Retry-After": dates.get(said, said)})
        return web.json_response({"crews": []})

    async with answering(answer) as url, Client(url) as client:
        assert tuple(await asyncio.wait_for(client.crews(), WITHIN)) == ()
    assert least * 0.9 <= came[-1] - came[0] <= most + 5


async def test_the_client_waits_for_no_hour() -> None:
    came = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal came
        came += 1
        return web.Response(status=429, headers={"Retry-After": "3600"})

    async with answering(answer) as url, Client(url) as client:
        with pytest.raises(ApiError) as refused:
            await asyncio.wait_for(client.crews(), WITHIN)
    assert (refused.value.status, came) == (429, 1)


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """A server whose crews are asked for; its address."""
    app = web.Application()
    app.router.add_get("/crews", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
