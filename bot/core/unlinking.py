"""Unlinking identities, and showing at once that what they were asked is no longer theirs."""

from __future__ import annotations

import uuid
from contextlib import suppress

from bot.core.errors import StoreUnavailable
from bot.core.people.actor import Actor, actor_named
from bot.core.people.identities import names_of
from bot.core.ports.store import Store

MAX_REDRAWN_QUESTIONS = 1000
"""So many open questions of a person are looked at; the copies of others are redrawn by their next event."""


async def unlink(store: Store, actor: Actor, principal: str) -> bool:
    """Remove one identity from this person; False if it isn't theirs.

    It grants nothing any more at once. Copies of questions that it was asked are redrawn.
    """
    was = await store.directory.known(actor)
    if not await store.directory.unlink(actor, principal):
        return False
    with suppress(StoreUnavailable):  # It is unlinked all the same, and the next event redraws them, too.
        await _redraw(store, was)
    return True


async def _redraw(store: Store, person: Actor) -> None:
    """Have a person's open questions shown anew where they have an identity, except in the run's home."""
    surfaces = {actor_named(each).surface for each in person.principals}
    questions = await store.questions.open(MAX_REDRAWN_QUESTIONS, sorted(names_of(person)))
    runs = await store.runs.read(list(dict.fromkeys(each.run_id for each in questions)))
    homes = {each.id: each.place.surface if each.place is not None else "" for each in runs}
    which = uuid.uuid4().hex
    for question in questions:
        if question.run_id in homes:
            for surface in sorted(surfaces - {homes[question.run_id]}):
                await store.outbox.redraw(surface, question.run_id, question.id, which)
