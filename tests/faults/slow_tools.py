"""Tools that take long, each in another way, in the workers' processes."""

import ctypes
import json
import os
import time
from pathlib import Path

from crewai.tools import BaseTool

from crews.run.context import CURRENT
from tests.faults.toolbox import first, leave_trace


class Lasting(BaseTool):
    name: str = "lasting"
    description: str = "Takes its time, when it is called for the first time."

    def _run(self, mark: str, what: str, seconds: float) -> str:
        if first(mark, what):
            time.sleep(seconds)
        return f"did {what}"


class Blocking(BaseTool):
    name: str = "blocking"
    description: str = "Blocks the loop on which the crews run, when it is called for the first time."

    def _run(self, mark: str, what: str, seconds: float) -> str:
        run = CURRENT.get()
        assert run is not None
        if first(mark, what):
            run.loop.call_soon_threadsafe(time.sleep, seconds)
            time.sleep(seconds)
        return f"did {what}"


class Holding(BaseTool):
    name: str = "holding"
    description: str = "Lets nothing else run in its process, when it is called for the first time."

    def _run(self, mark: str, what: str, seconds: float) -> str:
        if first(mark, what):
            # As a regular expression that backtracks, or an extension that doesn't release Python's lock.
            ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
        return f"did {what}"


class Napping(BaseTool):
    name: str = "napping"
    description: str = "Takes its time, when it is called for the first so many times."

    def _run(self, mark: str, what: str, seconds: float, times: int) -> str:
        leave_trace(mark, what)
        file = Path(os.environ["EFFECTS"])
        done = sum(json.loads(line)["mark"] == mark for line in file.read_text().splitlines())
        if done <= times:
            time.sleep(seconds)
        return f"did {what}"
