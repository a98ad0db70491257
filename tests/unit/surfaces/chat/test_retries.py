"""What a platform puts off is tried again: when it says so, and so often."""

import pytest

from bot.surfaces.chat.failures import Later, PlatformFailure, Rejected
from bot.surfaces.chat.retries import with_retries


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
    calls = Calls(Later(2), Later(7200))
    await calls.run(4)
    assert calls.waits == [2, 30]
    assert calls.made == 3


@pytest.mark.parametrize("attempts", [1, 2, 4])
async def test_after_the_last_attempt_nobody_waits(attempts: int) -> None:
    calls = Calls(*[Later(5)] * 9)
    with pytest.raises(Later):
        await calls.run(attempts)
    assert calls.made == attempts
    assert calls.waits == [5] * (attempts - 1)


async def test_a_refusal_is_final() -> None:
    calls = Calls(Later(1), Rejected("is_archived"))
    with pytest.raises(Rejected):
        await calls.run(4)
    assert calls.made == 2
