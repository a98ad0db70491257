"""Groups and policies that crews name: read from files and from Python, checked, and never guessed.

Nothing here falls back: what isn't understood is a mistake with its place, and a crew with a mistake in its
policies is not loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from bot.core.people.actor import Actor
from bot.core.people.identities import People
from bot.core.people.policy import (
    Approvers,
    Group,
    IfTooFew,
    OnReject,
    PolicyDefinition,
    is_live_group,
    member,
    resolve,
    too_few,
)
from crews.definitions.entry import Entry, Text

REQUESTER, ANYONE = "requester", "anyone"
MAX_PEOPLE = 100
"""Seats of a policy."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_SLACK_ID = re.compile(r"[UWS](?:[A-Z0-9]*[0-9][A-Z0-9]*|[A-Z0-9]{8,})")
"""Of a user or a user group. Ids without a digit have at least nine letters."""
_MEMBER = re.compile(rf"{_SLACK_ID.pattern}|@[a-z0-9][\w.-]*|teams:[A-Za-z0-9-]+|key:[A-Za-z0-9_.-]+")
FORMS = "a Slack user (U0123ABCD) or user group (@finance, S0123ABCD), teams:<object id>, or key:<name>"

Mistake = tuple[tuple[str | int, ...], str]
"""Where something is wrong, from the top of the file, and what."""
Seats = Annotated[int, Field(ge=1, le=MAX_PEOPLE)]


class PolicyEntry(Entry):
    """One of the `policies`: who decides, who must not, and how many people it takes."""

    who: list[Text] = []
    """Who decides: groups, `requester`, `anyone`, people and keys."""
    not_: Annotated[list[Text], Field(alias="not")] = []
    """Who doesn't, although `who` names them."""
    need: Seats | None = None
    """How many different people it takes; 1 if left out."""
    per_group: dict[str, Seats] = {}
    """How many people of each group it takes, instead of `need`."""
    on_reject: Literal["ends", "counts"] = "ends"
    """Whether one rejection decides, or rejections are counted until approval is out of reach."""
    if_too_few: Literal["fail", "wait"] = "fail"
    """What a run does that asks while too few people may decide."""

    @model_validator(mode="after")
    def _says_who_and_how_many(self) -> Self:
        if not self.who and not self.per_group:
            raise ValueError("must say `who` decides, or give seats to groups with `per_group`")
        if self.need is not None and self.per_group:
            raise ValueError("takes `need` or `per_group`, not both: the seats are added up")
        return self


Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Policies:
    """The groups and policies that a crew can name."""

    groups: Groups = field(default_factory=dict)
    policies: Mapping[str, PolicyEntry] = field(default_factory=dict)
    #: Names that are written down, but with a mistake. Nothing may rely on them.
    broken: frozenset[str] = frozenset()

    def over(self, others: Policies) -> Policies:
        """All groups and policies of both; of two with one name this one's."""
        return Policies(
            {**others.groups, **self.groups},
            {**others.policies, **self.policies},
            others.broken | self.broken,
        )

    def checked(self, others: Policies) -> tuple[Policies, list[Mistake]]:
        """Those of these without a mistake, and all mistakes. `others` are what they can name, too."""
        good = self
        found: list[Mistake] = []
        mistakes = [*self._duplicates(others)]
        while True:
            mistakes += good.mistakes(good.over(others))
            if not mistakes:
                return good, found
            found += mistakes
            good = good.without({str(at[1]) for at, _ in mistakes})
            mistakes = []

    def without(self, names: set[str]) -> Policies:
        """All but the groups and policies of these names, which count as broken."""
        return Policies(
            {name: each for name, each in self.groups.items() if name not in names},
            {name: each for name, each in self.policies.items() if name not in names},
            self.broken | names,
        )

    def _duplicates(self, others: Policies) -> Iterator[Mistake]:
        for key, mine, theirs in (
            ("groups", self.groups, others.groups),
            ("policies", self.policies, others.policies),
        ):
            for name in mine:
                if name in theirs or name in others.broken:
                    yield (key, name), "is in policies.yaml, too; give one of them another name"

    def mistakes(self, within: Policies) -> Iterator[Mistake]:
        """What is wrong with these; `within` are all that they can name."""
        for name in self.groups:
            yield from _wrong_name(("groups", name), name)
            yield from _wrong_members(name, within)
        for name, entry in self.policies.items():
            yield from _wrong_name(("policies", name), name)
            found = [*_wrong_references(entry, within)] or [*_impossible(name, entry, within)]
            yield from ((("policies", name, *at), what) for at, what in found)

    def named(self, name: str) -> PolicyDefinition:
        """The policy with this name. Raises KeyError."""
        return self.definition(name, self.policies[name])

    def definition(self, name: str, entry: PolicyEntry) -> PolicyDefinition:
        """A policy whose references are right (`mistakes`), with all groups that it names."""
        mentioned = [*entry.who, *entry.not_, *entry.per_group]
        groups = [each for each in dict.fromkeys(mentioned) if each in self.groups or each in entry.per_group]
        return PolicyDefinition(
            name=name,
            who=tuple(entry.who),
            not_=tuple(entry.not_),
            need=entry.need or 1,
            per_group=dict(entry.per_group),
            on_reject=OnReject(entry.on_reject),
            if_too_few=IfTooFew(entry.if_too_few),
            groups=tuple(Group(name=each, members=tuple(map(member, self.members(each)))) for each in groups),
        )

    def members(self, group: str) -> list[str]:
        """The members of a group, those of groups in it included; a Slack group stands for itself."""
        found: dict[str, None] = {}
        waiting = [*self.groups.get(group, (group,))]
        seen = {group}
        while waiting:
            name = waiting.pop(0)
            if name not in self.groups:
                found[name] = None
            elif name not in seen:
                seen.add(name)
                waiting = [*self.groups[name], *waiting]
        return list(found)

    def unknown(self, name: str) -> str:
        """Why this is nobody's name; empty if it is somebody's."""
        if name in self.groups or _MEMBER.fullmatch(name):
            return ""
        if name in self.broken:
            return f"the group {name} has a mistake itself"
        known = f" (groups: {', '.join(self.groups)})" if self.groups else ""
        return f"{name!r} is no group{known}, and not {FORMS}"

    def unknown_policy(self, name: str) -> str:
        """Why this is no policy; empty if it is one."""
        if name in self.policies:
            return ""
        if name in self.broken:
            return f"the policy {name} has a mistake itself"
        known = f"known here: {', '.join(self.policies)}" if self.policies else "none is defined here"
        return f"there is no policy {name!r} ({known})"


def _wrong_references(entry: PolicyEntry, within: Policies) -> Iterator[Mistake]:
    for key, names in (("who", entry.who), ("not", entry.not_)):
        for index, name in enumerate(names):
            if name not in {REQUESTER, ANYONE} and (why := within.unknown(name)):
                yield (key, index), why
    if ANYONE in entry.not_:
        yield ("not", entry.not_.index(ANYONE)), "excludes everybody"
    for group in entry.per_group:
        if group not in within.groups and not is_live_group(member(group)):
            why = within.unknown(group) or f"{group} is no group, and only groups have seats"
            yield ("per_group", group), why
        elif entry.who and not {group, ANYONE} & {*entry.who}:
            yield ("per_group", group), f"{group} has seats, but `who` doesn't name it"


def _impossible(name: str, entry: PolicyEntry, within: Policies) -> Iterator[Mistake]:
    """Numbers that no people can make true, as far as that is known without asking anybody."""
    definition = within.definition(name, entry)
    policy = resolve(definition, _SOMEBODY)
    if not {*policy.deciders} - {*policy.excluded}:
        yield ("not",), "excludes everybody whom `who` names"
        return
    for group, seats in entry.per_group.items():
        members = {*policy.members_of(group)} - {*policy.excluded}
        if len(members) < seats and not any(map(is_live_group, members)):
            yield ("per_group", group), f"has {len(members)} people, and {seats} seats"
            return
    if why := too_few(policy, _NO_GROUPS):
        yield ("per_group" if entry.per_group else "need",), f"can't be satisfied: {why}"


_SOMEBODY = Actor(surface="http", user_id="the requester")
_NO_GROUPS = People()


def _wrong_name(at: tuple[str, ...], name: str) -> Iterator[Mistake]:
    if name in {REQUESTER, ANYONE}:
        yield at, f"{name} has a meaning already; use another name"
    elif not _NAME.fullmatch(name):
        yield at, "a name has only letters, digits, - and _, and begins with a letter"
    elif _SLACK_ID.fullmatch(name):
        yield at, "looks like an id of Slack; use another name"


def _wrong_members(name: str, within: Policies) -> Iterator[Mistake]:
    members = within.groups[name]
    if not members:
        yield ("groups", name), "has no members"
    for index, each in enumerate(members):
        if each in {REQUESTER, ANYONE}:
            yield ("groups", name, index), f"{each} is nobody's name; name it in a policy's `who`"
        elif why := within.unknown(each):
            yield ("groups", name, index), why
        elif each in within.groups and _reaches(each, name, within.groups):
            yield ("groups", name, index), f"{each} has {name} in it, which goes round in a circle"


def _reaches(start: str, end: str, groups: Groups) -> bool:
    """Whether the group `end` is `start`, or in it."""
    waiting, seen = [start], set[str]()
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        if name not in seen:
            seen.add(name)
            waiting += [each for each in groups.get(name, ()) if each in groups]
    return False


# ── what `approvers` may be ─────────────────────────────────────────────────────────────────────────────


class Policy(PolicyEntry):
    """A policy in Python: `Policy(who=["finance"], groups={"finance": ["@finance"]}, need=2)`.

    The arguments are the keys of a policy in YAML (`not_` for `not`), the groups that it names, and a name
    that people see. Raises ValueError if they aren't right.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: str = ""
    groups: dict[str, list[Text]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _right(self) -> Self:
        _, mistakes = Policies(self.groups, {self.name or "policy": self}).checked(Policies())
        for at, what in mistakes:
            raise ValueError(f"{'.'.join(map(str, at))}: {what}")
        return self

    def definition(self) -> PolicyDefinition:
        """The policy as the core knows it."""
        return Policies(self.groups).definition(self.name, self)


Written = Annotated[str, Field(min_length=1)] | Annotated[list[Text], Field(min_length=1)]
"""How a file says who may decide: `requester`, `anyone`, a policy's name, or a list."""


class ApproverSpec(Entry):
    """What `approvers` says, before its names are looked up."""

    #: requester, anyone, members and groups.
    listed: tuple[str, ...] = ()
    #: A policy by its name, or itself.
    policy: str | Policy | None = None

    def mistake(self, policies: Policies) -> Mistake | None:
        """A name that nobody has, if there is one."""
        if isinstance(self.policy, str) and (why := policies.unknown_policy(self.policy)):
            return (), f"must be requester, anyone, a policy's name or a list: {why}"
        for index, name in enumerate(self.listed):
            if name not in {REQUESTER, ANYONE} and (why := policies.unknown(name)):
                return (index,), why
        return None

    def approvers(self, policies: Policies) -> Approvers:
        """The approvers. Raises KeyError for a policy that there isn't."""
        if isinstance(self.policy, Policy):
            return Approvers(requester=False, policy=self.policy.definition())
        if self.policy is not None:
            return Approvers(requester=False, policy=policies.named(self.policy))
        names = [name for name in self.listed if name not in {REQUESTER, ANYONE}]
        listed = dict.fromkeys(each for name in names for each in policies.members(name))
        return Approvers(
            requester=REQUESTER in self.listed, anyone=ANYONE in self.listed, listed=tuple(listed)
        )


THE_REQUESTER = ApproverSpec(listed=(REQUESTER,))


def approver_spec(written: object) -> ApproverSpec:
    """What `approvers` says. Raises ValueError."""
    match written:
        case ApproverSpec():
            return written
        case Policy():
            return ApproverSpec(policy=written)
        case "requester" | "anyone":
            return ApproverSpec(listed=(str(written),))
        case str() if written.strip():
            return ApproverSpec(policy=written)
        case [*names] if names and all(isinstance(name, str) and name.strip() for name in names):
            return ApproverSpec(listed=tuple(map(str, names)))
    raise ValueError(
        "must be requester, anyone, a policy's name, or a list of users, groups and keys "
        'such as [U0123ABCD, "key:ci"]'
    )
