"""The garbage collector of a process that runs for long: few collections, and short ones.

A full collection visits every object: in a process with hundreds of modules that takes a tenth of a second,
in which nobody is acknowledged. What is there after the start stays, so it needs no visit.
"""

from __future__ import annotations

import gc

THRESHOLDS = (20_000, 20, 20)
"""New objects until the youngest are visited, and how often that happens until older ones are, too.

Reference counts free most objects at once; the collector is only for cycles. Python's own values are
(700, 10, 10): at some thousand objects a request that is several collections a request.
"""


def tune() -> None:
    """Call before much is imported: with Python's own values collections take a fifth of crewai's import."""
    gc.set_threshold(*THRESHOLDS)


def freeze() -> None:
    """Call once what the process needs is loaded: that is never visited again."""
    gc.collect()
    gc.freeze()
    tune()
