"""All points at which something is killed, made from the list of transitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Victim = Literal["worker", "web", "redis", "any"]
Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "after")

WAKE_UP = "wake-up"
"""A message of Pub/Sub that says what has changed."""
MODEL, TOOL = "model call", "tool call"
POST, EDIT = "chat.postMessage", "chat.update"

WORKER = (
    "claim",
    "heartbeat",
    "ask",
    "finish",
    "write_journal",
    "put_if_absent",
    "record_call",
    "park",
    "release",
    "due",
)
"""The transitions of a worker."""
WEB = ("start", "lease_shard", "pending", "mark_delivered", "respond", "cancel", "due")
"""The transitions of a web process."""
ANYBODY = ("apply_due",)
"""What whoever sees first that something is due does."""
INTEND, CONCLUDE, TELL = "write of an intent", "write of a finished task", "write of an event"
WRITTEN = {INTEND: r"entry .*\?", CONCLUDE: r"entry done/.*", TELL: r"event .*"}
"""What a run does that is a boundary of its own, by its kind and its name."""
ALL_OF_REDIS = ("claim", "write_journal", "ask", "respond", "park", "finish", "mark_delivered")
"""The transitions at which Redis itself is killed."""
BESIDE = {"worker": (MODEL, TOOL, WAKE_UP, INTEND, CONCLUDE, TELL), "web": (POST, EDIT)}
"""What a process does besides: with the model, with Slack, with the world; and what it writes."""

ELSEWHERE = {
    "append_event": "of a crew that says how far it is; other events are written with steps",
    "use_nonce": "of a web process, for a command that starts nothing; it may come twice",
    "abandon": "of `serve`, for the workers that it started; the lease ends without it",
    "seed_journal": "of an operator, before a run is started again",
    "begin_file": "of a worker that stores a file, of a surface before a run is started; it may come twice",
    "write_file": "of the same; the file counts once its last part is there, and is written anew before that",
    "defer": "of a worker that can't go on with a run; its lease ends without it",
    "delete": "of an operator",
    "add_api_key": "of an operator",
    "revoke_api_key": "of an operator",
    "pause_tenant": "when Slack refuses the token",
    "fail_unplaced": "when a channel can't be posted to",
    "adopt": "when a message turns up that nobody recorded, or somebody unlinks",
    "add_place": "when a thread has gone",
    "postpone": "when Slack refuses a call",
    "find_runs": "reads",
    "inbox_snapshot": "reads",
    "inbox_last": "reads",
    "read_queues": "reads",
    "acquire_slots": "of a worker, for crews with a limit; the place ends with the lease",
    "release_slots": "of a worker, for crews with a limit; the place ends with the lease",
    "fire_timer": "of whoever sees first that a question is overdue; it may come twice",
    "add_reference": "beside what is remembered of a run; nothing but a deletion reads it",
    "upgrade": "of a process that connects to what an older release wrote",
    "set_followers": "of webhooks, when a process starts",
    "ack_event": "of webhooks",
    "nack_event": "of webhooks",
    "resend": "of an operator",
    "open_question": "of a surface that shows a question; nothing but its record reads it",
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
    steps += [("any", step) for step in ANYBODY]
    steps += [("redis", step) for step in ALL_OF_REDIS]
    return [Boundary(victim, step, moment) for victim, step in steps for moment in MOMENTS]
