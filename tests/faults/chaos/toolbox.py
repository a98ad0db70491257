"""Tools that leave a trace under the key of their call, and can be told to die of it, once."""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

from crewai.tools import BaseTool

from crewdeck import idempotency_key
from tests.faults.chaos.effects import DIES


def leave_trace(mark: str, what: str) -> None:
    line = json.dumps({"mark": mark, "what": what, "key": idempotency_key(), "pid": os.getpid()})
    with open(os.environ["EFFECTS"], "a") as file:  # noqa: PTH123 - appended to in one write
        file.write(f"{line}\n")


def die_if_told(mark: str, what: str, moment: str) -> None:
    """SIGKILL for this process, if somebody left the file that says so."""
    told = Path(os.environ["EFFECTS"]).with_name(DIES.format(mark=mark, what=what, moment=moment))
    with contextlib.suppress(FileNotFoundError):
        told.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def do(mark: str, what: str, seconds: float) -> str:
    die_if_told(mark, what, "before")
    leave_trace(mark, what)
    die_if_told(mark, what, "after")
    time.sleep(seconds)
    return f"did {what}"


class Effect(BaseTool):
    name: str = "effect"
    description: str = "Does something that may be done again."

    def _run(self, mark: str, what: str, seconds: float = 0.0) -> str:
        return do(mark, what, seconds)


class Careful(BaseTool):
    name: str = "careful"
    description: str = "Does something that must not be done twice."

    def _run(self, mark: str, what: str, seconds: float = 0.0) -> str:
        return do(mark, what, seconds)


class Gated(BaseTool):
    name: str = "gated"
    description: str = "Does something that two people have to approve, and that must not be done twice."

    def _run(self, mark: str, what: str, seconds: float = 0.0) -> str:
        return do(mark, what, seconds)
