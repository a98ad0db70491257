"""What works in plain CrewAI works the same here, before and after a run was parked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from bot.core.runs.run import Run, RunStatus
from tests.contract.crews.conftest import DEFINITIONS
from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.contract.crews.features import shows
from tests.fork_server.client import ForkServer
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, say, text_of
from tests.waiting import until

MODULE = "tests.contract.crews.plain_crews"
CREWS = (
    "plain shares slow_start streams plans plans_and_checks reasons guarded knows paced side_by_side "
    "calls_tools stops_engine exits exit_flow"
)
ENTRY_POINTS = "[crewdeck.crews]\n" + "\n".join(f"{name} = {MODULE}:{name}" for name in CREWS.split())
ASK = call("ask_human", question="Go on?", kind="approval")
PARKS = {"CREWDECK_HOT_WINDOW": "0"}
"""Each run is taken up from its journal after each question."""


@pytest.fixture(scope="module")
def parking(model: LoopbackModel, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    with WorkerProcess.started(model.base_url, DEFINITIONS, ENTRY_POINTS, fork_server, **PARKS) as process:
        process.wait_for_log("ready")
        yield process


@pytest.fixture
async def plain(parking: WorkerProcess) -> AsyncIterator[Deployment]:
    async with Deployment.at(parking.redis_url, lambda: parking.log) as deployment:
        yield deployment


async def parked(worker: WorkerProcess, run: Run) -> None:
    """Returns once the run has left the worker's memory."""
    await until(lambda: any('"parked"' in line and run.id in line for line in worker.log.splitlines()))


def did(worker: WorkerProcess, *what: str) -> list[str]:
    """Of this, what was done, in order."""
    return [each["did"] for each in worker.heard() if each.get("did") in what]


async def settled(deployment: Deployment, worker: WorkerProcess, run: Run, answer: str = "approve") -> str:
    """Answer the run's one question once it has been parked; what the run comes to."""
    question = await deployment.question(run)
    await parked(worker, run)
    await deployment.say(question, answer)
    return await deployment.result(run)


async def test_crews_that_block_before_they_begin_delay_no_other(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    """However many there are: only so many runs start at a time."""
    model.script("other", [say("done")])
    slow = [await plain.start("slow_start", prompt="[[other]]") for _ in range(5)]
    for run in slow[:4]:
        await plain.until(run, lambda now: now.status is RunStatus.RUNNING)
    assert await plain.result(await plain.start("plain", prompt="[[other]]")) == "done"
    (parking.folder / "starts").touch()
    for run in slow:
        assert await plain.result(run) == "done"


@shows("Streaming")
async def test_a_stream_comes_to_its_result(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("streams", [ASK, say("a streamed {last}")])
    run = await plain.start("streams", prompt="[[streams]]")
    assert await settled(plain, parking, run) == "a streamed Ada approved."
    assert did(parking, "chunk  streamed")


@shows("Planning")
async def test_a_crew_that_plans_its_tasks_goes_on_with_its_plan(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    def planner(_asked: Conversation) -> Turn:
        plan = {"task_number": 1, "task": "work", "plan": "Follow the plan. [[planned]]"}
        return say(json.dumps({"list_of_plans_per_task": [plan]}))

    model.script("plan-first", planner)
    model.script("planned", [ASK, say("by plan: {last}")])
    run = await plain.start("plans", prompt="[[plan-first]]")
    assert await settled(plain, parking, run) == "by plan: Ada approved."
    assert (model.count("plan-first"), model.count("planned")) == (1, 2)


@shows("Planning")
async def test_agents_of_crewai_itself_ask_nobody(plain: Deployment, model: LoopbackModel) -> None:
    """Its planner and the agent that checks an output: what they ask would be asked in no crew's name."""

    def planner(_asked: Conversation) -> Turn:
        plan = {"task_number": 1, "task": "work", "plan": "Follow the plan. [[equipped]]"}
        return say(json.dumps({"list_of_plans_per_task": [plan]}))

    model.script("plans-alone", planner)
    model.script("equipped", [say("a text [[checked]]")])
    model.script("checked", [say(json.dumps({"valid": True, "feedback": None}))])
    await plain.result(await plain.start("plans_and_checks", prompt="[[plans-alone]]"))
    offered = {
        marker: [each["function"]["name"] for each in asked.body.get("tools") or ()]
        for marker in ("plans-alone", "equipped", "checked")
        for asked in model.requests
        if asked.marker == marker
    }
    assert "ask_human" in offered["equipped"]
    assert offered["plans-alone"] == offered["checked"] == []


def reasoning(tool: str, **arguments: str) -> list[tuple[str, Turn]]:
    """What an agent that plans is answered, by what is in its last prompt."""
    steps = [
        {"step_number": 1, "description": "STEP-ONE", "tool_to_use": tool, "depends_on": []},
        {"step_number": 2, "description": "STEP-TWO", "tool_to_use": "ask_human", "depends_on": [1]},
    ]
    return [
        ("plan", call("create_reasoning_plan", plan="Two steps.", steps=steps, ready=True)),
        ("STEP-TWO", ASK),
        ("STEP-ONE", call(tool, **arguments)),
    ]


@pytest.mark.parametrize("tool", ["effect", "server_remote"])
async def test_tools_of_an_agent_that_plans_are_not_called_again(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel, tool: str
) -> None:
    """Nor those of an MCP server."""
    what = f"reasoned-{tool}"
    answers = dict(reasoning(tool, what=what))

    def answer(asked: Conversation) -> Turn:
        if any("create_reasoning_plan" in str(each) for each in asked.body.get("tools") or ()):
            return answers["plan"]
        prompt = text_of(asked.messages[1]) if len(asked.messages) > 1 else ""
        step = next((name for name in ("STEP-TWO", "STEP-ONE") if name in prompt), None)
        if step is None or asked.answered:
            return say(f"ended with {asked.results[-1] if asked.results else 'nothing'}")
        return answers[step]

    model.script(what, answer)
    run = await plain.start("reasons", prompt=f"[[{what}]]")
    await settled(plain, parking, run)
    assert did(parking, what, f"remote {what}") == [what if tool == "effect" else f"remote {what}"]


async def test_tools_that_code_calls_itself_are_not_called_again(
    plain: Deployment, parking: WorkerProcess
) -> None:
    """What they return is what it was, also where it isn't JSON or a text."""
    run = await plain.start("calls_tools", prompt="-")
    said = await settled(plain, parking, run, "certainly")
    assert said == "did in a method, plainly too, certainly"
    assert did(parking, "in a method", "plainly too") == ["in a method", "plainly too"]


async def test_what_a_tool_calls_is_a_part_of_its_call(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("outer", [call("outer", what="out"), ASK, say("{last}")])
    run = await plain.start("plain", prompt="[[outer]]")
    await plain.say(await plain.question(run), "yes")
    assert await settled(plain, parking, run) == "Ada approved."
    assert did(parking, "out inside", "out") == ["out inside", "out"]
    tools = [name for name in await plain.store.journal.read(run.id) if "/tool/" in name]
    assert tools == [], "the task is finished"


async def test_a_tool_that_may_be_used_twice_is_used_twice_in_all(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    calls = [call("limited", what=f"limited {number}") for number in range(3)]
    model.script("limited", [calls[0], ASK, calls[1], calls[2], say("{last}")])
    run = await plain.start("plain", prompt="[[limited]]")
    assert "usage limit of 2" in await settled(plain, parking, run)
    assert did(parking, *(f"limited {number}" for number in range(3))) == ["limited 0", "limited 1"]


async def test_a_tool_that_runs_share_may_be_used_as_often_in_each(
    model: LoopbackModel, fork_server: ForkServer
) -> None:
    """While one of them waits for people, in memory, the other one begins."""
    for which in ("one", "other"):
        calls = [call("limited", what=f"shared {which} {number}") for number in range(3)]
        model.script(f"shared-{which}", [*calls[:2], ASK, calls[2], say("{last}")])
    with WorkerProcess.started(model.base_url, DEFINITIONS, ENTRY_POINTS, fork_server) as worker:
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            runs = []
            for which in ("one", "other"):
                runs.append(await deployment.start("shares", prompt=f"[[shared-{which}]]"))
                await deployment.question(runs[-1])
            for run in runs:
                await deployment.say(await deployment.question(run), "approve")
                assert "usage limit of 2" in await deployment.result(run)
        done = [f"shared {which} {number}" for which in ("one", "other") for number in range(3)]
        assert did(worker, *done) == ["shared one 0", "shared one 1", "shared other 0", "shared other 1"]


async def test_a_guardrail_in_words_asks_its_model(plain: Deployment, model: LoopbackModel) -> None:
    model.script("guarded", [say("all done")])
    model.script("guardrail", [say(json.dumps({"valid": True, "feedback": None}))])
    assert await plain.result(await plain.start("guarded", prompt="[[guarded]]")) == "all done"
    assert model.count("guardrail") >= 1


async def test_knowledge_reaches_the_prompt(plain: Deployment, model: LoopbackModel) -> None:
    model.script("knows", [say("done")])
    assert await plain.result(await plain.start("knows", prompt="[[knows]]")) == "done"
    prompts = [str(asked.body["messages"]) for asked in model.requests if asked.marker == "knows"]
    assert any("The mill stands in Rupelmonde." in prompt for prompt in prompts)


@shows("max_rpm")
async def test_what_is_replayed_does_not_count_for_max_rpm(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    """One call a minute: before the question, and after it, at another time."""
    model.script("paced", [ASK, say("{last}")])
    run = await plain.start("paced", prompt="[[paced]]")
    question = await plain.question(run)
    await parked(parking, run)
    before = time.monotonic()
    await plain.say(question, "approve")
    assert await plain.result(run) == "Ada approved."
    assert time.monotonic() - before < 50


async def test_a_call_that_reaches_the_model_waits_for_its_minute_until_the_run_is_cancelled(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("one-a-minute", [call("effect", what="once"), say("never")])
    run = await plain.start("paced", prompt="[[one-a-minute]]")
    await until(
        lambda: any("max_rpm is reached" in line and run.id in line for line in parking.log.splitlines())
    )
    assert did(parking, "once") == ["once"]
    await plain.store.runs.cancel(run.id, run.requester)
    assert (await plain.over(run)).status is RunStatus.CANCELLED
    await until(lambda: any('"done"' in line and run.id in line for line in parking.log.splitlines()))
    assert model.count("one-a-minute") == 1, "the second call was never made"


@shows("async_execution")
async def test_two_tasks_of_one_agent_at_a_time(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    """Each asks; both have been parked when they are answered."""
    for name in ("first", "second"):
        model.script(
            name,
            [
                call("effect", what=f"by {name}"),
                call("ask_human", question=f"For {name}?", kind="approval"),
                say(f"{name}: {{last}}"),
            ],
        )
    model.script("last", [say("both are done")])
    run = await plain.start("side_by_side", prompt="-")
    asked = await plain.asked(run, 2)
    assert {question.prompt for question in asked} == {"For first?", "For second?"}
    await parked(parking, run)
    for question in asked:
        await plain.say(question, "approve")
    assert await plain.result(run) == "both are done"
    assert sorted(did(parking, "by first", "by second")) == ["by first", "by second"]
    outputs = str([asked.body["messages"] for asked in model.requests if asked.marker == "last"])
    assert "first: Ada approved." in outputs
    assert "second: Ada approved." in outputs


@shows("Reasoning")
async def test_steps_of_a_plan_that_are_taken_side_by_side(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    """One of them has asked more than the other when the run is taken up: it comes to that later."""
    steps: list[dict[str, object]] = [
        {"step_number": number, "description": name, "tool_to_use": None, "depends_on": []}
        for number, name in ((1, "SHORT-STEP"), (2, "LONG-STEP"))
    ]
    long = [call("ask_human", question=f"Long {number}?", kind="text") for number in range(5)]
    turns = {
        "SHORT-STEP": [call("ask_human", question="Short?", kind="text"), say("short")],
        "LONG-STEP": [*long, say("long")],
    }

    def answer(asked: Conversation) -> Turn:
        if any("create_reasoning_plan" in str(each) for each in asked.body.get("tools") or ()):
            return call("create_reasoning_plan", plan="At once.", steps=steps, ready=True)
        prompt = text_of(asked.messages[1]) if len(asked.messages) > 1 else ""
        step = next((name for name in turns if name in prompt), None)
        return turns[step][asked.answered] if step else say("both steps")

    model.script("beside", answer)
    run = await plain.start("reasons", prompt="[[beside]]")
    for number in range(4):
        asked = {question.prompt: question for question in await plain.asked(run, 2)}
        await plain.say(asked[f"Long {number}?"], "yes")
    asked = {question.prompt: question for question in await plain.asked(run, 2)}
    await parked(parking, run)
    await plain.say(asked["Short?"], "yes")
    await plain.say(asked["Long 4?"], "yes")
    await plain.result(run)
    assert {question.prompt for question in await plain.store.questions.list(run.id)} == {
        "Short?",
        *(f"Long {number}?" for number in range(5)),
    }


async def test_all_questions_of_one_turn_are_asked_at_once(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    """CrewAI makes eight tool calls at a time."""
    calls = [call("ask_human", question=f"Number {number}?", kind="text") for number in range(12)]
    together = calls[0]
    for each in calls[1:]:
        together &= each
    model.script("many", [together, say("{last}")])
    run = await plain.start("plain", prompt="[[many]]")
    asked = await plain.asked(run, 12)
    assert {question.asker for question in asked} == {"Worker"}
    await parked(parking, run)
    for question in asked:
        await plain.say(question, question.prompt.upper())
    assert "NUMBER 11?" in await plain.result(run)


async def test_a_run_does_not_leave_before_all_questions_of_a_turn_are_asked(
    plain: Deployment, parking: WorkerProcess, model: LoopbackModel
) -> None:
    """However late the thread of one of them begins: it would not be asked until others are answered."""
    asks = [call("ask_human", question=words, kind="text") for words in ("Now?", "Then? (late)")]
    model.script("late", [asks[0] & asks[1], say("{last}")])
    run = await plain.start("plain", prompt="[[late]]")
    asked = await plain.asked(run, 2)
    await parked(parking, run)
    for question in asked:
        await plain.say(question, "yes")
    await plain.result(run)
    assert len(await plain.store.questions.list(run.id)) == 2


async def test_a_plan_is_found_again_by_another_process(
    model: LoopbackModel, fork_server: ForkServer
) -> None:
    """CrewAI puts its tools into the planner's prompt as Python shows them, with addresses in memory."""
    plan = {"task_number": 1, "task": "work", "plan": "Follow the plan. [[elsewhere]]"}
    model.script("plan-once", [say(json.dumps({"list_of_plans_per_task": [plan]}))])
    model.script("elsewhere", [ASK, say("by plan: {last}")])
    with WorkerProcess.started(model.base_url, DEFINITIONS, ENTRY_POINTS, fork_server, **PARKS) as worker:
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            run = await deployment.start("plans", prompt="[[plan-once]]")
            question = await deployment.question(run)
            await parked(worker, run)
            assert await asyncio.to_thread(worker.stop) == 0
            # What was imported by the fork server has the same addresses in each worker that comes from it.
            worker.start(executed=True)
            await deployment.say(question, "approve")
            assert await deployment.result(run) == "by plan: Ada approved."
            assert (model.count("plan-once"), model.count("elsewhere")) == (1, 2)


async def test_of_many_waiting_runs_the_longest_are_parked_at_once(
    model: LoopbackModel, fork_server: ForkServer
) -> None:
    model.script("hot", [ASK, say("{last}")])
    with WorkerProcess.started(
        model.base_url, DEFINITIONS, ENTRY_POINTS, fork_server, CREWDECK_HOT_RUNS="2"
    ) as worker:
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            runs, asked = [], []
            for _ in range(4):
                runs.append(await deployment.start("plain", prompt="[[hot]]"))
                asked.append(await deployment.question(runs[-1]))
            for run in runs[:2]:
                await parked(worker, run)
            for question in reversed(asked):
                await deployment.say(question, "approve")
            for run in runs:
                assert await deployment.result(run) == "Ada approved."
            assert worker.log.count('"message": "parked"') == 2
