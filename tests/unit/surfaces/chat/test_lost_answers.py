"""How long a message is looked for of which the answer was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bot.surfaces.chat.failures import OutcomeUnknown, PlatformFailure, Rejected, RetryLater
from bot.surfaces.chat.lost_answers import look_for
from tests.virtual_time import in_virtual_time

AWAY = OutcomeUnknown(1.0, "away")
LIMITED = RetryLater(30.0, "ratelimited")
REFUSED = Rejected("missing_scope")


class Platform:
    """Answers each search with the next of these; with the last one from then on."""

    def __init__(self, answers: Sequence[str | PlatformFailure]) -> None:
        self._answers = list(answers)
        self.asked_at: list[float] = []

    async def search(self) -> str | None:
        self.asked_at.append(asyncio.get_running_loop().time())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, PlatformFailure):
            raise answer
        return answer or None


@pytest.mark.parametrize(
    ("answers", "found", "asked_at"),
    [
        (["m1"], "m1", [1]),
        (["", "m1"], "m1", [1, 3]),
        ([""], None, [1, 3]),
        ([AWAY, "m1"], "m1", [1, 3]),
        ([AWAY, AWAY, "m1"], "m1", [1, 3, 5]),
        ([AWAY, AWAY, AWAY, "m1"], "m1", [1, 3, 5, 9]),
        ([AWAY], None, [1, 3, 5, 9]),
        (["", AWAY], None, [1, 3]),
        ([AWAY, ""], None, [1, 3]),
        ([REFUSED], None, [1]),
        ([AWAY, REFUSED], None, [1, 3]),
        ([LIMITED], None, [1]),
    ],
)
@in_virtual_time
async def test_it_is_looked_for_until_a_look_is_answered(
    answers: list[str | PlatformFailure], found: str | None, asked_at: list[float]
) -> None:
    platform = Platform(answers)
    assert await look_for(platform.search, (1.0, 2.0)) == found
    assert platform.asked_at == asked_at
