"""Nonces: names of requests that have their effect once, whoever sends them again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _new_arrival() -> str:
    return os.urandom(16).hex()


@dataclass(frozen=True)
class Nonce:
    """Names one request, and nothing else ever."""

    name: str
    #: Seconds for which it is remembered.
    ttl_s: float
    #: Names this arrival of the request, which may use the nonce more than once; any other one is a replay.
    arrival: str = field(default_factory=_new_arrival)
