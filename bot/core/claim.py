"""The claim of a worker on a run."""

from __future__ import annotations

from bot.core.run import Run
from bot.core.value import Value


class Claim(Value):
    """A worker's claim on a run. `epoch` is the fencing token that invalidates earlier claims."""

    run: Run
    worker: str
    epoch: int
