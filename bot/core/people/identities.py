"""People: which principals are one person, and who is in which live group, at the time of a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import Field

from bot.core.people.actor import Actor, Membership
from bot.core.value import Value


class People(Value):
    """What is known about people while something is decided. Names are principals, with or without tenant."""

    #: By name: all names of the same person (`same_people`). A name that isn't a key has no other identity.
    identities: dict[str, frozenset[str]] = Field(default_factory=dict)
    #: The same, with identities that were unlinked lately: they grant nothing, but they don't make two people
    #: of one either, and whoever is excluded stays excluded.
    identities_with_unlinked: dict[str, frozenset[str]] = Field(default_factory=dict)
    #: By reference of a live group: the names of its members.
    groups: dict[str, frozenset[str]] = Field(default_factory=dict)
    #: By reference of a live group that can't be read: the reason.
    unreadable: dict[str, str] = Field(default_factory=dict)
    #: By principal, of those who acted earlier: their membership now; None: they may no longer act. Of others
    #: it is what their surface has just said.
    memberships: dict[str, Membership | None] = Field(default_factory=dict)
    #: By principal, of accounts that grant nothing as they can't be looked up now: why, for their owners.
    unverified: dict[str, str] = Field(default_factory=dict)

    def membership(self, actor: Actor) -> Membership | None:
        """How this person belongs to their workspace by now; None: they may no longer act."""
        return self.memberships.get(actor.principal, actor.membership)

    def same_person(self, name: str) -> frozenset[str]:
        return self.identities.get(name) or frozenset((name, without_tenant(name)))

    def ever_same_person(self, name: str) -> frozenset[str]:
        """All names of this person, unlinked identities included."""
        return self.same_person(name) | self.identities_with_unlinked.get(name, frozenset())

    def person(self, name: str) -> str:
        """The name that stands for this person, whichever of their names is given."""
        return min(self.ever_same_person(name))

    def expand(self, names: Iterable[str]) -> frozenset[str]:
        """All names of these people, and of the members of the groups among them."""
        return frozenset(each for member in self._listed(names) for each in self.same_person(member))

    def expand_with_unlinked(self, names: Iterable[str]) -> frozenset[str]:
        """All names of these people and of their groups' members, unlinked identities included."""
        return frozenset(each for member in self._listed(names) for each in self.ever_same_person(member))

    def _listed(self, names: Iterable[str]) -> Iterable[str]:
        return (member for name in names for member in self.groups.get(name, (name,)))


UNKNOWN = People()
"""Nothing but what each actor brings along."""


def same_people(groups: Iterable[Iterable[str]]) -> dict[str, frozenset[str]]:
    """All names of each person, by name, from groups of principals that belong to one person.

    Groups that have a principal in common are one person.
    """
    found: dict[str, frozenset[str]] = {}
    for principals in groups:
        names = frozenset(name for each in principals for name in (each, without_tenant(each)))
        names = names.union(*(found[each] for each in names if each in found))
        found |= dict.fromkeys(names, names)
    return found


def names_of(actor: Actor, people: People = UNKNOWN) -> frozenset[str]:
    """All names by which policies may name `actor`: their principals, and the live groups they are in."""
    mine = _principals(actor, people)
    if people is UNKNOWN:
        return mine.union(actor.groups if actor.at_home else ())
    return mine | groups_with(mine, people.groups)


def names_with_unlinked(actor: Actor, people: People = UNKNOWN) -> frozenset[str]:
    """The same, by unlinked identities too, and whether or not they belong to our own workspace."""
    mine = names_of(actor, people) | _identity(actor, people)
    return mine | groups_with(mine, people.groups)


def groups_with(names: frozenset[str], groups: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The groups that somebody with these names is in."""
    return frozenset(group for group, members in groups.items() if not names.isdisjoint(members))


def person_of(actor: Actor, people: People = UNKNOWN) -> str:
    """The name that stands for this person, on whichever surface they act and whatever their membership."""
    return min(_identity(actor, people))


def _identity(actor: Actor, people: People) -> frozenset[str]:
    """All names that this person has or had. They grant nothing, unlike `_principals`."""
    known = actor.principals if people is UNKNOWN else actor.authenticated
    return frozenset[str]().union(*(people.ever_same_person(each) for each in known))


def _principals(actor: Actor, people: People) -> frozenset[str]:
    """Names without tenant mean people of our own workspace: external ones are not named by them."""
    if people.membership(actor) is Membership.EXTERNAL:
        return frozenset(actor.authenticated)
    if people is UNKNOWN:
        return frozenset(name for each in actor.principals for name in (each, without_tenant(each)))
    return frozenset[str]().union(*(people.same_person(each) for each in actor.authenticated))


def without_tenant(principal: str) -> str:
    """`slack:T0:U0` as `slack::U0`."""
    surface, _, rest = principal.partition(":")
    return f"{surface}::{rest.partition(':')[2]}"
