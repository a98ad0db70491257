"""How many examples hypothesis takes: as many as a test wants, or a part of them under a profile."""

from __future__ import annotations

from hypothesis import settings

DEFAULT = 100
"""What a test takes that says nothing, without a profile."""
FAST = "fast"
"""The profile of `make fast`: a tenth of the examples. `make test` takes all."""
LEAST = 5

settings.register_profile(FAST, max_examples=DEFAULT // 10, deadline=None)


def examples(many: int) -> int:
    """`many` of them, or that part which the profile takes of everything."""
    return max(LEAST, many * settings().max_examples // DEFAULT)
