"""A start may name an address of its own, if the operator allows it."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import redis

from bot.core import ids
from bot.core.events.endpoints import StartUrls, derived
from bot.core.people.actor import Actor, principal
from bot.store import redis_keys
from bot.store.redis import RedisStore
from bot.surfaces.webhooks.surface import MAX_CONCURRENT_REQUESTS_PER_KEY, MAX_CONCURRENT_SLOW_REQUESTS
from tests.contract.examples import DEMO, new_run
from tests.contract.http.served import KEYS, Served, bearer, serve
from tests.contract.webhooks.conftest import OLD_SECRET, QUICK, SECRET, Opens, settings_for
from tests.contract.webhooks.receiver import Receiver, receiving
from tests.waiting import WITHIN, eventually

ALLOWED = {
    "CREWDECK_WEBHOOK_URLS": "1",
    "CREWDECK_WEBHOOK_SECRET": f"{SECRET} {OLD_SECRET}",
    "CREWDECK_WEBHOOK_ALLOW_PRIVATE": "1",
}
OF_STARTS = "webhook:webhook_url"


@pytest.fixture(autouse=True)
async def demo(store: RedisStore) -> None:
    await store.catalogue.announce("here", [DEMO])


async def _start(api: Served, url: str, status: int = 202, key: str = "ci") -> dict[str, Any]:
    answer = await api.post("/crew/start", {"crew": "demo", "webhook_url": url}, headers=bearer(key))
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_runs_events_go_to_the_address_of_its_start(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    async with (
        receiving() as other,
        opens(settings_for(settings=ALLOWED)),
        serve(store, KEYS | ALLOWED) as api,
    ):
        mine = await _start(api, receiver.url)
        theirs = await _start(api, other.url, key="other")
        await receiver.until(lambda: receiver.requests)
        await other.until(lambda: other.requests)
    assert receiver.seqs() == {mine["run_id"]: [1]}
    assert other.seqs() == {theirs["run_id"]: [1]}


async def test_each_key_has_secrets_of_its_own(store: RedisStore, opens: Opens, receiver: Receiver) -> None:
    async with opens(settings_for(settings=ALLOWED)) as webhooks, serve(store, KEYS | ALLOWED) as api:
        await _start(api, receiver.url)
        await receiver.until(lambda: receiver.requests)
    new, old = webhooks.settings.webhook_secrets
    ci, other = (principal("http", "", f"key:{name}") for name in ("ci", "other"))
    [request] = receiver.requests
    assert request.verified(derived(new, ci).get_secret_value())
    assert request.verified(derived(old, ci).get_secret_value())
    with pytest.raises(Exception, match="No matching signature"):
        request.verified(derived(new, other).get_secret_value())


async def test_who_is_gone_gets_nothing_more_of_that_run(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    async with opens(settings_for(settings=ALLOWED)), serve(store, KEYS | ALLOWED) as api:
        receiver.planned.append(410)
        run = await _start(api, receiver.url)
        [given_up] = await eventually(lambda: store.webhooks.dead_letters(OF_STARTS))
        await store.queue.finish(await api.claim(), result="ok")
        other = await _start(api, receiver.url)
        await receiver.until(lambda: len(receiver.requests) == 2)
    assert (given_up.run_id, given_up.why) == (run["run_id"], "it answered 410 Gone")
    assert receiver.seqs() == {other["run_id"]: [1]}


async def test_without_permission_such_a_start_is_refused(store: RedisStore) -> None:
    async with serve(store, KEYS) as api:
        problem = await _start(api, "https://example.com/hooks", 403)
        assert problem["code"] == "webhook_urls_off"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hooks",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://user:pass@example.com/",
        "ftp://example.com/",
        "https://",
        "https://example.com:99999/",
        "https://[half",
        "hooks",
    ],
)
async def test_an_address_that_can_not_be_is_refused_in_plain_words(store: RedisStore, url: str) -> None:
    settings = KEYS | ALLOWED | {"CREWDECK_WEBHOOK_ALLOW_PRIVATE": "0"}
    async with serve(store, settings) as api:
        problem = await _start(api, url, 422)
        assert problem["code"] == "invalid_request"
        assert problem["errors"] == [{"field": "webhook_url", "reason": problem["detail"]}]
        assert problem["detail"].startswith(("The address of an endpoint", "This is no address"))


async def test_the_address_is_not_shown_to_readers(store: RedisStore) -> None:
    async with serve(store, KEYS | ALLOWED) as api:
        run = await _start(api, "https://example.com/s3cret")
        shown = await api.get(f"/runs/{run['run_id']}", headers=bearer("reader"))
        assert "s3cret" not in shown.text


async def test_runs_that_cannot_be_read_hold_up_no_others(
    store: RedisStore, opens: Opens, receiver: Receiver, server: redis.Redis
) -> None:
    """Even when they wait longest, and are more than are looked at in one go."""
    async with serve(store, KEYS | ALLOWED) as api:
        strange = [(await _start(api, receiver.url, key="ops"))["run_id"] for _ in range(30)]
        runs = [run for run in strange if redis_keys.shard_of(run) == redis_keys.shard_of(strange[0])]
        for number in range(120):
            server.zadd(
                f"{redis_keys.base(redis_keys.shard_of(strange[0]))}:outbox:{OF_STARTS}",
                {f"gone {number}": number},
            )
            server.hset(
                redis_keys.run(f"gone {number}"),
                mapping={"version": redis_keys.RECORD + 1, "spec": "{}", "seq": 1},
            )
        for run in runs:
            server.hset(redis_keys.run(run), "spec", "{")
    async with opens(settings_for(settings=ALLOWED)):
        await receiver.until(lambda: len(receiver.requests) == len(strange) - len(runs))
    assert set(receiver.seqs()) == set(strange) - set(runs)


async def test_receivers_of_one_key_that_do_not_answer_hold_up_no_others(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    """Even when more of its runs wait than are looked at in one go, in the shard where the other one is."""
    numbers = (f"run {number}" for number in itertools.count())
    one_shard = (each for each in numbers if redis_keys.shard_of(ids.run_id(each)) == 0)
    async with receiving() as silent:
        silent.slow = 2 * WITHIN
        for name in itertools.islice(one_shard, 120):
            await _started(store, name, silent.url, by="ops")
        async with opens(settings_for(settings=ALLOWED)):
            await silent.until(lambda: silent.requests)
            mine = [await _started(store, next(one_shard), receiver.url, by="ci") for _ in range(3)]
            await receiver.until(lambda: len(receiver.requests) == len(mine))
        assert len(silent.requests) == MAX_CONCURRENT_REQUESTS_PER_KEY
    assert set(receiver.seqs()) == set(mine)


async def test_receivers_of_many_keys_that_do_not_answer_hold_up_no_others(
    store: RedisStore, opens: Opens, receiver: Receiver
) -> None:
    """Five keys could take all slots; once they are known to be slow, they share half of them."""
    keys = [f"key {number}" for number in range(5)]
    slow = replace(QUICK, slow_after=0.02)

    async with receiving() as silent, opens(settings_for(settings=ALLOWED), slow):
        silent.slow = 0.2
        for key in keys:
            await _started(store, f"first of {key}", silent.url, by=key)
        await eventually(lambda: _all_delivered(store))
        silent.slow = 2 * WITHIN
        for key in keys:
            for number in range(MAX_CONCURRENT_REQUESTS_PER_KEY):
                await _started(store, f"{number} of {key}", silent.url, by=key)
        await silent.until(lambda: len(silent.requests) == len(keys) + MAX_CONCURRENT_SLOW_REQUESTS)
        mine = await _started(store, "mine", receiver.url, by="ci")
        await receiver.until(lambda: receiver.requests)
        assert len(silent.requests) == len(keys) + MAX_CONCURRENT_SLOW_REQUESTS
    assert set(receiver.seqs()) == {mine}


async def _started(store: RedisStore, name: str, url: str, by: str) -> str:
    """A run that was started with an API key, as the API starts it."""
    actor = Actor(surface="http", user_id=f"key:{by}", name=by)
    following = StartUrls(allowed=True, private=True).follower(url)
    run, _ = await store.runs.start(new_run(name, by=actor).model_copy(update={"followers": (following,)}))
    return run.id


async def _all_delivered(store: RedisStore) -> bool:
    shards = range(store.outbox.shards)
    return not any([await store.outbox.pending(OF_STARTS, shard, 1) for shard in shards])
