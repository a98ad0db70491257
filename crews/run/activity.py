"""Tracks what a run does: steps, which are recorded before it leaves its worker, and parallel branches.

Between two steps of a branch the crew's code may run for any time. Until the branch waits for people, the run
doesn't leave because others do.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Self, TypeVar

from crews.journal.writer import Writer

T = TypeVar("T")


class Branch:
    """A parallel branch of a run, active until it ends, except while it waits for people or branches."""

    def __init__(self, changed: Callable[[int], None]) -> None:
        """`changed` is called with 1 when it becomes active, and with -1 when it becomes inactive."""
        self._lock = threading.Lock()
        self._changed = changed
        self._waits = 0
        self._ended = False
        #: The thread, or the task of an event loop, that executes it.
        self._place = _place()
        changed(1)

    def begin_here(self) -> None:
        """The current thread or task executes it from now on."""
        self._place = _place()

    def wait(self) -> None:
        """Count as waiting until `resume` has been called as often as this. From any thread."""
        self._change(1)

    def resume(self) -> None:
        self._change(-1)

    def end(self) -> None:
        self._change(0, ended=True)

    @property
    def is_here(self) -> bool:
        """Whether it has not ended, and the current thread or task executes it."""
        return not self._ended and self._place == _place()

    def _change(self, waits: int, *, ended: bool = False) -> None:
        with self._lock:
            before = self._active
            self._waits += waits
            self._ended = self._ended or ended
            change = self._active - before
        if change:
            self._changed(change)

    @property
    def _active(self) -> int:
        return int(not self._ended and not self._waits)


BRANCH: ContextVar[Branch | None] = ContextVar("crewdeck_branch", default=None)
"""The branch that the current code belongs to; None in threads of which we don't know."""


def _place() -> object:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return task or threading.get_ident()


@contextmanager
def branch_waits() -> Iterator[None]:
    """The current branch waits while the block runs."""
    branch = BRANCH.get()
    if branch is None:
        yield
        return
    branch.wait()
    try:
        yield
    finally:
        branch.resume()


class Step:
    """A step that is under way until it is ended: once, from any thread, or with its block."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._ended: Callable[[], None] | None = ended

    def end(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, None
        if ended is not None:
            ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.end()


class Activity:
    """What is under way in one run. Thread-safe."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._under_way = 0
        self._active_branches = 0
        self._idle_since = time.monotonic()
        #: For those who wait until nothing is under way.
        self._waiting: list[Future[None]] = []

    def step(self) -> Step:
        """A step, which is under way from now on."""
        with self._lock:
            self._under_way += 1
        return Step(self._end)

    def branch(self) -> Branch:
        """A branch of execution, which is active from now on."""
        return Branch(self._branch_changed)

    @contextmanager
    def new_branch(self) -> Iterator[None]:
        """The block is a branch of its own, for which the current one waits."""
        branch = self.branch()
        token = BRANCH.set(branch)
        before = token.old_value if isinstance(token.old_value, Branch) else None
        if before is not None:
            before.wait()
        try:
            yield
        finally:
            BRANCH.reset(token)
            if before is not None:
                before.resume()
            branch.end()

    @contextmanager
    def own_branch(self) -> Iterator[None]:
        """The block is a branch of its own, unless it already belongs to that of its thread or task."""
        branch = BRANCH.get()
        if branch is not None and branch.is_here:
            yield
            return
        with self.new_branch():
            yield

    def track_call(
        self,
        call: Callable[[], T],
        *,
        submit: Callable[[Callable[[], T]], Future[T]],
        context: contextvars.Context | None = None,
    ) -> Future[T]:
        """Have `submit`, an executor's, make the call in a thread; returns its future.

        The call is a branch from now on, and the current one waits for it. A thread may begin late; the run
        doesn't leave before that, even if all others ask people meanwhile.
        `context`: in which the call is made, if not in the thread's.
        """
        branch, before = self.branch(), BRANCH.get()
        if before is not None:
            before.wait()

        def tracked() -> T:
            branch.begin_here()
            if context is None:
                BRANCH.set(branch)
            else:
                context.run(BRANCH.set, branch)
            return call()

        def done(_future: Future[T]) -> None:
            if before is not None:
                before.resume()
            branch.end()

        future = submit(tracked)
        future.add_done_callback(done)  # Also if it is cancelled, and never called.
        return future

    def touch(self) -> None:
        """Restart the idle time: something happened that is no step."""
        with self._lock:
            self._idle_since = time.monotonic()

    def idle(self, *, steps_only: bool = False) -> float | None:
        """Seconds since something was under way; None while anything is: a step, its recording, or a branch.

        `steps_only`: whatever branches do between steps.
        """
        with self._lock:
            branches = 0 if steps_only else self._active_branches
            under_way = self._under_way or branches or self._writer.unwritten
            return None if under_way else time.monotonic() - self._idle_since

    async def wait_idle(self) -> None:
        """Return once no step is under way and all are recorded. Raises Fenced."""
        ended: Future[None] = Future()
        ended.set_running_or_notify_cancel()  # A waiter that gives up can't cancel it.
        with self._lock:
            self._waiting.append(ended)
            over = self._take_waiting() if not self._under_way else ()
        for each in over:
            each.set_result(None)
        await asyncio.wrap_future(ended)
        await self._writer.flushed()

    def _branch_changed(self, change: int) -> None:
        with self._lock:
            self._active_branches += change
            self._idle_since = time.monotonic()

    def _end(self) -> None:
        with self._lock:
            self._under_way -= 1
            self._idle_since = time.monotonic()
            over = self._take_waiting() if not self._under_way else ()
        for each in over:
            each.set_result(None)

    def _take_waiting(self) -> list[Future[None]]:
        waiting, self._waiting = self._waiting, []
        return waiting
