"""Findings of a check, for operators."""

from __future__ import annotations

from typing import Literal

from bot.core.value import Value


class Finding(Value):
    """The result of one check, and the remedy."""

    subject: str
    #: `off`: not configured, which is no fault. `warning`: works, with a risk. `broken`: does not work.
    state: Literal["ok", "off", "warning", "broken"]
    words: str
    remedy: str = ""
