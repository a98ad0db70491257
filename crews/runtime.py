"""CrewAI <-> core: executes claimed runs on the crews' loop, many at a time, each from claim to end."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import Mapping
from typing import Any

import structlog
from crewai import Crew
from crewai.core.providers.human_input import set_provider
from crewai.events.base_events import reset_emission_counter
from crewai.events.utils.console_formatter import set_suppress_console_output
from crewai.execution import set_execution_uuid
from crewai.flow.flow import Flow

from bot.core.errors import JournalSealed
from bot.core.events import TaskCompleted
from bot.core.model import Claim
from bot.core.ports import Fenced
from crews import agents, agreement, attempts, bus, clients, failures, interpolation, seams
from crews.build import Blueprint, Built, YamlCrew
from crews.context import CURRENT, RunContext
from crews.execution import Ending, Execution
from crews.flows import seams as flow_seams
from crews.flows.course import COURSE, Course
from crews.hold import Hold
from crews.journal import Journal
from crews.line import StoreLine
from crews.parts import TaskPart
from crews.placeholders import kickoff_inputs
from crews.progress import Progress, Progressed
from crews.resume import FinishedTasks
from crews.reviews import Reviews
from crews.signals import Leave, Parked, Stopped
from crews.stay import History

log = structlog.get_logger(__name__)

SEALED_PAUSE = 60.0
"""Seconds after which somebody looks again whether a run's journal can be read: with other keys, it can."""
STARTS = 4
"""Runs that start at the same time; a hundred at once would stall the loop for a second."""


class Runtime:
    """Executes runs. Made, and used, on the crews' loop; one in a process."""

    def __init__(
        self, blueprints: Mapping[str, Blueprint], line: StoreLine, hot_window: float = 60.0
    ) -> None:
        self._blueprints = blueprints
        self._line = line
        self._hot_window = hot_window
        self._stopping = False
        self._starts = asyncio.Semaphore(STARTS)
        self._executions: dict[str, Execution] = {}
        seams.install()
        interpolation.install()
        flow_seams.install()
        agents.install()
        attempts.install()
        clients.install()
        bus.listen(self._executions)

    async def execute(self, claim: Claim, hold: Hold | None = None) -> None:
        """Execute a run and record how that ended. Never raises an Exception."""
        history = await self._readable(claim)
        if history is None:
            return
        execution = self._open(claim, history, hold or Hold())
        following = asyncio.create_task(execution.progress.follow())
        try:
            ending = await self._executed(execution)
            await execution.progress.flush()
            if ending.leave is not None:
                await self._leave(execution.context, ending.leave)
            elif ending.recorded:
                await execution.context.writer.flushed()
                await self._line.finish(claim, ending.result, ending.error)
        except (Fenced, Leave):
            log.info("let go", run_id=claim.run.id)
        finally:
            following.cancel()
            await asyncio.wait({following})
            self._close(execution)

    async def _readable(self, claim: Claim) -> History | None:
        """What was done before; None where this worker can't go on with it, and has given the run up."""
        try:
            history = await self._history(claim)
            problem = history.journal.unreadable
            if problem is None:
                return history
            log.error("a run's journal is of another release", run_id=claim.run.id, problem=problem)
            await self._line.finish(claim, None, failures.of_release(claim.run.id, problem))
        except JournalSealed as error:
            log.error("a run waits until its journal can be read", run_id=claim.run.id, reason=str(error))  # noqa: TRY400 - not our failure
            await self._line.set_aside(claim, SEALED_PAUSE)
        except Fenced:
            log.info("let go", run_id=claim.run.id)
        return None

    async def _history(self, claim: Claim) -> History:
        journal = Journal(await self._line.journal(claim.run.id))
        asked = await self._line.questions(claim.run.id)
        return History(journal, frozenset(question.id for question in asked))

    async def _leave(self, context: RunContext, why: Leave) -> None:
        """Give the run up; a step that is under way is recorded before, so that it isn't taken again."""
        await context.activity.over()
        await self._line.leave(context.claim)
        if isinstance(why, Parked):
            await self._line.park(context.claim, why.questions, context.worked)
            log.info("parked", run_id=context.run_id)
        else:
            await self._line.release(context.claim, context.worked)
            log.info("handed back", run_id=context.run_id)

    def hand_back(self) -> None:
        """The worker stops: waiting runs are parked, the others leave before their next step."""
        self._stopping = True
        for execution in self._executions.values():
            execution.context.hand_back()

    def stop(self, run_id: str) -> None:
        """The run is over, or another worker's: it ends at its next step, a waiting one at once."""
        execution = self._executions.get(run_id)
        if execution is not None:
            execution.context.stop()

    # ── one run ─────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, claim: Claim, history: History, hold: Hold) -> Execution:
        loop = asyncio.get_running_loop()
        progress = Progress(loop, lambda event: self._record(context, event))
        announcer = bus.Announcer(progress, self._executions)
        limits = self._blueprints[claim.run.crew.name].limits
        context = RunContext(claim, limits, self._line, announcer, history, self._hot_window, hold)
        execution = Execution(context, progress)
        context.interrupt = execution.interrupt
        if self._stopping:
            context.hand_back()
        self._executions[claim.run.id] = execution
        return execution

    async def _record(self, context: RunContext, event: Progressed) -> None:
        """Tell of it, once what led there is recorded."""
        try:
            await context.tell(event, event.task_id)
        except Fenced:
            context.stop()

    def _close(self, execution: Execution) -> None:
        """Take the run out of memory."""
        if self._executions.get(execution.context.run_id) is execution:
            del self._executions[execution.context.run_id]
        execution.context.stop()  # CrewAI lets a flow's other branches run on when one has failed
        bus.forget(execution.tasks)

    async def _executed(self, execution: Execution) -> Ending:
        context = execution.context
        run_id = context.run_id
        async with self._starts:
            blueprint = self._blueprints[context.claim.run.crew.name]
            try:
                crew = await asyncio.to_thread(blueprint.build, context.claim.run.inputs)
            except Exception as error:
                log.exception("the crew can't be built", run_id=run_id, crew=blueprint.name)
                return Ending(error=failures.of_build(error))
            if context.stopped is not None:
                return Ending.left(context.stopped)
        if isinstance(crew, Crew):  # Of a flow its methods are missed, if it is another one now.
            try:
                await agreement.reached(context, crew, literal=isinstance(blueprint, YamlCrew))
            except Leave:
                return Ending.left(context.leave(Stopped()))
        async with self._starts:
            kickoff = await self._kick_off(execution, crew, blueprint)
            begun = asyncio.create_task(context.begun.wait())
            await asyncio.wait({kickoff, begun}, return_when=asyncio.FIRST_COMPLETED)
            begun.cancel()
        await asyncio.wait({kickoff})
        return Ending.of(context, kickoff)

    async def _resume(self, execution: Execution, crew: Crew) -> None:
        """Let the crew go on where an earlier worker recorded that it was."""
        context = execution.context
        finished = FinishedTasks(context, context.history.journal)
        for part in finished.give_back(crew):
            # Whoever finished it may have died before telling.
            await self._record(context, execution.progressed(TaskCompleted, part))
        finished.listen(crew)

    async def _kick_off(self, execution: Execution, crew: Built, blueprint: Blueprint) -> asyncio.Task[str]:
        context = execution.context
        execution.crew = crew
        variables = contextvars.copy_context()
        variables.run(self._enter, context, blueprint.review_rounds)
        if isinstance(crew, Crew):
            await self._resume(execution, crew)
            work = _kicked_off(crew, kickoff_inputs(context.claim.run.crew, context.claim.run.inputs))
        else:
            course = self._course(execution, crew, blueprint)
            variables.run(COURSE.set, course)
            work = course.kick_off(dict(context.claim.run.inputs))
        execution.kickoff = context.loop.create_task(work, context=variables)
        context.stopwatch.start()
        return execution.kickoff

    def _course(self, execution: Execution, flow: Flow[Any], blueprint: Blueprint) -> Course:
        context, numbers = execution.context, itertools.count()

        def tell(kind: type[Progressed], part: TaskPart) -> None:
            execution.progress.note(next(numbers), execution.progressed(kind, part))

        return Course(context, flow, tell, blueprint.tools)

    @staticmethod
    def _enter(context: RunContext, rounds: int) -> None:
        """Set what CrewAI, our tools and our listeners find in the run's own context."""
        CURRENT.set(context)
        set_provider(Reviews(context, rounds))
        set_execution_uuid(context.run_id)
        set_suppress_console_output(True)
        reset_emission_counter()


async def _kicked_off(crew: Crew, inputs: dict[str, Any]) -> str:
    output: Any = await crew.akickoff(inputs=inputs)
    return str(output.raw)
