"""Who may decide: groups, exclusions, linked identities, and whether enough people are left."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.people.actor import Actor, Membership
from bot.core.people.identities import People, person_of, same_people
from bot.core.people.policy import (
    Approvers,
    Group,
    Objection,
    Policy,
    PolicyDefinition,
    filled_seats,
    for_gate,
    groups_of,
    objection,
    policy_for,
    resolve,
    too_few,
)

ADA = Actor(surface="slack", tenant="T1", user_id="U1", name="Ada")
BOB = Actor(surface="slack", tenant="T1", user_id="U2", name="Bob")
CY = Actor(surface="slack", tenant="T1", user_id="U3", name="Cy")
ADAS_KEY = Actor(surface="http", user_id="key:ada")
FINANCE = "slack::@finance"
LINKED = People(
    identities=same_people([(ADA.principal, ADAS_KEY.principal)]),
    groups={FINANCE: frozenset({ADA.principal, BOB.principal})},
)


def definition(**fields: object) -> PolicyDefinition:
    groups = (Group(name="finance", members=(FINANCE,)), Group(name="legal", members=("slack::U3",)))
    return PolicyDefinition.model_validate({"name": "pay", "who": ("finance",), "groups": groups} | fields)


def test_members_of_a_live_group_decide_in_each_of_their_identities() -> None:
    policy = resolve(definition(), CY)
    for actor in (ADA, BOB, ADAS_KEY):
        assert objection(actor, policy, LINKED) is Objection.NONE
    assert objection(CY, policy, LINKED) is Objection.NOT_NAMED
    unlinked = LINKED.model_copy(update={"identities": {}})
    assert objection(ADAS_KEY, policy, unlinked) is Objection.NOT_NAMED


@pytest.mark.parametrize("by", [ADA, ADAS_KEY])
@pytest.mark.parametrize("requester", [ADA, ADAS_KEY])
def test_the_requester_is_excluded_in_each_of_their_identities(requester: Actor, by: Actor) -> None:
    policy = resolve(definition(**{"not": ("requester",)}), requester)
    assert objection(by, policy, LINKED) is Objection.EXCLUDED
    assert objection(BOB, policy, LINKED) is Objection.NONE


def test_unlinking_an_identity_does_not_undo_an_exclusion() -> None:
    policy = resolve(definition(**{"not": ("requester",)}), ADAS_KEY)
    parted = People(
        identities_with_unlinked=same_people([(ADA.principal, ADAS_KEY.principal)]),
        groups=LINKED.groups,
    )
    assert objection(ADA, policy, parted) is Objection.EXCLUDED
    assert person_of(ADA, parted) == person_of(ADAS_KEY, parted)
    at_start = ADAS_KEY.model_copy(update={"linked": (ADA.principal,)})
    later = People(groups=LINKED.groups)
    assert (
        objection(ADA, resolve(definition(**{"not": ("requester",)}), at_start), later) is Objection.EXCLUDED
    )


def test_a_group_that_cannot_be_read_closes_the_question_to_its_members() -> None:
    policy = resolve(definition(who=("finance", "U3")), CY)
    people = People(unreadable={FINANCE: "Slack is away."})
    assert objection(ADA, policy, people) is Objection.UNREADABLE_GROUP
    assert objection(CY, policy, people) is Objection.NONE
    excluded = resolve(definition(**{"who": ("anyone",), "not": ("finance",)}), CY)
    assert objection(BOB, excluded, people) is Objection.UNREADABLE_GROUP


def test_guests_and_strangers_decide_only_where_the_crew_admits_them() -> None:
    policy = resolve(definition(who=("anyone",)), ADA)
    for membership in (Membership.GUEST, Membership.EXTERNAL):
        actor = BOB.model_copy(update={"membership": membership})
        assert objection(actor, policy, LINKED) is Objection.MEMBERSHIP
        admitted = resolve(definition(who=("anyone",)), ADA, (Membership.MEMBER, membership))
        assert objection(actor, admitted, LINKED) is Objection.NONE


def test_names_without_a_workspace_are_not_people_of_other_organizations() -> None:
    policy = resolve(definition(who=("U2",)), ADA, tuple(Membership))
    stranger = BOB.model_copy(update={"membership": Membership.EXTERNAL, "tenant": "T9"})
    assert objection(BOB, policy, LINKED) is Objection.NONE
    assert objection(stranger, policy, LINKED) is Objection.NOT_NAMED


@pytest.mark.parametrize("excluded", ["U2", "teams:bob", "vendors"])
def test_who_is_excluded_stays_so_as_a_guest_or_from_elsewhere(excluded: str) -> None:
    vendors = Group(name="vendors", members=("slack::U2",))
    policy = resolve(
        definition(**{"who": ("anyone",), "not": (excluded,), "groups": (vendors,)}), ADA, tuple(Membership)
    )
    linked = People(identities=same_people([(BOB.principal, "teams:X1:bob")]))
    for membership in Membership:
        actor = BOB.model_copy(update={"membership": membership})
        assert objection(actor, policy, linked) is Objection.EXCLUDED


def test_somebody_is_one_person_whatever_their_membership_was_when_they_answered() -> None:
    for people in (LINKED, People()):
        persons = {
            person_of(each.model_copy(update={"membership": membership}), people)
            for each in ((ADA, ADAS_KEY) if people is LINKED else (ADA,))
            for membership in Membership
        }
        assert len(persons) == 1


def test_programs_count_only_where_a_policy_lists_them() -> None:
    robot = Actor(surface="http", user_id="key:robot")
    assert objection(robot, resolve(definition(who=("anyone",)), ADA)) is Objection.NOT_NAMED
    assert objection(robot, resolve(definition(who=("key:robot",)), ADA)) is Objection.NONE
    assert objection(robot, policy_for(Approvers(anyone=True), ADA)) is Objection.NONE


def test_administrators_decide_plain_questions_and_no_named_policy_or_gate() -> None:
    admin = CY.model_copy(update={"admin": True})
    plain = policy_for(Approvers(), ADA)
    assert objection(admin, plain) is Objection.NONE
    assert objection(admin, for_gate(plain)) is Objection.NOT_NAMED
    assert objection(admin, resolve(definition(), ADA), LINKED) is Objection.NOT_NAMED
    excluded = resolve(definition(**{"not": ("requester",)}), admin)
    assert objection(admin, excluded, LINKED) is Objection.EXCLUDED


@pytest.mark.parametrize(
    ("changes", "people", "why"),
    [
        ({"need": 2}, LINKED, ""),
        ({"need": 3}, LINKED, "it needs 3 people, and 2 may decide"),
        ({"need": 2, "not": ("requester",)}, LINKED, "it needs 2 people, and 1 may decide"),
        ({"need": 3, "who": ("finance", "U3", "key:ada")}, LINKED, ""),
        ({"need": 4, "who": ("finance", "U3", "key:ada")}, LINKED, "it needs 4 people, and 3 may decide"),
        ({"need": 9, "who": ("anyone",)}, LINKED, ""),
        ({"need": 9}, People(), ""),
        ({"need": 9}, People(unreadable={FINANCE: "away"}), ""),
        ({"who": (), "per_group": {"finance": 2, "legal": 1}}, LINKED, ""),
        ({"who": (), "per_group": {"legal": 2}}, LINKED, "nobody can fill all seats of legal"),
    ],
)
def test_too_few_people_are_noticed_before_anybody_is_asked(
    changes: dict[str, object], people: People, why: str
) -> None:
    assert too_few(resolve(definition(**changes), ADA), people) == why


def test_the_version_of_a_policy_changes_with_it() -> None:
    assert definition().version == definition().version
    changed = [definition(need=2), definition(who=("legal",)), definition(groups=())]
    assert len({each.version for each in (definition(), *changed)}) == 4


def test_a_policy_asks_for_no_more_people_than_can_be_counted() -> None:
    with pytest.raises(ValueError, match="more than 100 people"):
        definition(per_group={"finance": 60, "legal": 60})


def test_groups_are_found_by_their_live_members() -> None:
    policy = resolve(definition(), ADA)
    assert groups_of(ADAS_KEY, policy, LINKED) == {"finance"}
    assert groups_of(CY, policy, LINKED) == {"legal"}


@given(
    people_in=st.dictionaries(st.sampled_from("pqrs"), st.frozensets(st.sampled_from("abc")), max_size=4),
    per_group=st.dictionaries(st.sampled_from("abc"), st.integers(1, 2), min_size=1, max_size=2),
)
def test_people_are_seated_so_that_most_seats_are_filled(
    people_in: dict[str, frozenset[str]], per_group: dict[str, int]
) -> None:
    policy = Policy(deciders=("*",), per_group=per_group)
    filled = filled_seats(policy, people_in)
    seats = [group for group, number in per_group.items() for _ in range(number)]
    orders = permutations([*people_in, *[""] * len(seats)], len(seats))
    most = max(
        sum(group in people_in.get(person, ()) for person, group in zip(order, seats, strict=True))
        for order in orders
    )
    assert sum(filled.values()) == most
    assert all(filled[group] <= number for group, number in per_group.items())
