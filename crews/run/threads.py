"""The threads in which a run's own code is executed, and how many of them are still alive."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Returned(Generic[T]):
    """A call came to this."""

    result: T


@dataclass(frozen=True)
class Raised:
    """A call raised this, here as a value: SystemExit and KeyboardInterrupt end a loop that meets them."""

    error: BaseException


Outcome = Returned[T] | Raised


class Threads:
    """One run's. `alive` and `counted` may be used from any thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._alive = 0

    @property
    def alive(self) -> int:
        """How many have not ended yet. A thread can't be ended from outside."""
        with self._lock:
            return self._alive

    @contextmanager
    def counted(self) -> Iterator[None]:
        """The thread that runs the block is one of the run's meanwhile."""
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
                outcome = _outcome(call, variables)
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                loop.call_soon_threadsafe(finish, outcome)

        threading.Thread(target=work, name=self._name, daemon=True).start()
        return done


def _outcome(call: Callable[[], T], variables: contextvars.Context) -> Outcome[T]:
    try:
        return Returned(variables.run(call))
    except BaseException as error:  # noqa: BLE001 - a crew may raise anything, and only its own run fails
        return Raised(error)
