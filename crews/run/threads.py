"""The threads that execute a run's code, and how many of them are alive."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Returned(Generic[T]):
    """The result of a call."""

    result: T


@dataclass(frozen=True)
class Raised:
    """The exception of a call, as a value: SystemExit and KeyboardInterrupt would end an event loop."""

    error: BaseException


Outcome = Returned[T] | Raised


class Threads:
    """The threads of one run. `alive` and `counted` are thread-safe."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._alive = 0

    @property
    def alive(self) -> int:
        """The number of threads that have not ended. A thread can't be ended from outside."""
        with self._lock:
            return self._alive

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the current thread as one of the run's while the block runs."""
        with self._lock:
            self._alive += 1
        try:
            yield
        finally:
            with self._lock:
                self._alive -= 1

    def start(self, call: Callable[[], T], variables: contextvars.Context) -> asyncio.Future[Outcome[T]]:
        """Call this in a thread of its own, with these context variables. Used on an event loop.

        A cancelled future leaves the thread alone. The thread is a daemon: a crew that never returns doesn't
        keep the process from ending.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Outcome[T]] = loop.create_future()

        def finish(outcome: Outcome[T]) -> None:
            if not done.done():
                done.set_result(outcome)

        def work() -> None:
            with self.counted():
                outcome = outcome_of(partial(variables.run, call))
            with contextlib.suppress(RuntimeError):  # The loop is closed: nothing waits for it.
                loop.call_soon_threadsafe(finish, outcome)

        threading.Thread(target=work, name=self._name, daemon=True).start()
        return done


def outcome_of(call: Callable[[], T]) -> Outcome[T]:
    """The outcome of a call, as a value."""
    try:
        return Returned(call())
    except BaseException as error:  # noqa: BLE001 - a crew may raise anything, and only its own run fails
        return Raised(error)
