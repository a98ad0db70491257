"""Events reach the endpoints that are configured: signed, in order, until they arrive."""

import asyncio
import itertools
import json
import random
import time

import pytest
import redis

from bot.core import ids
from bot.core.events.event import TaskStarted, encode
from bot.core.ports.webhooks import DeadLetter
from bot.exposition import exposition
from bot.store.clock import ClockSettings
from bot.store.redis import RedisStore, compose
from bot.surfaces.webhooks.dispatcher import RetrySchedule
from bot.surfaces.webhooks.surface import DeliveryTimings
from tests.contract.examples import ADA, LOST, approval, claimed, response, started
from tests.contract.webhooks.conftest import OLD_SECRET, QUICK, SECRET, Opens, settings_for
from tests.contract.webhooks.receiver import Receiver, receiving
from tests.waiting import eventually

CRM = "webhook:crm"


async def test_a_run_is_told_event_by_event_as_the_streams_carry_them(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    async with opens(settings_for(receiver)):
        claim = await claimed(store)
        question = await store.questions.ask(claim, approval(claim))
        await store.questions.respond(claim.run.id, question.id, response())
        await store.queue.finish(claim, result="Fertig, für Ada ✓")
        await receiver.until(lambda: "run_completed" in receiver.types())
    events = await store.events.read(claim.run.id)
    assert [each.body for each in receiver.requests] == [encode(event.public()) for event in events]
    assert [each.id for each in receiver.requests] == [event.id for event in events]
    assert receiver.types() == [
        "run_started",
        "human_input_required",
        "human_input_completed",
        "run_completed",
    ]


async def test_a_response_that_settles_nothing_is_told(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    async with opens(settings_for(receiver)):
        claim = await claimed(store)
        two = claim.run.approvers.model_copy(update={"need": 2})
        asked = approval(claim).model_copy(update={"policy": two})
        question = await store.questions.ask(claim, asked)
        await store.questions.respond(claim.run.id, question.id, response())
        await receiver.until(lambda: "human_input_recorded" in receiver.types())
    [told] = [json.loads(each.body) for each in receiver.requests if b'"human_input_recorded"' in each.body]
    assert (told["action"], told["progress"]["approved"], told["progress"]["need"]) == ("approve", 1, 2)


async def test_each_is_signed_as_the_specification_says(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    async with opens(settings_for(receiver)):
        await started(store)
        await receiver.until(lambda: receiver.requests)
    [request] = receiver.requests
    assert request.verified(SECRET)["type"] == "run_started"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Crewdeck/")
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 10


async def test_while_a_secret_is_replaced_both_verify(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    settings = settings_for(settings={"CREWDECK_WEBHOOKS": f"crm={receiver.url} {SECRET} {OLD_SECRET}"})
    async with opens(settings):
        await started(store)
        await receiver.until(lambda: receiver.requests)
    assert receiver.requests[0].verified(SECRET) == receiver.requests[0].verified(OLD_SECRET)


async def test_an_endpoint_gets_the_types_that_it_names(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    settings = settings_for(settings={"CREWDECK_WEBHOOKS": f"crm={receiver.url} {SECRET} events=run_failed"})
    async with opens(settings):
        claim = await claimed(store)
        await store.queue.finish(claim, error=LOST)
        await receiver.until(receiver.types)
    assert receiver.types() == ["run_failed"]


async def test_several_endpoints_each_get_everything(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    async with receiving() as other:
        settings = settings_for(
            settings={"CREWDECK_WEBHOOKS": f"crm={receiver.url} {SECRET}\nops={other.url} {OLD_SECRET}"}
        )
        async with opens(settings):
            await started(store)
            await receiver.until(lambda: receiver.types() == ["run_started"])
            await other.until(lambda: other.types() == ["run_started"])
    assert other.requests[0].verified(OLD_SECRET)


async def test_what_fails_is_sent_again_under_the_same_id(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    receiver.planned.extend([500, 302, 429])
    receiver.headers["Location"] = receiver.url
    async with opens(settings_for(receiver)) as webhooks:
        await started(store)
        await receiver.until(lambda: receiver.types() == ["run_started"])
        assert await _settled(store)
    assert len({each.id for each in receiver.requests}) == 1
    assert [each.status for each in receiver.requests] == [500, 302, 429, 204]
    text = exposition(webhooks.metrics, None, 0).decode()
    assert 'crewdeck_webhook_tries_total{endpoint="crm",result="missed"} 3.0' in text
    assert 'crewdeck_webhook_tries_total{endpoint="crm",result="delivered"} 1.0' in text


async def test_a_failing_event_holds_back_its_run_and_no_other(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    async with opens(settings_for(receiver)):
        stuck = await claimed(store)
        receiver.by_run[stuck.run.id] = 503
        await receiver.until(lambda: receiver.requests)
        await store.events.append(stuck, _task(1))
        other = await claimed(store)
        await store.queue.finish(other, result="ok")
        await receiver.until(lambda: receiver.seqs().get(other.run.id) == [1, 2])
        [failing] = await store.webhooks.failing(CRM)
        assert (failing.run_id, failing.why) == (stuck.run.id, "it answered 503 Service Unavailable")
        assert stuck.run.id not in receiver.seqs()
        del receiver.by_run[stuck.run.id]
        await receiver.until(lambda: receiver.seqs().get(stuck.run.id) == [1, 2])
        assert await _settled(store)
    assert await store.webhooks.failing(CRM) == []


async def test_what_was_not_sent_is_sent_after_a_restart(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    receiver.planned.append(500)
    async with opens(settings_for(receiver), DeliveryTimings(RetrySchedule(first=0.3), every=0.05)):
        claim = await claimed(store)
        await receiver.until(lambda: receiver.requests)
    await store.queue.finish(claim, result="ok")
    async with opens(settings_for(receiver)):
        await receiver.until(lambda: receiver.types() == ["run_started", "run_completed"])


async def test_web_processes_share_the_work_and_send_nothing_twice(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    async with opens(settings_for(receiver)), opens(settings_for(receiver)):
        claims = [await claimed(store) for _ in range(12)]
        for number in range(1, 4):
            for claim in claims:
                await store.events.append(claim, _task(number))
        await receiver.until(lambda: len(receiver.requests) >= 48)
        await asyncio.sleep(0.1)
    assert receiver.seqs() == {claim.run.id: [1, 2, 3, 4] for claim in claims}
    assert len(receiver.requests) == 48


async def test_whatever_fails_each_run_is_told_in_order_and_nothing_is_missing(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    chance = random.Random(7)
    receiver.planned.extend(chance.choices([204, 500, 429, 302], k=60))
    settings = settings_for(receiver)
    async with opens(settings):
        claims = [await claimed(store) for _ in range(6)]
        for number in range(1, 6):
            # Another process comes and goes.
            async with opens(settings):
                for claim in claims:
                    await store.events.append(claim, _task(number))
                await asyncio.sleep(chance.uniform(0, 0.1))
        await receiver.until(lambda: [seqs[-1] for seqs in receiver.seqs().values()] == [6] * 6)
    for claim in claims:
        told = [seq for seq, _ in itertools.groupby(receiver.seqs()[claim.run.id])]
        assert told == [1, 2, 3, 4, 5, 6]


async def test_the_other_process_goes_on_when_one_stops(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    async with opens(settings_for(receiver)):
        async with opens(settings_for(receiver)):
            await started(store)
            await receiver.until(lambda: len(receiver.accepted) == 1)
        for _ in range(8):
            await started(store)
        await receiver.until(lambda: len(receiver.accepted) == 9)


async def test_what_a_process_held_that_died_is_taken_over(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    lease, before = 0.5, time.monotonic()
    for shard in range(store.outbox.shards):
        await store.outbox.lease_shard(CRM, shard, "the dead one", lease)
    async with opens(settings_for(receiver)):
        await started(store)
        await receiver.until(lambda: receiver.accepted)
        assert time.monotonic() - before >= lease, "until then it might have lived"


async def test_after_its_time_an_event_is_given_up_and_the_next_one_goes(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    timings = DeliveryTimings(RetrySchedule(first=0.05, factor=1.0, total=1.0), every=0.05)
    async with opens(settings_for(receiver), timings):
        claim = await claimed(store)
        receiver.by_run[claim.run.id] = 500
        await eventually(lambda: store.webhooks.dead_letters(CRM))
        assert len(receiver.requests) > 1
        receiver.by_run.clear()
        await store.queue.finish(claim, result="ok")
        await receiver.until(lambda: receiver.types() == ["run_completed"])
    [given_up] = await store.webhooks.dead_letters(CRM)
    assert given_up == DeadLetter(
        run_id=claim.run.id, seq=1, at=given_up.at, why="it answered 500 Internal Server Error"
    )
    assert await store.webhooks.failing(CRM) == []


@pytest.fixture
async def lost(store: RedisStore, opens: Opens, receiver: Receiver) -> str:
    """A run whose first event was given up."""
    receiver.planned.append(500)
    async with opens(settings_for(receiver), DeliveryTimings(RetrySchedule(total=0.0), every=0.05)):
        claim = await claimed(store)
        await store.queue.finish(claim, result="ok")
        await receiver.until(lambda: receiver.types() == ["run_completed"])
        assert await _settled(store)
    return claim.run.id


async def test_what_was_given_up_is_sent_again_when_somebody_says_so(
    store: RedisStore, opens: Opens, receiver: Receiver, lost: str
) -> None:
    assert await store.webhooks.find_event(ids.event_id(lost, 1)) == (await store.runs.get(lost), 1)
    assert await store.webhooks.resend(CRM, lost, [1]) == 1
    async with opens(settings_for(receiver)):
        await receiver.until(lambda: receiver.types() == ["run_completed", "run_started"])
        assert await _settled(store)
    assert {each.id for each in receiver.requests if each.event["seq"] == 1} == {ids.event_id(lost, 1)}
    assert await store.webhooks.dead_letters(CRM) == []


async def test_a_whole_run_is_sent_again_in_its_order(
    store: RedisStore, opens: Opens, receiver: Receiver, lost: str
) -> None:
    receiver.requests.clear()
    async with opens(settings_for(receiver)):
        assert await store.webhooks.resend(CRM, lost, [1, 2, 3]) == 2
        await receiver.until(lambda: receiver.types() == ["run_started", "run_completed"])


async def test_what_is_sent_again_has_its_time_anew(
    store: RedisStore, opens: Opens, receiver: Receiver, lost: str
) -> None:
    total = 3.0
    await asyncio.sleep(total)
    receiver.planned.extend([500, 500])
    timings = DeliveryTimings(RetrySchedule(first=0.05, factor=1.0, total=total), every=0.05)
    async with opens(settings_for(receiver), timings):
        await store.webhooks.resend(CRM, lost, [1])
        await receiver.until(lambda: "run_started" in receiver.types())


async def test_an_endpoint_that_is_gone_gets_nothing_until_it_is_enabled(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    receiver.planned.append(410)
    async with opens(settings_for(receiver)):
        await started(store)
        await receiver.until(lambda: receiver.requests)
        await eventually(store.webhooks.disabled)
        await started(store)
        await asyncio.sleep(0.2)
        assert len(receiver.requests) == 1
        await store.webhooks.enable(CRM)
        await receiver.until(lambda: len(receiver.accepted) == 2)
    assert await store.webhooks.dead_letters(CRM) == []


async def test_another_address_of_a_disabled_endpoint_is_not_disabled(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    await store.webhooks.disable(CRM, "it answered 410 Gone", "of another address")
    async with opens(settings_for(receiver)):
        await started(store)
        await receiver.until(lambda: receiver.accepted)


async def test_a_receiver_that_does_not_answer_in_time_is_tried_again(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    receiver.slow = 1.0
    timings = DeliveryTimings(QUICK.schedule, within=0.1, every=0.05)
    async with opens(settings_for(receiver), timings):
        await started(store)
        await receiver.until(lambda: len(receiver.requests) == 2)
        [failing] = await store.webhooks.failing(CRM)
    assert failing.why == "it did not answer in time"


async def test_a_process_without_endpoints_says_so_and_turns_nobody_elses_off(
    store: RedisStore, opens: Opens, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opens(settings_for(receiver)):
        pass
    async with opens(settings_for()):
        run = await started(store)
    said = capsys.readouterr().out
    assert "no CREWDECK_WEBHOOKS" in said
    assert "endpoints=crm" in said
    async with opens(settings_for(receiver)):
        await receiver.until(lambda: receiver.seqs().get(run.id) == [1])


async def test_what_the_settings_name_no_longer_gets_no_new_runs(
    store: RedisStore, opens: Opens, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opens(settings_for(receiver)):
        pass
    others = settings_for(None, {"CREWDECK_WEBHOOKS": f"ops={receiver.url} {SECRET}"})
    async with opens(others):
        run = await started(store)
        await receiver.until(lambda: receiver.seqs().get(run.id) == [1])
    assert "gone=crm" in capsys.readouterr().out
    assert await store.webhooks.resend(CRM, run.id, [1]) == 0


@pytest.mark.parametrize("rest", [b"", b"x", b"x" * 100_000], ids=["nothing", "a bit", "much"])
async def test_who_has_answered_200_and_then_dawdles_has_got_the_event(
    store: RedisStore, opens: Opens, rest: bytes
) -> None:
    """The body never ends; with a 200 the event has arrived all the same, once."""
    taken: list[bytes] = []
    over = asyncio.Event()

    async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + rest)
        await over.wait()
        writer.close()

    async with await asyncio.start_server(dawdle, "127.0.0.1", 0) as receiver:
        url = f"http://127.0.0.1:{receiver.sockets[0].getsockname()[1]}/"
        dawdling = settings_for(None, {"CREWDECK_WEBHOOKS": f"crm={url} {SECRET}"})
        async with opens(dawdling):
            run = await started(store)
            await eventually(lambda: _passed(store, run.id, 1))
        assert len(taken) == 1
        over.set()


async def _passed(store: RedisStore, run_id: str, seq: int) -> bool:
    return (await store.webhooks.state(CRM, run_id)).cursor == seq


async def test_a_forgotten_run_leaves_nothing_behind(
    store: RedisStore, opens: Opens, receiver: Receiver, server: redis.Redis, lost: str
) -> None:
    receiver.planned.append(500)
    async with opens(settings_for(receiver), DeliveryTimings(RetrySchedule(first=30.0), every=0.05)):
        await store.webhooks.resend(CRM, lost, [2])
        await receiver.until(lambda: receiver.requests[-1].status == 500)
        await eventually(lambda: store.webhooks.failing(CRM))
    await compose(store.connection, ClockSettings(retention=0.0)).clock.apply_due(LOST)
    assert await store.webhooks.failing(CRM) == []
    assert await store.webhooks.dead_letters(CRM) == []
    assert not [key for key in server.scan_iter("*") if lost in key or "outbox" in key]


async def _settled(store: RedisStore) -> bool:
    """Wait until nothing is due."""

    async def nothing() -> bool:
        return not any([await store.outbox.pending(CRM, shard) for shard in range(store.outbox.shards)])

    return await eventually(nothing)


def _task(number: int) -> TaskStarted:
    return TaskStarted(
        crew_id="c", task_id=str(number), task=f"Part {number} for {ADA.label}", number=number, total=3
    )
