"""A problem of a crew has its file and its remedy, whatever the exception of its author says."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from bot.core.runs.crew import CrewProblem
from bot.processes.projects import find
from bot.settings import Settings
from crews.definitions import defined_crews
from crews.definitions.defined_crews import DefinedCrews
from crews.definitions.yaml_lines import Unreadable, read
from crews.projects import offering
from tests.waiting import WITHIN

NUMBERS = itertools.count()
MODULE = """
from crewai import Agent, Crew, Task
from crewai.project import CrewBase, agent, crew, task

@CrewBase
class Report:
    @agent
    def writer(self) -> Agent:
        return Agent(config=self.agents_config["writer"])

    @task
    def draft(self) -> Task:
        return Task(config=self.tasks_config["draft"], agent=self.writer())

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)
"""
AGENTS = "writer:\n  role: Schreiber\n  goal: Über {topic}\n  backstory: You write.\n"
TASKS = "draft:\n  description: On {topic}\n  expected_output: A text\n"
ABSENT = b"\0absent"
SENTENCES = "The file rates.csv is empty. Ask the finance team for it. They have it"
Load = Callable[..., CrewProblem]


@pytest.fixture
def problem_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """The one problem of a project whose crew is otherwise right."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-1234567890")
    package = f"remedied_{os.getpid()}_{next(NUMBERS)}"
    settings = Settings(data_dir=tmp_path / "data", build_timeout=WITHIN)

    def loaded(module: str = MODULE, **files: bytes) -> CrewProblem:
        root = tmp_path / "report"
        config = root / package / "config"
        config.mkdir(parents=True)
        (root / package / "crew.py").write_text(module)
        content = {"agents.yaml": AGENTS.encode(), "tasks.yaml": TASKS.encode()}
        for name, text in {
            **content,
            **{each.replace("_", "."): text for each, text in files.items()},
        }.items():
            if text != ABSENT:
                (root / name if name in {"flow.yaml", "pyproject.toml"} else config / name).write_bytes(text)
        monkeypatch.syspath_prepend(str(root))
        monkeypatch.chdir(root)
        [problem] = offering.offer_of(find(str(root)), settings).problems
        return problem

    yield loaded
    for each in [name for name in sys.modules if name.startswith(package)]:
        del sys.modules[each]


FLOW = "schema: crewai.flow/v1\nname: Größe\n"


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"agents_yaml": AGENTS.encode("latin-1")}, "agents.yaml:3"),
        ({"tasks_yaml": TASKS.encode("utf-16")}, "tasks.yaml:1"),
        ({"flow_yaml": FLOW.encode("latin-1")}, "flow.yaml:2"),
        (
            {"pyproject_toml": '[project]\nname = "report"\ndescription = "Über"\n'.encode("latin-1")},
            "pyproject.toml:3",
        ),
    ],
)
def test_a_file_that_is_no_utf_8_is_named_with_the_remedy(
    problem_of: Load, files: dict[str, bytes], place: str
) -> None:
    problem = problem_of("" if "flow_yaml" in files else MODULE, **files)
    assert problem.problem.endswith(f"{place}: can't be read: it is no UTF-8 text")
    assert problem.remedy == "Save the file as UTF-8."


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"agents_yaml": b"writer:\n  role: [\n"}, "agents.yaml:3: is no YAML: "),
        (
            {"tasks_yaml": b"draft:\n  description: *nothing\n"},
            "tasks.yaml:2: is no YAML: found undefined alias",
        ),
        ({"flow_yaml": b"schema: crewai.flow/v1\nname: [\n"}, "flow.yaml:3: is no YAML: "),
        ({"agents_yaml": b"writer: \x01\n"}, "agents.yaml: is no YAML: "),
    ],
)
def test_a_file_that_is_no_yaml_is_named_with_its_line(
    problem_of: Load, files: dict[str, bytes], place: str
) -> None:
    problem = problem_of("" if "flow_yaml" in files else MODULE, **files)
    assert place in problem.problem
    assert problem.remedy == "Correct the file; docs/projects.md describes it."


def test_what_a_projects_code_says_is_all_of_the_problem(problem_of: Load) -> None:
    problem = problem_of(f"{MODULE}\nraise ValueError({SENTENCES!r})\n")
    assert problem.problem.endswith(f"it can't be loaded: ValueError: {SENTENCES}")
    assert not problem.remedy


def test_a_remedy_stands_beside_what_a_projects_code_says(problem_of: Load) -> None:
    problem = problem_of(f"import nothing_of_that_name\n{MODULE}")
    assert problem.problem.endswith("ModuleNotFoundError: No module named 'nothing_of_that_name'")
    assert problem.remedy.startswith("Make an environment with what the project needs: crewdeck add ")


@pytest.mark.parametrize(
    ("model", "package"),
    [("anthropic/claude-opus-4-1", "crewai[anthropic]"), ("groq/llama-3.3-70b", "crewai[litellm]")],
)
def test_the_package_of_a_models_provider_is_named_with_how_to_install_it(
    problem_of: Load, tmp_path: Path, model: str, package: str
) -> None:
    problem = problem_of(MODULE.replace("Agent(", f'Agent(llm="{model}", ', 1))
    assert "ImportError: " in problem.problem
    assert problem.remedy == (
        f"Name {package} in the project's dependencies, then: crewdeck add {tmp_path / 'report'}"
    )


def test_what_is_cut_of_a_long_exception_is_marked(problem_of: Load) -> None:
    problem = problem_of(f"{MODULE}\nraise ValueError('word ' * 200)\n")
    assert problem.problem.endswith("word word…")


def test_a_factorys_model_whose_package_is_missing_has_a_remedy() -> None:
    from crewai import Agent, Crew

    from crews.building.build import PythonCrew
    from crews.building.check import build_finding

    def made(_inputs: object) -> Crew:
        who: dict[str, Any] = {"role": "Writer", "goal": "Write", "backstory": "You write."}
        Agent(**who, llm="anthropic/claude-opus-4-1")
        raise AssertionError("CrewAI has refused that model")

    found = build_finding(PythonCrew("crew", made), WITHIN)
    assert (found.severity, found.remedy) == ("error", "Install crewai[anthropic] for the workers.")


def test_a_key_that_is_not_set_is_named_with_where_to_set_it(
    problem_of: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    problem = problem_of(MODULE.replace("Agent(", 'Agent(llm="openai/gpt-5.4-mini", ', 1))
    assert "OPENAI_API_KEY" in problem.problem
    assert problem.remedy == (
        f"Set OPENAI_API_KEY in {tmp_path / 'report' / '.env'}, or in the environment of Crewdeck."
    )


def test_an_agent_without_its_models_key_is_a_warning_of_its_crew(monkeypatch: pytest.MonkeyPatch) -> None:
    from crewai import Agent, Crew, Task

    from crews.building.build import PythonCrew
    from crews.building.check import build_finding

    def made(_inputs: object) -> Crew:
        who: dict[str, Any] = {"role": "Writer ", "goal": "Write", "backstory": "You write."}
        agent = Agent(**who, llm="openai/gpt-5.4-mini")
        return Crew(agents=[agent], tasks=[Task(description="x", expected_output="y", agent=agent)])

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    found = build_finding(PythonCrew("crew", made), WITHIN)
    assert (found.severity, found.code) == ("warning", "missing_key")
    assert found.message == "The model of 'Writer' needs its key"
    assert found.remedy == "Set OPENAI_API_KEY for the workers."
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-1234567890")
    assert build_finding(PythonCrew("crew", made), WITHIN).severity == "ok"


def test_a_variable_that_code_reads_is_named_with_where_to_set_it(problem_of: Load) -> None:
    problem = problem_of(f'import os\nos.environ["THEIR_SERVER"]\n{MODULE}')
    assert problem.problem.endswith("crew.py:2: it can't be loaded: KeyError: 'THEIR_SERVER'")
    assert problem.remedy.startswith("Set THEIR_SERVER in ")


def test_a_file_that_is_not_there_is_named_by_the_first_name_that_is_missed(problem_of: Load) -> None:
    problem = problem_of(agents_yaml=ABSENT)
    assert problem.problem.endswith("it can't be loaded: KeyError: 'writer'")
    assert problem.remedy.startswith("There is no ")
    assert problem.remedy.endswith("config/agents.yaml.")


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"agents_yaml": AGENTS.replace("writer", "author").encode()}, "writer"),
        ({"agents_yaml": b""}, "writer"),
        ({"tasks_yaml": f"{TASKS}  agent: nobody\n".encode()}, "nobody"),
    ],
)
def test_a_name_that_is_not_everywhere_is_asked_about(
    problem_of: Load, files: dict[str, bytes], name: str
) -> None:
    problem = problem_of(**files)
    assert f"KeyError: '{name}'" in problem.problem or f"KeyError: '{name}'" in problem.remedy
    assert (
        problem.remedy
        == f"Is '{name}' the name of an agent, a task or a method, written alike in all of them?"
    )


def test_what_a_factory_says_is_all_of_the_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crews.building.check import check

    name = f"remedied_factories_{os.getpid()}"
    text = f"def builds(inputs):\n    raise ValueError({SENTENCES!r})\n"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    known = DefinedCrews(factories=(EntryPoint("builds", f"{name}:builds", defined_crews.GROUP),))
    [finding] = check(known, Settings(data_dir=tmp_path / "data"), lambda *_: None)
    sys.modules.pop(name)
    assert finding.message == f"It can't be built: ValueError: {SENTENCES}"
    assert finding.remedy == "Correct its definition; docs/crews.md describes it."


def test_a_crew_in_yaml_that_is_no_utf_8_has_a_remedy(tmp_path: Path) -> None:
    file = tmp_path / "agents.yaml"
    file.write_bytes(AGENTS.encode("latin-1"))
    with pytest.raises(Unreadable) as raised:
        read(file)
    assert (raised.value.problem.line, raised.value.problem.remedy) == (3, "Save the file as UTF-8.")


def test_an_exception_without_words_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crews.building.check import check

    name = f"remedied_tools_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text("class Silent:\n    def __init__(self):\n        raise ValueError\n")
    home = tmp_path / "crews" / "silent"
    home.mkdir(parents=True)
    (home / "crew.yaml").write_text(
        f"title: Silent\nmodel: scripted\ntools:\n  it: {{use: '{name}:Silent'}}\n"
    )
    (home / "agents.yaml").write_text("writer: {role: A, goal: B, backstory: C, tools: [it]}\n")
    (home / "tasks.yaml").write_text("write: {description: D, expected_output: E, agent: writer}\n")
    (home / "script.yaml").write_text("write:\n  - say: Done\n")
    monkeypatch.syspath_prepend(tmp_path)
    [finding] = check(defined_crews.read_only([home]), Settings(data_dir=tmp_path / "data"), lambda *_: None)
    sys.modules.pop(name)
    assert (finding.line, finding.message) == (4, f"{name}:Silent refuses its arguments: ValueError")
