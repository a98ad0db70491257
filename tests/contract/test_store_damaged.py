"""Every list and loop of the store goes on when one of its records is damaged or of a newer release."""

import json
from typing import Any

import pytest
import redis

from bot.core import sessions
from bot.core.events.event import UNREADABLE, TaskStarted
from bot.core.people.api_keys import ApiKey, Scope, digest
from bot.core.questions.question import Deadline
from bot.store import redis_keys
from bot.store.clock import QUARANTINED
from bot.store.redis import RedisStore
from tests.contract.examples import ADA, DEMO, LEASE, LOST, PLACE, approval, claimed, started

BAD = ("", "{", "[]", "null", '"words"', '{"at": "soon"}', "\x00", "{}" * 9, "[" * 20_000)


@pytest.mark.parametrize("bad", BAD)
async def test_crews_that_others_announced_are_known(
    bad: str, store: RedisStore, server: redis.Redis
) -> None:
    await store.catalogue.announce("here", [DEMO])
    newer = DEMO.model_dump(mode="json") | {"name": "newer", "approvers": {"groups": ["finance"]}}
    fields = {
        "source broken": bad,
        "crew broken bad": bad,
        "source there": f"{await store.clock.now()} 1",
        "crew there newer": json.dumps(newer),
        "crew there fine": DEMO.model_copy(update={"name": "fine"}).model_dump_json(),
        "version": "another",
    }
    for field, value in fields.items():
        server.hset(redis_keys.CREWS, field, value)
    assert list(await store.catalogue.crews()) == ["demo", "fine"]
    assert store.health.unreadable() == {"announcement": 1, "crew": 2}
    await store.catalogue.announce("here", [DEMO, DEMO.model_copy(update={"name": "more"})])
    assert list(await store.catalogue.crews()) == ["demo", "fine", "more"]


@pytest.mark.parametrize("bad", BAD)
async def test_what_queued_runs_wait_for_is_said(bad: str, store: RedisStore, server: redis.Redis) -> None:
    run = await started(store)
    await store.queue.register_worker("w1", {"demo": 2}, LEASE)
    server.hset(redis_keys.WORKER_CREWS, "w2", bad)
    server.hset(redis_keys.slots("demo"), "another run", bad)
    assert (await store.runs.waits([run]))[run.id].code == "turn"
    assert set(store.health.unreadable()) == {"offer", "working place"}


@pytest.mark.parametrize("bad", BAD)
async def test_other_keys_still_let_people_in(bad: str, store: RedisStore, server: redis.Redis) -> None:
    assert await store.api_keys.add(ApiKey(name="ci", scopes=(Scope.READ,), digest="d"))
    assert await store.api_keys.add(ApiKey(name="other", scopes=(Scope.READ,), digest="e"))
    server.hset(f"{redis_keys.base(0)}:apikeys", "other", bad)
    server.hset(
        f"{redis_keys.base(0)}:apikeys", "undated", '{"name": "undated", "scopes": [], "digest": "f"}'
    )
    assert [key.name for key in await store.api_keys.list()] == ["ci"]
    assert await store.api_keys.locked()


@pytest.mark.parametrize("bad", [each for each in BAD if "at" not in each])
async def test_an_event_that_is_damaged_keeps_its_number(
    bad: str, store: RedisStore, server: redis.Redis
) -> None:
    claim = await claimed(store)
    server.hincrby(redis_keys.run(claim.run.id), "seq", 1)
    server.xadd(redis_keys.events(claim.run.id), {"at": bad, "body": bad}, id="2-0")
    await store.events.append(claim, TaskStarted(crew_id="c", task_id="t", task="T", number=1, total=1))
    events = await store.events.read(claim.run.id)
    assert [(event.seq, event.body.type) for event in events] == [
        (1, "run_started"),
        (2, UNREADABLE),
        (3, "task_started"),
    ]
    assert events[1].public()["seq"] == 2
    assert (await store.events.read_many({claim.run.id: 1}))[claim.run.id] == events[1:]
    assert store.health.unreadable() == {"event": 1}


async def test_the_inbox_passes_entries_that_lead_nowhere(store: RedisStore, server: redis.Redis) -> None:
    claim = await claimed(store)
    shard = redis_keys.shard_of(claim.run.id)
    now = await store.inbox.snapshot()
    entries: list[dict[Any, Any]] = [
        {"run": claim.run.id, "seq": "first"},
        {"odd": "1"},
        {"run": "", "seq": "-1"},
    ]
    for fields in entries:
        server.xadd(redis_keys.inbox(shard), fields)
    asked = await store.questions.ask(claim, approval(claim))
    server.zadd(redis_keys.open_questions(shard), {"no names": 1, "/": 2, f"{claim.run.id}/gone": 3})
    server.hset(redis_keys.question(claim.run.id, "gone"), mapping={"seq": "one", "position": "here"})
    refs = await store.inbox.after(dict(enumerate(now.positions)))
    assert len(refs) == 4
    assert [entry.event.seq for entry in await store.inbox.read(refs)] == [2]
    [waiting] = (await store.inbox.snapshot()).open
    assert waiting.seq == 2
    assert await store.questions.open() == [asked]


async def test_one_broken_shard_does_not_stop_the_clock_of_the_others(
    store: RedisStore, server: redis.Redis
) -> None:
    claims = [await claimed(store) for _ in range(12)]
    shards = {redis_keys.shard_of(claim.run.id) for claim in claims}
    broken = min(shards)
    server.delete(f"{redis_keys.base(broken)}:leases")
    server.set(f"{redis_keys.base(broken)}:delayed", "no sorted set")
    for claim in claims:
        if redis_keys.shard_of(claim.run.id) != broken:
            server.zadd(f"{redis_keys.base(redis_keys.shard_of(claim.run.id))}:leases", {claim.run.id: 1})
    asked = await store.questions.ask(claims[-1], approval(claims[-1], deadline=Deadline(after=0)))
    with pytest.raises(Exception, match="WRONGTYPE"):
        await store.clock.apply_due(QUARANTINED)
    others = [claim for claim in claims if redis_keys.shard_of(claim.run.id) != broken]
    assert others
    assert {server.hget(redis_keys.run(claim.run.id), "state") for claim in others} == {"queued"}
    assert not (await store.questions.get(claims[-1].run.id, asked.id)).open


async def test_what_stands_in_a_list_and_is_gone_holds_up_nothing(
    store: RedisStore, server: redis.Redis
) -> None:
    claim = await claimed(store)
    base = redis_keys.base(redis_keys.shard_of(claim.run.id))
    for name in (":leases", ":delayed", ":over", ":journals"):
        server.zadd(f"{base}{name}", {"gone": 1})
    server.zadd(f"{base}:leases", {claim.run.id: 2})
    assert await store.clock.apply_due(LOST) == 1
    assert server.hget(redis_keys.run(claim.run.id), "state") == "queued"
    assert await store.clock.apply_due(LOST) == 0


@pytest.mark.parametrize("bad", BAD)
async def test_other_sessions_go_on(bad: str, store: RedisStore, server: redis.Redis) -> None:
    token = await sessions.open_session(store.key_values, ADA, (Scope.READ,))
    [session] = await sessions.open_sessions(store.key_values)
    other = digest(await sessions.open_session(store.key_values, ADA, (Scope.READ,)))
    for text in (
        bad,
        session.model_copy(update={"id": other}).model_dump_json()[:-1] + ', "only": "reading"}',
    ):
        server.set(redis_keys.key_value(f"session:{other}"), text)
        assert await sessions.open_sessions(store.key_values) == [session]
        assert await sessions.find_session(store.key_values, digest(token)) == session
        assert await sessions.find_session(store.key_values, other) is None
        assert other in await store.key_values.pending(sessions.SESSIONS_KIND)


async def test_copies_and_places_of_another_form_are_read_as_they_are(
    store: RedisStore, server: redis.Redis
) -> None:
    run = await started(store, place=PLACE)
    server.hset(redis_keys.shown(run.id, "slack"), mapping={"cursor": "far", "copy:run": "C1/1.2"})
    shown = await store.outbox.state("slack", run.id)
    assert (shown.cursor, shown.messages) == (0, {"run": "C1/1.2"})
