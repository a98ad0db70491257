"""A run goes on while its journal is written, but does nothing that can't be taken back before it is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.core.questions.question import Question, QuestionKind
from bot.core.runs.run import Claim, RunStatus
from bot.core.wakeups import Wakeups
from bot.store.redis import RedisStore, open_store
from crews.journal.journal import Journal
from crews.journal.model_call import ModelCall
from crews.run.lease import Lease
from crews.run.store_proxy import StoreProxy
from crews.worker.slots import Slots
from tests.contract.crews.deployment import ADA
from tests.contract.examples import LEASE, new_run
from tests.waiting import WITHIN, eventually, until

if TYPE_CHECKING:
    from crews.building.build import Inputs, PythonCrew
    from crews.run.identity import TaskIdentity

PAUSE_S = 0.4

pytestmark = pytest.mark.usefixtures("crewai_environment")


class Gate:
    """The way to Redis: while it is shut nothing gets through."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream.removeprefix("unix://")
        self._loop = asyncio.get_running_loop()
        self._opened = asyncio.Event()
        self._opened.set()
        self._lines: set[asyncio.Task[None] | None] = set()

    def shut(self) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._opened.clear)

    def open(self) -> None:
        self._opened.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(asyncio.current_task())
        up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
        await asyncio.gather(self._forward(reader, up_writer), self._forward(up_reader, writer))

    async def ended(self) -> None:
        """Returns once all who came through are gone."""
        await asyncio.gather(*filter(None, self._lines))

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while some := await source.read(1 << 16):
                await self._opened.wait()
                sink.write(some)
        sink.close()
        with contextlib.suppress(ConnectionError):
            await sink.wait_closed()


class Place:
    """A store, a run in it, and this process as its worker, behind a gate."""

    def __init__(self, store: RedisStore, far: RedisStore, gate: Gate) -> None:
        #: As others see it.
        self.store = store
        self.gate = gate
        #: What the run did, in order.
        self.done: list[str] = []
        slots = Slots(far.queue, "w", LEASE, most=50)
        self.proxy = StoreProxy(asyncio.get_running_loop(), far, Wakeups(), slots)

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, folder: Path) -> AsyncIterator[Place]:
        gate = Gate(url)
        server = await asyncio.start_unix_server(gate.serve, folder / "gate.sock")
        async with open_store(url) as store, open_store(f"unix://{folder / 'gate.sock'}") as far:
            yield cls(store, far, gate)
        server.close()
        await gate.ended()

    async def claimed(self) -> Claim:
        card = self._blueprint().card()
        await self.store.runs.start(new_run(crew=card, by=ADA))
        [claim] = await self.store.queue.claim("here", [card.name], 1, LEASE)
        return claim

    @asynccontextmanager
    async def executing(self, claim: Claim, lease: Lease | None = None) -> AsyncIterator[asyncio.Task[None]]:
        from crews.worker.runtime import Runtime

        runtime = Runtime({claim.run.crew.name: self._blueprint()}, self.proxy)
        task = asyncio.create_task(runtime.execute(claim, lease))
        try:
            yield task
        finally:
            self.gate.open()
            await asyncio.wait_for(task, WITHIN)
            await until(lambda: not runtime.leaked_threads)

    def shut_once_begun(self, claim: Claim) -> Callable[[], None]:
        """Shuts the gate once the run's start is recorded: only so many steps are taken ahead of it."""
        loop = asyncio.get_running_loop()

        async def prompted() -> bool:
            return any("/prompt/" in name for name in await self.store.journal.read(claim.run.id))

        async def begun() -> None:
            await eventually(prompted)
            self.gate.shut()

        def shut() -> None:
            self.said = lambda: None
            asyncio.run_coroutine_threadsafe(begun(), loop).result()

        return shut

    async def did(self, *what: str) -> None:
        """Returns once the run has done just this."""
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                if len(self.done) >= len(what):
                    break
                await asyncio.sleep(0.01)
        assert self.done == list(what)

    def _blueprint(self) -> PythonCrew:
        from crewai import Agent, Crew, Task
        from crewai.tools import BaseTool

        from crewdeck import crew
        from crews.building.build import PythonCrew
        from crews.definitions.script import ScriptLine
        from crews.definitions.scripted import ScriptedLLM

        place, done = self, self.done

        class Act(BaseTool):
            name: str = "act"
            description: str = "Does something that can't be taken back."

            def _run(self) -> str:
                done.append("acted")
                return "acted"

        class Model(ScriptedLLM):
            def call(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as models do
                done.append("asked")
                place.said()
                return super().call(*args, **kwargs)

        @crew(title="Two tasks", limits={"time": "60s"})
        def two_tasks(inputs: Inputs) -> Crew:
            script = {
                "think": [ScriptLine(say="Thought.")],
                "do": [ScriptLine(call={"act": {}}), ScriptLine(say="Done.")],
            }
            options: dict[str, Any] = {"role": "Worker", "goal": "Work", "backstory": "You work."}
            agent = Agent(**options | {"llm": Model.of(script, inputs), "tools": [Act()]})
            tasks = [
                Task(name=name, description=name, expected_output="Words", agent=agent) for name in script
            ]
            return Crew(agents=[agent], tasks=tasks)

        return PythonCrew("two_tasks", two_tasks)

    said: Callable[[], object] = staticmethod(lambda: None)
    """Called when a model is asked."""


@pytest.fixture
async def place(redis_url: str, data_dir: Path) -> AsyncIterator[Place]:
    async with Place.at(redis_url, data_dir) as place:
        yield place


async def test_models_are_asked_ahead_of_the_journal_but_no_tool_is_called(place: Place) -> None:
    claim = await place.claimed()
    place.said = place.shut_once_begun(claim)
    async with place.executing(claim) as run:
        await place.did("asked", "asked")
        await asyncio.sleep(PAUSE_S)
        assert place.done == ["asked", "asked"], "the tool waits until what led to it is recorded"
        assert not any("/model/" in name for name in await place.store.journal.read(claim.run.id))
        place.said = lambda: None
        place.gate.open()
        await run
    assert place.done == ["asked", "asked", "acted", "asked"]
    assert (await place.store.runs.get(claim.run.id)).result == "Done."
    kept = {"format", "calls", "ask_human", "crewai_agents", "crew/000", "done/1", "done/2"}
    assert set(await place.store.journal.read(claim.run.id)) == kept


async def test_a_run_that_was_taken_away_meanwhile_calls_no_tool(place: Place) -> None:
    claim = await place.claimed()
    place.said = place.shut_once_begun(claim)
    async with place.executing(claim) as run:
        await place.did("asked", "asked")
        await place.store.runs.cancel(claim.run.id, ADA)
        place.gate.open()
        await run
    assert place.done == ["asked", "asked"]
    assert (await place.store.runs.get(claim.run.id)).status is RunStatus.CANCELLED
    assert not any("/model/" in name for name in await place.store.journal.read(claim.run.id))


async def test_tasks_are_reported_although_other_listeners_hold_up_all_listeners(place: Place) -> None:
    """Where one of them awaits, CrewAI ends a crew without waiting for those that don't."""
    from crewai.events import crewai_event_bus
    from crewai.events.types.task_events import TaskCompletedEvent

    let = threading.Event()

    async def awaits(_source: object, _event: object) -> None:
        await asyncio.sleep(0)

    def blocks(_source: object, _event: object, *_: object) -> None:
        let.wait(WITHIN)

    # One thread calls them, in any order: one of many comes first.
    listeners: list[Callable[..., Any]] = [awaits, *(partial(blocks) for _ in range(15))]
    for each in listeners:
        crewai_event_bus.on(TaskCompletedEvent)(each)
    try:
        claim = await place.claimed()
        async with place.executing(claim) as run:
            await run
    finally:
        let.set()
        for each in listeners:
            crewai_event_bus.off(TaskCompletedEvent, each)
    told = [event.body.type for event in await place.store.events.read(claim.run.id)]
    assert told == ["run_started", *["task_started", "task_completed"] * 2, "run_completed"]


class Behind:
    """Announces what the run did before a question when it is let: until then the question isn't put."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.announces = False

    async def before(self, _task: TaskIdentity | None) -> None:
        self.announces = True
        await self.let.wait()

    def asked(self, question: Question) -> None: ...

    def answered(self, question: Question) -> None: ...


async def test_a_question_that_is_being_put_is_under_way(place: Place) -> None:
    """The run doesn't leave meanwhile because it waits for another one."""
    from crews.definitions.definition import Limits
    from crews.run.exits import RunExit
    from crews.run.questions import Asking, HumanQuestions
    from crews.run.session import RunSession

    claim = await place.claimed()
    session, behind = RunSession(claim, Limits(), place.proxy), Behind()
    questions = HumanQuestions(session, place.proxy, behind)
    asking = asyncio.create_task(questions.ask(Asking(QuestionKind.TEXT, "Which mill?")))
    await session.writer.flushed()
    assert session.activity.idle() is None
    behind.let.set()
    async with asyncio.timeout(WITHIN):
        await session.activity.wait_idle()
    assert [question.prompt for question in await place.store.questions.list(claim.run.id)] == ["Which mill?"]
    session.stop()
    with pytest.raises(RunExit):
        await asking


class Looked(Journal):
    """Counts how often it was looked at for what is left."""

    looks = 0

    def unrepeated_model_calls(self, scope: str = "") -> list[str]:
        left = super().unrepeated_model_calls(scope)
        self.looks += 1
        return left


async def test_after_a_machine_stood_still_agents_that_work_side_by_side_have_time_to_repeat_their_steps(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked whether the crew has changed."""
    from crews.definitions.definition import Limits
    from crews.run.nondeterminism import NonDeterminism
    from crews.run.questions import HumanQuestions
    from crews.run.session import RunSession

    claim, others = await place.claimed(), "m:other:0/model/x/0"
    journal, behind = Looked({others: '{"result": "said"}'}), Behind()
    session = RunSession(claim, Limits(), place.proxy)
    questions = HumanQuestions(session, place.proxy, behind)
    right = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: right() + 10)
    checked = NonDeterminism(questions, journal, session.writer).check
    checking = asyncio.create_task(asyncio.to_thread(checked, "m:other:0", ModelCall([])))
    await until(lambda: journal.looks)
    assert journal.found(others) == {"result": "said"}
    await until(lambda: checking.done() or behind.announces)
    session.stop()
    await checking
    assert not behind.announces


async def test_while_it_is_not_certain_whose_the_run_is_no_step_is_begun(place: Place) -> None:
    claim, lease = await place.claimed(), Lease(time.monotonic())
    async with place.executing(claim, lease) as run:
        await asyncio.sleep(PAUSE_S)
        assert place.done == []
        lease.renew(time.monotonic() + LEASE)
        await run
    assert place.done == ["asked", "asked", "acted", "asked"]


async def test_a_run_that_turns_out_to_be_anothers_ends_here(place: Place) -> None:
    claim, lease = await place.claimed(), Lease(time.monotonic() + LEASE)
    place.said = lease.mark_lost
    async with place.executing(claim, lease) as run:
        await run
    assert place.done == ["asked"]
    assert (await place.store.runs.get(claim.run.id)).status is RunStatus.RUNNING, "its new worker ends it"


async def test_working_time_goes_on_where_an_earlier_worker_stopped_counting(place: Place) -> None:
    claim = await place.claimed()
    await place.store.queue.heartbeat("here", [claim], LEASE, {claim.run.id: 59_900})
    await place.store.queue.release(claim)
    [again] = await place.store.queue.claim("here", [claim.run.crew.name], 1, LEASE)
    place.said = lambda: time.sleep(PAUSE_S)
    async with place.executing(again):
        pass
    done = await place.store.runs.get(claim.run.id)
    assert done.error is not None
    assert done.error.code == "limit_time"
    assert done.worked == 59_900
