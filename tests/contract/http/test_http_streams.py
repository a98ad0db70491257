"""A run's streams: the same events over every transport, from wherever a client comes back."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise
from statistics import median

import pytest
import websockets
from httpx_sse import aconnect_sse

from bot.core import ids
from bot.core.runs.run import Claim, RunError
from bot.store.redis import RedisStore
from bot.surfaces.http.streams.streams import StreamTimings
from tests.contract.examples import DEMO
from tests.contract.http.following import TRANSPORTS, Follow, Sent, all_of, over_sse, some_of
from tests.contract.http.served import Served, serve
from tests.waiting import WITHIN, eventually

EACH = pytest.mark.parametrize("follow", TRANSPORTS.values(), ids=TRANSPORTS)
ATTEMPTS = 5


async def play(served: Served, claim: Claim, tasks: int = 5, pause: float = 0.0) -> None:
    """The crew works, asks, is answered, and finishes."""
    for number in range(1, tasks + 1):
        await served.work(claim, number, tasks)
        await asyncio.sleep(pause)
    await served.ask(claim, "Ready?\nReally — “yes”?")
    answer = await served.post(f"/{claim.run.id}/input", {"response": "Approve"})
    assert answer.status_code == 200
    await served.store.queue.finish(claim, result="Done: “ok”\n")


async def test_the_three_streams_carry_the_same_bytes(served: Served) -> None:
    claim = await served.started()
    path = f"/{claim.run.id}"
    live = [asyncio.create_task(all_of(follow(served, path, ""))) for follow in TRANSPORTS.values()]
    await asyncio.sleep(0.1)
    await play(served, claim, pause=0.01)
    late = [await all_of(follow(served, path, "")) for follow in TRANSPORTS.values()]
    first, *others = [[data for data, _ in found] for found in (*await asyncio.gather(*live), *late)]
    assert all(other == first for other in others)
    events = [json.loads(data) for data in first]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["event_id"] for event in events}) == len(events)
    assert [event["type"] for event in events][-3:] == [
        "human_input_required",
        "human_input_completed",
        "run_completed",
    ]
    assert {event["execution_id"] for event in events} == {claim.run.id}


@EACH
async def test_a_late_client_sees_the_waiting_question(follow: Follow, served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim)
    found = await some_of(follow(served, f"/{claim.run.id}", ""), 2)
    assert json.loads(found[1][0])["question_id"] == question.id


@EACH
@pytest.mark.parametrize("seed", range(2))
async def test_cut_and_resumed_at_random_nothing_is_missed_or_repeated(
    seed: int, follow: Follow, served: Served
) -> None:
    chance = random.Random(seed)
    claim = await served.started()
    playing = asyncio.create_task(play(served, claim, tasks=30, pause=0.004))
    seen: list[int] = []
    cursor = ""
    while not seen or seen[-1] != 64:  # started, 30 tasks begun and done, asked, answered, over
        found = await some_of(follow(served, f"/{claim.run.id}", cursor), chance.randint(1, 12))
        seen += [json.loads(data)["seq"] for data, _ in found]
        cursor = found[-1][1] if found else cursor
    await playing
    assert seen == list(range(1, 65))


@EACH
@pytest.mark.parametrize("cursor", ["nonsense", ids.event_id("another run", 1), "unborn"])
async def test_a_cursor_that_is_no_good_is_told_so_and_everything_follows(
    cursor: str, follow: Follow, served: Served
) -> None:
    claim = await served.started()
    await served.store.queue.finish(claim, result="x")
    cursor = ids.event_id(claim.run.id, 99) if cursor == "unborn" else cursor
    found = [json.loads(data) for data, _ in await all_of(follow(served, f"/{claim.run.id}", cursor))]
    assert found[0] == {"type": "stream_reset"}
    assert [event["seq"] for event in found[1:]] == [1, 2]


async def test_after_the_last_event_there_is_nothing_to_come_back_for(served: Served) -> None:
    claim = await served.started()
    await served.store.queue.finish(claim, result="x")
    last = ids.event_id(claim.run.id, 2)
    for path in (f"/{claim.run.id}/stream", f"/events/human-input/{claim.run.id}"):
        by_header = await served.get(path, headers={"Last-Event-ID": last})
        by_query = await served.get(path, params={"last_event_id": last})
        assert (by_header.status_code, by_query.status_code) == (204, 204)
    began = time.monotonic()
    assert (await served.get(f"/poll/human-input/{claim.run.id}?wait=30&last_event_id={last}")).json() == {
        "events": []
    }
    async with websockets.connect(
        f"{served.ws_url}/ws/human-input/{claim.run.id}?last_event_id={last}"
    ) as socket:
        assert [message async for message in socket] == []
    assert time.monotonic() - began < 25


async def test_the_plain_stream_is_resumed_like_the_others(served: Served) -> None:
    claim = await served.started()
    await served.ask(claim)
    await served.store.queue.finish(claim, result="x")
    path, first = f"/{claim.run.id}/stream", ids.event_id(claim.run.id, 1)
    for how in ({"params": {"last_event_id": first}}, {"headers": {"Last-Event-ID": first}}):
        async with aconnect_sse(served.client, "GET", path, **how) as source:
            names = [event.event async for event in source.aiter_sse()]
        assert names == ["PROMPT", "human_input_completed", "END"]
    async with aconnect_sse(served.client, "GET", path, params={"last_event_id": "nonsense"}) as source:
        events = [event async for event in source.aiter_sse()]
    assert events[0].json() == {"type": "stream_reset"}
    assert [event.event for event in events[1:]] == ["run_started", "PROMPT", "human_input_completed", "END"]


async def test_the_header_of_an_event_source_wins_over_its_address(served: Served) -> None:
    claim = await served.started()
    await served.store.queue.finish(claim, result="x")
    first, last = (ids.event_id(claim.run.id, seq) for seq in (1, 2))
    path = f"/events/human-input/{claim.run.id}?last_event_id={first}"
    assert (await served.get(path, headers={"Last-Event-ID": last})).status_code == 204


@pytest.mark.parametrize(
    ("ending", "end"),
    [
        ("finish", {"status": "completed", "result": "Done."}),
        ("fail", {"status": "failed", "error": {"code": "no_model", "message": "No model."}}),
        (
            "cancel",
            {
                "status": "cancelled",
                "error": {"code": "cancelled", "message": "The run was cancelled by local."},
            },
        ),
    ],
)
async def test_the_plain_stream_prompts_and_ends(ending: str, end: dict[str, object], served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim)
    await served.post(f"/{claim.run.id}/input", {"response": "Reject"})
    match ending:
        case "finish":
            await served.store.queue.finish(claim, result="Done.")
        case "fail":
            await served.store.queue.finish(claim, error=RunError(code="no_model", message="No model."))
        case _:
            await served.post(f"/runs/{claim.run.id}/cancel", {})
    async with aconnect_sse(served.client, "GET", f"/{claim.run.id}/stream") as source:
        events = [event async for event in source.aiter_sse()]
    assert [event.event for event in events] == ["run_started", "PROMPT", "human_input_completed", "END"]
    assert events[1].json()["question_id"] == question.id
    assert events[1].json()["type"] == "human_input_required"
    assert events[-1].json() == end
    assert [event.id for event in events] == [ids.event_id(claim.run.id, seq) for seq in range(1, 5)]
    assert {event.retry for event in events} == {2000}


async def test_a_stream_is_not_held_up_by_proxies(served: Served) -> None:
    claim = await served.started()
    await served.store.queue.finish(claim, result="")
    answer = await served.get(f"/events/human-input/{claim.run.id}")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-cache, no-transform"
    assert answer.headers["X-Accel-Buffering"] == "no"


async def test_a_poll_waits_for_the_next_event_and_no_longer(served: Served) -> None:
    claim = await served.started()
    path = f"/poll/human-input/{claim.run.id}"
    [first] = (await served.get(path)).json()["events"]
    query = {"last_event_id": first["event_id"]}
    assert (await served.get(path, params=query)).json() == {"events": []}
    began = time.monotonic()
    assert (await served.get(path, params={**query, "wait": "0.3"})).json() == {"events": []}
    assert 0.25 < time.monotonic() - began < 25
    waiting = asyncio.create_task(served.get(path, params={**query, "wait": "60"}))
    await asyncio.sleep(0.1)
    await served.ask(claim)
    assert [event["type"] for event in (await waiting).json()["events"]] == ["human_input_required"]
    assert (await served.get(path, params={"wait": "61"})).status_code == 422


async def test_the_events_of_a_run_can_be_read_in_pages(served: Served) -> None:
    claim = await served.started()
    await served.work(claim, 1)
    path = f"/runs/{claim.run.id}/events"
    page = (await served.get(path, params={"limit": 2})).json()["events"]
    rest = (await served.get(path, params={"last_event_id": page[-1]["event_id"]})).json()["events"]
    assert [event["seq"] for event in (*page, *rest)] == [1, 2, 3]


async def test_clients_with_a_short_read_timeout_live_and_hear_a_heartbeat(store: RedisStore) -> None:
    real = StreamTimings()
    assert (real.quiet, real.heartbeat) == (3, 15)  # here three times as fast
    await store.catalogue.announce("here", [DEMO])
    async with serve(store, {}, StreamTimings(quiet=real.quiet / 3, heartbeat=real.heartbeat / 3)) as served:
        claim, comments, pause = await served.started(), 0, WITHIN
        # Where much else is going on, each pause takes longer: one of several attempts will do.
        for _ in range(ATTEMPTS):
            got, arrivals = await until_heartbeat(served, f"/{claim.run.id}/stream")
            assert arrivals[-1] - arrivals[0] >= 14 / 3
            assert b"event: heartbeat\n" in got
            comments = got.count(b"\r\n:\n\r\n")
            pause = median(later - earlier for earlier, later in pairwise(arrivals))
            if comments >= 4 and pause < 4 / 3:
                break
    assert comments >= 4
    assert pause < 4 / 3


async def until_heartbeat(served: Served, path: str) -> tuple[bytes, list[float]]:
    """What a client gets until the first heartbeat; when it began to wait, and when each part came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    got, arrivals = b"", [time.monotonic()]
    while b'data: {"type":"heartbeat"}\n' not in got:
        got += await asyncio.wait_for(reader.read(4096), WITHIN)
        arrivals.append(time.monotonic())
    writer.close()
    return got, arrivals


async def test_slow_clients_cost_nobody_else_anything(served: Served) -> None:
    claim = await served.started()
    idle = []
    for _ in range(50):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
        writer.write(f"GET /events/human-input/{claim.run.id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        idle.append((reader, writer))
    following = asyncio.create_task(all_of(over_sse(served, f"/{claim.run.id}")))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await play(served, claim, tasks=20)
    assert len(await following) == 44
    assert time.monotonic() - began < StreamTimings().send_within
    for _, writer in idle:
        writer.transport.abort()


async def test_many_clients_of_many_runs_share_what_is_read(served: Served) -> None:
    claims = [await served.started() for _ in range(10)]
    found: list[list[Sent]] = [[] for _ in range(50)]
    following = [
        asyncio.create_task(keep(over_sse(served, f"/{claim.run.id}"), mine))
        for claim, mine in zip(claims * 5, found, strict=True)
    ]

    async def all_follow() -> bool:
        return all(found)

    await eventually(all_follow)
    before = await calls(served)
    for claim in claims:
        await served.store.queue.finish(claim, result="x")
    await asyncio.gather(*following)
    assert [len(each) for each in found] == [2] * 50
    # One transition and at most one read for each of ten runs, whatever the number of clients.
    assert await calls(served) - before < 40


async def keep(stream: AsyncIterator[Sent], found: list[Sent]) -> None:
    """Until the stream ends."""
    async for each in stream:
        found.append(each)  # noqa: PERF401 - somebody looks at it meanwhile


async def calls(served: Served) -> int:
    """How many commands the store has served."""
    stats = await served.store.connection.redis.info("commandstats")
    return sum(
        int(each["calls"]) for name, each in stats.items() if name in {"cmdstat_xrange", "cmdstat_evalsha"}
    )


async def test_open_streams_do_not_hold_up_the_end_of_the_server(store: RedisStore) -> None:
    await store.catalogue.announce("here", [DEMO])
    async with AsyncExitStack() as server:
        served = await server.enter_async_context(serve(store, {}, finish_within=60))
        claim = await served.started()
        following = [
            asyncio.create_task(some_of(follow(served, f"/{claim.run.id}", ""), 2))
            for follow in TRANSPORTS.values()
        ]
        await asyncio.sleep(0.3)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    for outcome in await asyncio.gather(*following, return_exceptions=True):
        assert not isinstance(outcome, list) or len(outcome) < 2
