"""A worker's hold on a run."""

from __future__ import annotations

from bot.core.run import Run
from bot.core.value import Value


class Claim(Value):
    """A worker's hold on a run. `epoch` fences off an earlier holder."""

    run: Run
    worker: str
    epoch: int
