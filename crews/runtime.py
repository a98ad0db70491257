"""CrewAI <-> core: executes one claimed run after the other, many at a time, on the crews' loop.

The only module that touches CrewAI's event bus.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
import contextvars
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from crewai import Crew
from crewai.core.providers.human_input import set_provider
from crewai.events import crewai_event_bus
from crewai.events.base_events import reset_emission_counter
from crewai.events.event_listener import event_listener
from crewai.events.types.task_events import TaskCompletedEvent, TaskStartedEvent
from crewai.events.utils.console_formatter import set_suppress_console_output
from crewai.execution import set_execution_uuid
from crewai.flow.flow import Flow

from bot.core.errors import JournalSealed
from bot.core.events import TaskCompleted, TaskStarted
from bot.core.model import Claim, Question, RunError
from bot.core.ports import Fenced
from crews import agents, agreement, clients, failures, seams
from crews.build import Blueprint, Built, YamlCrew, kickoff_inputs
from crews.bus_events import HumanInputCompletedEvent, HumanInputRequiredEvent
from crews.context import CURRENT, RunContext
from crews.flows import seams as flow_seams
from crews.flows.course import COURSE, Course
from crews.hold import Hold
from crews.journal import Journal
from crews.line import StoreLine
from crews.parts import TaskPart
from crews.progress import Progress
from crews.resume import FinishedTasks
from crews.reviews import Reviews
from crews.signals import Leave, Parked, Stopped
from crews.stay import History

log = structlog.get_logger(__name__)

SEALED_PAUSE = 60.0
"""Seconds after which somebody looks again whether a run's journal can be read: with other keys, it can."""
STARTS = 4
"""Runs that start at the same time; a hundred at once would stall the loop for a second."""


@dataclass(frozen=True)
class Ending:
    """How an execution ended: with a result, with an error, with nothing to record, or unfinished."""

    result: str | None = None
    error: RunError | None = None
    #: It doesn't end: it leaves this worker.
    leave: Leave | None = None

    @property
    def recorded(self) -> bool:
        return self.result is not None or self.error is not None


@dataclass
class _Execution:
    """One run while it is executed, and where its listeners find its progress."""

    context: RunContext
    progress: Progress
    crew: Built | None = None
    kickoff: asyncio.Task[str] | None = field(default=None)
    #: CrewAI's tasks that were started in its course.
    tasks: list[Any] = field(default_factory=list)

    def interrupt(self) -> None:
        if self.kickoff is not None:
            self.kickoff.cancel()


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
        self._executions: dict[str, _Execution] = {}
        seams.install()
        flow_seams.install()
        agents.install()
        clients.install()
        self._listen()

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

    def _open(self, claim: Claim, history: History, hold: Hold) -> _Execution:
        loop = asyncio.get_running_loop()
        progress = Progress(loop, lambda event: self._record(context, event))
        announcer = _BusAnnouncer(progress, self._executions)
        limits = self._blueprints[claim.run.crew.name].limits
        context = RunContext(claim, limits, self._line, announcer, history, self._hot_window, hold)
        execution = _Execution(context, progress)
        context.interrupt = execution.interrupt
        if self._stopping:
            context.hand_back()
        self._executions[claim.run.id] = execution
        return execution

    async def _record(self, context: RunContext, event: TaskStarted | TaskCompleted) -> None:
        """Tell of it, once what led there is recorded."""
        try:
            await context.writer.flushed()
            await self._line.record(context.claim, event, event.task_id)
        except Fenced:
            context.stop()

    def _close(self, execution: _Execution) -> None:
        """Take the run out of memory. CrewAI would keep a cancelled task, and with it the crew, for ever."""
        if self._executions.get(execution.context.run_id) is execution:
            del self._executions[execution.context.run_id]
        execution.context.stop()  # CrewAI lets a flow's other branches run on when one has failed
        for task in execution.tasks:
            event_listener.execution_spans.pop(task, None)

    async def _executed(self, execution: _Execution) -> Ending:
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
                return _left(context.stopped)
        if isinstance(crew, Crew):  # Of a flow its methods are missed, if it is another one now.
            try:
                await agreement.reached(context, crew, literal=isinstance(blueprint, YamlCrew))
            except Leave:
                return _left(context.leave(Stopped()))
        async with self._starts:
            kickoff = await self._kick_off(execution, crew, blueprint)
            begun = asyncio.create_task(context.begun.wait())
            await asyncio.wait({kickoff, begun}, return_when=asyncio.FIRST_COMPLETED)
            begun.cancel()
        await asyncio.wait({kickoff})
        return self._ending(context, kickoff)

    async def _resume(self, context: RunContext, crew: Crew) -> None:
        """Let the crew go on where an earlier worker recorded that it was."""
        finished = FinishedTasks(context, context.history.journal)
        for part in finished.give_back(crew):
            # Whoever finished it may have died before telling.
            await self._record(context, _progressed(TaskCompleted, context.crew_id, part))
        finished.listen(crew)

    async def _kick_off(self, execution: _Execution, crew: Built, blueprint: Blueprint) -> asyncio.Task[str]:
        context = execution.context
        execution.crew = crew
        variables = contextvars.copy_context()
        variables.run(self._enter, context, blueprint.review_rounds)
        if isinstance(crew, Crew):
            await self._resume(context, crew)
            work = _kicked_off(crew, kickoff_inputs(context.claim.run.crew, context.claim.run.inputs))
        else:
            course = self._course(execution, crew, blueprint)
            variables.run(COURSE.set, course)
            work = course.kick_off(dict(context.claim.run.inputs))
        execution.kickoff = context.loop.create_task(work, context=variables)
        context.stopwatch.start()
        return execution.kickoff

    def _course(self, execution: _Execution, flow: Flow[Any], blueprint: Blueprint) -> Course:
        context, numbers = execution.context, itertools.count()

        def tell(kind: type[TaskStarted | TaskCompleted], part: TaskPart) -> None:
            execution.progress.note(next(numbers), _progressed(kind, context.crew_id, part))

        return Course(context, flow, tell, blueprint.tools)

    @staticmethod
    def _enter(context: RunContext, rounds: int) -> None:
        """Set what CrewAI, our tools and our listeners find in the run's own context."""
        CURRENT.set(context)
        set_provider(Reviews(context, rounds))
        set_execution_uuid(context.run_id)
        set_suppress_console_output(True)
        reset_emission_counter()

    @staticmethod
    def _ending(context: RunContext, kickoff: asyncio.Task[str]) -> Ending:
        if context.stopped is not None:
            if not kickoff.cancelled():
                kickoff.exception()  # seen: it is ours
            return _left(context.stopped)
        error = None if kickoff.cancelled() else kickoff.exception()
        if error is None and not kickoff.cancelled():
            return Ending(result=kickoff.result())
        if error is None or isinstance(error, Fenced):
            return Ending()
        log.error("the crew failed", run_id=context.run_id, exc_info=error)
        return Ending(error=failures.of_run(context.run_id, error, context.steps.model_failure))

    # ── CrewAI's bus ────────────────────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        @crewai_event_bus.on(TaskStartedEvent)
        def started(source: Any, event: TaskStartedEvent) -> None:
            self._note(TaskStarted, source, event)

        @crewai_event_bus.on(TaskCompletedEvent)
        def completed(source: Any, event: TaskCompletedEvent) -> None:
            self._note(TaskCompleted, source, event)

    def _note(
        self,
        kind: type[TaskStarted | TaskCompleted],
        source: Any,
        event: TaskStartedEvent | TaskCompletedEvent,
    ) -> None:
        run = CURRENT.get()
        execution = self._executions.get(run.run_id) if run is not None else None
        if execution is not None and kind is TaskStarted:
            execution.tasks.append(source)
        part = run.parts.own(source) if run is not None else None
        if run is not None and execution is not None and part is not None:
            execution.progress.note(event.emission_sequence or 0, _progressed(kind, run.crew_id, part))


class _BusAnnouncer:
    """Tells CrewAI's listeners of questions; their task's start is recorded first."""

    def __init__(self, progress: Progress, executions: Mapping[str, _Execution]) -> None:
        self._progress = progress
        self._executions = executions

    async def before(self, task: TaskPart | None) -> None:
        if task is not None:
            await self._progress.started(task.id)

    def asked(self, question: Question) -> None:
        crewai_event_bus.emit(self._crew(question), HumanInputRequiredEvent.of(question))

    def answered(self, question: Question) -> None:
        if question.outcome is not None:
            crewai_event_bus.emit(
                self._crew(question), HumanInputCompletedEvent.of(question, question.outcome)
            )

    def _crew(self, question: Question) -> Built | None:
        execution = self._executions.get(question.run_id)
        return execution.crew if execution is not None else None


async def _kicked_off(crew: Crew, inputs: dict[str, Any]) -> str:
    output: Any = await crew.akickoff(inputs=inputs)
    return str(output.raw)


def _left(why: Leave) -> Ending:
    return Ending(error=why.error) if isinstance(why, Stopped) else Ending(leave=why)


def _progressed(
    kind: type[TaskStarted | TaskCompleted], crew_id: str, part: TaskPart
) -> TaskStarted | TaskCompleted:
    return kind(
        crew_id=crew_id,
        task_id=part.id,
        agent_id=part.agent_id,
        task=part.name,
        agent=part.agent,
        number=part.number,
        total=part.total,
    )
