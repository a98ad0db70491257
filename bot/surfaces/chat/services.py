"""What a process hands to each chat surface that it opens, and to their delivery."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.ports import Store
from bot.core.wakeups import Wakeups
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.flow_control import AckPriority


@dataclass(frozen=True)
class ProcessServices:
    """One process's; its surfaces and its delivery share them. The process runs `wakeups`."""

    settings: Settings
    store: Store
    wakeups: Wakeups
    metrics: Metrics
    ack_priority: AckPriority
    #: The address where people find the console.
    console: str
