"""Crews whose tasks CrewAI starts again, in the workers' processes."""

import os
from pathlib import Path
from typing import Any

import openai
from crewai import LLM, Agent, Crew, Process, Task
from crewai.flow.flow import Flow, start
from crewai.tasks.task_output import TaskOutput
from crewai.tools import BaseTool
from pydantic import BaseModel, create_model

from crewdeck import AskHuman, crew
from tests.faults.toolbox import Failing, Keyed, leave_trace

NATIVE, WRITTEN = "openai/gpt-5.4-mini", "openai/o1-mini"
OPTIONS: dict[str, Any] = {
    "inputs": {"prompt": {"required": True}},
    "main_input": "prompt",
    "tools": {"keyed": {"use": "tests.faults.toolbox:Keyed", "on_interrupted": "ask"}},
}


def _agent(role: str = "Worker", model: str = NATIVE, **more: Any) -> Agent:
    who: dict[str, Any] = {"role": role, "goal": "Work", "backstory": "You work.", "inject_date": True}
    agent = Agent(**who | {"date_format": "%H:%M:%S.%f"}, llm=model, **more)
    agent.tools = [Keyed(), AskHuman()]
    return agent


def _task(agent: Agent | None, **more: Any) -> Task:
    return Task(description="Do this: {prompt}", expected_output="Words", agent=agent, **more)


def _crew(agent: Agent, **more: Any) -> Crew:
    return Crew(agents=[agent], tasks=[_task(agent, **more)])


def _good(output: TaskOutput) -> tuple[bool, Any]:
    return ("good" in output.raw, output.raw if "good" in output.raw else "It has to be good")


@crew(title="Native", **OPTIONS)
def native(_inputs: dict[str, Any]) -> Crew:
    return _crew(_agent())


@crew(title="Written", **OPTIONS)
def written(_inputs: dict[str, Any]) -> Crew:
    return _crew(_agent(model=WRITTEN))


@crew(title="Guarded", **OPTIONS)
def guarded(_inputs: dict[str, Any]) -> Crew:
    return _crew(_agent(), guardrail=_good)


@crew(title="Reviewed", **OPTIONS)
def reviewed(_inputs: dict[str, Any]) -> Crew:
    return _crew(_agent(), human_input=True)


@crew(title="Delegating", **OPTIONS)
def delegating(_inputs: dict[str, Any]) -> Crew:
    helper = _agent("Helper")
    return Crew(agents=[helper], tasks=[_task(None)], process=Process.hierarchical, manager_llm=NATIVE)


class Kickoff(Flow[Any]):
    """A method whose agent has a guardrail, and is called twice for the same."""

    @start()
    def both(self) -> str:
        said = []
        for _ in range(2):
            agent = _agent(guardrail=_good)
            answer: Any = agent.kickoff(self.state["prompt"])
            said.append(answer.raw)
        return " / ".join(said)


@crew(title="Kickoff", **OPTIONS)
def kickoff(_inputs: dict[str, Any]) -> Flow[Any]:
    return Kickoff()


class Loop(Flow[Any]):
    """A method that has the same crew do the same twice."""

    @start()
    def twice(self) -> str:
        made = _crew(_agent())
        for _ in range(2):
            made.kickoff(inputs={"prompt": self.state["prompt"]})
        leave_trace(Path(self.state["prompt"]).name, "looped")
        return "looped"


@crew(title="Loop", **OPTIONS)
def loop(_inputs: dict[str, Any]) -> Flow[Any]:
    return Loop()


class Refused(Flow[Any]):
    """Goes another way where its model, or a tool, fails in a certain way."""

    @start()
    def refused(self) -> str:
        came = []
        try:
            LLM(model=NATIVE).call(self.state["prompt"])
        except openai.BadRequestError as error:
            came.append(f"{error.status_code} {error.code}")
        try:
            Failing().run(mark=self.state["prompt"].strip("[]"))
        except ValueError as error:
            came.append(str(error))
        return f"{came} {self.ask('Go on?')}"


@crew(title="Refused", **OPTIONS)
def refused(_inputs: dict[str, Any]) -> Flow[Any]:
    return Refused()


FIELDS: dict[str, Any] = {"title": (str, ...)}
MORE: dict[str, Any] = {"pages": (int, ...)}
Report: type[BaseModel] = create_model(
    "Report", __module__=__name__, **FIELDS | (MORE if os.environ.get("REPORT") == "longer" else {})
)


class Filing(BaseTool):
    name: str = "filing"
    description: str = "Files a report."

    def _run(self, mark: str) -> BaseModel:
        leave_trace(mark, "filed")
        return Report.model_validate({"title": "Tides", "pages": 3})


@crew(title="Filing", **OPTIONS)
def filing(_inputs: dict[str, Any]) -> Crew:
    agent = _agent()
    agent.tools = [Filing(), AskHuman()]
    return _crew(agent)


@crew(title="Reporting", **OPTIONS)
def reporting(_inputs: dict[str, Any]) -> Crew:
    """A report whose class may be another one in the next worker, and a task after it."""
    agent = _agent()
    report = Task(
        name="report",
        description="Report on this: {prompt}",
        expected_output="A report",
        agent=agent,
        output_pydantic=Report,
    )
    publish = Task(
        name="publish",
        description="Publish this: {prompt}",
        expected_output="Words",
        agent=agent,
        context=[report],
    )
    return Crew(agents=[agent], tasks=[report, publish])
