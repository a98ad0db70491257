"""Whoever may no longer act when a question is settled doesn't count, however the policy names them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.core.errors import CrewdeckError, PermissionUnknown, Refused
from bot.core.people.actor import Actor, Membership
from bot.core.people.api_keys import ApiKey, Scope
from bot.core.people.policy import ANYONE, Group, Objection, OnReject, Policy
from bot.core.ports.directory import MembershipLookup
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action
from bot.core.questions.response import Choose, Reject
from bot.core.sessions import key_at_console, person_at_console
from bot.core.wakeups import Wakeups
from bot.store.redis import RedisStore
from bot.surfaces.http.callers import KeyCache
from tests.contract.examples import ADA, BOB, approval, choice, claimed
from tests.contract.test_store_policies import CY, TWO, Groups, gate, plain, say, yes

FINANCE = "slack::@finance"
NAMED = TWO
GROUP = Policy(deciders=(FINANCE,), need=2, name="pay", version="1", admins=False)
EVERYBODY = Policy(deciders=(ANYONE,), need=2, name="pay", version="1", admins=False)
ADMITTING = Policy(
    deciders=(ANYONE,), allowed_memberships=tuple(Membership), need=2, name="pay", version="1", admins=False
)
SEATS = NAMED.model_copy(
    update={"need": 1, "per_group": {"all": 2}, "groups": (Group(name="all", members=NAMED.deciders),)}
)


class Accounts:
    """What a platform says of people's accounts now."""

    def __init__(self) -> None:
        self.now: dict[str, Membership | CrewdeckError | None] = {}
        self.asked: list[str] = []

    async def membership(self, person: Actor) -> Membership | None:
        self.asked.append(person.user_id)
        said = self.now.get(person.user_id, Membership.MEMBER)
        if isinstance(said, CrewdeckError):
            raise said
        return said


@pytest.fixture
def accounts(store: RedisStore) -> Accounts:
    found = Accounts()
    store.directory.vouch("slack", found.membership)
    store.directory.serve("slack", Groups(finance=frozenset({ADA.principal, BOB.principal, CY.principal})))
    return found


@pytest.mark.parametrize(
    "policy", [NAMED, GROUP, SEATS, EVERYBODY, ADMITTING], ids=["named", "group", "seats", "anyone", "all"]
)
@pytest.mark.parametrize("now", [None, CrewdeckError("Slack can't be asked.")], ids=["gone", "unknown"])
async def test_who_has_lost_their_account_since_does_not_count(
    store: RedisStore, accounts: Accounts, policy: Policy, now: CrewdeckError | None
) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, gate(claim, policy))
    assert (await say(store, asked, yes(ADA, digest=asked.digest))).verdict is Verdict.RECORDED
    accounts.now[ADA.user_id] = now
    pending = await say(store, asked, yes(BOB, digest=asked.digest))
    assert pending.verdict is Verdict.RECORDED
    assert pending.question is not None
    assert [each.by for each in pending.question.progress.counted] == [BOB]
    assert [each.by for each in pending.question.progress.ineligible] == [ADA]
    settled = await say(store, asked, yes(CY, digest=asked.digest))
    assert settled.question is not None
    assert settled.question.outcome is not None
    assert [each.by for each in settled.question.outcome.responses] == [BOB, CY]


@pytest.mark.parametrize(
    ("policy", "now", "counts"),
    [
        (NAMED, Membership.GUEST, False),
        (EVERYBODY, Membership.EXTERNAL, False),
        (ADMITTING, Membership.GUEST, True),
        (ADMITTING, Membership.EXTERNAL, True),
        (NAMED.model_copy(update={"allowed_memberships": tuple(Membership)}), Membership.EXTERNAL, False),
    ],
)
async def test_who_belongs_differently_since_counts_as_they_would_now(
    store: RedisStore, accounts: Accounts, policy: Policy, now: Membership, *, counts: bool
) -> None:
    if policy.deciders == NAMED.deciders:  # Named without a workspace: members of our own.
        deciders = tuple(f"slack::{each.user_id}" for each in (ADA, BOB, CY))
        policy = policy.model_copy(update={"deciders": deciders})
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim, policy))
    await say(store, asked, yes(ADA))
    accounts.now[ADA.user_id] = now
    assert ((await say(store, asked, yes(BOB))).verdict is Verdict.SETTLED) is counts


async def test_who_is_back_counts_again_with_the_next_approval(store: RedisStore, accounts: Accounts) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim))
    await say(store, asked, yes(ADA))
    accounts.now[ADA.user_id] = None
    assert (await say(store, asked, yes(BOB, "first"))).verdict is Verdict.RECORDED
    accounts.now[ADA.user_id] = Membership.MEMBER
    assert (await say(store, asked, yes(BOB, "second"))).verdict is Verdict.SETTLED


async def test_rejections_and_choices_are_of_those_who_may_decide_now(
    store: RedisStore, accounts: Accounts
) -> None:
    claim = await claimed(store)
    counting = NAMED.model_copy(update={"on_reject": OnReject.COUNTS})
    asked = await store.questions.ask(claim, plain(claim, counting))
    await say(store, asked, Reject(actor=ADA, key="press"))
    accounts.now[ADA.user_id] = None
    assert (await say(store, asked, Reject(actor=BOB, key="press"))).verdict is Verdict.RECORDED
    colour = await store.questions.ask(claim, choice(claim, NAMED))
    [wanted, *_] = colour.options
    for who, verdict in ((ADA, Verdict.RECORDED), (BOB, Verdict.RECORDED), (CY, Verdict.SETTLED)):
        chosen = Choose(actor=who, key="choice", value=wanted.id)
        assert (await say(store, colour, chosen)).verdict is verdict


async def test_who_approved_in_the_console_is_vouched_for_by_what_they_signed_in_with(
    store: RedisStore, accounts: Accounts
) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim))
    await say(store, asked, yes(person_at_console(ADA)))
    accounts.now[ADA.user_id] = None
    assert (await say(store, asked, yes(BOB))).verdict is Verdict.RECORDED
    assert accounts.asked == [ADA.user_id]


async def test_nobody_is_asked_about_where_one_person_decides(store: RedisStore, accounts: Accounts) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, approval(claim, "one"))
    assert (await say(store, asked, yes(ADA))).verdict is Verdict.SETTLED
    assert accounts.asked == []


async def test_who_has_an_account_elsewhere_counts_as_it_was_said_there(
    store: RedisStore, accounts: Accounts
) -> None:
    """In a process that isn't connected to where somebody has their account."""
    teams = Actor(surface="teams", tenant="X1", user_id="eve", name="Eve")
    claim = await claimed(store)
    policy = NAMED.model_copy(update={"deciders": (*NAMED.deciders, teams.principal)})
    asked = await store.questions.ask(claim, plain(claim, policy))
    await say(store, asked, yes(teams))
    assert (await say(store, asked, yes(BOB))).verdict is Verdict.SETTLED
    assert accounts.asked == []


# ── API keys ────────────────────────────────────────────────────────────────────────────────────────────


def key(name: str, *scopes: Scope) -> ApiKey:
    return ApiKey(name=name, scopes=scopes or (Scope.ANSWER,), digest=f"digest of {name}")


@pytest.mark.parametrize("at_console", [False, True])
@pytest.mark.parametrize(
    ("after", "counts"),
    [([], True), (["revoke"], False), (["revoke", "add"], True), (["revoke", "narrow"], False)],
)
async def test_a_key_that_may_no_longer_answer_does_not_count(
    store: RedisStore, after: Sequence[str], *, counts: bool, at_console: bool
) -> None:
    keys = KeyCache(store.api_keys, Wakeups(), ())
    lookup: MembershipLookup = keys.current_membership
    store.directory.vouch("http", lookup)
    erp, ci = key("erp"), key("ci")
    await store.api_keys.add(erp)
    await store.api_keys.add(ci)
    claim = await claimed(store)
    policy = NAMED.model_copy(update={"deciders": ("http::key:erp", "http::key:ci")})
    asked = await store.questions.ask(claim, plain(claim, policy))
    await say(store, asked, yes(key_at_console(erp) if at_console else erp.actor()))
    for each in after:
        if each == "revoke":
            await store.api_keys.revoke("erp")
        else:
            await store.api_keys.add(key("erp", Scope.READ if each == "narrow" else Scope.ANSWER))
    ruling = await say(store, asked, yes(ci.actor()))
    assert (ruling.verdict is Verdict.SETTLED) is counts
    outcome = (await store.questions.get(claim.run.id, asked.id)).outcome
    assert (outcome.action if outcome else None) is (Action.APPROVE if counts else None)


# ── accounts that somebody has linked, and doesn't act with ─────────────────────────────────────────────────


ELSEWHERE = Actor(surface="teams", tenant="X1", user_id="ada", name="Ada in Teams")
ONE = NAMED.model_copy(update={"need": 1})
BY_LINK = {
    "named": ONE,
    "without a workspace": ONE.model_copy(update={"deciders": (f"slack::{ADA.user_id}",)}),
    "group": GROUP.model_copy(update={"need": 1}),
    "seat": SEATS.model_copy(update={"per_group": {"all": 1}}),
}


async def linked(store: RedisStore) -> None:
    await store.directory.redeem(await store.directory.new_code(ADA), ELSEWHERE)


@pytest.mark.parametrize("policy", BY_LINK.values(), ids=BY_LINK)
@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (Membership.MEMBER, True),
        (Membership.GUEST, False),
        (Membership.EXTERNAL, False),
        (None, False),
        (CrewdeckError("Slack can't be asked."), False),
    ],
    ids=["member", "guest", "external", "gone", "unknown"],
)
async def test_a_lost_account_decides_nothing_by_its_link_either(
    store: RedisStore,
    accounts: Accounts,
    policy: Policy,
    now: Membership | CrewdeckError | None,
    *,
    counts: bool,
) -> None:
    await linked(store)
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim, policy))
    accounts.now[ADA.user_id] = now
    ruling = await say(store, asked, yes(ELSEWHERE))
    assert (ruling.verdict, ruling.code) == (
        (Verdict.SETTLED, "") if counts else (Verdict.REFUSED, "not_allowed")
    )
    if isinstance(now, CrewdeckError):
        assert (ruling.objection, ruling.reason) == (Objection.UNVERIFIED, "Slack can't be asked.")
    elif not counts:
        assert (ruling.objection, ruling.reason) == (Objection.NOT_NAMED, "")
    prefetched = await store.questions.prefetch(asked.id, ELSEWHERE)
    again = await store.questions.respond(claim.run.id, asked.id, yes(ELSEWHERE, "again"), prefetched)
    assert (again.verdict is not Verdict.REFUSED) is counts


async def test_while_nobody_can_tell_who_somebody_is_they_are_told_so(
    store: RedisStore, accounts: Accounts
) -> None:
    """Whoever answers once more, with the account or the link that counted, and whoever cancels."""
    await linked(store)
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim))
    assert (await say(store, asked, yes(ADA))).verdict is Verdict.RECORDED
    accounts.now[ADA.user_id] = CrewdeckError("Slack can't be asked.")
    for each in (ADA, ELSEWHERE):
        refused = await say(store, asked, Reject(actor=each, key="again"))
        assert (refused.objection, refused.reason) == (Objection.UNVERIFIED, "Slack can't be asked.")
    assert (await say(store, asked, yes(Actor(surface="teams", tenant="X1", user_id="eve")))).objection == (
        Objection.NOT_NAMED
    )
    with pytest.raises(PermissionUnknown, match="Slack can't be asked"):
        await store.runs.cancel(claim.run.id, ELSEWHERE)
    accounts.now[ADA.user_id] = None
    with pytest.raises(Refused, match="not yours to cancel") as refusal:
        await store.runs.cancel(claim.run.id, ELSEWHERE)
    assert not isinstance(refusal.value, PermissionUnknown)


async def test_who_answered_by_the_link_of_an_account_that_was_lost_since_does_not_count(
    store: RedisStore, accounts: Accounts
) -> None:
    await linked(store)
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim))
    assert (await say(store, asked, yes(ELSEWHERE))).verdict is Verdict.RECORDED
    accounts.now[ADA.user_id] = None
    pending = await say(store, asked, yes(BOB))
    assert pending.verdict is Verdict.RECORDED
    assert pending.question is not None
    assert [each.by for each in pending.question.progress.ineligible] == [ELSEWHERE]


async def test_a_lost_account_still_excludes_its_person_and_makes_no_two_of_them(
    store: RedisStore, accounts: Accounts
) -> None:
    await linked(store)
    accounts.now[ADA.user_id] = None
    claim = await claimed(store)
    both = (ELSEWHERE.principal, *NAMED.deciders)
    excluding = ONE.model_copy(update={"deciders": both, "excluded": (ADA.principal,)})
    own = await store.questions.ask(claim, approval(claim, "own").model_copy(update={"policy": excluding}))
    assert (await say(store, own, yes(ELSEWHERE))).objection is Objection.EXCLUDED
    two = await store.questions.ask(claim, plain(claim, NAMED.model_copy(update={"deciders": both})))
    assert (await say(store, two, yes(ADA))).verdict is Verdict.RECORDED
    assert (await say(store, two, yes(ELSEWHERE))).verdict is Verdict.RECORDED
    progress = (await store.questions.get(claim.run.id, two.id)).progress
    assert [each.by for each in progress.counted] == [ELSEWHERE]


async def test_nobody_is_asked_about_a_linked_account_that_a_policy_does_not_mean(
    store: RedisStore, accounts: Accounts
) -> None:
    await linked(store)
    claim = await claimed(store)
    anyone = EVERYBODY.model_copy(update={"need": 1})
    asked = await store.questions.ask(claim, plain(claim, anyone))
    assert (await say(store, asked, yes(ELSEWHERE))).verdict is Verdict.SETTLED
    assert accounts.asked == []
