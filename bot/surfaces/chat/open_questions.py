"""What waits for somebody, wherever its run lives."""

from __future__ import annotations

from bot.core.actor import Actor
from bot.core.people import names_of
from bot.core.policy import ANYONE, can_decide
from bot.core.ports import Questions
from bot.core.question import Question


async def waiting_for(questions: Questions, person: Actor, limit: int) -> list[Question]:
    """Open questions that this person may decide: first those that name them or their group, then anyone's.

    `person`: with what the directory knows of them. At most `limit`, each kind oldest first.
    """
    named = await questions.open(limit, deciders=sorted(names_of(person)))
    anyones = await questions.open(limit, deciders=[ANYONE]) if len(named) < limit else []
    found = {each.id: each for each in (*named, *anyones) if can_decide(person, each.policy)}
    return list(found.values())[:limit]
