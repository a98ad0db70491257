"""Output into a pipe: one JSON line per event. Answers come from arguments only."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence

from bot.terminal import lines
from bot.terminal.exits import COMPLETED, FAILED, of_run
from crewdeck.client import ApiError, Client, HumanInputRequired, RunCompleted, SnapshotComplete


def write(line: str) -> None:
    """Write one JSON line and flush it."""
    sys.stdout.buffer.write(line.encode() + b"\n")
    sys.stdout.buffer.flush()


async def follow(client: Client, run_id: str, answers: Sequence[str], after: str | None = None) -> int:
    """Write a run's events until it is over; returns the exit status."""
    left = deque(answers)
    async for event in client.follow(run_id, after):
        write(event.raw)
        if isinstance(event, HumanInputRequired) and left and await _answer(client, event, left[0]):
            left.popleft()
        if event.last:
            return COMPLETED if isinstance(event, RunCompleted) else FAILED
    return of_run(await client.run(run_id))


async def _answer(client: Client, event: HumanInputRequired, words: str) -> bool:
    """Answer; False if somebody else answered first, so that the words apply to the next question."""
    if not (await client.question(event.question_id)).open:
        return False
    try:
        await client.respond(event.execution_id, words, question_id=event.question_id, digest=event.digest)
    except ApiError as error:
        sys.stderr.write(f"crewdeck: {lines.one_line(error.detail, 500)}\n")
        return error.code != "settled"
    return True


async def inbox(client: Client, *, live: bool, after: str | None = None) -> int:
    """Write question events: those of open questions, or all after an event; with `live`, all later ones."""
    if after is not None and not live:
        return await _inbox_so_far(client, after)
    async for event in client.inbox(after):
        write(event.raw)
        if isinstance(event, SnapshotComplete) and not live:
            break
    return COMPLETED


async def _inbox_so_far(client: Client, after: str) -> int:
    while events := await client.inbox_so_far(after):
        for event in events:
            write(event.raw)
            after = event.cursor or after
    return COMPLETED
