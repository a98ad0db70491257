"""Counts occurrences of the same content in a run, to tell its steps and its questions apart.

CrewAI repeats work inside a run: it starts a task again after an exception or an empty answer, and after a
guardrail rejected the output. What comes up in the new attempt is what came up in the attempt before, so it
finds what was recorded then. Only the model call that made the attempt fail is asked anew.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
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
"""The attempt that the current code is part of."""


class DuplicateCalls:
    """Duplicate tool calls of one turn, made at the same time, and numbered as the model asked for them.

    Each content that comes up in one of them is taken to come up in all, so numbers are reserved for all.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._unfinished = size
        self._taken: Counter[tuple[Hashable, int]] = Counter()
        #: The numbers of each content: those of the first time that it comes up in each call, and so on.
        self._numbers: defaultdict[Hashable, list[list[int]]] = defaultdict(list)
        self._left: set[Occurrence] = set()

    def assign(self, content: Hashable, member: int, reserve: Callable[[int], list[int]]) -> int:
        """The number for the next time that this content comes up in the call with this place in the turn."""
        times, numbers = self._taken[content, member], self._numbers[content]
        self._taken[content, member] += 1
        if times == len(numbers):
            numbers.append(reserve(self.size))
            self._left.update((content, each) for each in numbers[-1])
        self._left.discard((content, numbers[times][member]))
        return numbers[times][member]

    def end_one(self) -> set[Occurrence]:
        """One of the calls has ended; the reserved numbers that nobody will take, once all have."""
        self._unfinished -= 1
        return set() if self._unfinished else self._left


DUPLICATE_CALL: ContextVar[tuple[DuplicateCalls, int] | None] = ContextVar(
    "crewdeck_duplicate_call", default=None
)
"""The call that the current code is part of, if it has duplicates in its turn, and its index among them."""


class Occurrences:
    """The occurrences in one run. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: defaultdict[Hashable, set[int]] = defaultdict(set)
        #: Model calls that made an attempt fail; they don't come up again.
        self._spent: set[Occurrence] = set()

    def assign(self, content: Hashable) -> int:
        """Number this occurrence of the content from 0; repeated by an attempt, it keeps its number."""
        duplicate = DUPLICATE_CALL.get()
        with self._lock:
            if duplicate is None:
                [number] = self._reserve(content, 1)
            else:
                calls, member = duplicate
                number = calls.assign(content, member, partial(self._reserve, content))
            for attempt in _lineage():
                attempt.taken.add((content, number))
        return number

    def next(self, content: Hashable) -> int:
        """The number that the content would have if it came up now."""
        with self._lock:
            return self._free(content, 1)[0]

    def _reserve(self, content: Hashable, size: int) -> list[int]:
        """The first numbers that nobody has."""
        numbers = self._free(content, size)
        self._taken[content].update(numbers)
        return numbers

    def _free(self, content: Hashable, size: int) -> list[int]:
        taken = self._taken.get(content, ())
        return list(itertools.islice((each for each in itertools.count() if each not in taken), size))

    @contextmanager
    def duplicate_call(self, calls: DuplicateCalls, member: int) -> Iterator[None]:
        """The block is one of these calls, until what it calls has a scope of its own."""
        token = DUPLICATE_CALL.set((calls, member))
        try:
            yield
        finally:
            DUPLICATE_CALL.reset(token)
            with self._lock:
                for content, number in calls.end_one():
                    self._taken[content].discard(number)

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
