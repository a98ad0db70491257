"""Keys of CrewAI in YAML: those of the installed release, and errors with their places."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from crews.definitions.agents_and_tasks import AgentEntry, TaskEntry
from crews.definitions.crewai_keys import AGENT_KEYS, CREW_KEYS, REFUSED, TASK_KEYS
from crews.definitions.defined_crews import Definition, read_crew

INTERNAL = {"agent_executor", "config", "entity_type"}
"""Fields that CrewAI sets itself."""
OURS = {"agents", "tasks", "name", "process", "tracing", "share_crew", "knowledge"}
"""Of crews: other files, our own keys, and what is sent to CrewAI's service."""


def own(kind: type[BaseModel]) -> set[str]:
    return set(kind.model_fields) - {"crewai", "ask_human", "approvers"}


def test_the_lists_are_those_of_the_installed_crewai() -> None:
    from crewai.project import json_loader

    agents = AGENT_KEYS | own(AgentEntry) | REFUSED.keys() | INTERNAL
    assert agents == json_loader._agent_allowed_fields() | INTERNAL  # noqa: SLF001 - nothing public tells
    tasks = TASK_KEYS | own(TaskEntry) | INTERNAL | {"name", "condition", "type", "callbacks"}
    assert tasks == json_loader._task_allowed_fields() | INTERNAL | {"condition", "type", "callbacks"}  # noqa: SLF001
    crews = CREW_KEYS | REFUSED.keys() | INTERNAL | OURS
    assert crews == json_loader._crew_allowed_fields() | REFUSED.keys() | INTERNAL  # noqa: SLF001


CREW = "title: T\n"
AGENT = "writer:\n  role: R\n  goal: G\n  backstory: B\n"
TASK = "write:\n  description: D\n  expected_output: E\n  agent: writer\n"


def folder(at: Path, crew: str = CREW, agents: str = AGENT, tasks: str = TASK) -> Path:
    made = at / "crew"
    made.mkdir()
    for name, text in (("crew", crew), ("agents", agents), ("tasks", tasks)):
        (made / f"{name}.yaml").write_text(text)
    return made


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"agents": AGENT + "  max_execution_time: 5\n"},
            "agents.yaml:5: writer.max_execution_time: would",
        ),
        ({"agents": AGENT + "  guardrails: x\n"}, "agents.yaml:5: writer.guardrails: is no key"),
        ({"tasks": TASK + "  memory: true\n"}, "tasks.yaml:5: write.memory: is no key"),
        ({"crew": CREW + "agents: []\n"}, "crew.yaml:2: agents: is no key"),
        ({"agents": AGENT + "  llm: [x]\n"}, "agents.yaml:5: writer.llm: must be the name of a model"),
        ({"crew": CREW + "tools: {t: {with: {a: 1}}}\n"}, "`with` are the arguments of the class"),
        ({"crew": CREW + "ask_human: [reader]\n"}, "crew.yaml:2: ask_human.0: reader is no agent"),
        (
            {"agents": AGENT + "  ask_human: false\n  tools: [ask_human]\n"},
            "agents.yaml:6: writer.tools: names ask_human",
        ),
    ],
)
def test_what_can_not_be_is_an_error_with_its_line(tmp_path: Path, files: dict[str, str], words: str) -> None:
    definition, problems = read_crew(folder(tmp_path, **files))
    assert definition is None
    assert any(words in str(problem) for problem in problems), [*map(str, problems)]


def read(at: Path) -> Definition:
    definition, problems = read_crew(at)
    assert definition is not None, [*map(str, problems)]
    return definition


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"agents": AGENT + "  max_tokens: many\n"}, "agents.yaml:5: writer.max_tokens"),
        (
            {"agents": AGENT + "  memory: true\n  planning_config: 7\n"},
            ":6: writer.planning_config",
        ),
        (
            {"tasks": TASK + "  output_pydantic: 'nowhere:Class'\n"},
            ":5: write.output_pydantic: nowhere",
        ),
        ({"tasks": TASK + "  callback: {python: os.nothing}\n"}, "tasks.yaml:5: write.callback: os:nothing"),
        ({"tasks": TASK + "  type: Other\n"}, "tasks.yaml:5: write.type"),
        ({"crew": CREW + "manager_llm: openai/gpt-5.4-mini\n"}, "crew.yaml:2: manager_llm: is for"),
        ({"crew": CREW + "max_rpm: fast\n"}, "crew.yaml:2: max_rpm"),
        (
            {
                "crew": CREW + "tools:\n  t:\n    use: 'tests.contract.crews.feature_crews:Greeting'\n"
                "    with: {loudness: 2}\n",
                "agents": AGENT + "  tools: [t]\n",
            },
            "crew.yaml:5: tools.t.with: tests.contract.crews.feature_crews:Greeting refuses",
        ),
    ],
)
def test_what_crewai_refuses_is_an_error_with_its_line(
    tmp_path: Path,
    files: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from crews.building.build import YamlCrew
    from crews.definitions.exceptions import CrewBroken

    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with pytest.raises(CrewBroken) as raised:
        YamlCrew(read(folder(tmp_path, **files)), "openai/gpt-5.4-mini").build({})
    assert words in str(raised.value)
    assert raised.value.problem is not None
