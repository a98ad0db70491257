"""Many answers at once: when the last tool has its answer, beside how long settling them takes."""

from __future__ import annotations

import json
import time

from bench.deployment import ADA, Deployment, deployed, until
from bench.effort import Effort
from bench.puppet import concurrently
from bench.table import AtMostTimes, Figure, Quantiles
from bot.core.questions.question import Action, Question
from bot.core.questions.response import make_response

ALL_ASKED_WITHIN = 240.0


async def measure(effort: Effort) -> list[Figure]:
    many = effort.answers
    # All of them wait in the memory of one worker: reviving those that are parked is another figure.
    hot = {
        "CREWDECK_HOT_RUNS": str(many),
        "CREWDECK_HOT_WINDOW": str(2 * ALL_ASKED_WITHIN),
        "CREWDECK_RUNS_PER_WORKER": str(many),
    }
    async with deployed(hot) as running:
        await _round(running, 1)
        rounds = [await _round(running, many) for _ in range(effort.brief().rounds)]
    returned, settled = (Quantiles.of([each] for each in side) for side in zip(*rounds, strict=True))
    name = f"{many:,} answers at once -> the last tool returns; all are settled"
    return [Figure(name, Quantiles(returned.p50), Quantiles(settled.p50), aims=(AtMostTimes(2),))]


async def _round(running: Deployment, many: int) -> tuple[float, float]:
    """Milliseconds from the first answer to the return of the last tool, and to the last settlement."""
    notes = running.folder / "burst.jsonl"
    notes.write_text("")
    runs = [await running.start("bench_asks", notes=str(notes)) for _ in range(many)]

    async def all_asked() -> bool:
        return (await running.store.health.totals()).questions_open >= many

    await until(all_asked, ALL_ASKED_WITHIN)
    asked = await concurrently(lambda run: running.store.questions.list(run.id), runs)
    started = time.time()
    settled = await concurrently(lambda found: _settled(running, found[0]), asked)
    for run in runs:
        await running.completed(run)
    # A run that finds no room to go on goes back to the queue. When it is taken up its tool returns again.
    returned: dict[str, float] = {}
    for each in map(json.loads, notes.read_text().splitlines()):
        returned.setdefault(each["run"], each["at"])
    assert len(returned) == many
    return (max(returned.values()) - started) * 1000, (max(settled) - started) * 1000


async def _settled(running: Deployment, question: Question) -> float:
    """When the store had settled it, in seconds since the epoch."""
    said = make_response(Action.RESPOND, ADA, key=question.id, comment="yes")
    ruling = await running.store.questions.respond(question.run_id, question.id, said)
    assert ruling.question is not None
    assert ruling.question.settled_at is not None
    return ruling.question.settled_at / 1000
