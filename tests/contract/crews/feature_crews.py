"""Crews that use what CrewAI offers, one for each row of docs/crewai.md that needs one."""

# ruff: noqa: ANN401 - as CrewAI has it

import sys
from pathlib import Path
from typing import Any

import numpy as np
from crewai import LLM, Agent, Crew, Process, Task
from crewai.hooks import before_llm_call, before_tool_call
from crewai.knowledge.source.string_knowledge_source import StringKnowledgeSource
from crewai.mcp import MCPServerHTTP, MCPServerStdio
from crewai.memory.unified_memory import Memory
from crewai.project import CrewBase, after_kickoff, agent, before_kickoff, task
from crewai.project import crew as crew_of
from crewai.rag.core.types import Documents, Embeddings
from crewai.rag.embeddings.providers.custom.custom_provider import CustomProvider
from crewai.rag.embeddings.providers.custom.embedding_callable import CustomEmbeddingFunction
from crewai.tasks.conditional_task import ConditionalTask
from crewai.tasks.task_output import TaskOutput
from crewai.tools import BaseTool
from pydantic import BaseModel

from crewdeck import AskHuman, crew
from tests.contract.crews.traces import Effect, trace

MODEL = "openai/gpt-5.4-mini"
PROMPT: Any = {"prompt": {"required": True}}
DECLARED: Any = {"inputs": PROMPT, "main_input": "prompt"}
HERE = Path(__file__).parent
SKILLS = HERE / "skills"


class Greeting(BaseTool):
    """Made with arguments."""

    name: str = "greeting"
    description: str = "Greets."
    language: str
    loudness: int = 1

    def _run(self, what: str) -> str:
        trace(f"{self.language} {self.loudness} {what}")
        return f"{what} in {self.language}, {self.loudness}"


def worker(role: str = "Worker", **more: Any) -> Agent:
    who: dict[str, Any] = {"role": role, "goal": "Work", "backstory": "You work.", "llm": MODEL}
    return Agent(**who | {"tools": [Effect()]} | more)


def work(who: Agent | None, name: str = "work", **more: Any) -> Task:
    options = {"description": "Do this: {prompt}", "expected_output": "Words"} | more
    return Task(name=name, agent=who, **options)


def one_task(who: Agent, **more: Any) -> Crew:
    return Crew(agents=[who], tasks=[work(who)], **more)


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────────


@crew(title="Asks", **DECLARED)
def asks(_inputs: dict[str, Any]) -> Crew:
    """Nobody gave its agent ask_human."""
    return one_task(worker())


@crew(title="Doesn't ask", ask_human=False, **DECLARED)
def asks_nobody(_inputs: dict[str, Any]) -> Crew:
    return one_task(worker())


@crew(title="One asks", ask_human=["First {prompt}"], **DECLARED)
def one_asks(_inputs: dict[str, Any]) -> Crew:
    first, second = worker("First {prompt}"), worker("Second")
    return Crew(agents=[first, second], tasks=[work(first, "first"), work(second, "second")])


@crew(title="Reviewed", **DECLARED)
def reviewed(_inputs: dict[str, Any]) -> Crew:
    who = worker()
    return Crew(agents=[who], tasks=[work(who, human_input=True)])


@before_tool_call(agents=["Hooked"])
def may_be_called(context: Any) -> bool | None:
    if context.tool_name == "effect":
        return None if context.request_human_input("Allow it?", "Type 'go':") == "go" else False
    return None


@before_llm_call(agents=["Hooked"])
def may_be_asked(context: Any) -> None:
    if context.agent is not None and context.iterations == 0:  # CrewAI filters calls with an agent only
        trace(f"model hook {context.request_human_input('Ask the model?', 'Say anything:')}")


@crew(title="Hooked", **DECLARED)
def hooked(_inputs: dict[str, Any]) -> Crew:
    return one_task(worker("Hooked"))


# ── what agents know ────────────────────────────────────────────────────────────────────────────────────────


class Constant(CustomEmbeddingFunction):
    """Finds everything alike."""

    def __init__(self, **_: Any) -> None: ...

    def __call__(self, input: Documents) -> Embeddings:  # noqa: A002 - as chromadb calls it
        return [np.ones(4, dtype=np.float32) for _ in input]

    @staticmethod
    def name() -> str:
        return "constant"


EMBEDDER: Any = CustomProvider(embedding_callable=Constant)


@crew(title="Knows", **DECLARED)
def knows(_inputs: dict[str, Any]) -> Crew:
    who = worker(
        knowledge_sources=[StringKnowledgeSource(content="The agent's mill stands in Rupelmonde.")],
        embedder=EMBEDDER,
    )
    sources = [StringKnowledgeSource(content="The crew's mill stands in Doel.")]
    return one_task(who, knowledge_sources=sources, embedder=EMBEDDER)


@crew(title="Remembers", **DECLARED)
def remembers(_inputs: dict[str, Any]) -> Crew:
    memory = Memory(llm=MODEL, embedder={"provider": "custom", "config": {"embedding_callable": Constant}})
    return one_task(worker(), memory=memory)


@crew(title="Skilled", **DECLARED)
def skilled(_inputs: dict[str, Any]) -> Crew:
    return one_task(worker(skills=[SKILLS]))


@crew(title="Remote tools", inputs={**PROMPT, "url": {"required": True}}, main_input="prompt")
def remote(inputs: dict[str, Any]) -> Crew:
    servers = [
        MCPServerStdio(command=sys.executable, args=[str(HERE / "mcp_server.py"), "stdio"]),
        MCPServerHTTP(url=str(inputs["url"])),
    ]
    return one_task(worker(mcps=servers))


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────────────────


def is_long(output: TaskOutput) -> tuple[bool, Any]:
    trace("is_long")
    return (True, output.raw.upper()) if "long" in output.raw else (False, "It has to be long.")


def is_polite(output: TaskOutput) -> tuple[bool, Any]:
    trace("is_polite")
    return (True, output) if "please" in output.raw.lower() else (False, "It has to be polite.")


@crew(title="Guarded", **DECLARED)
def guarded(_inputs: dict[str, Any]) -> Crew:
    who = worker()
    return Crew(
        agents=[who],
        tasks=[
            work(who, "one", description="{prompt} [[guarded-one]]", guardrail=is_long),
            work(who, "many", description="{prompt} [[guarded-many]]", guardrails=[is_long, is_polite]),
            work(who, "text", description="{prompt} [[guarded-text]]", guardrail="Is kind. [[guardrail]]"),
        ],
    )


class Report(BaseModel):
    title: str
    pages: int


@crew(title="Structured", **DECLARED)
def structured(_inputs: dict[str, Any]) -> Crew:
    who = worker()
    return Crew(
        agents=[who],
        tasks=[
            work(who, "pydantic", description="{prompt} [[out-pydantic]]", output_pydantic=Report),
            work(who, "json", description="{prompt} [[out-json]]", output_json=Report),
            work(who, "file", description="{prompt} [[out-file]]", output_file="report.md"),
        ],
    )


@crew(title="Called back", **DECLARED)
def called_back(_inputs: dict[str, Any]) -> Crew:
    def told(what: str) -> Any:
        return lambda *_: trace(what)

    who = worker(step_callback=told("agent step"))
    return Crew(
        agents=[who],
        tasks=[work(who, callback=told("task"))],
        step_callback=told("crew step"),
        task_callback=told("crew task"),
    )


@CrewBase
class Kickoffs:
    """As `crewai create crew` made projects: YAML beside the class."""

    agents_config = "kickoffs/agents.yaml"
    tasks_config = "kickoffs/tasks.yaml"
    agents: list[Any]
    tasks: list[Any]

    @before_kickoff
    def before(self, inputs: dict[str, Any]) -> dict[str, Any]:
        trace("before kickoff")
        return {**inputs, "edition": "evening"}

    @after_kickoff
    def after(self, output: Any) -> Any:
        trace("after kickoff")
        output.raw = f"after: {output.raw}"
        return output

    @agent
    def writer(self) -> Agent:
        options: Any = {"config": self.agents_config["writer"]}  # type: ignore[index]
        return Agent(**options | {"llm": MODEL, "tools": [Effect()]})

    @task
    def write(self) -> Task:
        options: Any = {"config": self.tasks_config["write"]}  # type: ignore[index]
        return Task(**options)

    @crew_of
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)


@crew(title="Kickoffs", **DECLARED)
def kickoffs(_inputs: dict[str, Any]) -> Crew:
    made: Any = Kickoffs()
    built: Crew = made.crew()
    return built


@crew(title="Conditional", **DECLARED)
def conditional(_inputs: dict[str, Any]) -> Crew:
    who = worker()

    def only_if(word: str) -> Any:
        return lambda output: word in output.raw

    options: Any = {"expected_output": "Words", "agent": who}
    return Crew(
        agents=[who],
        tasks=[
            work(who, "first", description="{prompt} [[cond-first]]"),
            ConditionalTask(only_if("never"), description="{prompt} [[cond-never]]", **options),
            work(who, "second", description="{prompt} [[cond-second]]"),
            ConditionalTask(only_if("go on"), description="{prompt} [[cond-then]]", **options),
        ],
    )


# ── crews ───────────────────────────────────────────────────────────────────────────────────────────────────


@crew(title="Managed", **DECLARED)
def managed(inputs: dict[str, Any]) -> Crew:
    """By an agent of its own, or by CrewAI's, with a model."""
    writer, reader = worker("Writer"), worker("Reader")
    tasks = [work(None, description="{prompt}")]
    by: Any = {"manager_llm": MODEL}
    if "own-manager" in str(inputs["prompt"]):
        by = {"manager_agent": worker("Boss", tools=[], allow_delegation=True)}
    return Crew(agents=[writer, reader], tasks=tasks, process=Process.hierarchical, **by)


@crew(title="Delegates", **DECLARED)
def delegates(_inputs: dict[str, Any]) -> Crew:
    first, second = worker("First", allow_delegation=True), worker("Second")
    return Crew(agents=[first, second], tasks=[work(first)])


@crew(title="Counts tokens", **DECLARED)
def counts(inputs: dict[str, Any]) -> Crew:
    """Two agents with models of their own, or a manager's, and what all of them used at the end."""
    writer, reader = worker("Writer"), worker("Reader")

    def told(output: Any) -> Any:
        used = output.token_usage
        trace(f"used {used.successful_requests} {used.total_tokens}")
        return output

    managed = "managed" in str(inputs["prompt"])
    more: Any = {"process": Process.hierarchical, "manager_llm": MODEL} if managed else {}
    texts = ("one", "two", "three")
    return Crew(
        agents=[writer, reader],
        tasks=[
            work(None if managed else who, text, description=f"{{prompt}} [[counted-{text}]]")
            for who, text in zip((writer, reader, writer), texts, strict=True)
        ],
        after_kickoff_callbacks=[told],
        **more,
    )


@crew(title="Own models", inputs={**PROMPT, "url": {"required": True}}, main_input="prompt")
def own_models(inputs: dict[str, Any]) -> Crew:
    model = LLM(
        model="openai/own-model",
        temperature=0.25,
        top_p=0.5,
        max_tokens=77,
        seed=7,
        stop=["HALT"],
        base_url=str(inputs["url"]),
        api_key="sk-of-this-agent",
        timeout=30,
    )
    return one_task(worker(llm=model))


@crew(title="Templates", **DECLARED)
def templates(_inputs: dict[str, Any]) -> Crew:
    return one_task(
        worker(
            system_template="<system>{{ .System }}</system>",
            prompt_template="<prompt>{{ .Prompt }}</prompt>",
            response_template="<response>{{ .Response }}</response>",
        )
    )


@crew(title="Made with arguments", **DECLARED)
def made_with_arguments(_inputs: dict[str, Any]) -> Crew:
    return one_task(worker(tools=[Greeting(language="Dutch", loudness=3), AskHuman()]))


@crew(title="Sees", **DECLARED)
def sees(_inputs: dict[str, Any]) -> Crew:
    return one_task(worker(multimodal=True))


# ── named in feature_definitions ────────────────────────────────────────────────────────────────────────────

HANDBOOK = StringKnowledgeSource(content="The handbook says that mills need tides.")


def yaml_task_callback(_output: TaskOutput) -> None:
    trace("yaml task callback")


def yaml_step_callback(_step: object) -> None:
    trace("yaml step callback")


def yaml_before_kickoff(inputs: dict[str, Any] | None) -> dict[str, Any] | None:
    trace("yaml before kickoff")
    return inputs


def yaml_guardrail(output: TaskOutput) -> tuple[bool, Any]:
    trace("yaml guardrail")
    return True, output


def yaml_condition(output: TaskOutput) -> bool:
    return "never" in output.raw
