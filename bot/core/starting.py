"""Starting a run from any surface: find the crew, check permission and inputs, and create the run."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from bot.core import ids, input_files
from bot.core.errors import InvalidInputs, NotFound, NoWorker, Refused
from bot.core.people.actor import Actor
from bot.core.people.policy import policy_for
from bot.core.ports.store import Catalogue, Store
from bot.core.runs import inputs
from bot.core.runs.crew import Crew, problem_of
from bot.core.runs.nonce import Nonce
from bot.core.runs.place import Place
from bot.core.runs.run import NewRun, Run


async def crew_named(catalogue: Catalogue, name: str) -> Crew:
    """Find a crew by name (`named`). Raises NotFound, or NoWorker while nobody knows."""
    if (crew := named(await catalogue.crews(), name)) is not None:
        return crew
    crews = await catalogue.crews(newest=True)
    if (crew := named(crews, name)) is not None:
        return crew
    if (problem := problem_of(name, await catalogue.problems(starting=True))) is not None:
        if problem.starting:
            raise NoWorker(f"{problem.name}: {problem.sentence}")
        raise NotFound("crew", name, problem.sentence)
    raise NotFound("crew", name) if crews else NoWorker


def named(crews: Mapping[str, Crew], name: str) -> Crew | None:
    """The crew of this name; in another case only if there is none that is written so."""
    return crews.get(name) or next(
        (crew for crew in crews.values() if crew.name.casefold() == name.casefold()), None
    )


def can_start(crew: Crew, requester: Actor) -> bool:
    """Whether this person may start the crew."""
    return requester.admin or requester.membership in crew.allowed_memberships


def check_can_start(crew: Crew, requester: Actor) -> None:
    """Raises Refused unless this person may start the crew."""
    if not can_start(crew, requester):
        raise Refused(
            "not_admitted",
            f"{crew.title} can only be started by members, not by guests and people from elsewhere.",
        )


async def start(store: Store, new: NewRun, nonce: Nonce | None = None) -> Run:
    """Start a planned run with its files, or return the one that has its id.

    `nonce`: of the request that starts it, where that has no files.

    Raises InvalidInputs, Refused (run_deleted), Replayed.
    """
    try:
        taken = await input_files.store_files(store.files, new)
    except (InvalidInputs, NotFound):
        try:
            return await store.runs.get(new.id)  # It was started before its uploads expired.
        except NotFound:
            pass
        raise
    run, _ = await store.runs.start(taken, nonce)
    return run


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
    """Build the request for a new run. The same `key` yields the same run.

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
