"""Following with the client: everything once and in order, whatever the connection does."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from httpx_sse import ServerSentEvent

from crewdeck.client import (
    ApiError,
    Client,
    Event,
    HumanInputCompleted,
    HumanInputRequired,
    RunCompleted,
    SnapshotComplete,
    StreamReset,
    TaskCompleted,
    Unreachable,
)
from crewdeck.client.events import parse
from crewdeck.client.streams import MAX_RECONNECT_DELAY_S, StreamPosition
from tests.contract.client.conftest import HttpProxy
from tests.contract.http.following import all_of, over_sse
from tests.contract.http.served import Served


async def first(events: AsyncGenerator[Event], count: int) -> list[Event]:
    found: list[Event] = []
    async with aclosing(events):
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


async def finished(served: Served, tasks: int = 3) -> str:
    """A run that is over."""
    claim = await served.started()
    for number in range(1, tasks + 1):
        await served.work(claim, number, tasks)
    await served.store.queue.finish(claim, result="Done.")
    return claim.run.id


async def test_a_run_is_followed_to_its_end_byte_for_byte(served: Served, client: Client) -> None:
    run_id = await finished(served)
    events = [event async for event in client.follow(run_id)]
    assert [event.seq for event in events] == list(range(1, 9))
    assert isinstance(events[2], TaskCompleted)
    assert events[2].task.startswith("Task 1: žluťoučký “kůň” \u2028 <b>&")
    assert isinstance(events[-1], RunCompleted)
    assert events[-1].result == "Done."
    sent = await all_of(over_sse(served, f"/{run_id}"))
    assert [(event.raw.encode(), event.cursor) for event in events] == sent


def test_a_client_with_patience_tries_for_as_long_as_it_takes() -> None:
    position = StreamPosition("", float("inf"))
    position.opened()
    pauses = [position.pause(Unreachable("gone")) for _ in range(3000)]
    assert max(pauses) <= MAX_RECONNECT_DELAY_S
    assert min(pauses[10:]) >= MAX_RECONNECT_DELAY_S / 2


@pytest.mark.parametrize("said", ["<html>", "[]", "7", '{"type": '])
def test_what_is_no_event_is_said_as_the_servers_error(said: str) -> None:
    position = StreamPosition("", 60.0)
    with pytest.raises(ApiError) as refused:
        position.received(ServerSentEvent(data=said))
    assert refused.value.code == "no_crewdeck"
    with pytest.raises(ApiError):
        position.pause(refused.value)


async def test_following_goes_on_after_a_cursor(served: Served, client: Client) -> None:
    run_id = await finished(served)
    events = [event async for event in client.follow(run_id)]
    assert [event.seq async for event in client.follow(run_id, after=events[4].cursor)] == [6, 7, 8]
    assert [event async for event in client.follow(run_id, after=events[-1].cursor)] == []


async def test_a_useless_cursor_is_said_and_everything_follows(served: Served, client: Client) -> None:
    run_id = await finished(served)
    reset, *events = [event async for event in client.follow(run_id, after="nonsense")]
    assert isinstance(reset, StreamReset)
    assert [event.seq for event in events] == list(range(1, 9))


async def test_an_unknown_run_is_an_error(client: Client) -> None:
    with pytest.raises(ApiError) as refused:
        await anext(client.follow("00000000-0000-4000-8000-000000000000"))
    assert refused.value.code == "unknown_run"


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(3))
async def test_cut_connections_leave_no_gap(proxy: HttpProxy, served: Served, seed: int) -> None:
    chance = random.Random(seed)
    claim = await served.started()
    proxy.cuts = [chance.randrange(1, 2500) for _ in range(8)]
    lost: list[None] = []

    async def play() -> None:
        for number in range(1, 11):
            await served.work(claim, number, 10)
            await asyncio.sleep(chance.random() * 0.05)
        await served.store.queue.finish(claim, result="Done.")

    async with Client(proxy.url) as client, asyncio.TaskGroup() as group:
        # The first connection must come about: without a server a stream fails at once.
        proxy.cuts.insert(0, 1500)
        group.create_task(play())
        seen = [event.seq async for event in client.follow(claim.run.id, lost=lambda: lost.append(None))]
    assert seen == list(range(1, 23))
    assert proxy.connections > 1
    assert lost


async def test_a_stream_gives_up_when_there_is_no_server_for_too_long(
    proxy: HttpProxy, served: Served
) -> None:
    claim = await served.started()
    async with Client(proxy.url, reconnect_timeout=0.5) as client:
        events = client.follow(claim.run.id)
        assert (await anext(events)).seq == 1
        proxy.close()
        with pytest.raises(Unreachable):
            await anext(events)


async def test_the_inbox_begins_with_what_is_open(served: Served, client: Client) -> None:
    claim = await served.started()
    question = await served.ask(claim)
    inbox = client.inbox()
    waiting, complete = await anext(inbox), await anext(inbox)
    assert isinstance(waiting, HumanInputRequired)
    assert (waiting.question_id, waiting.options[1].label) == (question.id, "Reject")
    assert isinstance(complete, SnapshotComplete)
    await client.answer(question.id, "reject")
    settled = await anext(inbox)
    assert isinstance(settled, HumanInputCompleted)
    assert (settled.question_id, settled.human_feedback, settled.answered_by) == (
        question.id,
        "Reject",
        "local",
    )
    await inbox.aclose()


@pytest.mark.faults
async def test_the_inbox_so_far_ends(served: Served, client: Client) -> None:
    claim = await served.started()
    question = await served.ask(claim, '"[{", she asked')
    [waiting, complete] = await client.inbox_so_far()
    assert isinstance(waiting, HumanInputRequired)
    assert isinstance(complete, SnapshotComplete)
    body = (await served.get("/poll/human-input")).text
    assert body == f'{{"events":[{waiting.raw},{complete.raw}]}}'
    assert await client.inbox_so_far(complete.cursor) == ()
    await client.answer(question.id, "approve")
    [settled] = await client.inbox_so_far(complete.cursor)
    assert isinstance(settled, HumanInputCompleted)
    assert await client.inbox_so_far(settled.cursor) == ()


async def test_the_inbox_survives_cuts_and_goes_on_after_its_cursor(proxy: HttpProxy, served: Served) -> None:
    claim = await served.started()
    async with Client(proxy.url) as client:
        inbox = client.inbox()
        complete = await anext(inbox)
        asked = [await served.ask(claim, f"Question {number}?") for number in range(3)]
        seen = []
        for _ in asked:
            seen.append(await anext(inbox))
            proxy.cut()
        await inbox.aclose()
        again = await first(client.inbox(after=complete.cursor), 3)
    assert [event.fields["question_id"] for event in seen] == [question.id for question in asked]
    assert [event.raw for event in again] == [event.raw for event in seen]


def test_events_of_a_newer_server_are_kept_whole() -> None:
    event = parse('{"type":"crew_rested","execution_id":"1","seq":7,"hours":8}', "c7")
    assert type(event) is Event
    assert (event.type, event.seq, event.cursor, event.fields["hours"]) == ("crew_rested", 7, "c7", 8)
    odd = parse('{"type":"run_failed","execution_id":"1","error":"text"}', "c8")
    assert type(odd) is Event
    assert odd.last
