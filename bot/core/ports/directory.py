"""The directory of people: linked identities, and the members of live groups. Ports only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Never, Protocol

from bot.core.errors import CrewdeckError
from bot.core.people.actor import Actor, Membership
from bot.core.people.identities import People
from bot.core.people.policy import Policy

CODE_TTL_S = 600
"""How long a link code is valid."""


MembershipLookup = Callable[[Actor], Awaitable[Membership | None]]
"""Look up somebody's current membership where they have their account; None if they may no longer act.

Raises CrewdeckError while it can't be determined.
"""


class GroupUnreadable(CrewdeckError):  # noqa: N818 - named as its kin in core/errors.py
    """The members of a live group can't be read now. The message says why, in a sentence for people."""

    code = "group_unreadable"


class GroupReader(Protocol):
    """Reads the members of a surface's live groups."""

    async def members(self, group: str) -> frozenset[str]:
        """The principals of a group's members; `group` is a reference such as `slack::@finance`.

        Raises GroupUnreadable.
        """


class Directory(Protocol):
    """Who is who. Raises StoreUnavailable as all components of the store, and UnreadableRecord."""

    async def people(
        self, policy: Policy, actors: Sequence[Actor] = (), *, earlier: Sequence[Actor] = ()
    ) -> People:
        """What is known about the people of a policy and these actors, right now.

        Of those who acted `earlier` it is looked up whether they still may, as far as this process can
        (`vouch`); those whose status can't be looked up in time may not. The same goes for linked accounts
        that the policy names: one that was lost grants nothing.

        A process that has a surface's reader reads its live groups anew unless that happened in the last
        seconds. Other processes use what was read in the last minutes, and wait a little for a group that
        nobody has read. A group whose members are not known then is unreadable.
        """

    async def known(self, actor: Actor) -> Actor:
        """The actor with `linked` and `groups` as far as known, for what is shown to them."""

    async def known_while_resolving(self, principal: str, actor: Awaitable[Actor]) -> Actor:
        """The same for an actor whose profile is still being looked up; both are read at the same time.

        `principal` is the actor's, as far as the surface knows before. Raises what `actor` raises.
        """

    def serve(self, surface: str, reader: GroupReader) -> None:
        """From now on this process reads the live groups of a surface."""

    def vouch(self, surface: str, lookup: MembershipLookup) -> None:
        """From now on this process knows the memberships of those who have their accounts on a surface."""

    async def refresh(self, groups: Sequence[str]) -> None:
        """Have the members of these live groups read, and kept for a week, for processes without a reader."""

    async def keep_groups_fresh(self) -> Never:
        """Read the live groups that somebody needs, again and again, as far as this process can."""

    async def identities(self, actor: Actor) -> tuple[Actor, ...]:
        """The identities of this person, the given one included, each with its name when it was linked."""

    async def new_code(self, actor: Actor) -> str:
        """A code that proves to another surface that its bearer is `actor`; valid once, for ten minutes.

        Raises Refused (not_linkable: people of other organizations; too_many_attempts).
        """

    async def code_owner(self, code: str, actor: Actor) -> Actor:
        """Whose code this is, to be shown to `actor` before they redeem it. Raises Refused as `redeem`."""

    async def redeem(self, code: str, actor: Actor) -> tuple[Actor, ...]:
        """Link `actor` with the person who got the code; returns all identities of that person.

        Raises Refused (invalid_code, same_surface, already_linked, not_linkable, too_many_attempts).
        """

    async def unlink(self, actor: Actor, principal: str) -> bool:
        """Remove one identity from this person; False if it isn't theirs.

        It grants nothing any more at once. For a month both still count as one person for policies.
        """
