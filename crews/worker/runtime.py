"""Executes claimed runs, many at a time, each in threads of its own, from claim to end.

The engine's loop only waits: for people, for the store and for these threads. No code of a crew runs on it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog
from crewai import Task
from crewai.flow.flow import Flow
from crewai.tasks.task_output import TaskOutput

from bot.core.errors import JournalUndecryptable, UnreadableRecord
from bot.core.events.event import TaskCompleted
from bot.core.files import files_of_inputs
from bot.core.ports.queue import Fenced
from bot.core.runs.run import Claim, RunError
from crews.building.build import Blueprint, Built, YamlCrew
from crews.changes import confirm
from crews.crewai_adapter import bus, install
from crews.crewai_adapter.execution.human_input_provider import HumanInputProvider
from crews.crewai_adapter.execution.kickoff import kick_off
from crews.crewai_adapter.execution.output_files import save_output
from crews.crewai_adapter.execution.tasks import wait_for_memories
from crews.crewai_adapter.flows.access import FlowAccess
from crews.crewai_adapter.models import rpm, usage
from crews.definitions.gates import REGISTRY
from crews.definitions.placeholders import kickoff_inputs
from crews.flows.replay import FLOW_REPLAY, FlowReplay
from crews.journal.journal import Journal
from crews.run import failures
from crews.run.context import RunContext
from crews.run.exits import Parked, RunExit
from crews.run.files import InputLost, disk_error, with_paths
from crews.run.finished_tasks import FinishedTasks
from crews.run.folder import Folders, temporary
from crews.run.identity import TaskIdentity
from crews.run.lease import Lease
from crews.run.parking import ResidentRuns
from crews.run.progress import Progress, Progressed
from crews.run.session import RunHistory
from crews.run.store_proxy import StoreProxy
from crews.run.threads import Outcome, Raised, Threads
from crews.worker import bus_listeners
from crews.worker.execution import Ending, Execution

log = structlog.get_logger(__name__)

UNREADABLE_RETRY_S = 60.0
"""Seconds after which somebody looks again whether a run's journal can be read: with other keys, it can."""
SLOW_START_S = 0.5
"""Seconds after its start from which a blocked run no longer counts as starting."""
MAX_CONCURRENT_STARTS = 4
"""Runs that start at the same time; a hundred at once would leave none of them any of the processor."""


class Runtime:
    """Executes runs. Made, and used, on the crews' loop; one in a process."""

    def __init__(
        self,
        blueprints: Mapping[str, Blueprint],
        store: StoreProxy,
        hot_window: float = 60.0,
        hot_runs: int = 100,
        build_timeout: float = 60.0,
        folders: Folders | None = None,
    ) -> None:
        self._blueprints = blueprints
        self._store = store
        self._folders = folders or temporary()
        self._resident = ResidentRuns(hot_window, hot_runs)
        self._build_timeout = build_timeout
        self._stopping = False
        self._starts = asyncio.Semaphore(MAX_CONCURRENT_STARTS)
        self._executions: dict[str, Execution] = {}
        #: Of runs that are over here while a thread of theirs was still alive.
        self._outlived: list[Threads] = []
        install.install()
        self._folders.sweep()
        #: Stops listening to CrewAI's events; for what makes several of these in a process.
        self.close = bus_listeners.listen(self._executions)

    def replace(self, blueprints: Mapping[str, Blueprint]) -> None:
        """Runs that come from now on use these. Those of removed crews stay for claims under way."""
        self._blueprints = {**self._blueprints, **blueprints}

    async def execute(self, claim: Claim, lease: Lease | None = None) -> None:
        """Execute a run and record how that ended. Never raises an Exception."""
        history = await self._readable(claim)
        if history is None:
            return
        execution = self.open(with_paths(claim, self._folders.of(claim.run.id)), history, lease or Lease())
        following = asyncio.create_task(execution.progress.follow())
        try:
            ending = await self._restored(execution, claim) or await self._executed(execution)
            await execution.context.pending.wait_background()
            execution.progress.hand_over()
            if ending.leave is not None:
                await self._leave(execution.context, ending.leave)
            elif ending.recorded:
                await execution.context.files.collect()
                execution.context.writer.end(ending.result, ending.error)
                await execution.context.writer.flushed()
        except (Fenced, RunExit):
            log.info("a run left the worker", run_id=claim.run.id)
        finally:
            following.cancel()
            await asyncio.wait({following})
            self._close(execution)
            await asyncio.to_thread(execution.context.files.close)

    async def _restored(self, execution: Execution, claim: Claim) -> Ending | None:
        """Put the run's files into its folder; how the run ends if one is lost, else None."""
        inputs = files_of_inputs(claim.run.inputs)
        if not inputs and not execution.context.history.journal.begun:
            return None
        try:
            await execution.context.files.restore(inputs)
        except InputLost as error:
            return Ending(error=RunError(code="file_lost", message=str(error)))
        except OSError as error:
            log.exception("a run's folder can't be written", run_id=claim.run.id)
            return Ending(error=disk_error(error))
        except JournalUndecryptable as error:
            log.error("a run waits until its files can be read", run_id=claim.run.id, reason=str(error))  # noqa: TRY400 - not our failure
            await self._store.defer(claim, UNREADABLE_RETRY_S)
            return Ending()
        return None

    async def _readable(self, claim: Claim) -> RunHistory | None:
        """The recorded history; None if this worker can't continue the run, and has given it up."""
        try:
            history = await self._history(claim)
            problem = history.journal.unreadable
            if problem is None:
                return history
            log.error("a run's journal is of another release", run_id=claim.run.id, problem=problem)
            await self._store.finish(claim, None, failures.of_release(claim.run.id, problem))
        except (JournalUndecryptable, UnreadableRecord) as error:
            log.error("a run waits until it can be read", run_id=claim.run.id, reason=str(error))  # noqa: TRY400 - not our failure
            await self._store.defer(claim, UNREADABLE_RETRY_S)
        except Fenced:
            log.info("a run left the worker", run_id=claim.run.id)
        return None

    async def _history(self, claim: Claim) -> RunHistory:
        folder = self._folders.of(claim.run.id)
        if not claim.begun and not files_of_inputs(claim.run.inputs):
            return RunHistory(Journal(normalize=folder.normalize))
        stored, asked, files = await self._store.history(claim.run.id)
        journal = Journal({name: folder.to_local(value) for name, value in stored.items()}, folder.normalize)
        return RunHistory(journal, {question.id: question for question in asked}, tuple(files))

    async def _leave(self, context: RunContext, why: RunExit) -> None:
        """Give the run up; a step that is under way is recorded before, so that it isn't taken again."""
        await context.activity.wait_idle()
        await context.files.collect()
        await self._store.leave(context.claim)
        if isinstance(why, Parked):
            parked = await self._store.park(context.claim, why.questions, context.worked)
            log.info("parked" if parked else "answered while it was being parked", run_id=context.run_id)
        else:
            await self._store.release(context.claim, context.worked)
            log.info("a run was given back to the queue", run_id=context.run_id)

    def release_runs(self) -> None:
        """The worker stops: waiting runs are parked, the others leave before their next step."""
        self._stopping = True
        for execution in self._executions.values():
            execution.context.release()

    def stop(self, run_id: str) -> None:
        """The run is over, or another worker's: it ends at its next step, a waiting one at once."""
        execution = self._executions.get(run_id)
        if execution is not None:
            execution.context.stop()

    @property
    def leaked_threads(self) -> int:
        """The number of runs that are over here and still have threads, for example in a tool that hangs."""
        self._outlived = [threads for threads in self._outlived if threads.alive]
        return len(self._outlived)

    # ── one run ─────────────────────────────────────────────────────────────────────────────────────────

    def open(self, claim: Claim, history: RunHistory, lease: Lease) -> Execution:
        loop = asyncio.get_running_loop()
        progress = Progress(
            loop, lambda event: context.writer.record(event, event.task_id), lambda: _written(context)
        )
        announcer = bus_listeners.BusAnnouncer(progress, self._executions)
        blueprint = self._blueprints[claim.run.crew.name]
        folder = self._folders.of(claim.run.id)
        context = RunContext(
            claim, blueprint.limits, self._store, announcer, history, self._resident, lease, folder
        )
        context.gates = blueprint.gates
        REGISTRY.add(blueprint.gates)
        context.give_ask_human(blueprint.ask_human)
        execution = Execution(context, progress, blueprint)
        if self._stopping:
            context.release()
        self._executions[claim.run.id] = execution
        return execution

    def _close(self, execution: Execution) -> None:
        """Remove the run from memory."""
        context = execution.context
        if self._executions.get(context.run_id) is execution:
            del self._executions[context.run_id]
        context.stop()  # Work in CrewAI's other threads ends at its next step.
        bus.forget(execution.tasks)
        rpm.forget(execution.crew)
        if context.threads.alive:
            self._outlived.append(context.threads)

    async def _executed(self, execution: Execution) -> Ending:
        context = execution.context
        blueprint = execution.blueprint
        execution.enter(HumanInputProvider(context, blueprint.review_rounds))
        built = await self.built(execution, blueprint)
        if built is None or isinstance(built, Raised) or context.stopped is not None:
            return Ending.of_failed_build(context, built)
        execution.crew = crew = built.result
        async with self._starts:
            work = execution.begin(partial(self.work, execution, crew, blueprint))
            context.stopwatch.start()
            either: tuple[asyncio.Future[Any], ...] = (work, context.started, context.leaving)
            # Likewise: a `before_kickoff` may block for any time.
            await asyncio.wait(either, timeout=SLOW_START_S, return_when=asyncio.FIRST_COMPLETED)
        return Ending.of(context, await execution.outcome_of(work))

    async def built(self, execution: Execution, blueprint: Blueprint) -> Outcome[Built] | None:
        """The crew; None if the run is told to leave before."""
        async with self._starts:
            building = execution.begin(partial(blueprint.build, execution.context.claim.run.inputs))
            # A build that takes longer is waiting for something; other runs start meanwhile.
            built = await execution.outcome_of(building, within=min(SLOW_START_S, self._build_timeout))
        if built is None and execution.context.stopped is None:
            built = await execution.outcome_of(building, within=self._build_timeout - SLOW_START_S)
        if built is None and execution.context.stopped is None:
            return Raised(failures.not_built_within(self._build_timeout))
        return built

    # ── in the run's thread ─────────────────────────────────────────────────────────────────────────────

    def work(self, execution: Execution, crew: Built, blueprint: Blueprint) -> str:
        """Run the crew, once it is built; returns the result as text."""
        context = execution.context
        with context.activity.new_branch():
            return self._worked(context, execution, crew, blueprint)

    def _worked(self, context: RunContext, execution: Execution, crew: Built, blueprint: Blueprint) -> str:
        if isinstance(crew, Flow):
            # If the flow was changed, recorded methods don't come up.
            replay = self._replay(execution, crew)
            FLOW_REPLAY.set(replay)
            return replay.kick_off(dict(context.claim.run.inputs))
        confirm.confirm_changes(context, crew, literal=isinstance(blueprint, YamlCrew))
        finished = FinishedTasks(context, context.history.journal)
        for task in finished.restore(crew):
            # The worker that finished it may have died before it reported that.
            context.record_event_in_thread(execution.progress_event(TaskCompleted, task), task.id)
        usage.restore(crew, finished.used)

        def save(task: Task, output: TaskOutput) -> None:
            """What is left of a task when it counts as finished: afterwards it isn't executed again."""
            wait_for_memories(crew)
            context.check()
            save_output(task, output)

        finished.record_completions(crew, save)
        return kick_off(crew, kickoff_inputs(context.claim.run.crew, context.claim.run.inputs))

    @staticmethod
    def _replay(execution: Execution, flow: Flow[Any]) -> FlowReplay:
        numbers = itertools.count()

        def tell(kind: type[Progressed], identity: TaskIdentity) -> None:
            execution.progress.add(next(numbers), execution.progress_event(kind, identity))

        return FlowReplay(execution.context, FlowAccess(flow), tell)


async def _written(context: RunContext) -> None:
    """Return once all that the run did so far is recorded, or once it is another worker's."""
    try:
        await context.writer.flushed()
    except Fenced:
        context.stop()
