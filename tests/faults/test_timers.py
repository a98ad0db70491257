"""Deadlines and reminders that fall due while there is nobody: no web process, no worker, no Redis."""

import asyncio

import pytest

from bot.core.events.event import HumanInputCompleted, HumanInputReminded, HumanInputRequired
from bot.core.questions.question import Deadline, Question
from bot.store.embedded import Embedded
from tests.contract.crews.deployment import Deployment
from tests.faults.checks import ended_once
from tests.faults.killed_valkey import gone
from tests.faults.multi_web_deployment import MultiWebDeployment
from tests.faults.process_deployment import ProcessDeployment
from tests.loopback.models import LoopbackModel, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow]

AT_ONCE = {"CREWDECK_HOT_WINDOW": "0"}
PAST = 8.2
"""Seconds after which every deadline and reminder of these tests has passed."""


async def test_what_fell_due_while_everything_was_down_happens_once_and_in_order(
    mortal: Embedded, mortal_processes: ProcessDeployment, model: LoopbackModel, mark: str
) -> None:
    """A question of a real crew, with a deadline and a reminder; in Slack one like it, and a patient one."""
    model.script(mark, [call("ask_human", question="Which?", options=["Tea", "Coffee"]), say("{last}")])
    processes = mortal_processes
    async with (
        MultiWebDeployment.built(processes, webs=1) as multi_web,
        Deployment.at(processes.redis_url, processes.story) as people,
    ):
        on = multi_web.on
        claim = await on.claimed(await on.start())  # Before there is a real worker, which has this crew too.
        worker = processes.worker(**AT_ONCE)
        await worker.ready()
        run = await people.start("stuck", prompt=f"[[{mark}]]")
        asked = await people.question(run)
        await processes.parked(run)
        patient = await on.ask(
            claim, "Still there?", task_id="t2", deadline=Deadline(after=3600, remind_after=6)
        )
        shown = await on.sees(lambda: on.said("Still there?"))
        # Nobody is reminded of it while there still is somebody: it is asked last, and shown in a moment.
        late = await on.ask(claim, "Too late?", task_id="t1", deadline=Deadline(after=8, remind_after=7))
        await on.sees(lambda: on.said("Too late?"))
        for machine in (worker, multi_web.webs[0]):
            machine.kill()
        async with gone(mortal):
            await asyncio.sleep(PAST)
        processes.web()
        processes.worker(**AT_ONCE)
        multi_web.webs = [multi_web.web()]
        await multi_web.webs[0].up()
        assert "Nobody answered before the deadline" in await people.result(run)
        await ended_once(people, run)
        assert await _told(people, asked) == ["required", "reminded", "completed"]
        reminder = await on.sees(lambda: on.said("is still open"))
        await on.sees(lambda: on.said("nobody answered in time"))
        assert await _told(people, late) == ["required", "reminded", "completed"]
        assert await _told(people, patient) == ["required", "reminded"]
        assert (await people.store.questions.get(claim.run.id, patient.id)).open
        assert (await people.store.questions.get(claim.run.id, late.id)).outcome is not None
        assert f"p{shown.ts.replace('.', '')}" in reminder.words, "it links to the question"
        assert "<@U0ADA>" in reminder.words
        assert reminder.thread_ts == shown.thread_ts
        assert on.times_said("is still open") == 1, "nobody is reminded of what is over"


KINDS = {HumanInputRequired: "required", HumanInputReminded: "reminded", HumanInputCompleted: "completed"}


async def _told(people: Deployment, question: Question) -> list[str]:
    """What a run's events tell of a question."""
    bodies = [event.body for event in await people.store.events.read(question.run_id)]
    return [
        KINDS[type(b)] for b in bodies if type(b) in KINDS and getattr(b, "question_id", "") == question.id
    ]
