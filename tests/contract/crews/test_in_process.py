"""What can be seen without a worker: the tool's arguments and words, ids, the scripted model, the seams.

crewai is imported by the tests, not by their module, so that collecting them stays quick.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import ssl
import threading
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from bot.core import ids
from bot.core.events.event import Body
from bot.core.files import StoredFile
from bot.core.people.actor import Actor
from bot.core.people.identities import UNKNOWN, People
from bot.core.people.policy import Policy
from bot.core.ports.journal import Change
from bot.core.questions.question import Action, Outcome, Question, QuestionKind, options_for
from bot.core.runs.crew import Crew
from bot.core.runs.run import Claim, Run, RunStatus
from bot.settings import Settings
from crews.definitions.defined_crews import read, read_crew
from crews.run.store_proxy import StoreProxy
from tests.contract import certificates
from tests.waiting import WITHIN

if TYPE_CHECKING:
    import crewai

    from crews.building.build import Inputs
    from crews.run.identity import RunIdentity, TaskIdentity

ADA = Actor(surface="http", user_id="ada", name="Ada")
DEMO = Path(__file__).resolve().parents[3] / "config" / "demo"

pytestmark = pytest.mark.usefixtures("crewai_environment")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"question": "  "}, "say in `question`"),
        ({"question": "Q", "options": ["a", "A"]}, "no two options may be the same"),
        ({"question": "Q", "options": ["a", " "]}, "words of its own"),
        ({"question": "Q", "options": ["a", "\u200b"]}, "words of its own"),
        ({"question": "Q", "options": ["Keep the data", "Keep the data\u200b"]}, "look alike"),
        ({"question": "Q", "options": ["Keep the data", "Keep the d\u0430ta"]}, "look alike"),
        ({"question": "Q", "options": ["Keep", "Reply..."]}, "looks like a button"),
        ({"question": "Q", "options": ["Keep", "Show all"]}, "looks like a button"),
        ({"question": "Q", "options": ["Keep", "Approved by Bo"]}, "looks like a button"),
        ({"question": "Q", "options": ["Approve", "Ask Bo"]}, "kind 'approval'"),
        ({"question": "Q", "kind": "choice", "options": ["Approve", "Reject"]}, "kind 'approval'"),
        ({"question": "Q", "options": [str(n) for n in range(11)]}, "at most 10 options"),
        ({"question": "Q", "kind": "choice"}, "at least 2 options"),
        ({"question": "Q", "kind": "approval", "options": ["Yes", "No"]}, "the buttons Approve and Reject"),
        ({"question": "Q", "kind": "text", "options": ["a", "b"]}, "has no options"),
    ],
)
def test_wrong_arguments_are_explained(arguments: dict[str, Any], words: str) -> None:
    from crews.human_input.ask_human import AskHumanArgs

    with pytest.raises(ValidationError, match=words):
        AskHumanArgs.model_validate(arguments)


@pytest.mark.parametrize(
    ("arguments", "kind", "labels"),
    [
        ({}, QuestionKind.TEXT, ()),
        ({"options": None, "kind": None, "context": None, "reason": None}, QuestionKind.TEXT, ()),
        ({"options": ["a", "b"]}, QuestionKind.CHOICE, ("a", "b")),
        ({"options": ["approve", "Reject"]}, QuestionKind.APPROVAL, ()),
        ({"kind": "approval", "options": []}, QuestionKind.APPROVAL, ()),
        ({"kind": "choice", "options": ["a", "b"]}, QuestionKind.CHOICE, ("a", "b")),
    ],
)
def test_the_kind_is_inferred_where_it_is_left_out(
    arguments: dict[str, Any], kind: QuestionKind, labels: tuple[str, ...]
) -> None:
    from crews.human_input.ask_human import AskHumanArgs

    asking = AskHumanArgs.model_validate({"question": "Q", **arguments}).asking()
    assert (asking.kind, asking.labels) == (kind, labels)


@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        (QuestionKind.APPROVAL, Outcome(action=Action.APPROVE, by=ADA), "Ada approved."),
        (
            QuestionKind.APPROVAL,
            Outcome(action=Action.REJECT, by=ADA, comment="too late"),
            "Ada rejected. Their words: too late",
        ),
        (
            QuestionKind.APPROVAL,
            Outcome(action=Action.RESPOND, by=ADA, comment="ok"),
            "Ada answered in words, this is not an approval: ok",
        ),
        (QuestionKind.CHOICE, Outcome(action=Action.CHOOSE, value="2", by=ADA), "Ada chose 'Playful'."),
        (
            QuestionKind.CHOICE,
            Outcome(action=Action.CHOOSE, value="1", comment="No answer before the deadline."),
            "Nobody answered before the deadline; that chooses 'Plain'.",
        ),
        (
            QuestionKind.CHOICE,
            Outcome(action=Action.RESPOND, by=ADA, comment="both"),
            "Ada answered in words instead of choosing: both",
        ),
        (QuestionKind.TEXT, Outcome(action=Action.RESPOND, by=ADA, comment="42"), "Ada answered: 42"),
        (
            QuestionKind.APPROVAL,
            Outcome(action=Action.REJECT, comment="No answer before the deadline."),
            "Nobody answered before the deadline; that counts as a rejection.",
        ),
        (QuestionKind.TEXT, Outcome(action=Action.EXPIRE), "Nobody answered before the deadline."),
    ],
)
def test_what_the_model_is_told(kind: QuestionKind, outcome: Outcome, words: str) -> None:
    from crews.human_input.ask_human import outcome_text

    options = options_for(kind, ("Plain", "Playful"))
    question = Question(
        id="q", run_id="r", kind=kind, prompt="?", options=options, policy=Policy(deciders=())
    )
    assert outcome_text(question.model_copy(update={"outcome": outcome})) == words


def test_outside_of_a_run_the_tool_says_that_it_reaches_nobody() -> None:
    from crewdeck import AskHuman

    with pytest.raises(RuntimeError, match="needs a run that Crewdeck started"):
        AskHuman().run(question="Hello?")


def test_a_rebuilt_crew_has_the_same_ids() -> None:
    from crews.run.identity import RunIdentity

    run_id = ids.run_id("one")
    first, second = ({part.id for part in _parts(RunIdentity(run_id))} for _ in range(2))
    assert first == second
    assert len(first) == 2
    assert first.isdisjoint({part.id for part in _parts(RunIdentity(ids.run_id("two")))})


def _parts(parts: RunIdentity) -> list[TaskIdentity]:
    crew = _demo()
    parts.learn(crew, {})
    return [part for task in crew.tasks if (part := parts.own(task))]


def _demo() -> crewai.Crew:
    from crews.building.build import YamlCrew

    definition, problems = read_crew(DEMO)
    assert definition is not None, problems
    return YamlCrew(definition).build({"topic": "tide mills", "pace": 0})


def test_what_models_answer_can_be_read_by_many_threads_once_crews_are_loaded() -> None:
    """The SDK builds its validators at the first answer, and while it does, other threads' calls fail."""
    from openai.types.chat import ChatCompletion, ChatCompletionMessageFunctionToolCall

    from crews.building.loading import blueprints

    blueprints(read([]), Settings())
    assert ChatCompletion.__pydantic_complete__
    assert ChatCompletionMessageFunctionToolCall.__pydantic_complete__


def test_executors_share_one_class_of_state() -> None:
    from crews.crewai_adapter.execution import executor

    executor.install()
    kinds = set()
    for agent in (*_demo().agents, *_demo().agents):
        agent.create_agent_executor()
        kinds.add(type(getattr(agent.agent_executor, "state", None)))
    assert len(kinds - {type(None)}) == 1


def test_executors_share_the_signatures_of_their_methods() -> None:
    from crews.crewai_adapter.execution import executor

    executor.install()
    first, second = (_executor() for _ in range(2))
    assert first is not second
    assert inspect.signature(first.execute_native_tool) is inspect.signature(second.execute_native_tool)
    assert list(inspect.signature(first.execute_native_tool).parameters) == ["self"]


def test_an_executor_calls_what_a_trigger_is_for_and_remembers_no_other() -> None:
    """That holds as long as none of its methods needs several triggers."""
    from crews.crewai_adapter.execution import executor

    executor.install()
    made = _executor()
    waits = {str(name): _triggers(condition) for name, _, condition in made._listener_methods()}  # noqa: SLF001 - CrewAI's
    triggers = {each for those in waits.values() for each in those}
    assert len(triggers) > 10
    for trigger in triggers:
        called = {
            str(name)
            for routers in (True, False)
            for name in made._find_triggered_methods(trigger, router_only=routers)  # noqa: SLF001 - CrewAI's
        }
        made._fired_or_listeners.clear()  # noqa: SLF001 - CrewAI's
        assert called == {name for name, those in waits.items() if trigger in those}
    assert made._pending_events == {}  # noqa: SLF001 - CrewAI's


def _executor() -> Any:  # noqa: ANN401 - CrewAI's
    agent = _demo().agents[0]
    agent.create_agent_executor()
    return agent.agent_executor


def _triggers(condition: str | dict[str, Any]) -> set[str]:
    """The triggers of which each one is enough."""
    if isinstance(condition, str):
        return {condition}
    [(operator, branches)] = condition.items()
    assert operator == "or"
    return {trigger for branch in branches for trigger in _triggers(branch)}


def test_the_scripted_model_goes_on_where_the_conversation_is() -> None:
    from crews.definitions.script import ScriptLine
    from crews.definitions.scripted import ScriptedLLM

    class Task:
        name = "publish"
        context = None

    lines = [
        ScriptLine(call={"ask_human": {"question": "About {topic}?"}}),
        ScriptLine(say="{ask_human} {unknown}"),
    ]
    model = ScriptedLLM.of({"publish": lines}, {"topic": "tides"})
    prompt = {"role": "user", "content": "Go"}
    [asked] = model.call([prompt], from_task=Task())
    assert asked["function"] == {"name": "ask_human", "arguments": {"question": "About tides?"}}
    answered = [
        prompt,
        {"role": "assistant", "tool_calls": [asked]},
        {"role": "tool", "name": "ask_human", "content": "Ada approved."},
    ]
    assert model.call(answered, from_task=Task()) == "Ada approved. {unknown}"


class Unanswered(StoreProxy):
    """A store in which nobody answers."""

    def __init__(self) -> None:
        self._control = asyncio.get_running_loop()
        self.asked = asyncio.Event()

    async def record(self, claim: Claim, event: Body, key: str | None = None) -> None:
        """Nobody reads it."""

    async def history(self, run_id: str) -> tuple[dict[str, str], list[Question], list[StoredFile]]:  # noqa: ARG002
        return {}, [], []

    async def note(self, claim: Claim, name: str, value: str) -> str:  # noqa: ARG002
        return value

    async def write(self, claim: Claim, changes: Sequence[Change]) -> None:
        """Nobody goes on from there."""

    async def people(self, policy: Policy) -> People:  # noqa: ARG002
        return UNKNOWN

    async def ask(self, claim: Claim, question: Question) -> Question:  # noqa: ARG002
        self._control.call_soon_threadsafe(self.asked.set)
        return question

    async def settled(self, question: Question, claim: Claim) -> Question:  # noqa: ARG002
        return await self.outcome(question)

    async def outcome(self, question: Question) -> Question:
        await asyncio.Event().wait()
        return question

    def free_slot(self, claim: Claim) -> None:
        """Nobody needs the room."""

    async def leave(self, claim: Claim) -> None:
        """Nobody needs its place."""


class Silent:
    """CrewAI's bus, with nobody listening."""

    async def before(self, task: TaskIdentity | None) -> None: ...

    def asked(self, question: Question) -> None: ...

    def answered(self, question: Question) -> None: ...


async def test_a_rebuilt_run_asks_under_the_same_ids_in_whatever_order() -> None:
    """Questions are told apart by what they ask; the same one asked again is another question."""
    from crews.definitions.definition import Limits
    from crews.human_input.ask_human import AskHumanArgs
    from crews.run.context import AgentAtWork, RunContext

    def asked(*prompts: str) -> list[tuple[str, str]]:
        run = RunContext(_claim(card, ids.run_id("one")), Limits(), Unanswered(), Silent())
        crew = _demo()
        run.identity.learn(crew, {})
        who = AgentAtWork(crew.agents[1], crew.tasks[1])
        questions = [
            run.questions.question(run.asking_of(who, AskHumanArgs(question=each).asking()))
            for each in prompts
        ]
        return sorted((question.prompt, question.id) for question in questions)

    definition, _ = read_crew(DEMO)
    assert definition is not None
    card = definition.card()
    first = asked("Which?", "When?", "Which?")
    assert asked("Which?", "Which?", "When?") == first
    assert len({question_id for _, question_id in first}) == 3


@pytest.mark.parametrize(
    ("recorded", "given"),
    [
        ({}, True),
        ({"format": "2"}, False),  # begun by a release that gave it to nobody
        ({"format": "2", "ask_human": "true"}, True),
        ({"format": "2", "ask_human": '["Writer"]'}, ("Writer",)),
        ({"format": "2", "kept/ask_human": "true"}, True),  # the retry of such a run
        ({"format": "2", "ask_human": "false", "kept/ask_human": "true"}, False),
    ],
)
async def test_a_run_keeps_the_agents_that_ask_with_which_it_began(
    recorded: dict[str, str], given: object
) -> None:
    from crews.definitions.definition import Limits
    from crews.journal.journal import Journal
    from crews.run.context import RunContext
    from crews.run.session import RunHistory

    history = RunHistory(Journal(recorded))
    run = RunContext(_claim(card_of_demo(), ids.run_id("one")), Limits(), Unanswered(), Silent(), history)
    run.give_ask_human(to=True)
    assert run.ask_human == given


async def test_a_run_in_line_for_a_slot_leaves_at_once_when_its_worker_stops() -> None:
    from crews.definitions.definition import Limits
    from crews.run.context import RunContext
    from crews.run.exits import Released

    class InLine(Unanswered):
        def resume(self, claim: Claim) -> Future[bool]:  # noqa: ARG002
            return Future()

    run = RunContext(_claim(card_of_demo(), ids.run_id("in line")), Limits(), InLine(), Silent())
    run.resume()
    run.release()
    await asyncio.wait_for(run.leaving, WITHIN)
    assert isinstance(run.stopped, Released)


def card_of_demo() -> Crew:
    definition, _ = read_crew(DEMO)
    assert definition is not None
    return definition.card()


async def left(made: list[weakref.ref[Any]], most: int) -> None:
    """Return once so many of them are left: the threads of runs that were cancelled take a moment to end."""
    async with asyncio.timeout(WITHIN):
        while sum(each() is not None for each in made) > most:
            await asyncio.sleep(0.05)
            gc.collect()


async def test_a_run_that_waits_holds_one_thread() -> None:
    """CrewAI's own threads, for listeners, serve all runs."""
    from crews.building.build import YamlCrew
    from crews.worker.runtime import Runtime

    definition, _ = read_crew(DEMO)
    assert definition is not None
    line = Unanswered()
    runtime = Runtime({"demo": YamlCrew(definition)}, line)
    before = set(threading.enumerate())
    executing = []
    for number in range(3):
        line.asked.clear()
        claim = _claim(definition.card(), ids.run_id(str(number)))
        executing.append(asyncio.create_task(runtime.execute(claim)))
        await line.asked.wait()
    held = [each.name for each in {*threading.enumerate()} - before if not each.name.startswith("CrewAI")]
    for number in range(3):
        runtime.stop(ids.run_id(str(number)))
    await asyncio.gather(*executing)
    assert sorted(held) == sorted(f"run {ids.short(ids.run_id(str(number)))}" for number in range(3))


async def test_cancelled_runs_leave_nothing_behind() -> None:
    """CrewAI keeps every crew that was cancelled in a task, unless told not to; threads keep the last one."""
    from crews.building.build import YamlCrew
    from crews.worker.runtime import Runtime

    built: list[weakref.ref[Any]] = []

    class Watched(YamlCrew):
        def build(self, inputs: Inputs) -> crewai.Crew:
            crew = super().build(inputs)
            built.append(weakref.ref(crew))
            return crew

    definition, _ = read_crew(DEMO)
    assert definition is not None
    line = Unanswered()
    runtime = Runtime({"demo": Watched(definition)}, line)
    for number in range(3):
        line.asked.clear()
        claim = _claim(definition.card(), ids.run_id(str(number)))
        executing = asyncio.create_task(runtime.execute(claim))
        await line.asked.wait()
        runtime.stop(claim.run.id)
        await asyncio.wait_for(executing, WITHIN)
    assert len(built) == 3
    await left(built, 1)


async def test_cancelled_flows_leave_nothing_behind() -> None:
    """Nor do the crews that their methods kick off."""
    from crewai import Agent, Crew, Task
    from crewai.flow.flow import Flow, listen, start
    from crewai.flow.human_feedback import human_feedback

    from crewdeck import AskHuman
    from crews.building.build import PythonCrew
    from crews.definitions.script import read_script
    from crews.definitions.scripted import ScriptedLLM
    from crews.worker.runtime import Runtime

    kept: list[weakref.ref[Any]] = []

    class Asking(Flow[Any]):
        @start()
        @human_feedback(message="Well?")
        def draft(self) -> str:
            return "draft"

        @start()
        async def crew(self) -> str:
            who: dict[str, Any] = {"role": "Author", "goal": "Write", "backstory": "You write."}
            agent = Agent(**who, llm=ScriptedLLM.of(read_script(DEMO), {"topic": "tides", "pace": 0}))
            agent.tools = [AskHuman()]
            task = Task(name="publish", description="Announce it", expected_output="Words", agent=agent)
            built = Crew(agents=[agent], tasks=[task])
            kept.append(weakref.ref(built))
            output: Any = await built.akickoff()
            return str(output.raw)

        @listen(crew)
        def never(self) -> str:
            raise AssertionError

    def factory(_inputs: object) -> Flow[Any]:
        flow = Asking()
        kept.append(weakref.ref(flow))
        return flow

    line = Heard()
    blueprint = PythonCrew("asking", factory)
    runtime = Runtime({"asking": blueprint}, line)
    for number in range(3):
        claim = _claim(blueprint.card(), ids.run_id(f"flow-{number}"))
        executing = asyncio.create_task(runtime.execute(claim))
        await line.questions(2 * (number + 1))
        runtime.stop(claim.run.id)
        await asyncio.wait_for(executing, WITHIN)
    assert len(kept) == 6
    await left(kept, 2)


class Remembered(Unanswered):
    """In which order what happened was recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    async def write(self, claim: Claim, changes: Sequence[Change]) -> None:  # noqa: ARG002
        names = [each[0] for each in changes if isinstance(each, tuple)]
        self.names += [name for name in names if name.startswith("done/")]

    async def park(self, claim: Claim, questions: Sequence[str], worked: int) -> bool:  # noqa: ARG002
        self.names.append("parked")
        return True


async def test_a_flow_is_parked_once_none_of_its_methods_is_at_work() -> None:
    from crewai.flow.flow import Flow, start

    from crews.building.build import PythonCrew
    from crews.worker.runtime import Runtime

    class Busy(Flow[Any]):
        @start()
        def asks(self) -> str | None:
            return self.ask("Well?")

        @start()
        async def works(self) -> None:
            time.sleep(1.0)  # noqa: ASYNC251 - each method has a thread of its own

    line = Remembered()
    blueprint = PythonCrew("busy", lambda _inputs: Busy())
    runtime = Runtime({"busy": blueprint}, line, hot_window=0.1)
    await asyncio.wait_for(runtime.execute(_claim(blueprint.card(), ids.run_id("busy"))), WITHIN)
    assert line.names == ["done/m:works:0/", "parked"]


class Overtaken(Remembered):
    """The answer comes while the run is being parked."""

    async def park(self, claim: Claim, questions: Sequence[str], worked: int) -> bool:
        await super().park(claim, questions, worked)
        return False


@pytest.mark.parametrize(("kind", "said"), [(Remembered, True), (Overtaken, False)])
async def test_parked_is_said_of_runs_that_are(kind: type[Remembered], said: bool) -> None:  # noqa: FBT001
    from crewai.flow.flow import Flow, start

    from crews.building.build import PythonCrew
    from crews.worker.runtime import Runtime

    class Asks(Flow[Any]):
        @start()
        def asks(self) -> str | None:
            return self.ask("Well?")

    line = kind()
    blueprint = PythonCrew("asks", lambda _inputs: Asks())
    runtime = Runtime({"asks": blueprint}, line, hot_window=0)
    with capture_logs() as logs:
        await asyncio.wait_for(runtime.execute(_claim(blueprint.card(), ids.run_id(kind.__name__))), WITHIN)
    assert line.names == ["parked"]
    assert any(each["event"] == "parked" for each in logs) is said


@pytest.mark.parametrize(
    ("declared", "words"),
    [({"emit": ["Yes", "yes"]}, "told apart"), ({"learn": True}, "`learn` isn't supported")],
)
def test_feedback_that_people_can_not_be_asked_for_is_explained(declared: dict[str, Any], words: str) -> None:
    from crewai.flow.flow import Flow, start
    from crewai.flow.human_feedback import human_feedback

    from crews.building.build import PythonCrew
    from crews.definitions.exceptions import CrewBroken

    class Unclear(Flow[Any]):
        @start()
        @human_feedback(message="Well?", **declared)
        def draft(self) -> str:
            return "draft"

    with pytest.raises(CrewBroken, match=f"unclear.draft: .*{words}"):
        PythonCrew("unclear", lambda _inputs: Unclear()).build({})


class Heard(Unanswered):
    """What people are asked."""

    def __init__(self) -> None:
        super().__init__()
        self.questions_asked: list[Question] = []

    async def ask(self, claim: Claim, question: Question) -> Question:
        self.questions_asked.append(question)
        return await super().ask(claim, question)

    async def questions(self, many: int) -> None:
        """Return once so many were asked."""
        async with asyncio.timeout(WITHIN):
            while len(self.questions_asked) < many:
                self.asked.clear()
                await self.asked.wait()


async def test_a_flow_that_a_method_kicks_off_asks_the_same_people() -> None:
    """And `ask` in an async method holds up nobody else."""
    from crewai.flow.flow import Flow, start
    from crewai.flow.human_feedback import human_feedback

    from crews.building.build import PythonCrew
    from crews.worker.runtime import Runtime

    class Inner(Flow[Any]):
        @start()
        @human_feedback(message="Inside?", emit=["approved", "rejected"], llm="none/such")
        def draft(self) -> str:
            return "draft"

    class Outer(Flow[Any]):
        @start()
        def kicks_off(self) -> str:
            return str(Inner().kickoff())

        @start()
        async def asks(self) -> str | None:
            return self.ask("Outside?", timeout=90)

    line = Heard()
    blueprint = PythonCrew("outer", lambda _inputs: Outer())
    runtime = Runtime({"outer": blueprint}, line)
    claim = _claim(blueprint.card(), ids.run_id("outer"))
    executing = asyncio.create_task(runtime.execute(claim))
    await line.questions(2)
    inside, outside = sorted(line.questions_asked, key=lambda question: question.prompt)
    assert (inside.kind, inside.context) == (QuestionKind.APPROVAL, "draft")
    assert inside.task_id == ids.part_id(claim.run.id, "method", "kicks_off", 0)
    assert outside.deadline.after == 90
    runtime.stop(claim.run.id)
    await asyncio.wait_for(executing, WITHIN)


def _claim(card: Crew, run_id: str) -> Claim:
    everybody = Policy(deciders=("*",))
    run = Run(
        id=run_id,
        crew=card,
        status=RunStatus.RUNNING,
        inputs={"topic": "tide mills", "pace": 0},
        requester=ADA,
        approvers=everybody,
        cancellers=everybody,
        created_at=0,
    )
    return Claim(run=run, worker="here", epoch=1)


def test_certificates_are_read_once_however_many_models_are_made() -> None:
    from crewai import LLM

    from crews.crewai_adapter.models import openai

    openai.install()
    before = len(_ssl_contexts())
    made = [LLM(model="openai/gpt-5.4-mini", api_key="sk-test") for _ in range(8)]
    assert len(_ssl_contexts()) - before < len(made)  # CrewAI reads them twice for each.


def test_a_model_trusts_the_certificates_that_code_of_crews_has_chosen_since_the_first_one_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crewai import LLM

    from crews.crewai_adapter.models import openai

    openai.install()
    made = [LLM(model="openai/gpt-5.4-mini", api_key="sk-test")]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.make(tmp_path).authority))
    made += [LLM(model="openai/gpt-5.4-mini", api_key="sk-test")]
    assert 1 in [each.cert_store_stats()["x509_ca"] for each in _ssl_contexts()]


def test_an_authors_own_interceptor_still_sees_each_request() -> None:
    import httpx
    from crewai import LLM
    from crewai.llms.hooks.base import BaseInterceptor

    from crews.crewai_adapter.models import openai

    seen = []

    class Watching(BaseInterceptor[httpx.Request, httpx.Response]):
        def on_outbound(self, message: httpx.Request) -> httpx.Request:
            seen.append(message.url.path)
            return message

        def on_inbound(self, message: httpx.Response) -> httpx.Response:
            return message

    openai.install()
    nowhere = "http://127.0.0.1:9/v1"
    model = LLM(
        model="openai/gpt-5.4-mini",
        interceptor=Watching(),
        base_url=nowhere,
        api_key="sk-test",
        max_retries=0,
    )
    with pytest.raises(ConnectionError):
        model.call("Hello")
    assert seen == ["/v1/chat/completions"]


def _ssl_contexts() -> list[ssl.SSLContext]:
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, ssl.SSLContext)]


async def test_an_engine_that_ended_says_so_for_each_run() -> None:
    """For those that it was executing, and for those that are claimed before its end is known."""
    from crewai.flow.flow import Flow, start

    from crews.building.build import PythonCrew
    from crews.building.offer import Offer
    from crews.run.context import CURRENT
    from crews.run.lease import Lease
    from crews.worker.engine import Engine, EngineEnded

    class Asks(Flow[Any]):
        @start()
        def asks(self) -> str | None:
            return self.ask("Well?")

    class Stops(Flow[Any]):
        @start()
        def stops(self) -> None:
            run = CURRENT.get()
            assert run is not None
            run.loop.call_soon_threadsafe(run.loop.stop)

    line = Unanswered()
    crews = {"asks": PythonCrew("asks", lambda _: Asks()), "stops": PythonCrew("stops", lambda _: Stops())}
    engine = Engine(lambda: Offer(crews), line, hot_window=60, hot_runs=10)
    await engine.start()

    def executed(crew: str) -> asyncio.Task[None]:
        claim = _claim(crews[crew].card(), ids.run_id(f"ended {crew}"))
        return asyncio.create_task(engine.execute(claim, Lease()))

    waiting = executed("asks")
    await line.asked.wait()
    stopping = executed("stops")
    for run in (waiting, stopping):
        with pytest.raises(EngineEnded):
            await asyncio.wait_for(run, WITHIN)
    with pytest.raises(EngineEnded):
        await executed("asks")
    await asyncio.wait_for(engine.ended(), WITHIN)
    engine.stop("of a run that it had")
    engine.replace({})
    engine.release_runs()
