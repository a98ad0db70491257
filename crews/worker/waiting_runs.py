"""Answered runs that wait for a slot of their worker, and when each of them goes on or leaves.

While answers arrive in quick succession they are handed over first. Then the runs that wait go on: few at
first, after each lull twice as many. Times are those of an event loop; nothing here waits.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

from bot.core.runs.run import Claim

SLOT_TIMEOUT_S = 1.0
"""Seconds that a run waits in line before another worker may have it. When the line has stood still for as
long, its first run goes back to the queue."""
BURST_GAP_S = 0.02
"""Seconds without another answer, after which those that came at once have been handed over."""
SMALL_BURST = 4
"""A burst of so many answers delays no run for which there is a slot."""
MAX_HOLD_S = 1.0
"""While answers are handed over, one run in line goes on after so many seconds. Those that go on take the
processor from the others, whose tools wait for their answers."""
MAX_BURST_S = 10.0
"""Seconds after which all runs go on for which there are slots, even if the burst continues."""


@dataclass(eq=False)
class WaitingRun:
    """An answered run that waits for a slot."""

    claim: Claim
    since: float
    #: For each of its answers: whether the run goes on here.
    goes_on: list[asyncio.Future[bool]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, int]:
        return self.claim.run.id, self.claim.epoch

    def settle(self, *, goes_on: bool) -> None:
        """Tell whoever waits for it."""
        for each in self.goes_on:
            if not each.done():
                each.set_result(goes_on)


class AnswerBurst:
    """Answers in quick succession: when they have been handed over, and how many runs go on then."""

    def __init__(self, most: int) -> None:
        """`most`: the runs that may work at once."""
        self._most = most
        #: Runs whose answers are on their way through this process.
        self._expected: set[str] = set()
        #: The runs that were answered in this burst, and when the last and the first answer arrived.
        self._answered: set[str] = set()
        self._answered_at = self._since = 0.0
        #: How many go on at the end of the next lull, and when some did last.
        self._ramp = 1
        self._ramped_at = 0.0

    def expect(self, run_id: str, now: float) -> None:
        """The run was answered; its answer is read and handed over."""
        self._add(run_id, now)
        self._expected.add(run_id)

    def expect_no_more(self, run_id: str) -> bool:
        """The run's answer isn't on its way any more. Whether it was."""
        if run_id not in self._expected:
            return False
        self._expected.remove(run_id)
        return True

    def hand_over(self, run_id: str, now: float) -> None:
        """The run has its answer and asks for a slot."""
        self._add(run_id, now)
        self._expected.discard(run_id)

    @property
    def is_small(self) -> bool:
        """Whether it delays no run for which there is a slot."""
        return len(self._answered) <= SMALL_BURST

    @property
    def lull_ends_at(self) -> float:
        """When all answers that came at once have been handed over."""
        if self._expected:
            return math.inf
        if self._ramp >= self._most:
            return self._ramped_at
        return max(self._answered_at, self._ramped_at) + BURST_GAP_S

    @property
    def ends_at(self) -> float:
        """When it delays no run any more, even if it continues."""
        return self._since + MAX_BURST_S

    def ramp_up(self, now: float) -> int:
        """How many runs go on at the end of this lull; twice as many do at the end of the next one."""
        number = self._ramp
        self._ramp, self._ramped_at = min(2 * self._ramp, self._most), now
        return number

    def _add(self, run_id: str, now: float) -> None:
        if not self._expected and now - self._answered_at > BURST_GAP_S:
            self._answered.clear()
            self._since = now
        self._answered.add(run_id)
        self._answered_at = now
        self._ramp = 1


class WaitingRuns:
    """The runs that wait, in the order in which they were answered."""

    def __init__(self, most: int) -> None:
        """`most`: the runs that may work at once."""
        self.burst = AnswerBurst(most)
        self._runs: dict[tuple[str, int], WaitingRun] = {}
        #: When one went on or left last.
        self._moved_at = 0.0

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, claim: Claim, answer: asyncio.Future[bool], now: float) -> WaitingRun:
        """Append the run, unless it waits already; `answer` gets whether it goes on."""
        added = WaitingRun(claim, now)
        waiting = self._runs.setdefault(added.key, added)
        waiting.goes_on.append(answer)
        return waiting

    def withdraw(self, waiting: WaitingRun, answer: asyncio.Future[bool]) -> bool:
        """Nobody waits for this answer any more. Whether the run left the line for that."""
        waiting.goes_on.remove(answer)
        if waiting.goes_on or self._runs.get(waiting.key) is not waiting:
            return False
        del self._runs[waiting.key]
        return True

    def remove(self, waiting: WaitingRun, now: float) -> None:
        """Remove a run that leaves for another worker."""
        del self._runs[waiting.key]
        self._moved_at = now

    def since(self, until: float) -> list[WaitingRun]:
        """The runs that wait since `until` or longer, the newest first."""
        return [each for each in reversed(self._runs.values()) if each.since <= until]

    def moves_at(self, free: int) -> float:
        """When the first one goes on, if slots are free, or leaves, since no slot gets free."""
        if free > 0:
            return min(self.burst.lull_ends_at, self._moved_at + MAX_HOLD_S, self.burst.ends_at)
        return max(self._first.since, self._moved_at) + SLOT_TIMEOUT_S

    def take_due(self, free: int, now: float) -> list[WaitingRun]:
        """Remove those whose time has come: they go on if slots are free; otherwise the first one leaves."""
        if not self._runs or self.moves_at(free) > now:
            return []
        number = 1
        if free > 0 and self.burst.lull_ends_at <= now:
            # If the burst was not over, few have gone on.
            number = min(self.burst.ramp_up(now), free, len(self._runs))
        due = list(self._runs.values())[:number]
        for each in due:
            self.remove(each, now)
        return due

    @property
    def _first(self) -> WaitingRun:
        return next(iter(self._runs.values()))
