"""Runs that an earlier release left waiting go on after an upgrade."""

import pytest
import redis

from bot.core.lists import RunFilter
from bot.core.model import Run
from bot.store.redis import open_store
from tests.contract.crews.deck import Deck
from tests.faults.fleet import Fleet
from tests.faults.releases import dump
from tests.faults.releases.runs import KEPT, script
from tests.loopback.models import LoopbackModel

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(300)]


async def waiting(deck: Deck) -> dict[str, Run]:
    """The runs of a dump by their markers."""
    return {str(run.inputs["prompt"]).strip("[]"): run for run in await deck.store.runs(RunFilter())}


@pytest.mark.parametrize("release", dump.releases())
async def test_runs_that_a_release_left_waiting_go_on(
    fleet: Fleet, deck: Deck, model: LoopbackModel, release: str
) -> None:
    script(model)
    with redis.Redis.from_url(fleet.redis_url, decode_responses=True) as server:
        dump.put(server, dump.read(release))
    async with open_store(fleet.redis_url):
        pass  # The first process of this release brings what is stored up to it.
    runs = await waiting(deck)
    before = {mark: model.count(mark) for mark in KEPT}
    for mark, kept in KEPT.items():
        asked = await deck.asked(runs[mark], many=len(kept.answers))
        for question in asked:
            [words] = [said for start, said in kept.answers.items() if question.prompt.startswith(start)]
            await deck.say(question, words)
    for mark, kept in KEPT.items():
        assert await deck.result(runs[mark]) == kept.result
        assert model.count(mark) - before[mark] == kept.after, "recorded steps are not taken again"
