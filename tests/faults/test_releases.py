"""Runs that an earlier release left waiting go on after an upgrade."""

import pytest
import redis

from bot.core.ports.lists import RunFilter
from bot.core.runs.run import Run
from bot.store.redis import open_store
from tests.contract.crews.deployment import Deployment
from tests.faults.releases import dump
from tests.faults.releases.runs import KEPT, script
from tests.faults.worker_deployment import WorkerDeployment
from tests.loopback.models import LoopbackModel

pytestmark = [pytest.mark.faults, pytest.mark.slow]


async def waiting(deployment: Deployment) -> dict[str, Run]:
    """The runs of a dump by their markers."""
    return {
        str(run.inputs["prompt"]).strip("[]"): run for run in await deployment.store.runs.list(RunFilter())
    }


OTHER_FORMATS = {"0.1": "its journal has the format 1, and this worker reads 2"}
"""Releases that wrote journals in a form that this one can't go on from, and what is said of it."""


async def answered(
    worker_deployment: WorkerDeployment, deployment: Deployment, release: str
) -> dict[str, Run]:
    """The runs that a release left waiting, once people have answered."""
    with redis.Redis.from_url(worker_deployment.redis_url, decode_responses=True) as server:
        dump.put(server, dump.read(release))
    async with open_store(worker_deployment.redis_url):
        pass  # The first process of this release brings what is stored up to it.
    runs = await waiting(deployment)
    for mark, kept in KEPT.items():
        asked = await deployment.asked(runs[mark], many=len(kept.answers))
        for question in asked:
            [words] = [said for start, said in kept.answers.items() if question.prompt.startswith(start)]
            await deployment.say(question, words)
    return runs


@pytest.mark.parametrize("release", [each for each in dump.releases() if each not in OTHER_FORMATS])
async def test_runs_that_a_release_left_waiting_go_on(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, release: str
) -> None:
    script(model)
    before = {mark: model.count(mark) for mark in KEPT}
    runs = await answered(worker_deployment, deployment, release)
    for mark, kept in KEPT.items():
        assert await deployment.result(runs[mark]) == kept.result
        assert model.count(mark) - before[mark] == kept.after, "recorded steps are not taken again"


@pytest.mark.parametrize("release", OTHER_FORMATS)
async def test_or_say_why_they_do_not(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, release: str
) -> None:
    script(model)
    before = model.count()
    for run in (await answered(worker_deployment, deployment, release)).values():
        done = await deployment.over(run)
        assert done.error is not None
        assert done.error.code == "other_release"
        assert OTHER_FORMATS[release] in done.error.message
    assert model.count() == before, "nothing is done again"
