"""All points at which something is killed, made from the list of transitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.faults.chaos.line import WAKE_UP

Victim = Literal["worker", "web", "redis"]
Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "after")

MODEL, TOOL = "model call", "tool call"
POST, EDIT = "chat.postMessage", "chat.update"

WORKER = ("claim", "beat", "record", "ask", "finish", "note", "intend", "conclude", "park", "release", "tick")
"""The transitions of a worker."""
WEB = ("start", "settle_place", "lease_shard", "pending", "delivered", "respond", "cancel", "tick")
"""The transitions of a web process."""
ALL_OF_REDIS = (
    "claim",
    "note",
    "intend",
    "ask",
    "respond",
    "park",
    "conclude",
    "finish",
    "settle_place",
    "delivered",
)
"""The transitions at which Redis itself is killed."""
BESIDE = {"worker": (MODEL, TOOL, WAKE_UP), "web": (POST, EDIT)}
"""What a process does with others than Redis: with the model, with Slack, with the world."""

ELSEWHERE = {
    "abandon": "of `serve`, for the workers that it started; the lease ends without it",
    "add_key": "of an operator",
    "revoke_key": "of an operator",
    "pause": "when Slack refuses the token",
    "fail_held": "when a channel can't be posted to",
    "adopt": "when somebody presses a copy that nobody recorded",
    "also_at": "when a thread has gone",
    "postpone": "when Slack refuses a call",
    "inbox": "reads",
    "follow": "of webhooks, when a process starts",
    "passed": "of webhooks",
    "missed": "of webhooks",
    "send_again": "of an operator",
}
"""Transitions at which nothing is killed here, and whose they are. Each may come twice or not at all, which
tests/contract shows."""


@dataclass(frozen=True)
class Boundary:
    """SIGKILL for `victim`, right before or right after `step`."""

    victim: Victim
    step: str
    moment: Moment

    def __str__(self) -> str:
        return f"{self.victim} {self.moment} {self.step}"


def boundaries() -> list[Boundary]:
    """All of them."""
    steps: list[tuple[Victim, str]] = [("worker", step) for step in (*WORKER, *BESIDE["worker"])]
    steps += [("web", step) for step in (*WEB, *BESIDE["web"])]
    steps += [("redis", step) for step in ALL_OF_REDIS]
    return [Boundary(victim, step, moment) for victim, step in steps for moment in MOMENTS]
