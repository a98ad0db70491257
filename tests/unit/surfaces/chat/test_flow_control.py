"""Acknowledgements go first, slots go to who works, and what a platform puts off is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from bot.surfaces.chat.failures import Deferred, PlatformFailure, Rejected, RetryLater
from bot.surfaces.chat.flow_control import (
    MAX_PROGRESS_WAIT_S,
    MAX_TURN_WAIT_S,
    MAX_YIELD_S,
    AckPriority,
    Rate,
    RateLimiter,
    WorkLimit,
    checked_before_calls,
    slot_released,
    with_retries,
)
from bot.surfaces.chat.platform import Priority
from tests.virtual_time import in_virtual_time
from tests.waiting import WITHIN


@in_virtual_time
async def test_what_nobody_waits_for_gives_way_until_the_last_press_is_acknowledged() -> None:
    ack_priority, done = AckPriority(), list[str]()

    async def show() -> None:
        await ack_priority.yield_to_acks()
        done.append("shown")

    with ack_priority.acknowledging():
        with ack_priority.acknowledging():
            showing = asyncio.create_task(show())
            await asyncio.sleep(MAX_YIELD_S / 3)
        await asyncio.sleep(MAX_YIELD_S / 3)
        done.append("acknowledged")
    await showing
    assert done == ["acknowledged", "shown"]


@in_virtual_time
async def test_an_endless_storm_of_presses_does_not_stop_what_is_shown() -> None:
    ack_priority, clock = AckPriority(), asyncio.get_running_loop()
    began = clock.time()
    with ack_priority.acknowledging():
        await ack_priority.yield_to_acks()
    assert clock.time() - began == pytest.approx(MAX_YIELD_S)


@in_virtual_time
async def test_with_nothing_urgent_nobody_waits() -> None:
    ack_priority, clock = AckPriority(), asyncio.get_running_loop()
    began = clock.time()
    await asyncio.gather(*(ack_priority.yield_to_acks() for _ in range(100)))
    assert clock.time() == began


async def test_who_rests_leaves_the_slot_to_others_and_takes_one_again() -> None:
    limit, working, most = WorkLimit(2), 0, 0

    async def deliver() -> None:
        nonlocal working, most
        async with limit.slot():
            for _ in range(3):
                working += 1
                most = max(most, working)
                await asyncio.sleep(0)
                working -= 1
                async with slot_released():
                    await asyncio.sleep(0.001)

    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*(deliver() for _ in range(20)))
    assert most == 2


async def test_all_may_rest_at_once() -> None:
    limit, all_rest = WorkLimit(1), asyncio.Barrier(10)

    async def deliver() -> None:
        async with limit.slot(), slot_released():
            await all_rest.wait()

    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*(deliver() for _ in range(10)))


async def test_cancelled_while_it_wants_its_slot_back_a_delivery_gives_none_away() -> None:
    limit, blocked, rested = WorkLimit(1), asyncio.Event(), asyncio.Event()
    working: list[str] = []

    async def rest_once() -> None:
        async with limit.slot(), slot_released():
            await rested.wait()

    async def block(name: str) -> None:
        async with limit.slot():
            working.append(name)
            await blocked.wait()

    async def turns() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    first = asyncio.create_task(rest_once())
    others = [asyncio.create_task(block("second"))]
    await turns()
    rested.set()
    await turns()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    others.append(asyncio.create_task(block("third")))
    await turns()
    assert working == ["second"]
    blocked.set()
    await asyncio.gather(*others)
    assert working == ["second", "third"]


async def test_without_a_slot_resting_is_only_waiting() -> None:
    async with slot_released():
        await asyncio.sleep(0)


class Calls:
    """Fails as it is told, then works; keeps the waits between."""

    def __init__(self, *failures: PlatformFailure) -> None:
        self.failures = list(failures)
        self.made = 0
        self.waits: list[float] = []

    async def call(self) -> None:
        self.made += 1
        if self.failures:
            raise self.failures.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def run(self, attempts: int) -> None:
        await with_retries(self.call, attempts, 30.0, self.sleep)


async def test_it_is_called_again_when_the_platform_says_so() -> None:
    calls = Calls(RetryLater(2), RetryLater(7200))
    await calls.run(4)
    assert calls.waits == [2, 30]
    assert calls.made == 3


@pytest.mark.parametrize("attempts", [1, 2, 4])
async def test_after_the_last_attempt_nobody_waits(attempts: int) -> None:
    calls = Calls(*[RetryLater(5)] * 9)
    with pytest.raises(RetryLater):
        await calls.run(attempts)
    assert calls.made == attempts
    assert calls.waits == [5] * (attempts - 1)


async def test_a_refusal_is_final() -> None:
    calls = Calls(RetryLater(1), Rejected("is_archived"))
    with pytest.raises(Rejected):
        await calls.run(4)
    assert calls.made == 2


RATES = {"post": Rate(per_second=1, burst=2, by_channel=True)}


@in_virtual_time
async def test_who_would_wait_long_for_the_platform_comes_back_later_and_others_go_on() -> None:
    """Also who waited already when the platform said so."""
    clock = asyncio.get_running_loop()
    limiter = RateLimiter(RATES, clock.time)
    calls = [asyncio.create_task(limiter.acquire("post", "busy", Priority.NEWS)) for _ in range(4)]
    await asyncio.sleep(0)
    limiter.pause("post", "busy", 120)
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(each, RetryLater) for each in done] == [False, False, True, True]
    assert clock.time() == pytest.approx(5, abs=5)
    with pytest.raises(RetryLater) as later:
        await limiter.acquire("post", "busy", Priority.DECISION)
    assert later.value.seconds == pytest.approx(120, abs=5)
    await limiter.acquire("post", "quiet", Priority.NEWS)
    await asyncio.sleep(later.value.seconds)
    await limiter.acquire("post", "busy", Priority.NEWS)


@in_virtual_time
async def test_a_short_pause_is_waited_for() -> None:
    clock = asyncio.get_running_loop()
    limiter = RateLimiter(RATES, clock.time)
    limiter.pause("post", "busy", 3)
    began = clock.time()
    await limiter.acquire("post", "busy", Priority.NEWS)
    assert clock.time() - began == pytest.approx(3, abs=0.1)


EDITS = {"edit": Rate(per_second=0.5, burst=2, deferring=True)}


async def _deliver(limiter: RateLimiter, limit: WorkLimit, priority: Priority = Priority.NEWS) -> float:
    """Deliver until the edit is made; when that was."""
    while True:
        try:
            async with limit.slot():
                await limiter.acquire("edit", "", priority)
                return asyncio.get_running_loop().time()
        except Deferred as deferred:
            await asyncio.sleep(deferred.seconds)


@in_virtual_time
async def test_few_deliveries_wait_for_a_turn_that_all_share() -> None:
    limiter, limit = RateLimiter(EDITS, asyncio.get_running_loop().time), WorkLimit(8)
    done: list[bool] = []

    async def deliver_once() -> None:
        with suppress(Deferred):
            async with limit.slot():
                await limiter.acquire("edit", "", Priority.NEWS)
        done.append(True)

    deliveries = [asyncio.create_task(deliver_once()) for _ in range(100)]
    await asyncio.sleep(0.001)
    assert len(deliveries) - len(done) <= MAX_TURN_WAIT_S * EDITS["edit"].per_second + 1
    await asyncio.gather(*deliveries)


@in_virtual_time
async def test_deliveries_that_come_back_use_all_of_the_rate() -> None:
    clock = asyncio.get_running_loop()
    limiter, limit, began = RateLimiter(EDITS, clock.time), WorkLimit(8), clock.time()
    made = await asyncio.gather(*(_deliver(limiter, limit) for _ in range(102)))
    assert max(made) - began == pytest.approx(100 / 0.5, rel=0.1)


@in_virtual_time
@pytest.mark.parametrize(
    ("rate", "priority", "wait_s"),
    [
        (Rate(per_second=2, burst=2, deferring=True), Priority.PROGRESS, MAX_PROGRESS_WAIT_S),
        (Rate(per_second=2, burst=2, by_channel=True), Priority.PROGRESS, MAX_PROGRESS_WAIT_S),
        (Rate(per_second=0.5, burst=2, deferring=True), Priority.NEWS, MAX_TURN_WAIT_S),
    ],
)
async def test_who_is_overtaken_again_and_again_comes_back_later(
    rate: Rate, priority: Priority, wait_s: float
) -> None:
    clock = asyncio.get_running_loop()
    limiter, limit = RateLimiter({"edit": rate}, clock.time), WorkLimit(1)

    async def overtaken() -> float:
        began = clock.time()
        async with limit.slot():
            with pytest.raises(RetryLater):
                await limiter.acquire("edit", "", priority)
        return clock.time() - began

    async def decide() -> None:
        while clock.time() < 3600:
            await limiter.acquire("edit", "", Priority.DECISION)

    for _ in range(rate.burst):
        await limiter.acquire("edit", "", Priority.DECISION)
    waiting = asyncio.create_task(overtaken())  # Its turn is next, as far as is known.
    await asyncio.sleep(0)
    deciding = asyncio.create_task(decide())
    assert 0 < await waiting <= 3 * wait_s
    deciding.cancel()


@in_virtual_time
async def test_progress_is_shown_at_once_or_later() -> None:
    rate, clock = Rate(per_second=0.5, burst=4, reserved=2), asyncio.get_running_loop()
    limiter, began = RateLimiter({"edit": rate}, clock.time), clock.time()
    for _ in range(2):
        await limiter.acquire("edit", "", Priority.PROGRESS)
    with pytest.raises(RetryLater) as later:
        await limiter.acquire("edit", "", Priority.PROGRESS)
    assert (clock.time(), later.value.seconds) == (began, 2)


@in_virtual_time
async def test_what_decides_is_edited_before_all_that_came_back_for_a_later_turn() -> None:
    clock = asyncio.get_running_loop()
    limiter, limit = RateLimiter(EDITS, clock.time), WorkLimit(8)
    news = [asyncio.create_task(_deliver(limiter, limit)) for _ in range(60)]
    await asyncio.sleep(20)
    began = clock.time()
    assert await _deliver(limiter, limit, Priority.DECISION) - began <= 2 / 0.5
    await asyncio.gather(*news)


@in_virtual_time
async def test_who_can_not_come_back_waits_for_its_turn() -> None:
    clock = asyncio.get_running_loop()
    limiter, began = RateLimiter(EDITS, clock.time), clock.time()
    await asyncio.gather(*(limiter.acquire("edit", "", Priority.NEWS) for _ in range(32)))
    assert clock.time() - began == pytest.approx(30 / 0.5, rel=0.1)


TWO = {"all": Rate(per_second=0.01, burst=3), "channel": Rate(per_second=1, burst=1, by_channel=True)}


async def _put_back(limiter: RateLimiter) -> None:
    limiter.pause("channel", "busy", 60)
    with pytest.raises(RetryLater):
        await limiter.acquire(TWO, "busy", Priority.PROGRESS)


async def _overtaken(limiter: RateLimiter) -> None:
    deciding = [asyncio.create_task(limiter.acquire("channel", "busy", Priority.DECISION)) for _ in range(9)]
    await asyncio.sleep(0)
    with pytest.raises(RetryLater):
        await limiter.acquire(TWO, "busy", Priority.PROGRESS)
    for each in deciding:
        each.cancel()


async def _cancelled(limiter: RateLimiter) -> None:
    await limiter.acquire("channel", "busy", Priority.NEWS)
    waiting = asyncio.create_task(limiter.acquire(TWO, "busy", Priority.NEWS))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


async def _not_allowed_any_more(limiter: RateLimiter) -> None:
    def stopped() -> None:
        raise Rejected("stopped")

    with checked_before_calls(stopped), pytest.raises(Rejected):
        await limiter.acquire(TWO, "busy", Priority.NEWS)


@in_virtual_time
@pytest.mark.parametrize("not_made", [_put_back, _overtaken, _cancelled, _not_allowed_any_more])
async def test_a_call_that_is_not_made_costs_nothing_of_any_rate(
    not_made: Callable[[RateLimiter], Awaitable[None]],
) -> None:
    clock = asyncio.get_running_loop()
    limiter = RateLimiter(TWO, clock.time)
    for _ in range(4):
        await not_made(limiter)
    began = clock.time()
    for channel in ("a", "b", "c"):
        await limiter.acquire(TWO, channel, Priority.NEWS)
    assert clock.time() == began
