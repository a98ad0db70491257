"""Policies: who may decide something, and how many of them it takes.

Crews name `Approvers`; runs and questions store a `Policy`, which is resolved when they are created and
never changes afterwards. Only the members of live groups are read anew at each decision (`People`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from bot.core.errors import PermissionUnknown, Refused
from bot.core.people.actor import Actor, Membership, principal
from bot.core.people.identities import UNKNOWN, People, names_of, names_with_unlinked
from bot.core.value import Strict

ANYONE = "*"
"""The principal that matches every person."""

MAX_SEATS = 100
Seats = Annotated[int, Field(ge=1, le=MAX_SEATS)]
"""A number of people."""


class OnReject(StrEnum):
    """Whether a rejection ends the question, or counts until approval is out of reach."""

    ENDS = "ends"
    COUNTS = "counts"


class IfTooFew(StrEnum):
    """What a run does if fewer people may decide than its policy needs."""

    FAIL = "fail"
    WAIT = "wait"


class Group(Strict):
    """A named group of people."""

    name: str
    #: Principals, and references of live groups (`slack::@finance`, `slack::S0123ABCD`).
    members: tuple[str, ...] = ()


class PolicyDefinition(Strict):
    """A policy as an author wrote it; `resolve` makes a `Policy` of it."""

    #: Its name in the file; empty for a policy without a name.
    name: str = ""
    #: `requester`, `anyone`, the name of a group, or a member as groups list it (`U0123`, `key:erp`, ...).
    who: tuple[str, ...]
    not_: tuple[str, ...] = Field(default=(), alias="not")
    need: Seats = 1
    #: Seats by the name of a group. One person fills one seat.
    per_group: dict[str, Seats] = Field(default_factory=dict)
    on_reject: OnReject = OnReject.ENDS
    if_too_few: IfTooFew = IfTooFew.FAIL
    #: All groups that the policy names, with groups in groups expanded.
    groups: tuple[Group, ...] = ()

    @model_validator(mode="after")
    def _check_seats(self) -> Self:
        if sum(self.per_group.values()) > MAX_SEATS:
            raise ValueError(f"`per_group` asks for more than {MAX_SEATS} people")
        return self

    @property
    def version(self) -> str:
        """A short digest of the definition, which changes whenever it does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class Approvers(Strict):
    """Whom a crew names as approvers: a policy, or the requester, anyone, and listed users and keys."""

    requester: bool = True
    anyone: bool = False
    #: Members as groups list them: Slack user ids, `teams:<object id>` or `key:<name>`.
    listed: tuple[str, ...] = ()
    #: Takes the place of the fields above.
    policy: PolicyDefinition | None = None


class Policy(Strict):
    """Who may do something, resolved when the run or the question was created."""

    #: Principals and references of live groups; `ANYONE` stands for every person.
    deciders: tuple[str, ...]
    allowed_memberships: tuple[Membership, ...] = Field(default=(Membership.MEMBER,), alias="admits")
    #: The name and the version of the policy; both empty for plain `approvers`.
    name: str = ""
    version: str = ""
    #: The author's words for `deciders` and `excluded`.
    who: tuple[str, ...] = ()
    not_: tuple[str, ...] = Field(default=(), alias="not")
    #: Principals and references of live groups that must not decide, in any of their identities.
    excluded: tuple[str, ...] = ()
    #: How many different people it takes, unless `per_group` gives seats to groups.
    need: Seats = 1
    per_group: dict[str, Seats] = Field(default_factory=dict)
    on_reject: OnReject = OnReject.ENDS
    if_too_few: IfTooFew = IfTooFew.FAIL
    #: The groups that the policy names.
    groups: tuple[Group, ...] = ()
    #: Whether an administrator may decide without being named. Not for named policies and gates.
    admins: bool = True

    @property
    def seats(self) -> int:
        """How many different people it takes."""
        return sum(self.per_group.values()) if self.per_group else self.need

    @property
    def live_groups(self) -> frozenset[str]:
        """References of all groups whose members are read at decision time."""
        named = {*self.deciders, *self.excluded, *(m for group in self.groups for m in group.members)}
        return frozenset(filter(is_live_group, named))

    def members_of(self, group: str) -> tuple[str, ...]:
        """The members of a named group; of an unknown one none."""
        return next((each.members for each in self.groups if each.name == group), ())


class Objection(StrEnum):
    """Why a person may not decide."""

    NONE = ""
    #: The policy names them under `not`.
    EXCLUDED = "excluded"
    #: Their kind of membership is not admitted.
    MEMBERSHIP = "membership"
    #: The policy doesn't name them.
    NOT_NAMED = "not_named"
    #: A group that might name or exclude them can't be read.
    UNREADABLE_GROUP = "unreadable_group"
    #: Their account, or a linked one that the policy names, can't be looked up now.
    UNVERIFIED = "unverified"


def can_decide(actor: Actor, policy: Policy, people: People = UNKNOWN) -> bool:
    """Whether the policy allows `actor` to decide."""
    return not objection(actor, policy, people)


def objection(actor: Actor, policy: Policy, people: People = UNKNOWN) -> Objection:
    """Why the policy doesn't allow `actor` to decide.

    Without `people`, what is known about the actor applies (`Actor.linked`, `Actor.groups`).
    """
    if barred := exclusion(actor, policy, people):
        return barred
    membership = people.membership(actor)
    if membership is None:
        return Objection.UNVERIFIED if actor.principal in people.unverified else Objection.MEMBERSHIP
    if actor.admin and policy.admins:
        return Objection.NONE
    if membership not in policy.allowed_memberships:
        return Objection.MEMBERSHIP
    names = names_of(actor, people)
    if not names.isdisjoint(policy.deciders) or (
        ANYONE in policy.deciders and _counts_as_anyone(actor, policy)
    ):
        return Objection.NONE
    return _why_not_named(actor, policy, people)


def _why_not_named(actor: Actor, policy: Policy, people: People) -> Objection:
    if not people.unreadable.keys().isdisjoint(policy.deciders):
        return Objection.UNREADABLE_GROUP
    return Objection.UNVERIFIED if _unverified_accounts(actor, people) else Objection.NOT_NAMED


def reason_of(why: Objection, actor: Actor, policy: Policy, people: People) -> str:
    """Why it can't be found out whether they may decide, in sentences; empty where it could."""
    match why:
        case Objection.UNREADABLE_GROUP:
            reasons = {people.unreadable[each] for each in policy.live_groups & people.unreadable.keys()}
        case Objection.UNVERIFIED:
            reasons = {people.unverified[each] for each in _unverified_accounts(actor, people)}
        case _:
            return ""
    return " ".join(sorted(filter(None, reasons)))


def _unverified_accounts(actor: Actor, people: People) -> frozenset[str]:
    """Accounts of this person that can't be looked up now."""
    return names_with_unlinked(actor, people) & people.unverified.keys()


def check_allowed(actor: Actor, policy: Policy, people: People, refusal: str) -> None:
    """Raises PermissionUnknown, or Refused (not_allowed, in these words), unless `actor` is allowed."""
    why = objection(actor, policy, people)
    if why in {Objection.UNREADABLE_GROUP, Objection.UNVERIFIED}:
        raise PermissionUnknown(reason_of(why, actor, policy, people))
    if why:
        raise Refused("not_allowed", refusal)


def exclusion(actor: Actor, policy: Policy, people: People = UNKNOWN) -> Objection:
    """Whether the policy excludes `actor`, which also binds administrators who override it."""
    if not policy.excluded:
        return Objection.NONE
    if not names_with_unlinked(actor, people).isdisjoint(policy.excluded):
        return Objection.EXCLUDED
    if not people.unreadable.keys().isdisjoint(policy.excluded):
        return Objection.UNREADABLE_GROUP
    return Objection.NONE


def _counts_as_anyone(actor: Actor, policy: Policy) -> bool:
    """Programs are anyone for plain approvers only: a policy that means a key names it."""
    return policy.admins or not actor.user_id.startswith("key:")


def eligible(policy: Policy, people: People) -> frozenset[str] | None:
    """All people who may decide, each as one principal; None if their number is unknown."""
    if ANYONE in policy.deciders or not people.unreadable.keys().isdisjoint(policy.live_groups):
        return None
    if any(is_live_group(each) and each not in people.groups for each in policy.live_groups):
        return None
    named = people.expand(policy.deciders) - people.expand_with_unlinked(policy.excluded)
    return frozenset(map(people.person, named))


def too_few(policy: Policy, people: People) -> str:
    """Why this policy can't be satisfied by those who may decide; empty if it can, or if that is unknown."""
    known = eligible(policy, people)
    if known is None:
        return ""
    if not policy.per_group:
        return (
            "" if len(known) >= policy.need else f"it needs {policy.need} people, and {len(known)} may decide"
        )
    filled = filled_seats(policy, {each: groups_of_person(each, policy, people) for each in known})
    return (
        ""
        if sum(filled.values()) >= policy.seats
        else f"nobody can fill all seats of {_unfilled(policy, filled)}"
    )


def filled_seats(policy: Policy, people_in: dict[str, frozenset[str]]) -> dict[str, int]:
    """The most seats that these people can fill, by group; `people_in` gives each person's groups.

    A maximum matching: one person fills one seat, and whoever is in two groups takes the one that is needed.
    """
    seats = [group for group, number in policy.per_group.items() for _ in range(number)]
    taken: dict[int, str] = {}

    def seat(person: str, tried: set[int]) -> bool:
        for at, group in enumerate(seats):
            if at in tried or group not in people_in[person]:
                continue
            tried.add(at)
            if at not in taken or seat(taken[at], tried):
                taken[at] = person
                return True
        return False

    for person in people_in:
        seat(person, set())
    return {group: sum(1 for at in taken if seats[at] == group) for group in policy.per_group}


def groups_of(actor: Actor, policy: Policy, people: People = UNKNOWN) -> frozenset[str]:
    """The names of the policy's groups that `actor` is in."""
    names = names_of(actor, people)
    return frozenset(group.name for group in policy.groups if not names.isdisjoint(group.members))


def groups_of_person(person: str, policy: Policy, people: People) -> frozenset[str]:
    """The names of the policy's groups that a person is in, who is known by a name (`People.person`)."""
    mine = people.same_person(person)
    return frozenset(each.name for each in policy.groups if not mine.isdisjoint(people.expand(each.members)))


def _unfilled(policy: Policy, filled: dict[str, int]) -> str:
    return " and ".join(group for group, number in policy.per_group.items() if filled[group] < number)


# ── resolving what crews name ───────────────────────────────────────────────────────────────────────────


def policy_for(approvers: Approvers, requester: Actor, admits: Sequence[Membership] = ()) -> Policy:
    """Resolve `approvers` for a run of `requester`. Listed users belong to their workspace."""
    allowed = tuple(admits) or (Membership.MEMBER,)
    if approvers.policy is not None:
        return resolve(approvers.policy, requester, allowed)
    deciders: list[str] = []
    if approvers.anyone:
        deciders.append(ANYONE)
    if approvers.requester:
        deciders.extend(requester.authenticated)
    deciders.extend(_listed(name, requester) for name in approvers.listed)
    return Policy(deciders=tuple(deciders), allowed_memberships=allowed)


def resolve(definition: PolicyDefinition, requester: Actor, admits: Sequence[Membership] = ()) -> Policy:
    """The policy for what `requester` started. A policy that names only seats admits their groups."""
    who = definition.who or tuple(definition.per_group)
    return Policy(
        # Links are read when somebody decides. Unlinking doesn't undo an exclusion.
        deciders=tuple(_resolved(who, definition, requester.authenticated)),
        allowed_memberships=tuple(admits) or (Membership.MEMBER,),
        name=definition.name,
        version=definition.version,
        who=who,
        not_=definition.not_,
        excluded=tuple(_resolved(definition.not_, definition, requester.principals)),
        need=definition.need,
        per_group=definition.per_group,
        on_reject=definition.on_reject,
        if_too_few=definition.if_too_few,
        groups=definition.groups,
        admins=False,
    )


def for_one_person(policy: Policy) -> Policy:
    """The same people, of whom one decides: forms and answers in words aren't counted."""
    return policy.model_copy(update={"need": 1, "per_group": {}})


def for_gate(policy: Policy) -> Policy:
    """The same policy without administrators who aren't named, as gates have it."""
    return policy.model_copy(update={"admins": False})


def member(name: str) -> str:
    """A member as files name it, as a principal or a live group: without a tenant, hence of our own.

    Slack: `U0123` or `W0123` (user), `S0123` (group) or `@finance` (group by handle); others: `teams:<object
    id>`, `key:<name>`.
    """
    if name.startswith("key:"):
        return principal("http", "", name)
    surface, separator, user = name.partition(":")
    if surface == "teams":
        user = user.lower()  # An object id, which is shown in either case.
    return principal(surface, "", user) if separator else principal("slack", "", name)


def is_live_group(name: str) -> bool:
    """Whether this refers to a group whose members a platform keeps: `slack::@x`, `slack::S0123`."""
    surface, _, group = name.partition("::")
    return surface == "slack" and group[:1] in {"@", "S"}


def _resolved(names: Iterable[str], definition: PolicyDefinition, itself: Iterable[str]) -> list[str]:
    """The principals and live groups that these names stand for; `itself` are those of the requester."""
    groups = {group.name: group.members for group in definition.groups}
    found: list[str] = []
    for name in names:
        if name == "requester":
            found.extend(itself)
        elif name == "anyone":
            found.append(ANYONE)
        else:
            found.extend(groups.get(name, ()) if name in groups else (member(name),))
    return list(dict.fromkeys(found))


def _listed(name: str, requester: Actor) -> str:
    """A listed Slack user belongs to the workspace of the run; without one the name means nobody."""
    if ":" not in name:
        return principal("slack", requester.tenant or "-", name)
    return member(name)
