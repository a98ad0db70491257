"""How a run is told to end. Not errors, and not `Exception`s: CrewAI retries on those."""

from __future__ import annotations

from bot.core.model import RunError


class Stopped(BaseException):
    """The run ends here: with `error`, or with nothing to record since it is over already."""

    def __init__(self, error: RunError | None = None) -> None:
        super().__init__(error.message if error else "the run is over")
        self.error = error
