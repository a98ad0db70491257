"""Starting and cancelling runs: what every surface does, whatever it looks like there."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from bot.core import ids, inputs, rules
from bot.core.errors import NotFound, NoWorker, Refused
from bot.core.model import Actor, Crew, NewRun, Place
from bot.core.ports import Catalogue


async def crew_named(store: Catalogue, name: str) -> Crew:
    """The announced crew of this name (case aside). Raises NotFound, and NoWorker while there is no crew."""
    crews = await store.crews()
    if not crews:
        raise NoWorker
    for crew in crews.values():
        if crew.name.casefold() == name.casefold():
            return crew
    raise NotFound("crew", name)


def admits(crew: Crew, requester: Actor) -> bool:
    """Whether the crew may be started by somebody of this standing."""
    return requester.admin or requester.standing in crew.admits


def check_admitted(crew: Crew, requester: Actor) -> None:
    """Raises Refused unless the crew may be started by somebody of this standing."""
    if not admits(crew, requester):
        raise Refused("not_admitted", f"{crew.title} can only be started by members of this workspace.")


def plan(
    crew: Crew,
    given: Mapping[str, JsonValue],
    requester: Actor,
    *,
    key: str,
    place: Place | None = None,
    held: bool = False,
    followers: tuple[Place, ...] = (),
) -> NewRun:
    """The run that `requester` wants. The same `key` is the same run, however often it arrives.

    Raises InvalidInputs, and Refused (not_admitted).
    """
    check_admitted(crew, requester)
    return NewRun(
        id=ids.run_id(key),
        crew=crew,
        inputs=inputs.validate(crew, dict(given)),
        requester=requester,
        approvers=rules.policy_for(crew.approvers, requester, crew.admits),
        cancellers=rules.policy_for(crew.cancellers, requester, crew.admits),
        place=place,
        held=held,
        followers=followers,
    )
