"""How a worker notices that the process which started it is gone, however that ended.

The supervisor holds the other end of the worker's standard input and never writes: the kernel closes it with
the supervisor, also after a SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time


def stop_with_parent(grace: float) -> None:
    """When standard input ends, ask this process to stop (SIGTERM); `grace` seconds later it is ended.

    For processes that `bot.supervisor` started, which have CREWDECK_WORKER_ID set.
    """
    threading.Thread(target=_watch, args=(grace,), name="lifeline", daemon=True).start()


def _watch(grace: float) -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os._exit(1)
