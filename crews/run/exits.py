"""Signals that make a run leave its worker. They are BaseExceptions: CrewAI retries on Exceptions."""

from __future__ import annotations

from bot.core.runs.run import RunError


class RunExit(BaseException):
    """The run leaves this worker. The first reason counts."""

    def copy(self) -> RunExit:
        """An equal exception, to be raised in another place."""
        return type(self)(*self.args)


class Stopped(RunExit):
    """The run ends here: with `error`, or with nothing to record since it is over already."""

    def __init__(self, error: RunError | None = None) -> None:
        super().__init__(error)
        self.error = error


class Parked(RunExit):
    """The run waits for people, who take their time: it leaves memory until they have answered."""

    def __init__(self, questions: tuple[str, ...]) -> None:
        super().__init__(questions)
        self.questions = questions


class Released(RunExit):
    """The worker stops, or has no free slot for a run that was answered: another worker takes it up."""
