"""Policies: who may do something. A crew names `Approvers`; a run or a question holds a `Policy`."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from bot.core.actor import Actor, Membership, principal
from bot.core.value import Strict

ANYONE = "*"
"""The principal that everybody has."""


class Approvers(Strict):
    """Whom a crew names: its requester, anyone, or the users and keys of a list."""

    requester: bool = True
    anyone: bool = False
    #: Slack user ids, or `key:<name>`.
    listed: tuple[str, ...] = ()


class Policy(Strict):
    """Who may do something: a snapshot, taken when the run or the question was made."""

    #: Principals; `ANYONE` stands for everybody.
    deciders: tuple[str, ...]
    allowed_memberships: tuple[Membership, ...] = Field(default=(Membership.MEMBER,), alias="admits")


def can_decide(actor: Actor, policy: Policy) -> bool:
    """Whether `actor` may do what `policy` guards."""
    if actor.admin:
        return True
    if actor.membership not in policy.allowed_memberships:
        return False
    return ANYONE in policy.deciders or not set(actor.principals).isdisjoint(policy.deciders)


def policy_for(approvers: Approvers, requester: Actor, admits: Sequence[Membership] = ()) -> Policy:
    """A snapshot of what `approvers` means in a run of `requester`. Listed users are of their workspace."""
    deciders: list[str] = []
    if approvers.anyone:
        deciders.append(ANYONE)
    if approvers.requester:
        deciders.extend(requester.principals)
    deciders.extend(_listed(name, requester) for name in approvers.listed)
    return Policy(deciders=tuple(deciders), allowed_memberships=tuple(admits) or (Membership.MEMBER,))


def _listed(name: str, requester: Actor) -> str:
    if name.startswith("key:"):
        return principal("http", "", name)
    return principal("slack", requester.tenant, name)
