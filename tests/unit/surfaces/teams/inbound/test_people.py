"""How people belong to the bot's tenant, by what the roster of a conversation says of them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.people.actor import Membership
from bot.surfaces.chat.failures import Rejected
from bot.surfaces.teams.inbound.people import profile_of

TENANT = "00000000-0000-0000-0000-000000007e4a"
ADA = "00000000-0000-0000-0000-00000000ada0"


def member(**changed: Any) -> dict[str, Any]:
    made = {
        "id": "29:ada",
        "name": "Ada",
        "aadObjectId": ADA,
        "tenantId": TENANT,
        "userRole": "user",
        "userPrincipalName": "ada@example.com",
    }
    return {name: value for name, value in (made | changed).items() if value is not None}


@pytest.mark.parametrize(
    ("changed", "membership"),
    [
        ({}, Membership.MEMBER),
        ({"userRole": "owner"}, Membership.MEMBER),
        ({"userRole": "User", "tenantId": TENANT.upper(), "aadObjectId": ADA.upper()}, Membership.MEMBER),
        ({"aadObjectId": None, "objectId": ADA}, Membership.MEMBER),
        ({"userPrincipalName": None}, Membership.MEMBER),
        ({"userRole": "guest"}, Membership.GUEST),
        ({"userPrincipalName": "ada_other.example#EXT#@example.com"}, Membership.GUEST),
        ({"tenantId": "another"}, Membership.EXTERNAL),
        ({"tenantId": "another", "userRole": "guest"}, Membership.EXTERNAL),
    ],
)
def test_members_guests_and_people_of_other_tenants(changed: dict[str, Any], membership: Membership) -> None:
    profile = profile_of(TENANT, ADA, member(**changed))
    assert (profile.membership, profile.barred, profile.name) == (membership, False, "Ada")


@pytest.mark.parametrize("role", ["anonymous", "bot", "something new"])
def test_whoever_has_a_role_that_is_not_known_may_do_nothing(role: str) -> None:
    profile = profile_of(TENANT, ADA, member(userRole=role))
    assert profile.barred
    assert profile.membership is Membership.EXTERNAL


@pytest.mark.parametrize(
    "changed",
    [
        {"aadObjectId": None},
        {"aadObjectId": "somebody else"},
        {"tenantId": None},
        {"tenantId": ""},
        {"userRole": None},
    ],
)
def test_who_is_not_completely_described_is_not_recognised(changed: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        profile_of(TENANT, ADA, member(**changed))
