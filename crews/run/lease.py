"""A worker's lease of a run, shared by its control loop and the run's threads."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class Lease:
    """Whether the run is still leased, by this worker's own clock. Thread-safe.

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
        """The store has renewed the lease, at least until then."""
        with self._news:
            self._until = max(self._until, until)
            self._news.notify_all()

    def mark_lost(self) -> None:
        """The store has said that the lease is lost."""
        with self._news:
            self._lost = True
            self._news.notify_all()

    def is_certain(self, within: float) -> bool:
        """Whether the state of the lease is certain; blocks up to so many seconds until it is."""
        with self._news:
            return self._news.wait_for(lambda: self._lost or time.monotonic() < self._until, within)
