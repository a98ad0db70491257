"""`crewdeck webhooks`, as an operator runs it beside a running server."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.core import ids
from bot.core.events.endpoints import derived
from bot.core.people.actor import principal
from bot.store.redis import RedisStore
from bot.surfaces.webhooks.dispatcher import RetrySchedule
from bot.surfaces.webhooks.surface import DeliveryTimings
from tests.contract.examples import claimed, started
from tests.contract.webhooks.conftest import SECRET, Opens, settings_for
from tests.contract.webhooks.receiver import Receiver
from tests.scenario.server import Server, environment
from tests.waiting import eventually

HASTY = DeliveryTimings(RetrySchedule(total=0.0), every=0.05)
CRM = "webhook:crm"
Crewdeck = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def crewdeck(redis_url: str, receiver: Receiver, data_dir: Path) -> Crewdeck:
    """Runs a command; its exit status and what it said."""
    settings = {
        "CREWDECK_REDIS_URL": redis_url,
        "CREWDECK_WEBHOOKS": f"crm={receiver.url} {SECRET}",
        "CREWDECK_WEBHOOK_ALLOW_PRIVATE": "1",
    }

    async def run(*words: str, **more: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(Server.python(), "-m", "bot", "webhooks", *words),
            env=environment(data_dir) | settings | more,
            cwd=data_dir,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    return run


async def test_it_lists_what_fails_and_what_was_given_up_and_sends_it_again(
    store: RedisStore, opens: Opens, receiver: Receiver, crewdeck: Crewdeck
) -> None:
    receiver.planned.append(500)
    async with opens(settings_for(receiver), HASTY):
        lost = (await started(store)).id
        await eventually(lambda: store.webhooks.dead_letters(CRM))
    receiver.planned.append(503)
    async with opens(settings_for(receiver), DeliveryTimings(RetrySchedule(first=60), every=0.05)):
        late = (await started(store)).id
        await eventually(lambda: store.webhooks.failing(CRM))

        status, said, _ = await crewdeck()
        assert status == 0
        assert "1 run waiting since" in said
        assert "1 event given up" in said
        assert late in said
        assert "it answered 503 Service Unavailable" in said
        assert lost in said
        assert ids.event_id(lost, 1) in said
        assert receiver.url not in said

        assert await crewdeck("redeliver", "--failed") == (0, "1 event will be sent again.\n", "")
        await receiver.until(lambda: receiver.seqs() == {lost: [1]})
        assert await crewdeck("redeliver", late[:8]) == (0, "1 event will be sent again.\n", "")
        await receiver.until(lambda: receiver.seqs() == {lost: [1], late: [1]})
        await eventually(lambda: _is_well(store))
    status, said, _ = await crewdeck("list")
    assert said.split()[-1] == "ok"


async def _is_well(store: RedisStore) -> bool:
    return not await store.webhooks.failing(CRM) and not await store.webhooks.dead_letters(CRM)


async def test_one_event_is_sent_again_though_it_had_arrived(
    store: RedisStore, opens: Opens, receiver: Receiver, crewdeck: Crewdeck
) -> None:
    async with opens(settings_for(receiver)):
        claim = await claimed(store)
        await store.queue.finish(claim, result="ok")
        await receiver.until(lambda: len(receiver.accepted) == 2)
        event = ids.event_id(claim.run.id, 2)
        assert (await crewdeck("redeliver", event, "--endpoint", "crm"))[0] == 0
        await receiver.until(lambda: [each.id for each in receiver.accepted[2:]] == [event])


async def test_only_events_that_an_endpoint_wants_are_sent_again_and_counted(
    store: RedisStore, opens: Opens, receiver: Receiver, crewdeck: Crewdeck
) -> None:
    wants = f"crm={receiver.url} {SECRET} events=run_completed"
    async with opens(settings_for(receiver, {"CREWDECK_WEBHOOKS": wants})):
        claim = await claimed(store)
        await store.queue.finish(claim, result="ok")
        await receiver.until(lambda: len(receiver.accepted) == 1)
        again = await crewdeck("redeliver", claim.run.id, CREWDECK_WEBHOOKS=wants)
        assert again == (0, "1 event will be sent again.\n", "")
        await receiver.until(lambda: len(receiver.accepted) == 2)
        started_event = ids.event_id(claim.run.id, 1)
        status, _, told = await crewdeck("redeliver", started_event, CREWDECK_WEBHOOKS=wants)
        assert (status, "or wants it" in told) == (1, True)
    assert receiver.seqs() == {claim.run.id: [2, 2]}


async def test_an_endpoint_that_wanted_no_more_is_shown_and_enabled(
    store: RedisStore, opens: Opens, receiver: Receiver, crewdeck: Crewdeck
) -> None:
    receiver.planned.append(410)
    async with opens(settings_for(receiver)):
        await started(store)
        await eventually(store.webhooks.disabled)
        assert "it answered 410 Gone; `crewdeck webhooks enable crm` turns it on" in (await crewdeck())[1]
        assert (await crewdeck("enable", "crm"))[0] == 0
        await receiver.until(lambda: receiver.accepted)


async def test_an_endpoint_that_no_settings_name_is_listed_and_forgotten(
    store: RedisStore, opens: Opens, receiver: Receiver, crewdeck: Crewdeck
) -> None:
    async with opens(settings_for(receiver)):
        pass
    nothing = {"CREWDECK_WEBHOOKS": ""}
    status, said, _ = await crewdeck("list", **nothing)
    assert status == 0
    assert "crm" in said
    assert "`crewdeck webhooks forget crm` ends that" in said
    refused = await crewdeck("forget", "crm")
    assert (refused[0], "take it out there" in refused[2]) == (2, True)
    assert (await crewdeck("forget", "crm", **nothing))[0] == 0
    assert await store.webhooks.following() == []
    run = await started(store)
    assert await store.webhooks.resend(CRM, run.id, [1]) == 0
    assert (await crewdeck("forget", "crm", **nothing))[0] == 2


async def test_mistakes_are_told_in_one_line(crewdeck: Crewdeck) -> None:
    unknown, crm = "1f5b9c3e-0000-4000-8000-000000000000", ("--endpoint", "crm")
    for words, status, told in (
        (("redeliver",), 2, "crewdeck: redeliver: name runs or events, or say --failed.\n"),
        (("redeliver", unknown, *crm), 1, f"crewdeck: There is no run {unknown}.\n"),
        (
            ("enable", "ops"),
            2,
            "crewdeck: There is no endpoint ops; `crewdeck webhooks` lists them.\n",
        ),
    ):
        assert await crewdeck(*words) == (status, "", told)


async def test_it_prints_the_secret_of_a_key(crewdeck: Crewdeck) -> None:
    status, said, _ = await crewdeck("secret", "ci", CREWDECK_WEBHOOK_SECRET=SECRET)
    secret = derived(SecretStr(SECRET), principal("http", "", "key:ci"))
    assert (status, said) == (0, f"{secret.get_secret_value()}\n")


async def test_a_mistake_in_the_settings_is_named_without_a_secret(crewdeck: Crewdeck) -> None:
    status, _, told = await crewdeck(CREWDECK_WEBHOOKS=f"crm=http://crm.example/p4th {SECRET} {SECRET}x")
    assert status == 2
    assert "CREWDECK_WEBHOOKS" in told
    assert "crm:" in told
    assert "p4th" not in told
    assert SECRET not in told
