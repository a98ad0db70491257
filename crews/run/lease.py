"""A worker's hold on a run, as its control loop and the run's threads both see it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class Lease:
    """Whether the run is still this worker's, by its own clock. From any thread.

    The clock goes on while the process is stopped: one that slept past its leases knows it when it wakes up.
    """

    def __init__(self, until: float = math.inf) -> None:
        """`until`: when the lease may end at the earliest, by `time.monotonic`."""
        self._until = until
        self._lost = False
        self._news = threading.Condition()
        #: Seconds that the run has worked; the run sets it.
        self.worked: Callable[[], float] = lambda: 0.0

    @property
    def lost(self) -> bool:
        """Whether the store has said that the run is not this worker's any more."""
        return self._lost

    def renew(self, until: float) -> None:
        """The store has said that the run is ours, at least until then."""
        with self._news:
            self._until = max(self._until, until)
            self._news.notify_all()

    def lose(self) -> None:
        """The store has said that it isn't."""
        with self._news:
            self._lost = True
            self._news.notify_all()

    def known(self, within: float) -> bool:
        """Whether it can be told whose the run is; waits so many seconds for that. Holds its thread."""
        with self._news:
            return self._news.wait_for(lambda: self._lost or time.monotonic() < self._until, within)
