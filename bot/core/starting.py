"""Starting a run on any surface: which crew is meant, who may start it, and the run that comes of it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from bot.core import ids, inputs
from bot.core.actor import Actor
from bot.core.crew import Crew
from bot.core.errors import NotFound, NoWorker, Refused
from bot.core.place import Place
from bot.core.policy import policy_for
from bot.core.ports import Catalogue
from bot.core.run import NewRun


async def crew_named(catalogue: Catalogue, name: str) -> Crew:
    """The announced crew of this name (case aside). Raises NotFound, and NoWorker while there is no crew."""
    crews = await catalogue.crews()
    if not crews:
        raise NoWorker
    for crew in crews.values():
        if crew.name.casefold() == name.casefold():
            return crew
    raise NotFound("crew", name)


def can_start(crew: Crew, requester: Actor) -> bool:
    """Whether the crew may be started by this person."""
    return requester.admin or requester.membership in crew.allowed_memberships


def check_can_start(crew: Crew, requester: Actor) -> None:
    """Raises Refused unless the crew may be started by this person."""
    if not can_start(crew, requester):
        raise Refused("not_admitted", f"{crew.title} can only be started by members of this workspace.")


def plan(
    crew: Crew,
    given: Mapping[str, JsonValue],
    requester: Actor,
    *,
    key: str,
    place: Place | None = None,
    awaiting_thread: bool = False,
    followers: tuple[Place, ...] = (),
) -> NewRun:
    """The run that `requester` wants. The same `key` is the same run, however often it arrives.

    Raises InvalidInputs, and Refused (not_admitted).
    """
    check_can_start(crew, requester)
    return NewRun(
        id=ids.run_id(key),
        crew=crew,
        inputs=inputs.validate(crew, dict(given)),
        requester=requester,
        approvers=policy_for(crew.approvers, requester, crew.allowed_memberships),
        cancellers=policy_for(crew.cancellers, requester, crew.allowed_memberships),
        place=place,
        awaiting_thread=awaiting_thread,
        followers=followers,
    )
