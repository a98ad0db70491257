"""The store fails between a message and its record: the process that posted it doesn't post it again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.questions.question import Action
from bot.store.redis import RedisStore
from bot.store.redis_keys import shard_of
from tests.contract.chat.deployment import Deployment, deployed
from tests.contract.chat.peers import Trouble
from tests.contract.examples import DEMO, approval, response
from tests.contract.faulty_proxy import FaultyProxy, faulty_proxy


@pytest.fixture
async def proxy(data_dir: Path, redis_url: str) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(data_dir / "proxy.sock", redis_url.removeprefix("unix://")) as opened:
        yield opened


@pytest.fixture(params=["memory", "slack", "teams"])
async def far(request: pytest.FixtureRequest, proxy: FaultyProxy) -> AsyncIterator[Deployment]:
    """A deployment whose store can be made to fail."""
    async with deployed(request.param, proxy.url) as made:
        yield made


def recording(name: str) -> bytes:
    """In the request that records a message under this name."""
    return f"\r\n{name}\r\n".encode()


async def test_a_thread_is_recorded_and_its_run_queued_with_one_write(
    store: RedisStore, far: Deployment, proxy: FaultyProxy
) -> None:
    """While its answer is on its way, nothing else is written for the run."""
    async with far.delivering():
        first = await far.start()  # Redis learns the scripts.
        await far.until(lambda: far.all_shown(first))
        held = proxy.hold(recording("run"))
        run = await far.start()
        await held.reached.wait()
        claims = await store.queue.claim("worker", [DEMO.name], 2, 60)
        state = await store.outbox.state(far.surface, run.id)
        pending = await store.outbox.pending(far.surface, shard_of(run.id))
        held.released.set()
    assert {each.run.id for each in claims} == {first.id, run.id}
    assert (state.cursor, pending) == (run.seq, [])
    assert len(far.all_saying("Demo")) == 2


async def test_that_a_thread_was_opened_is_recorded_once_the_store_is_back(
    far: Deployment, proxy: FaultyProxy
) -> None:
    async with far.delivering():
        proxy.refuse(recording("run"))
        run = await far.start()
        claim = await far.claim()
        await far.until(lambda: far.all_shown(run))
    assert (proxy.refusals, claim.run.id) == (1, run.id)
    assert len(far.all_saying("Demo")) == 1


async def test_the_result_is_posted_once(far: Deployment, proxy: FaultyProxy) -> None:
    async with far.delivering():
        run = await far.start()
        claim = await far.claim()
        proxy.refuse(recording("end"))
        await far.store.queue.finish(claim, result="All is said.")
        await far.until(lambda: far.all_shown(run))
    assert proxy.refusals == 1
    assert len(far.all_saying("All is said.")) == 1


async def test_a_question_is_asked_once_and_its_outcome_shown(far: Deployment, proxy: FaultyProxy) -> None:
    async with far.delivering():
        run = await far.start()
        claim = await far.claim()
        proxy.refuse(recording(f"question:{approval(claim, 'May I?').id}"))
        question = await far.ask(claim, "May I?")
        await far.sees("May I?")
        said = response(Action.APPROVE, far.person("U0ADA"))
        await far.store.questions.respond(question.run_id, question.id, said)
        await far.until(lambda: far.all_shown(run))
    assert proxy.refusals == 1
    [shown] = far.all_saying("May I?")
    assert shown.buttons == ()


@pytest.mark.parametrize("step", ["moving", "moved"])
async def test_that_a_run_goes_on_elsewhere_is_said_once(
    far: Deployment, proxy: FaultyProxy, step: str
) -> None:
    async with far.delivering():
        run = await far.start()
        claim = await far.claim()
        await far.ask(claim, "First?")
        await far.sees("First?")
        await far.peer.close(far.peer.channel)
        proxy.refuse(recording(step))
        await far.store.queue.finish(claim, result="All is said.")
        await far.until(lambda: far.all_shown(run))
        direct = far.peer.direct_channel("U0ADA")
        await far.sees("All is said.", direct)
    assert proxy.refusals == 1
    assert len(far.all_saying("I can't post in", direct)) == 1
    assert len(far.all_saying("All is said.", direct)) == 1


async def test_that_a_run_found_no_place_is_said_once(far: Deployment, proxy: FaultyProxy) -> None:
    await far.peer.close(far.peer.channel)
    async with far.delivering("web-1"):
        run = await far.start()
        await far.until(lambda: _is_over(far, run.id))

        def refuse_the_record(_: str) -> Trouble:
            """The requester is told a few seconds later."""
            far.peer.disturb(lambda _: Trouble.NONE)
            proxy.refuse(f"web-1\r\n${len(run.id)}\r\n{run.id}\r\n".encode())
            return Trouble.NONE

        far.peer.disturb(refuse_the_record)
        await far.until(lambda: far.all_shown(run))
    assert proxy.refusals == 1
    direct = far.peer.direct_channel("U0ADA")
    assert len(far.all_saying("was not started", direct)) == 1


async def _is_over(far: Deployment, run_id: str) -> bool:
    return (await far.store.runs.get(run_id)).status.over
