"""Variables that are named like settings and are none: a misspelt one has no effect, and nobody sees that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from bot.processes.worker_environment import PIPE
from bot.setting_sources import DOTENV
from bot.settings import ClientSettings, Settings

PREFIX = "CREWDECK_"


def unknown_settings() -> Iterator[str]:
    """A sentence about each, which names where it was found. Its value is not repeated."""
    known = _known()
    found = dict.fromkeys(dotenv_values(DOTENV, encoding="utf-8-sig"), str(Path(DOTENV).absolute()))
    found |= dict.fromkeys(os.environ, "the environment")
    for name, where in sorted(found.items()):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = get_close_matches(name.upper(), sorted(known), 1)
            meant = f" Did you mean {near[0]}?" if near else ""
            yield f"{name} (in {where}) is no setting, so it has no effect.{meant}"


def _known() -> frozenset[str]:
    fields = (*Settings.model_fields.values(), *ClientSettings.model_fields.values())
    return frozenset({PIPE, *(str(each.alias).upper() for each in fields)})
