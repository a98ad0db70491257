"""Linked identities and live groups: by proof only, and as they are now."""

import asyncio

import pytest

from bot.core.errors import Refused, UnreadableRecord
from bot.core.people.actor import Actor, Membership
from bot.core.people.policy import Policy, can_decide
from bot.core.ports.directory import GroupUnreadable
from bot.core.sessions import person_at_console
from bot.store import live_groups, redis_keys
from bot.store.link_codes import MAX_CODES, MAX_TRIES
from bot.store.live_groups import MAX_AGE_FOR_DECISION_MS, MAX_AGE_MS, LiveGroups, Members
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import ADA, BOB

KEY = Actor(surface="http", user_id="key:ada", name="Ada's key")
TEAMS = Actor(surface="teams", tenant="t1", user_id="o1", name="Ada Lovelace")
GROUP = "slack::@finance"


async def link(store: RedisStore, one: Actor, other: Actor) -> tuple[Actor, ...]:
    return await store.directory.redeem(await store.directory.new_code(one), other)


async def names(store: RedisStore, actor: Actor) -> set[str]:
    return {each.principal for each in await store.directory.identities(actor)}


@pytest.mark.everywhere
async def test_a_code_links_whoever_enters_it_with_whom_it_was_given_to(store: RedisStore) -> None:
    code = await store.directory.new_code(ADA)
    assert (await store.directory.code_owner(code, KEY)).principal == ADA.principal
    linked = await store.directory.redeem(f" {code.lower().replace('-', ' ')}", KEY)
    assert [(each.principal, each.name) for each in linked] == [
        (KEY.principal, "Ada's key"),
        (ADA.principal, "Ada"),
    ]
    for actor in (ADA, KEY):
        assert await store.directory.identities(actor) == linked
        assert set((await store.directory.known(actor)).principals) == {ADA.principal, KEY.principal}
    people = await store.directory.people(Policy(deciders=(ADA.principal,)), [KEY])
    assert can_decide(KEY, Policy(deciders=(ADA.principal,)), people)
    assert not can_decide(BOB, Policy(deciders=(ADA.principal,)), people)


async def test_two_persons_with_several_identities_become_one(store: RedisStore) -> None:
    bobs = Actor(surface="http", user_id="key:bob")
    await link(store, ADA, KEY)
    await link(store, TEAMS, bobs)
    await link(store, KEY, TEAMS)
    everything = {each.principal for each in (ADA, KEY, TEAMS, bobs)}
    for actor in (ADA, KEY, TEAMS, bobs):
        assert await names(store, actor) == everything
    assert await store.directory.unlink(ADA, TEAMS.principal)
    assert await names(store, ADA) == everything - {TEAMS.principal}
    assert await names(store, TEAMS) == {TEAMS.principal}


async def test_links_that_are_made_at_once_all_hold(store: RedisStore, store_url: str) -> None:
    async with open_store(store_url) as other:
        keys = [Actor(surface=f"surface{n}", user_id=f"u{n}") for n in range(4)]
        codes = [await store.directory.new_code(ADA) for _ in keys]
        await asyncio.gather(
            *(
                where.directory.redeem(code, key)
                for code, key, where in zip(codes, keys, (store, other) * 2, strict=True)
            )
        )
    assert await names(store, ADA) == {each.principal for each in (ADA, *keys)}


async def test_a_code_is_used_once_and_a_lost_reply_is_no_failure(store: RedisStore) -> None:
    code = await store.directory.new_code(ADA)
    linked = await store.directory.redeem(code, KEY)
    assert await store.directory.redeem(code, KEY) == linked
    assert await refused(store, code, TEAMS) == "invalid_code"
    assert await names(store, TEAMS) == {TEAMS.principal}


async def refused(store: RedisStore, code: str, actor: Actor) -> str:
    with pytest.raises(Refused) as error:
        await store.directory.redeem(code, actor)
    return error.value.code


async def test_codes_prove_nothing_on_their_own_surface_nor_twice(store: RedisStore) -> None:
    assert await refused(store, await store.directory.new_code(ADA), BOB) == "same_surface"
    assert await refused(store, await store.directory.new_code(ADA), person_at_console(ADA)) == "same_surface"
    await link(store, ADA, KEY)
    assert await refused(store, await store.directory.new_code(ADA), KEY) == "already_linked"
    assert await refused(store, "ABCDE-FGHJK", KEY) == "invalid_code"


async def test_a_session_at_the_console_links_whoever_signed_in(store: RedisStore) -> None:
    await link(store, TEAMS, person_at_console(ADA))
    assert await names(store, TEAMS) == {TEAMS.principal, ADA.principal}
    people = await store.directory.people(Policy(deciders=()), [person_at_console(ADA)])
    assert can_decide(person_at_console(ADA), Policy(deciders=(TEAMS.principal,)), people)


async def test_people_of_other_organizations_link_nothing(store: RedisStore) -> None:
    external = BOB.model_copy(update={"membership": Membership.EXTERNAL, "surface": "teams"})
    with pytest.raises(Refused) as error:
        await store.directory.new_code(external)
    assert error.value.code == "not_linkable"
    assert await refused(store, await store.directory.new_code(ADA), external) == "not_linkable"


async def test_nobody_can_guess_for_long(store: RedisStore) -> None:
    codes = [await refused(store, f"ABCDE-FGHJ{n}", KEY) for n in range(MAX_TRIES)]
    assert set(codes) == {"invalid_code"}
    code = await store.directory.new_code(ADA)
    assert await refused(store, code, KEY) == "too_many_attempts"
    assert await store.directory.redeem(code, TEAMS)
    for _ in range(MAX_CODES - 1):
        await store.directory.new_code(ADA)
    with pytest.raises(Refused, match="too many codes"):
        await store.directory.new_code(ADA)


async def test_redis_has_no_code_that_could_be_entered(store: RedisStore) -> None:
    code = await store.directory.new_code(ADA)
    keys = await store.connection.do(store.connection.redis.keys("*"))
    values = [str(await store.connection.do(store.connection.redis.type(key))) for key in keys]
    stored = [
        str(await store.connection.do(store.connection.redis.hgetall(key)))
        for key, kind in zip(keys, values, strict=True)
        if kind == "hash"
    ]
    for part in (code, code.replace("-", "")):
        assert not any(part in each for each in (*keys, *stored))
    [key] = [each for each in keys if ":code:" in each]
    assert 0 < await store.connection.do(store.connection.redis.ttl(key)) <= 600


async def test_only_ones_own_identities_are_unlinked(store: RedisStore) -> None:
    await link(store, ADA, KEY)
    assert not await store.directory.unlink(BOB, KEY.principal)
    assert not await store.directory.unlink(ADA, BOB.principal)
    assert await store.directory.unlink(ADA, KEY.principal)
    assert not await store.directory.unlink(ADA, KEY.principal)
    people = await store.directory.people(Policy(deciders=()), [KEY])
    assert not can_decide(KEY, Policy(deciders=(ADA.principal,)), people)


async def test_an_identity_that_cannot_be_read_decides_nothing(store: RedisStore) -> None:
    await store.connection.do(
        store.connection.redis.hset(redis_keys.identities(), ADA.principal, '{"identities": [], "x": 1}')
    )
    with pytest.raises(UnreadableRecord):
        await store.directory.people(Policy(deciders=(BOB.principal,)), [ADA])


# ── live groups ─────────────────────────────────────────────────────────────────────────────────────────


class Reader:
    def __init__(self, *members: Actor) -> None:
        self.members_now = frozenset(each.principal for each in members)
        self.reads = 0
        self.wrong: Exception | None = None

    async def members(self, group: str) -> frozenset[str]:
        assert group == GROUP
        self.reads += 1
        await asyncio.sleep(0)
        if self.wrong is not None:
            raise self.wrong
        return self.members_now


FINANCE = Policy(deciders=(GROUP,))


async def aged(store: RedisStore, ms: int) -> None:
    """What was read of the group is older than it is."""
    key = redis_keys.live_group(GROUP)
    members = Members.model_validate_json(await store.connection.do(store.connection.redis.get(key)))
    older = members.model_copy(update={"at": members.at - ms})
    await store.connection.do(store.connection.redis.set(key, older.model_dump_json()))


async def test_a_group_is_read_once_for_decisions_at_the_same_time(store: RedisStore) -> None:
    reader = Reader(ADA)
    store.directory.serve("slack", reader)
    found = await asyncio.gather(*(store.directory.people(FINANCE, [ADA]) for _ in range(9)))
    assert {each.groups[GROUP] for each in found} == {frozenset({ADA.principal})}
    assert reader.reads == 1
    reader.members_now = frozenset({BOB.principal})
    await aged(store, MAX_AGE_FOR_DECISION_MS + 1)
    assert (await store.directory.people(FINANCE)).groups == {GROUP: frozenset({BOB.principal})}


async def test_a_decision_that_looked_before_another_read_a_group_takes_what_was_read(
    store: RedisStore,
) -> None:
    reader, groups = Reader(ADA), LiveGroups(store.connection)
    groups.serve("slack", reader)
    now = await store.connection.now()
    found = [await groups.at_decision([GROUP], [None], now) for _ in range(2)]
    assert [set(each[GROUP].members) for each in found] == [{ADA.principal}] * 2
    assert reader.reads == 1


@pytest.mark.parametrize("wrong", [GroupUnreadable("Slack is away."), RuntimeError("oops")])
async def test_a_group_that_cannot_be_read_is_not_what_it_was(store: RedisStore, wrong: Exception) -> None:
    reader = Reader(ADA)
    store.directory.serve("slack", reader)
    await store.directory.people(FINANCE)
    await aged(store, MAX_AGE_FOR_DECISION_MS + 1)
    reader.wrong = wrong
    people = await store.directory.people(FINANCE, [ADA])
    assert people.groups == {}
    assert people.unreadable[GROUP] in {"Slack is away.", "The members of @finance can't be read."}


async def test_other_processes_use_what_was_read_until_it_is_too_old(
    store: RedisStore, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_groups, "WAIT_S", 0.1)
    store.directory.serve("slack", Reader(ADA))
    await store.directory.refresh([GROUP])
    async with open_store(store_url) as other:
        assert (await other.directory.people(FINANCE)).groups == {GROUP: frozenset({ADA.principal})}
        assert (await other.directory.known(ADA)).groups == (GROUP,)
        await aged(store, MAX_AGE_MS + 1)
        people = await other.directory.people(FINANCE)
        assert people.groups == {}
        assert "no process that is connected to Slack" in people.unreadable[GROUP]
        assert (await other.directory.known(ADA)).groups == ()


async def test_a_process_that_can_read_a_group_does_so_for_others(store: RedisStore, store_url: str) -> None:
    reader = Reader(ADA)
    store.directory.serve("slack", reader)
    keeping = asyncio.create_task(store.directory.keep_groups_fresh())
    try:
        async with open_store(store_url) as other:
            people = await other.directory.people(FINANCE)
            assert people.groups == {GROUP: frozenset({ADA.principal})}
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert reader.reads == 1
