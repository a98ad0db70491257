"""How many examples hypothesis takes: as many as a test wants, or a part of them under a profile."""

from __future__ import annotations

import os
import random

from hypothesis import HealthCheck, settings

DEFAULT = 100
"""What a test takes that says nothing, without a profile."""
FAST = "fast"
"""The profile of `make fast`: a tenth of the examples. `make test` takes all."""
LEAST = 5
SEED = 1 if os.environ.get("CI") else random.randrange(10_000)
"""Of what is chosen at random: another one in each run, the same one in CI, as hypothesis does."""

# On a busy machine anything takes long now and then: that is no finding, neither here nor in CI.
settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")
settings.register_profile(FAST, max_examples=DEFAULT // 10)


def examples(many: int) -> int:
    """`many` of them, or that part which the profile takes of everything."""
    return max(LEAST, many * settings().max_examples // DEFAULT)
