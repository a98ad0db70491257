"""A project's YAML in a worker stays what it was when the worker read it."""

import sys
from pathlib import Path

import pytest

from bot.settings import Settings
from crews.crewai_adapter import environment

SOURCE = """
from crewai import Agent, Crew, Task
from crewai.project import CrewBase, agent, crew, task

@CrewBase
class Kept:
    @agent
    def writer(self):
        return Agent(config=self.agents_config["writer"], llm=None)
    @task
    def write(self):
        return Task(config=self.tasks_config["write"])
    @crew
    def crew(self):
        return Crew(agents=self.agents, tasks=self.tasks)
"""


def test_an_edit_is_for_processes_that_start_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.prepare(Settings(data_dir=tmp_path / "data"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody-1234")
    monkeypatch.syspath_prepend(tmp_path)
    from crews.crewai_adapter import install

    install.install()
    install.install()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "agents.yaml").write_text("writer: {role: Writer, goal: Write, backstory: B}\n")
    tasks = tmp_path / "config" / "tasks.yaml"
    tasks.write_text("write: {description: Write well, expected_output: A text, agent: writer}\n")
    (tmp_path / "crewdeck_kept_project.py").write_text(SOURCE)
    kept = __import__("crewdeck_kept_project").Kept
    assert kept().crew().tasks[0].description == "Write well"
    tasks.write_text("write: [broken\n")
    assert kept().crew().tasks[0].description == "Write well"
    sys.modules.pop("crewdeck_kept_project")


CREW = """{
  // A comment
  "name": "kept", "agents": ["writer"],
  "tasks": [{"name": "write", "description": "Write %s", "expected_output": "A text", "agent": "writer"}]
}"""
FLOW = (
    "schema: crewai.flow/v1\nname: %s\nmethods:\n  begin: {start: true, do: {call: expression, expr: '1'}}\n"
)


def test_crew_files_and_flow_files_stay_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.prepare(Settings(data_dir=tmp_path / "data"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody-1234")
    from crewai.flow.flow import Flow
    from crewai.project.crew_loader import load_crew

    from crews.crewai_adapter import install

    install.install()
    (tmp_path / "agents").mkdir()
    agent = '{"role": "Writer", "goal": "Write", "backstory": "You write."}'
    (tmp_path / "agents" / "writer.jsonc").write_text(agent)
    crew, flow = tmp_path / "crew.jsonc", tmp_path / "flow.yaml"
    crew.write_text(CREW % "well")
    flow.write_text(FLOW % "kept")
    for _ in range(2):
        assert load_crew(crew)[0].tasks[0].description == "Write well"
        assert isinstance(Flow.from_declaration(path=flow), Flow)
        crew.write_text("{broken")
        flow.write_text("[broken")
