"""Answers of Redis that get lost on the way: the store asks again, and nothing happens twice."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from bot.core.errors import StoreUnavailable
from bot.core.people.policy import Policy
from bot.core.questions.decision import Verdict
from bot.core.runs.nonce import Nonce
from bot.core.runs.run import RunStatus
from bot.store.redis import RedisStore, open_store
from bot.surfaces.chat.rendering import run_card
from tests.contract.examples import (
    ADA,
    BOB,
    LEASE,
    LOST,
    UNPLACED,
    approval,
    claimed,
    event_types,
    new_run,
    response,
    started,
)
from tests.contract.faulty_proxy import FaultyProxy, faulty_proxy

TOO_MANY = 20
"""More lost answers than the store asks again for."""


@pytest.fixture
async def proxy(data_dir: Path, server: redis.Redis) -> AsyncIterator[FaultyProxy]:
    path: str = server.connection_pool.connection_kwargs["path"]
    async with faulty_proxy(data_dir / "proxy.sock", path) as opened:
        yield opened


@pytest.fixture
async def far(proxy: FaultyProxy) -> AsyncIterator[RedisStore]:
    """The store behind a proxy that loses answers."""
    async with open_store(proxy.url) as store:
        # Scripts that Redis has not seen are sent once more anyhow.
        await started(store)
        yield store


async def test_a_new_run_is_still_new(proxy: FaultyProxy, far: RedisStore) -> None:
    proxy.lose(1)
    run, fresh = await far.runs.start(new_run())
    assert fresh
    assert await event_types(far, run.id) == ["run_started"]


async def test_a_request_is_no_replay_of_itself(proxy: FaultyProxy, far: RedisStore) -> None:
    new, other = new_run(), new_run()
    proxy.lose(1)
    assert (await far.runs.start(new, Nonce("request", 60)))[1]
    await far.runs.use_nonce(new.id, Nonce("a script that Redis has seen", 60))
    proxy.lose(1)
    assert await far.runs.use_nonce(other.id, Nonce("another request", 60))


async def test_a_cancelled_run_is_no_surprise_to_who_cancelled_it(
    proxy: FaultyProxy, far: RedisStore
) -> None:
    run = await started(far)
    other = await started(far)
    await far.runs.cancel(other.id, ADA)
    proxy.lose(1)
    assert (await far.runs.cancel(run.id, ADA)).status is RunStatus.CANCELLED


async def test_a_run_that_could_not_be_placed_is_reported(proxy: FaultyProxy, far: RedisStore) -> None:
    first, _ = await far.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    second, _ = await far.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
    assert await far.runs.fail_unplaced(first.id, LOST)
    proxy.lose(1)
    assert await far.runs.fail_unplaced(second.id, LOST)


async def test_a_claim_finds_what_an_earlier_one_took(proxy: FaultyProxy, far: RedisStore) -> None:
    created = {(await started(far)).id for _ in range(3)}
    before = await far.queue.claim("w", ["demo"], 1, LEASE)
    proxy.lose(TOO_MANY)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await far.queue.claim("w", ["demo"], 2, LEASE)
    proxy.lose(0)
    claims = await far.queue.claim("w", ["demo"], 3, LEASE)
    assert {claim.run.id for claim in (*before, *claims)} > created
    assert {claim.epoch for claim in claims} == {1}
    assert await far.queue.heartbeat("w", claims, LEASE) == set()


async def test_questions_answers_and_ends_happen_once(proxy: FaultyProxy, far: RedisStore) -> None:
    await claimed(far)
    claim = await claimed(far)
    proxy.lose(1)
    question = await far.questions.ask(claim, approval(claim))
    proxy.lose(1)
    ruling = await far.questions.respond(claim.run.id, question.id, response())
    assert ruling.verdict is not Verdict.REFUSED
    proxy.lose(1)
    await far.queue.finish(claim, result="done")
    assert await event_types(far, claim.run.id) == [
        "run_started",
        "human_input_required",
        "human_input_completed",
        "run_completed",
    ]


async def test_a_response_that_counts_is_recorded_once(proxy: FaultyProxy, far: RedisStore) -> None:
    claim = await claimed(far)
    both = Policy(deciders=(ADA.principal, BOB.principal), need=2)
    question = await far.questions.ask(claim, approval(claim).model_copy(update={"policy": both}))
    for by, progress in ((ADA, 1), (BOB, 2)):
        proxy.lose(1)
        ruling = await far.questions.respond(claim.run.id, question.id, response(by=by))
        assert ruling.verdict is not Verdict.REFUSED
        assert ruling.question is not None
        assert ruling.question.progress.approved == progress
    assert await event_types(far, claim.run.id) == [
        "run_started",
        "human_input_required",
        "human_input_recorded",
        "human_input_completed",
    ]


async def test_an_answer_to_a_plain_question_takes_two_round_trips(
    proxy: FaultyProxy, far: RedisStore
) -> None:
    claim = await claimed(far)
    warm, question = [await far.questions.ask(claim, approval(claim, name)) for name in ("warm", "ok")]
    await far.questions.respond(claim.run.id, warm.id, response(key="warm"))
    before = proxy.round_trips
    await far.questions.respond(claim.run.id, question.id, response())
    assert proxy.round_trips - before == 2
    await far.questions.respond(claim.run.id, question.id, response(key="again"))
    assert proxy.round_trips - before == 4, "to read it, and to wait until the first is safe"


async def test_a_card_of_a_run_is_read_at_once(proxy: FaultyProxy, far: RedisStore) -> None:
    run = await started(far)
    before = proxy.round_trips
    card = await run_card(far, run)
    assert card.run_id == run.id
    assert proxy.round_trips - before <= 2, "the events leave first, and the others behind them"


async def test_a_code_links_although_the_reply_is_lost(proxy: FaultyProxy, far: RedisStore) -> None:
    key = ADA.model_copy(update={"surface": "http", "tenant": "", "user_id": "key:ada"})
    warm = ADA.model_copy(update={"surface": "teams"})
    await far.directory.redeem(await far.directory.new_code(ADA), warm)
    code = await far.directory.new_code(ADA)
    proxy.lose(2)
    linked = await far.directory.redeem(code, key)
    assert {each.surface for each in linked} == {"slack", "teams", "http"}


async def test_the_first_caller_is_the_first(proxy: FaultyProxy, far: RedisStore) -> None:
    proxy.lose(1, b"once:delivery 7")
    assert await far.key_values.add("delivery 7")
    assert not await far.key_values.add("delivery 7")
