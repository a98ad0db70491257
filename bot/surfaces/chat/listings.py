"""What waits for somebody, and what they started, wherever the runs live.

For what is received (commands) and what is delivered (Home tabs), which don't know each other.
"""

from __future__ import annotations

from bot.core.people.actor import Actor
from bot.core.people.identities import names_of
from bot.core.people.policy import ANYONE, can_decide
from bot.core.ports.lists import RunFilter
from bot.core.ports.store import Questions, Runs
from bot.core.questions.question import Question
from bot.core.runs.run import Run


async def waiting_for(questions: Questions, person: Actor, limit: int) -> list[Question]:
    """Open questions that this person may decide: first those that name them or their group, then anyone's.

    `person`: with what the directory knows of them. At most `limit`, each kind oldest first.
    """
    named = await questions.open(limit, deciders=sorted(names_of(person)))
    anyones = await questions.open(limit, deciders=[ANYONE]) if len(named) < limit else []
    found = {each.id: each for each in (*named, *anyones) if can_decide(person, each.policy)}
    return list(found.values())[:limit]


async def runs_of(runs: Runs, person: Actor, limit: int, *, active: bool | None = None) -> list[Run]:
    """The newest runs that this person started, in whichever of their identities."""
    found: dict[str, Run] = {}
    for principal in person.principals:
        which = RunFilter(requester=principal, active=active, limit=limit)
        found |= {run.id: run for run in await runs.list(which)}
    return sorted(found.values(), key=lambda run: run.created_at, reverse=True)[:limit]
