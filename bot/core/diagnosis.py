"""What a check found, for the person who operates Crewdeck."""

from __future__ import annotations

from typing import Literal

from bot.core.value import Value


class Finding(Value):
    """One thing that was checked, and what to do about it."""

    subject: str
    #: `off`: not wanted, so no fault. `warning`: works, with a risk. `broken`: does not work.
    state: Literal["ok", "off", "warning", "broken"]
    words: str
    remedy: str = ""
