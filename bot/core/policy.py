"""Policies: who may do something. Crews name `Approvers`; runs and questions store a `Policy`."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from bot.core.actor import Actor, Membership, principal
from bot.core.value import Strict

ANYONE = "*"
"""The principal that matches every actor."""


class Approvers(Strict):
    """Whom a crew names as approvers: the requester, anyone, or listed users and keys."""

    requester: bool = True
    anyone: bool = False
    #: Slack user ids, or `key:<name>`.
    listed: tuple[str, ...] = ()


class Policy(Strict):
    """Who may do something, resolved when the run or the question was created."""

    #: Principals; `ANYONE` stands for everybody.
    deciders: tuple[str, ...]
    allowed_memberships: tuple[Membership, ...] = Field(default=(Membership.MEMBER,), alias="admits")


def can_decide(actor: Actor, policy: Policy) -> bool:
    """Whether the policy allows `actor` to decide."""
    if actor.admin:
        return True
    if actor.membership not in policy.allowed_memberships:
        return False
    return ANYONE in policy.deciders or not set(actor.principals).isdisjoint(policy.deciders)


def policy_for(approvers: Approvers, requester: Actor, admits: Sequence[Membership] = ()) -> Policy:
    """Resolve `approvers` for a run of `requester`. Listed users belong to the requester's workspace."""
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
