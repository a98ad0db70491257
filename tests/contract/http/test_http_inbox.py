"""The streams of all runs: what is open, then live; nothing that is kept is missed."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import redis

from bot.core.ports.inbox import Cursor
from bot.core.runs.run import Claim, RunError
from bot.core.wakeups import Wakeups
from bot.store import redis_keys
from bot.store.clock import ClockSettings
from bot.store.redis import compose, open_store
from bot.store.redis_keys import shard_of
from bot.surfaces.http.streams.inbox_feed import InboxFeed, InboxFollower
from tests.contract.examples import DEMO, LEASE, approval, new_run
from tests.contract.faulty_proxy import faulty_proxy
from tests.contract.http.following import TRANSPORTS, Follow, Sent, some_of
from tests.contract.http.served import Served
from tests.waiting import WITHIN, alongside, until

EACH = pytest.mark.parametrize("follow", TRANSPORTS.values(), ids=TRANSPORTS)
LOST = RunError(code="worker_lost", message="")


def bodies(found: list[Sent]) -> list[dict[str, Any]]:
    return [json.loads(data) for data, _ in found]


def public(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "cursor"}


async def answer(served: Served, question_id: str) -> None:
    done = await served.post(f"/questions/{question_id}/answer", {"action": "approve"})
    assert done.status_code == 200, done.text


@EACH
async def test_first_what_is_open_then_live(follow: Follow, served: Served) -> None:
    one, two = await served.started(), await served.started()
    settled = await served.ask(one, "Settled?")
    await answer(served, settled.id)
    asked = [await served.ask(one, "One?"), await served.ask(two, "Two?")]
    # Those of one millisecond are in the order of their shards.
    waiting = sorted(asked, key=lambda each: (each.created_at, shard_of(each.run_id)))
    stream = follow(served, "", "")
    found = bodies([await anext(stream) for _ in range(3)])
    assert [each["type"] for each in found] == ["human_input_required"] * 2 + ["snapshot_complete"]
    assert [each["question_id"] for each in found[:2]] == [question.id for question in waiting]
    await answer(served, waiting[0].id)
    live = bodies([await anext(stream)])
    assert (live[0]["type"], live[0]["question_id"]) == ("human_input_completed", waiting[0].id)
    events = (await served.get(f"/runs/{waiting[0].run_id}/events")).json()["events"]
    assert public(live[0]) in events
    assert public(found[0]) in events
    await stream.aclose()  # type: ignore[attr-defined]


@EACH
async def test_who_was_away_for_a_night_misses_nothing(follow: Follow, served: Served) -> None:
    claim = await served.started()
    [(data, cursor)] = await some_of(follow(served, "", ""), 1)
    assert json.loads(data)["type"] == "snapshot_complete"
    asked = [await served.ask(claim, f"Question {number}?") for number in range(220)]
    for question in asked[:5]:
        await answer(served, question.id)
    await served.store.queue.finish(claim, result="x")
    found = bodies(await some_of(follow(served, "", cursor), 440))
    assert [each["question_id"] for each in found[:220]] == [question.id for question in asked]
    assert {each["type"] for each in found[220:]} == {"human_input_completed"}
    assert len({each["event_id"] for each in found}) == 440


@EACH
async def test_cut_and_resumed_at_random_order_holds_within_each_run(follow: Follow, served: Served) -> None:
    chance = random.Random(7)
    claims = [await served.started() for _ in range(4)]
    early = [await served.ask(claim, "Early?") for claim in claims]
    begun = asyncio.Event()
    playing = asyncio.create_task(ask_and_answer(served, claims, chance, begun))
    seen: list[dict[str, Any]] = []
    cursor = ""
    while len(seen) < 4 + 4 * 10:
        count = min(chance.randint(1, 9), 4 + 4 * 10 - len(seen))
        found = await some_of(noticed(follow(served, "", cursor), begun), count)
        seen += [each for each in bodies(found) if each["type"] != "snapshot_complete"]
        cursor = found[-1][1]
    await playing
    assert len({each["event_id"] for each in seen}) == len(seen)
    assert {question.id for question in early} <= {each["question_id"] for each in seen}
    for claim in claims:
        numbers = [each["seq"] for each in seen if each["execution_id"] == claim.run.id]
        assert numbers == list(range(2, 13))


async def noticed(stream: AsyncIterator[Sent], begun: asyncio.Event) -> AsyncIterator[Sent]:
    """The same stream, whose first object is noticed."""
    async with aclosing(stream) as objects:  # type: ignore[type-var]
        async for each in objects:
            begun.set()
            yield each


async def ask_and_answer(
    served: Served, claims: list[Claim], chance: random.Random, begun: asyncio.Event
) -> None:
    await begun.wait()  # what is settled before the snapshot is in no stream that begins with it
    for _ in range(5):
        for claim in chance.sample(claims, len(claims)):
            question = await served.ask(claim)
            await asyncio.sleep(0)
            await answer(served, question.id)


@EACH
async def test_a_cursor_that_is_no_good_is_told_so_and_everything_kept_follows(
    follow: Follow, served: Served
) -> None:
    claim = await served.started()
    question = await served.ask(claim)
    await answer(served, question.id)
    found = bodies(await some_of(follow(served, "", "nonsense"), 4))
    kinds = ["stream_reset", "snapshot_complete", "human_input_required", "human_input_completed"]
    assert [each["type"] for each in found] == kinds


async def test_what_is_no_longer_kept_is_a_reset_not_a_gap(served: Served) -> None:
    claim = await served.started()
    first = (await served.get("/poll/human-input")).json()["events"][-1]["cursor"]
    await served.ask(claim, "Open through it all?")
    old = await served.ask(claim)
    await answer(served, old.id)
    await asyncio.sleep(0.01)
    await compose(served.store.connection, ClockSettings(retention=0.0)).clock.apply_due(LOST)
    found = (await served.get("/poll/human-input", params={"last_event_id": first})).json()["events"]
    assert [each["type"] for each in found] == ["stream_reset", "human_input_required", "snapshot_complete"]
    assert found[1]["prompt"] == "Open through it all?"
    again = {"last_event_id": found[-1]["cursor"]}
    assert (await served.get("/poll/human-input", params=again)).json() == {"events": []}


@EACH
@pytest.mark.parametrize("shard", [0, redis_keys.SHARDS - 1])
async def test_a_cursor_of_another_store_is_a_reset_not_a_gap(
    follow: Follow, served: Served, shard: int
) -> None:
    """It is beyond what this store has come to: what comes before it would be missed."""
    claim = await served.started()
    question = await served.ask(claim)
    await answer(served, question.id)
    newest = list(await served.store.inbox.newest())
    ms, n = newest[shard]
    newest[shard] = ms, n + 1
    found = bodies(await some_of(follow(served, "", Cursor(tuple(newest)).encode()), 4))
    kinds = ["stream_reset", "snapshot_complete", "human_input_required", "human_input_completed"]
    assert [each["type"] for each in found] == kinds


async def test_a_cursor_stays_good_when_the_runs_before_it_are_deleted(served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim)
    await answer(served, question.id)
    cursor = (await served.get("/poll/human-input")).json()["events"][-1]["cursor"]
    deleted = await served.client.delete(f"/runs/{claim.run.id}?cancel=true")
    assert deleted.status_code == 204
    again = await served.get("/poll/human-input", params={"last_event_id": cursor})
    assert again.json() == {"events": []}


async def test_a_waiting_poll_is_woken_by_a_question_of_any_run(served: Served) -> None:
    cursor = (await served.get("/poll/human-input")).json()["events"][-1]["cursor"]
    claim = await served.started()
    query = {"last_event_id": cursor, "wait": "60"}
    waiting = [asyncio.create_task(served.get("/poll/human-input", params=query)) for _ in range(3)]
    await asyncio.sleep(0.1)
    question = await served.ask(claim)
    for poll in waiting:
        [event] = (await asyncio.wait_for(poll, 55)).json()["events"]
        assert event["question_id"] == question.id


async def test_a_client_that_goes_on_needs_no_look_at_what_is_open(
    served: Served, server: redis.Redis
) -> None:
    many = 50
    claim = await served.started()
    for number in range(many):
        await served.ask(claim, f"{number}?")
    cursor = (await served.get("/poll/human-input")).json()["events"][-1]["cursor"]
    server.config_resetstat()
    answer = await served.get("/poll/human-input", params={"last_event_id": cursor})
    assert answer.json() == {"events": []}
    read = server.info("commandstats").get("cmdstat_hmget", {"calls": 0})
    assert read["calls"] < many


async def test_what_comes_while_a_client_reads_reaches_it_at_once(redis_url: str, data_dir: Path) -> None:
    """The answer to its own read, which leaves that out, is still on its way."""
    upstream = redis_url.removeprefix("unix://")
    async with (
        faulty_proxy(data_dir / "proxy.sock", upstream) as proxy,
        open_store(proxy.url) as far,
        open_store(redis_url) as store,
    ):
        wakeups = Wakeups()
        feed = InboxFeed(store.inbox, wakeups)
        await store.runs.start(new_run())
        [claim] = await store.queue.claim("worker", [DEMO.name], 1, LEASE)
        async with alongside(wakeups.follow(store.events), feed.run()):
            with feed.follow():
                client = InboxFollower(feed, far.inbox, None)
                await client.open("")
                await client.next(0)
                await until(lambda: feed.end is not None)
                held = proxy.hold(b"XRANGE")
                waiting = asyncio.create_task(client.next(WITHIN))
                await held.reached.wait()
                question = await store.questions.ask(claim, approval(claim))
                await until(lambda: feed.end)
                held.released.set()
                [message] = await asyncio.wait_for(waiting, WITHIN / 2)
    assert json.loads(message.data)["question_id"] == question.id
