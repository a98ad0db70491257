"""Counts occurrences of the same content in a run, to tell its steps and its questions apart.

CrewAI repeats work inside a run: it starts a task again after an exception or an empty answer, and after a
guardrail rejected the output. What comes up in the new attempt is what came up in the attempt before, so it
finds what was recorded then. Only the model call that made the attempt fail is asked anew.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

Occurrence = tuple[Hashable, int]
"""Some content, and how often it had come up before."""


@dataclass(eq=False)
class Attempt:
    """An agent's attempt at a task; or, without an agent, the execution of a task, which makes attempts.

    Attempts nest: an agent that delegates waits for the attempt of another one.
    """

    #: CrewAI's task, or the agent whose `kickoff` this is.
    of: object
    agent: object = None
    within: Attempt | None = None
    #: The last attempt that this execution has made.
    latest: Attempt | None = None
    #: What came up in its course, also in attempts within it.
    taken: set[Occurrence] = field(default_factory=set)
    #: The latest model call of the agent itself.
    asked: Occurrence | None = None
    #: What was recorded in the course of the outermost attempt, by the steps' names.
    recorded: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.recorded = {} if self.within is None else self.within.recorded


ATTEMPT: ContextVar[Attempt | None] = ContextVar("crewdeck_attempt", default=None)
"""The attempt in whose course this happens."""


class Occurrences:
    """One run's. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: defaultdict[Hashable, set[int]] = defaultdict(set)
        #: Model calls that made an attempt fail; they don't come up again.
        self._spent: set[Occurrence] = set()

    def take(self, content: Hashable) -> int:
        """The number of earlier occurrences of this content, without those that a later attempt repeats."""
        with self._lock:
            taken = self._taken[content]
            number = next(each for each in itertools.count() if each not in taken)
            taken.add(number)
            for attempt in _lineage():
                attempt.taken.add((content, number))
        return number

    @staticmethod
    def asks(agent: object, content: Hashable, number: int) -> None:
        """`agent` calls its model with this content; if its attempt fails now, the answer is the cause."""
        attempt = ATTEMPT.get()
        if attempt is not None and attempt.agent is not None and attempt.agent is agent:
            attempt.asked = (content, number)

    def repeat(self, attempt: Attempt, comes_again: Callable[[Hashable], bool]) -> None:
        """The attempt failed and is repeated: its content may occur again.

        `comes_again` says of which content that is true; the model call that it failed with never does.
        """
        with self._lock:
            if attempt.asked is not None:
                self._spent.add(attempt.asked)
                attempt.asked = None
            again = {each for each in attempt.taken - self._spent if comes_again(each[0])}
            for content, number in again:
                self._taken[content].discard(number)
            outer: Attempt | None = attempt
            while outer is not None:
                outer.taken -= again
                outer = outer.within


def _lineage() -> list[Attempt]:
    """The current attempt, and those that wait for it."""
    found = []
    attempt = ATTEMPT.get()
    while attempt is not None:
        found.append(attempt)
        attempt = attempt.within
    return found
