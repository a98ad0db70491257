"""A worker, and a web process, behind a network that goes bad."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from bot.core.people.policy import Approvers
from bot.core.questions.question import Action, Question, QuestionKind
from tests.contract.crews.deployment import Deployment
from tests.contract.http.following import all_of, over_sse
from tests.contract.http.served import Served, http_client
from tests.faults.checks import ended_once
from tests.faults.multi_web_deployment import MultiWebDeployment
from tests.faults.process_deployment import ProcessDeployment, Web
from tests.faults.proxy import Direction, RedisProxy
from tests.loopback.models import LoopbackModel, call, say
from tests.loopback.slack import Delivery
from tests.waiting import WITHIN

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ATTEMPTS = 3
ANYONE = Approvers(requester=False, anyone=True)


@pytest.fixture
def proxy(processes: ProcessDeployment) -> Iterator[RedisProxy]:
    """What the far process reaches Redis by."""
    with RedisProxy.listening(processes.redis_url) as listening:
        yield listening


def directions(proxy: RedisProxy, names: str) -> list[Direction]:
    return [getattr(proxy, name) for name in names.split("+")]


@pytest.mark.parametrize("held", ["to_server", "to_client", "to_server+to_client"])
async def test_a_worker_that_is_cut_off_loses_its_run_and_comes_back(
    processes: ProcessDeployment,
    proxy: RedisProxy,
    people: Deployment,
    model: LoopbackModel,
    mark: str,
    held: str,
) -> None:
    """What it had sent arrives when others have finished the run long since."""
    model.script(
        mark,
        [
            call("effect", mark=mark, what="before"),
            call("lasting", mark=mark, what="work", seconds=5.0),
            call("effect", mark=mark, what="after"),
            say("{last}"),
        ],
    )
    far = processes.worker(CREWDECK_REDIS_URL=proxy.url)
    await far.ready()
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    await processes.did(mark, 2)
    proxy.hold(*directions(proxy, held))
    near = processes.worker()
    assert await people.result(run) == "did after"
    proxy.heal()
    await far.left(run)
    twice = processes.effects(mark) == ["before", "work", "work", "after"]  # It may be repeated, and says so.
    # Only on its way to the store, and on a connection that stood already, could the first time be recorded.
    assert twice or (held == "to_client" and processes.effects(mark) == ["before", "work", "after"])
    assert model.count(mark) in {4, 5}, (
        "the far worker may have asked the model once more than it could record"
    )
    await ended_once(people, run)
    await near.stopped()
    model.script(f"{mark}-again", [say("well")])
    again = await people.start("stuck", prompt=f"[[{mark}-again]]")
    assert await people.result(again) == "well"


@pytest.mark.parametrize("bad", ["slow", "broken"])
async def test_a_worker_behind_a_bad_line_keeps_its_run_and_does_nothing_twice(
    processes: ProcessDeployment,
    proxy: RedisProxy,
    people: Deployment,
    model: LoopbackModel,
    mark: str,
    bad: str,
) -> None:
    """Answers take 200 to 500 ms, or are cut off in their midst now and then."""
    chosen = random.Random(1)
    model.script(
        mark,
        [
            call("effect", mark=mark, what="one") & call("effect", mark=mark, what="two"),
            call("ask_human", question="Go on?"),
            call("effect", mark=mark, what="three"),
            say("{last}"),
        ],
    )
    worker = processes.worker(CREWDECK_REDIS_URL=proxy.url, CREWDECK_LEASE="6")
    await worker.ready()
    if bad == "slow":
        proxy.to_client.latency = (0.2, 0.5)
    else:
        proxy.to_client.resets = [chosen.choice([0, 1, 5, 40, 4096]) for _ in range(20)]
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    await people.say(await people.question(run), "yes")
    assert await people.result(run) == "did three"
    assert sorted(processes.effects(mark)) == ["one", "three", "two"]
    assert (await people.store.runs.get(run.id)).epoch == 1
    await ended_once(people, run)


async def answer(web: Web, question: Question, words: str) -> int:
    async with http_client(web.url, WITHIN, web.bearer) as client:
        body = {"response": words, "question_id": question.id}
        return (await client.post(f"/{question.run_id}/input", json=body)).status_code


async def test_a_web_process_that_is_cut_off_confirms_nothing_that_did_not_count(
    processes: ProcessDeployment, proxy: RedisProxy
) -> None:
    async with MultiWebDeployment.built(processes, webs=1) as multi_web:
        on, [near] = multi_web.on, multi_web.webs
        far = multi_web.web(CREWDECK_REDIS_URL=proxy.url)
        await far.up()
        claim = await on.claimed(await on.start())
        async with http_client(far.url, WITHIN) as client:
            served = Served(far.url, on.store, client, far.bearer)  # type: ignore[arg-type]
            following = asyncio.create_task(all_of(over_sse(served, f"/{claim.run.id}")))
            for number, held in enumerate(("to_server", "to_client", "to_server+to_client")):
                question = await on.ask(claim, f"Number {number}?", kind=QuestionKind.TEXT, approvers=ANYONE)
                proxy.hold(*directions(proxy, held))
                cut_off = asyncio.create_task(answer(far, question, "from afar"))
                await asyncio.sleep(0.5)
                status = await answer(near, question, "from nearby")
                proxy.heal()
                settled = await on.store.questions.get(claim.run.id, question.id)
                assert settled.outcome is not None
                counted = settled.outcome.comment
                assert (await cut_off, status) == {"from afar": (200, 409), "from nearby": (409, 200)}[
                    counted
                ]
                assert len(await on.store.questions.responses(claim.run.id, question.id)) == 1
            await on.finish(claim)
            seen = await following
        assert len({data for data, _ in seen}) == len(seen) == (await on.store.runs.get(claim.run.id)).seq


async def test_presses_behind_a_slow_line_are_acknowledged_in_time_and_count(
    processes: ProcessDeployment, proxy: RedisProxy
) -> None:
    async with MultiWebDeployment.built(processes, webs=1) as multi_web:
        on, ada = multi_web.on, multi_web.slack.person("U0ADA", name="Ada")
        far = multi_web.web(CREWDECK_REDIS_URL=proxy.url)
        await far.up()
        claim = await on.claimed(await on.start())
        questions: list[Question] = []
        pressed: list[Delivery] = []
        # Where much else is going on, all three are acknowledged in time in one of the attempts.
        for first in range(0, 3 * ATTEMPTS, 3):
            numbers = range(first, first + 3)
            proxy.heal()
            questions += [await on.ask(claim, f"Number {n}?", task_id=f"t{n}") for n in numbers]
            shown = [await on.sees(lambda n=n: on.said(f"Number {n}?")) for n in numbers]  # type: ignore[misc]
            proxy.to_server.latency, proxy.to_client.latency = (0.05, 0.1), (0.2, 0.5)
            pressed = [await (await multi_web.at(far, ada.press(each, "Approve"))) for each in shown]
            if all(each.ok for each in pressed):
                break
        assert all(each.ok for each in pressed), [(each.status, each.elapsed) for each in pressed]
        await on.slack.wait_for(lambda: on.times_said("*Approved*") == len(questions))
        for question in questions:
            settled = await on.store.questions.get(claim.run.id, question.id)
            assert settled.outcome is not None
            assert settled.outcome.action is Action.APPROVE
