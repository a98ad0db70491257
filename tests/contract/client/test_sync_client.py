"""The client for programs without an event loop: the same methods, against the API itself."""

import asyncio
import inspect
from contextlib import aclosing

import pytest

from crewdeck.client import (
    ApiError,
    Client,
    HumanInputCompleted,
    HumanInputRequired,
    RunCompleted,
    SnapshotComplete,
    StreamReset,
    SyncClient,
    Unreachable,
)
from tests.contract.client.conftest import HttpProxy
from tests.contract.http.served import Served
from tests.ports import HOST, reserved


def public(kind: type) -> dict[str, list[tuple[object, ...]]]:
    """By method: name, kind and annotation of each parameter, and whether it may be left out."""
    return {
        name: [
            (each.name, each.kind, each.annotation, each.default is each.empty)
            for each in inspect.signature(member).parameters.values()
        ]
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }


def test_both_clients_have_the_same_methods() -> None:
    assert public(Client) == public(SyncClient)
    assert inspect.signature(Client) == inspect.signature(SyncClient)


async def test_a_run_is_started_followed_and_answered(served: Served) -> None:
    def play(run_id: str) -> tuple[list[int | None], str]:
        seen: list[int | None] = []
        result = ""
        with SyncClient(served.url) as client:
            assert client.crews()[0].name == "demo"
            for event in client.follow(run_id):
                seen.append(event.seq)
                match event:
                    case HumanInputRequired():
                        assert client.answer(event.question_id, "approve").human_feedback == "Approve"
                        assert client.questions() == ()
                    case RunCompleted():
                        result = event.result
        return seen, result

    claim = await served.started()
    playing = asyncio.create_task(asyncio.to_thread(play, claim.run.id))
    await served.ask(claim)
    async with Client(served.url) as watching, aclosing(watching.follow(claim.run.id)) as events:
        while not isinstance(await anext(events), HumanInputCompleted):
            pass
    await served.store.queue.finish(claim, result="Done.")
    assert await playing == ([1, 2, 3, 4], "Done.")


async def test_starting_cancelling_and_errors_are_those_of_the_other_client(served: Served) -> None:
    def play() -> None:
        with SyncClient(served.url) as client:
            started = client.start("demo", idempotency_key="monday")
            assert client.start("demo", idempotency_key="monday").run_id == started.run_id
            assert client.cancel(started.run_id).status == "cancelled"
            with pytest.raises(ApiError) as refused:
                client.cancel(started.run_id)
            assert refused.value.code == "run_over"
            client.delete(started.run_id)
            assert client.runs().runs == ()

    await asyncio.to_thread(play)


@pytest.mark.faults
async def test_a_stream_that_is_cut_comes_back(proxy: HttpProxy, served: Served) -> None:
    claim = await served.started()
    for number in range(1, 6):
        await served.work(claim, number, 5)
    await served.store.queue.finish(claim, result="Done.")
    proxy.cuts = [900, 10, 700, 1200]
    lost: list[None] = []

    def follow() -> list[int | None]:
        with SyncClient(proxy.url) as client:
            return [event.seq for event in client.follow(claim.run.id, lost=lambda: lost.append(None))]

    assert await asyncio.to_thread(follow) == list(range(1, 13))
    assert lost


async def test_a_useless_cursor_is_said_and_the_inbox_begins_with_what_is_open(served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim)

    def look() -> tuple[object, object, object]:
        with SyncClient(served.url) as client:
            reset = next(client.follow(claim.run.id, after="nonsense"))
            inbox = client.inbox()
            found = (reset, next(inbox), next(inbox))
            inbox.close()
            return found

    reset, waiting, complete = await asyncio.to_thread(look)
    assert isinstance(reset, StreamReset)
    assert isinstance(waiting, HumanInputRequired)
    assert waiting.question_id == question.id
    assert isinstance(complete, SnapshotComplete)


async def test_a_lost_answer_starts_no_second_run(proxy: HttpProxy) -> None:
    proxy.cuts = [20, 150]

    def play() -> None:
        with SyncClient(proxy.url) as client:
            started = client.start("demo")
            assert [run.run_id for run in client.runs().runs] == [started.run_id]

    await asyncio.to_thread(play)
    assert proxy.connections >= 3


def test_nobody_there_is_one_readable_error() -> None:
    with reserved(1) as [port], SyncClient(f"http://{HOST}:{port}") as client:
        with pytest.raises(Unreachable, match="gives no answer: connection refused"):
            client.crews()
        with pytest.raises(Unreachable):
            next(client.follow("00000000-0000-4000-8000-000000000000"))
