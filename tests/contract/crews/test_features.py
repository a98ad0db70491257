"""What CrewAI offers, in Crewdeck: the rows of docs/crewai.md. Each run is parked and taken up again."""

import contextvars
import importlib
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.core.questions.question import QuestionKind
from bot.core.runs.run import Run
from crewdeck.testing import expire, reply, run_crew
from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.contract.crews.features import SHOWN_BY, rows, shows
from tests.fork_server.client import ForkServer
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, say, text_of, usage
from tests.ports import HOST, reserved
from tests.waiting import WITHIN, until

HERE = Path(__file__).parent
IN_YAML = HERE / "feature_definitions"
PARKS = {"CREWDECK_HOT_WINDOW": "0"}
ASK = call("ask_human", question="Go on?", kind="approval")
APPROVED = "Ada approved."


def entry_points() -> str:
    """Those of all crews of these tests. Their modules import crewai, which takes seconds."""
    from tests.contract.crews import feature_crews, feature_flows

    crews = [
        f"{name} = {module.__name__}:{name}"
        for module in (feature_crews, feature_flows)
        for name, each in vars(module).items()
        if hasattr(each, "__crewdeck_crew__")
    ]
    return "\n".join(["[crewdeck.crews]", *crews])


@pytest.fixture(scope="module")
def worker(model: LoopbackModel, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    with WorkerProcess.started(model.base_url, IN_YAML, entry_points(), fork_server, **PARKS) as process:
        process.wait_for_log("ready")
        yield process


@pytest.fixture
async def plain(worker: WorkerProcess) -> AsyncIterator[Deployment]:
    async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
        yield deployment


def parks(worker: WorkerProcess, run: Run) -> int:
    """How often the run has left the worker's memory."""
    return sum('"parked"' in line and run.id in line for line in worker.log.splitlines())


async def settled(deployment: Deployment, worker: WorkerProcess, run: Run, *answers: str) -> str:
    """Answer the run's questions, each once it has been parked; what the run comes to."""
    for number, answer in enumerate(answers or ("approve",), start=1):
        question = await deployment.question(run)
        await until(lambda number=number: parks(worker, run) >= number)  # type: ignore[misc]
        await deployment.say(question, answer)
    return await deployment.result(run)


def did(worker: WorkerProcess, *what: str) -> list[str]:
    """Of this, what was done, in order."""
    return [each["did"] for each in worker.heard() if each.get("did") in what]


def asked(model: LoopbackModel, *markers: str) -> list[list[dict[str, Any]]]:
    """The messages of each request with these markers."""
    return [each.body["messages"] for each in model.requests if each.marker in markers]


def assert_asked_once(model: LoopbackModel, *markers: str) -> None:
    """No request was made twice: the run was taken up without asking a model again."""
    made = Counter(json.dumps(messages) for messages in asked(model, *markers))
    assert made
    assert set(made.values()) == {1}


def tools_of(model: LoopbackModel, marker: str) -> list[set[str]]:
    """The tools that each request offered."""
    return [
        {each["function"]["name"] for each in request.body.get("tools") or ()}
        for request in model.requests
        if request.marker == marker
    ]


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────────


@shows("ask_human")
async def test_agents_of_a_factory_ask_without_naming_the_tool(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("factory-asks", [call("effect", what="before asking"), ASK, say("{last}")])
    run = await plain.start("asks", prompt="[[factory-asks]]")
    assert await settled(plain, worker, run) == APPROVED
    assert did(worker, "before asking") == ["before asking"]
    assert tools_of(model, "factory-asks") == [{"effect", "ask_human"}] * 3
    assert_asked_once(model, "factory-asks")


@shows("ask_human")
async def test_a_crew_says_which_of_its_agents_ask(plain: Deployment, model: LoopbackModel) -> None:
    model.script("asks-nobody", [say("done")])
    model.script("one-asks", [say("done")])
    assert await plain.result(await plain.start("asks_nobody", prompt="[[asks-nobody]]")) == "done"
    assert await plain.result(await plain.start("one_asks", prompt="[[one-asks]]")) == "done"
    assert tools_of(model, "asks-nobody") == [{"effect"}]
    assert tools_of(model, "one-asks") == [{"effect", "ask_human"}, {"effect"}]


@shows("human_input")
async def test_a_task_with_human_input_is_reviewed(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("reviewed", [say("first draft"), say("second draft")])
    run = await plain.start("reviewed", prompt="[[reviewed]]")
    assert (await plain.question(run)).kind is QuestionKind.REVIEW
    assert await settled(plain, worker, run, "Write more.", "approve") == "second draft"
    assert_asked_once(model, "reviewed")


@shows("Hooks")
async def test_hooks_ask_people_before_models_and_tools_are_called(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("hooked", [call("effect", what="hooked effect"), say("{last}")])
    run = await plain.start("hooked", prompt="[[hooked]]")
    assert await settled(plain, worker, run, "ask it", "go") == "did hooked effect"
    assert did(worker, "hooked effect") == ["hooked effect"]
    refused = await plain.start("hooked", prompt="[[hooked]]")
    assert "blocked" in await settled(plain, worker, refused, "ask it", "no")
    assert did(worker, "hooked effect") == ["hooked effect"]


# ── what agents know ────────────────────────────────────────────────────────────────────────────────────────


@shows("Knowledge")
async def test_knowledge_of_agents_and_crews_reaches_the_prompt_once(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    def answer(conversation: Conversation) -> Turn:
        if not conversation.body.get("tools"):
            return say("What is asked? [[mills]]")  # CrewAI has a model word the search.
        return say(conversation.results[-1]) if conversation.answered else ASK

    model.script("mills", answer)
    run = await plain.start("knows", prompt="[[mills]]")
    assert await settled(plain, worker, run) == APPROVED
    prompts = str(asked(model, "mills"))
    assert "The agent's mill stands in Rupelmonde." in prompts
    assert "The crew's mill stands in Doel." in prompts
    assert_asked_once(model, "mills")


@shows("Memory")
async def test_what_a_crew_remembers_is_there_in_its_next_run(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    def answer(conversation: Conversation) -> Turn:
        prompt = text_of(conversation.messages[0])
        if "memor" in prompt.lower() and not conversation.body.get("tools"):
            return say(json.dumps({"memories": ["The ferry leaves at nine."]}))
        return ASK if not conversation.answered else say("The ferry leaves at nine. [[remembers]]")

    model.script("remembers", answer)
    for _ in range(2):
        run = await plain.start("remembers", prompt="[[remembers]] When does the ferry leave?")
        await settled(plain, worker, run)
    prompts = [text_of(each) for messages in asked(model, "remembers") for each in messages[:2]]
    assert any("ferry leaves at nine" in prompt for prompt in prompts)


@shows("Skills")
async def test_a_skill_is_loaded_once(plain: Deployment, worker: WorkerProcess, model: LoopbackModel) -> None:
    model.script("skilled", [call("load_skill", skill_name="milling"), ASK, say("done")])
    run = await plain.start("skilled", prompt="[[skilled]]")
    assert await settled(plain, worker, run) == "done"
    assert "Open the sluice at high water." in str(asked(model, "skilled")[-1])
    assert_asked_once(model, "skilled")


@pytest.fixture(scope="module")
def mcp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An MCP server that speaks HTTP: its address, and its folder."""
    folder = tmp_path_factory.mktemp("mcp")
    with reserved(1) as [port]:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "mcp_server.py"), "http", str(port)], cwd=folder
        )
        for _ in range(1200):
            with socket.socket() as tried:
                if tried.connect_ex((HOST, port)) == 0:
                    break
            assert process.poll() is None
            time.sleep(0.05)
        yield f"http://{HOST}:{port}/mcp", folder
        process.kill()
        process.wait(WITHIN)


@shows("MCP servers")
async def test_tools_of_mcp_servers_are_called_once(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel, mcp_server: tuple[str, Path]
) -> None:
    """Also one that fails; over standard input and output, and over HTTP."""
    url, folder = mcp_server

    def answer(conversation: Conversation) -> Turn:
        offered = [each["function"] for each in conversation.body["tools"]]
        turns = [
            call(each["name"], what="remotely")
            for does in ("Does something far away.", "Fails.")
            for each in offered
            if does in each["description"]
        ]
        last = conversation.results[-1] if conversation.results else ""
        return [*turns, ASK, say(last)][conversation.answered]

    model.script("remote", answer)
    run = await plain.start("remote", prompt="[[remote]]", url=url)
    assert await settled(plain, worker, run) == APPROVED
    assert did(worker, "near remotely", "near failed remotely") == ["near remotely", "near failed remotely"]
    heard = [json.loads(line)["did"] for line in (folder / "heard.jsonl").read_text().splitlines()]
    assert heard == ["far remotely", "far failed remotely"]
    assert_asked_once(model, "remote")


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────────────────


@shows("Guardrails")
async def test_guardrails_send_a_task_back_without_repeating_its_tools(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("guarded-one", [call("effect", what="guarded effect"), ASK, say("short"), say("long")])
    model.script("guarded-many", [say("long"), say("long, please")])
    model.script("guarded-text", [say("kind")])
    model.script("guardrail", [say(json.dumps({"valid": True, "feedback": None}))])

    def one(conversation: Conversation) -> Turn:
        if "It has to be long" in str(conversation.messages):
            return say("long")
        return [call("effect", what="guarded effect"), ASK, say("short")][min(conversation.answered, 2)]

    def many(conversation: Conversation) -> Turn:
        return say("long, please" if "It has to be polite" in str(conversation.messages) else "long")

    model.script("guarded-one", one)
    model.script("guarded-many", many)
    run = await plain.start("guarded", prompt="-")
    assert await settled(plain, worker, run) == "kind"
    assert did(worker, "guarded effect") == ["guarded effect"]
    assert len(await plain.store.questions.list(run.id)) == 1
    assert model.count("guardrail") >= 1


@shows("Structured output")
async def test_output_is_parsed_and_written(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    report = say(json.dumps({"title": "Tides", "pages": 3}))
    model.script("out-pydantic", [ASK, report])
    model.script("out-json", [report])
    model.script("out-file", [ASK, say("the report")])
    run = await plain.start("structured", prompt="-")
    assert await settled(plain, worker, run, "approve", "approve") == "the report"
    assert_asked_once(model, "out-pydantic", "out-json", "out-file")
    [file] = await plain.store.files.list(run.id)
    parts = [part async for part in plain.store.files.read(run.id, file.id)]
    assert (file.name, b"".join(parts)) == ("report.md", b"the report")


@shows("Callbacks")
async def test_callbacks_are_called(plain: Deployment, worker: WorkerProcess, model: LoopbackModel) -> None:
    model.script("called-back", [ASK, say("done")])
    run = await plain.start("called_back", prompt="[[called-back]]")
    assert await settled(plain, worker, run) == "done"
    called = did(worker, "agent step", "task", "crew task")
    assert (called.count("task"), called.count("crew task")) == (1, 1)
    assert "agent step" in called


@shows("before_kickoff and after_kickoff", "@CrewBase and its YAML")
async def test_a_crew_base_with_its_kickoff_methods(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    """`before` is called whenever the run is taken up; `after` at its end."""
    model.script("kickoffs", [ASK, say("written")])
    run = await plain.start("kickoffs", prompt="tides")
    assert await settled(plain, worker, run) == "after: written"
    assert did(worker, "after kickoff") == ["after kickoff"]
    assert did(worker, "before kickoff") == ["before kickoff"] * 2
    assert "evening writer" in str(asked(model, "kickoffs"))
    assert_asked_once(model, "kickoffs")


@shows("ConditionalTask")
async def test_a_conditional_task_is_decided_by_what_came_before(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("cond-first", [say("nothing")])
    model.script("cond-never", [say("never")])
    model.script("cond-second", [ASK, say("go on")])
    model.script("cond-then", [ASK, say("went on")])
    run = await plain.start("conditional", prompt="-")
    assert await settled(plain, worker, run, "approve", "approve") == "went on"
    assert model.count("cond-never") == 0
    assert_asked_once(model, "cond-first", "cond-second", "cond-then")


# ── crews ───────────────────────────────────────────────────────────────────────────────────────────────────


def delegated(marker: str) -> Callable[[Conversation], Turn]:
    """Whoever may delegate hands the work to the other agent, who asks people."""

    def answer(conversation: Conversation) -> Turn:
        offered = {each["function"]["name"] for each in conversation.body.get("tools") or ()}
        system = text_of(conversation.messages[0])
        if "delegate_work_to_coworker" in offered and ("First" in system or "effect" not in offered):
            if conversation.answered:
                return say(f"handed over: {conversation.results[-1]}")
            to = "Second" if "First" in system else "Writer"
            return call("delegate_work_to_coworker", task=f"Do it. [[{marker}]]", context="-", coworker=to)
        return [call("effect", what=f"{marker} effect"), ASK, say("done by another")][conversation.answered]

    return answer


@pytest.mark.parametrize(
    ("crew", "marker"),
    [
        ("managed", "own-manager"),
        ("managed", "its-manager"),
        ("managed_yaml", "in-yaml"),
        ("delegates", "delegates"),
    ],
)
@shows("Hierarchical crews", "Delegation")
async def test_work_that_is_delegated_is_done_once(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel, crew: str, marker: str
) -> None:
    model.script(marker, delegated(marker))
    run = await plain.start(crew, prompt=f"[[{marker}]]")
    assert await settled(plain, worker, run) == "handed over: done by another"
    assert did(worker, f"{marker} effect") == [f"{marker} effect"]
    assert_asked_once(model, marker)


@shows("Models and their settings")
async def test_an_agent_has_a_model_of_its_own_with_its_settings(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("own-models", [ASK, say("done")])
    run = await plain.start("own_models", prompt="[[own-models]]", url=model.base_url)
    assert await settled(plain, worker, run) == "done"
    request = next(each for each in model.requests if each.marker == "own-models")
    assert request.authorization == "Bearer sk-of-this-agent"
    given = {name: request.body.get(name) for name in ("model", "temperature", "top_p", "max_tokens", "seed")}
    assert given == {
        "model": "own-model",
        "temperature": 0.25,
        "top_p": 0.5,
        "max_tokens": 77,
        "seed": 7,
    }
    assert_asked_once(model, "own-models")


@shows("Token usage")
@pytest.mark.parametrize("prompt", ["by its agents", "managed"])
async def test_tokens_of_recorded_calls_are_counted(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel, prompt: str
) -> None:
    """Those of tasks that are finished, and of calls that are replayed, like those of calls that are made."""
    for each in ("one", "two", "three"):
        model.script(f"counted-{each}", [ASK, say(f"done {each}")])
    calls, before = len(model.requests), len(worker.heard())
    run = await plain.start("counts", prompt=prompt)
    assert await settled(plain, worker, run, "approve", "approve", "approve") == "done three"
    assert parks(worker, run) == 3
    made = model.requests[calls:]
    tokens = sum(usage(each.turn or say(""), each.body)["total_tokens"] for each in made)
    assert [each["did"] for each in worker.heard()[before:] if "used" in each.get("did", "")] == [
        f"used {len(made)} {tokens}"
    ]


@shows("Templates")
async def test_templates_shape_the_prompt(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("templates", [ASK, say("done")])
    run = await plain.start("templates", prompt="[[templates]]")
    assert await settled(plain, worker, run) == "done"
    prompt = str(asked(model, "templates")[0])
    assert "<system>" in prompt
    assert "<prompt>" in prompt
    assert_asked_once(model, "templates")


@shows("Tools with arguments")
async def test_tools_are_made_with_arguments(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("made-with", [call("greeting", what="hello"), ASK, say("done")])
    run = await plain.start("made_with_arguments", prompt="[[made-with]]")
    assert await settled(plain, worker, run) == "done"
    assert did(worker, "Dutch 3 hello") == ["Dutch 3 hello"]
    assert tools_of(model, "made-with")[0] == {"greeting", "ask_human"}


@shows("Multimodal agents")
async def test_an_agent_that_sees_looks_at_an_image_once(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("sees", [ASK, say("done")])
    run = await plain.start("sees", prompt="[[sees]]")
    assert await settled(plain, worker, run) == "done"
    assert_asked_once(model, "sees")


# ── YAML ────────────────────────────────────────────────────────────────────────────────────────────────────


@shows("Crews in YAML", "Tools with arguments")
async def test_a_folder_of_yaml_takes_the_keys_of_crewai(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    def first(conversation: Conversation) -> Turn:
        if not conversation.body.get("tools"):
            return say("What is asked? [[yaml-first]]")  # CrewAI has a model word the search.
        turns = [call("greeting", what="hello"), call("effect", what="yaml effect"), ASK]
        report = say(json.dumps({"title": "Tides", "pages": 3}))
        return [*turns, report][conversation.answered]

    model.script("yaml-first", first)
    model.script("yaml-never", [say("never")])
    model.script("yaml-last", [say("done")])
    model.script("yaml-guardrail", [say(json.dumps({"valid": True, "feedback": None}))])
    run = await plain.start("everything", prompt="-")
    assert await settled(plain, worker, run) == "done"
    once = ["Dutch 2 hello", "yaml effect", "yaml guardrail"]
    assert did(worker, *once) == once
    assert did(worker, "yaml task callback")
    assert did(worker, "yaml step callback")
    assert did(worker, "yaml before kickoff") == ["yaml before kickoff"] * 2
    assert model.count("yaml-never") == 0
    request = next(each for each in model.requests if each.marker == "yaml-first" and each.body.get("tools"))
    given = {name: request.body.get(name) for name in ("model", "temperature", "max_tokens")}
    assert given == {"model": "gpt-4o-mini", "temperature": 0.5, "max_tokens": 55}
    prompt = str(asked(model, "yaml-first"))
    for part in ("<system>", "<prompt>", "mills need tides", "How tide mills are run."):
        assert part in prompt


# ── flows ───────────────────────────────────────────────────────────────────────────────────────────────────


@shows("Flow state", "@persist", "Routers", "@human_feedback", "Flow.ask")
async def test_a_flow_with_state_persistence_and_routers(plain: Deployment, worker: WorkerProcess) -> None:
    run = await plain.start("writes", prompt="-")
    said = await settled(plain, worker, run, "children", "not_yet", "good")
    assert said == "published draft 2 for children"
    assert did(worker, "researched", "counted") == ["researched", "counted", "counted"]


@shows("Crews and agents in flows")
async def test_crews_and_agents_in_the_methods_of_a_flow_ask_people(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("flow-crew", [call("effect", what="in a flow"), ASK, say("the crew: {last}")])
    model.script("flow-agent", [call("ask_human", question="Really?"), say("the agent: {last}")])
    run = await plain.start("crews_in_flow", prompt="[[flow-crew]]")
    came = await settled(plain, worker, run, "approve", "really")
    assert came == f"the crew: {APPROVED}, the agent: Ada answered: really"
    assert did(worker, "in a flow") == ["in a flow"]
    assert_asked_once(model, "flow-crew", "flow-agent")


@shows("replay")
async def test_a_task_that_is_replayed_has_the_outputs_before_it(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("replays-first", [ASK, say("the first output")])
    model.script("replays-second", [call("effect", what="replayed"), ASK, say("the second output")])
    run = await plain.start("replays", prompt="-")
    said = await settled(plain, worker, run, "approve", "approve", "approve")
    assert said == "the second output, then the second output"
    assert did(worker, "replayed") == ["replayed", "replayed"], "once in each of both"
    assert model.count("replays-first") == 2
    assert len(asked(model, "replays-second")) == 6
    assert all("the first output" in str(each[:2]) for each in asked(model, "replays-second"))


def routed(conversation: Conversation) -> Turn:
    """The router chooses by the last message; the assistant repeats it."""
    words = text_of(conversation.messages[-1])
    if not conversation.body.get("response_format"):
        return say(f"You said {words}")
    routing = json.loads(words)
    first = str(routing["current_user_message"]).split()[0]
    return say(json.dumps({"intent": first if first in routing["available_routes"] else "converse"}))


@shows("Conversational flows")
async def test_each_turn_of_a_conversational_flow_is_a_question(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("chats", routed)
    run = await plain.start("chats", prompt="[[chats]]")
    turns = (
        ("You said [[chats]]", "act now"),
        ("did chatted act now", "look it up"),
        ("May I keep that?", "yes"),
        ("There is no reply to that. What next?", "Hello"),  # what an agent has found is private
        ("You said Hello", "end"),
    )
    for number, (shown, said) in enumerate(turns, start=1):
        question = await plain.question(run)
        assert (question.kind, question.prompt) == (QuestionKind.TEXT, shown)
        await until(lambda number=number: parks(worker, run) >= number)  # type: ignore[misc]
        await plain.say(question, said)
    assert await plain.result(run) == "Conversation ended."
    assert did(worker, "chatted act now", "looked") == ["chatted act now", "looked"]
    assert_asked_once(model, "chats")
    history = json.loads(text_of(asked(model, "chats")[-1][-1]))["message_history"]
    assert [f"{each['role']}: {each['content']}" for each in history] == [
        "user: [[chats]]",
        "assistant: You said [[chats]]",
        "user: act now",
        "assistant: did chatted act now",
        "user: look it up",
        "user: Hello",
        "assistant: You said Hello",
        "user: end",
    ]


@shows("Conversational flows")
async def test_a_conversation_begins_with_a_question_and_ends_when_somebody_says_so(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    def answer(conversation: Conversation) -> Turn:
        words = text_of(conversation.messages[-1])
        if conversation.body.get("response_format"):
            return say(json.dumps({"outcome": "praise" if "Well done" in words else "converse"}))
        return say(f"You said {words}")

    model.script("classified", answer)
    run = await plain.start("classified")
    assert (await plain.question(run)).prompt == "What would you like to say to Classified?"
    said = await settled(plain, worker, run, "[[classified]]", "Well done", "Exit")
    assert said == "Thank you."
    assert_asked_once(model, "classified")
    assert len(asked(model, "classified")) == 3


@shows("Conversational flows")
def test_a_conversation_ends_when_nobody_replies_in_time() -> None:
    from tests.contract.crews import feature_flows

    result = run_crew(feature_flows.bare, people=[reply("Hello"), expire()])
    assert result.output == "I can continue the conversation once an LLM is configured."


# ── what is said when a crew is loaded ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (
            "conversational",
            "conversational flow, and its state has no agent_threads, current_",
        ),
        ("input_files", "without the package crewai-files"),
    ],
)
@shows("Conversational flows", "input_files")
def test_what_can_not_be_durable_is_refused_when_it_is_built(what: str, words: str) -> None:
    from crews.building.build import PythonCrew
    from crews.definitions.exceptions import CrewBroken
    from tests.contract.crews import feature_flows

    crew = PythonCrew("crew", lambda _inputs: feature_flows.not_durable(what))
    with pytest.raises(CrewBroken, match=words):
        contextvars.copy_context().run(crew.build, {})  # CrewAI keeps what is made in a context


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("time", "`max_execution_time` isn't applied"),
        ("checkpoint", "`checkpoint` isn't used"),
        ("memory", "is kept on the worker's machine"),
    ],
)
@shows("max_execution_time", "Checkpoints", "Memory")
def test_what_is_not_durable_or_not_applied_is_told(
    what: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from crews.building.build import PythonCrew
    from crews.building.durability import notices_of
    from crews.crewai_adapter import checkpoints
    from tests.contract.crews import feature_flows

    checkpoints.install()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path))
    crew = PythonCrew("crew", lambda _inputs: feature_flows.not_durable(what))
    built = contextvars.copy_context().run(crew.build, {})
    [notice] = notices_of(built)
    assert words in notice


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_row_of_the_page_is_shown_by_a_test() -> None:
    for neighbour in ("test_plain_crewai", "test_at_the_terminal", "test_a2a", "test_called_once"):
        importlib.import_module(f"tests.contract.crews.{neighbour}")
    assert set(rows()) == set(SHOWN_BY)
    assert len(rows()) == len(set(rows()))
