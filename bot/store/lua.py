"""The transitions: `scripts/*.lua`, each after the shared `prelude.lua`."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

from bot.store import redis_keys

_SHARED = ("prelude",)
_MORE = {
    "apply_due": ("forget",),
    "delete": ("forget",),
    "append_event": ("changes",),
    "write_journal": ("changes",),
    "finish": ("changes",),
    "start": ("nonce",),
    "use_nonce": ("nonce",),
}
"""Further parts of some transitions."""


class Script(NamedTuple):
    """The text of a transition, and its SHA for EVALSHA."""

    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """The transition of this name."""
    return _made_of(*_SHARED, *_MORE.get(name, ()), name)


@cache
def unsharded(name: str) -> Script:
    """A script on one key outside of the shards."""
    return _made_of(f"unsharded/{name}")


def _made_of(*parts: str) -> Script:
    folder = resources.files("bot.store") / "scripts"
    version = f"local RECORD = {redis_keys.RECORD}"
    text = "\n".join((version, *((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
