"""What holds for every run, whatever happened to its processes."""

from __future__ import annotations

from collections import Counter

from bot.core.runs.run import Run
from tests.contract.crews.deployment import Deployment


async def ended_once(people: Deployment, run: Run) -> list[str]:
    """The types of the run's events: numbered without gaps, each told once, the last one ends it."""
    events = await people.events(run)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    told = [
        f"{event.body.type} {getattr(event.body, 'question_id', getattr(event.body, 'task_id', ''))}"
        for event in events
    ]
    assert max(Counter(told).values()) == 1, told
    assert [event.last for event in events] == [False] * (len(events) - 1) + [True], told
    return [each.split()[0] for each in told]
