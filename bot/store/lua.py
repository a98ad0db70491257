"""The transitions: `scripts/*.lua`, each behind the shared prelude."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def source(name: str) -> str:
    """The text of a script, prelude included."""
    folder = resources.files("bot.store") / "scripts"
    return "\n".join((folder / file).read_text() for file in ("prelude.lua", f"{name}.lua"))
