"""The transitions: `scripts/*.lua`, each behind what all of them share."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

from bot.store import redis_keys

_SHARED = ("prelude",)
_MORE = {"tick": ("forget",), "delete": ("forget",)}
"""What only some of them need."""


class Script(NamedTuple):
    """A transition as Redis gets it, and the name by which Redis knows it afterwards."""

    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """The transition of this name."""
    return _made_of(*_SHARED, *_MORE.get(name, ()), name)


@cache
def small(name: str) -> Script:
    """A script about one key outside of the shards."""
    return _made_of(f"small/{name}")


def _made_of(*parts: str) -> Script:
    folder = resources.files("bot.store") / "scripts"
    version = f"local RECORD = {redis_keys.RECORD}"
    text = "\n".join((version, *((folder / f"{part}.lua").read_text() for part in parts)))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
