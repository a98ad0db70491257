"""What is offered of a project, and how each thing that is wrong with one is told."""

from __future__ import annotations

import gc
import itertools
import os
import re
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.core.forms.fields import FieldType
from bot.core.project import Project
from bot.processes.projects import find
from bot.settings import Settings
from crewdeck.testing import run_crew
from crews.building.offer import Offer
from crews.crewai_adapter import version
from crews.definitions.tool_options import declared
from crews.projects import offering
from tests.waiting import WITHIN

if TYPE_CHECKING:
    from crewai import Crew

    from crews.building.build import Blueprint

NUMBERS = itertools.count()
MODULE = """
from crewai import Agent, Crew, Task
from crewai.project import CrewBase, agent, crew, task

@CrewBase
class Report:
    '''Writes a report.

    In several lines.
    '''

    @agent
    def writer(self) -> Agent:
        return Agent(role="Writer", goal="Say {{topic}}", backstory="{backstory}")

    @task
    def draft(self) -> Task:
        return Task(description="{description}", expected_output="A text", agent=self.writer(){more})

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)
"""
Load = Callable[..., Offer]


def module(
    description: str = "On {topic} for {audience}", backstory: str = "You write.", more: str = ""
) -> str:
    return MODULE.format(description=description, backstory=backstory, more=more)


def crew_of(blueprint: Blueprint) -> Crew:
    """What is built for a run. Importing crewai takes seconds, and not all processes of tests need it."""
    from crewai import Crew

    built = blueprint.build({})
    assert isinstance(built, Crew)
    return built


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Loads a project of these files (`__` in a name is a folder), whose package has a name of its own."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-1234567890")
    package = f"made_{os.getpid()}_{next(NUMBERS)}"
    settings = Settings(data_dir=tmp_path / "data", build_timeout=WITHIN)

    def loaded(name: str = "project", target: str = "", **files: str) -> Offer:
        root = tmp_path / name
        for written, text in files.items():
            stem, _, suffix = written.rpartition("_")
            file = root / f"{stem.replace('__', '/').replace('pkg', package)}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text).replace("pkg", package))
        monkeypatch.syspath_prepend(str(root))
        monkeypatch.chdir(root)
        project = find(str(root)).model_copy(update={"target": target.replace("pkg", package)})
        return offering.offer_of(project, settings)

    yield loaded
    for each in [name for name in sys.modules if name.startswith(package)]:
        del sys.modules[each]


def told(offer: Offer) -> list[str]:
    assert not offer.crews
    return [f"{each.name}: {each.sentence}" for each in offer.problems]


def test_a_crew_is_offered_with_its_placeholders_in_order(load: Load) -> None:
    offer = load(pkg__crew_py=module())
    assert offer.problems == ()
    card = offer.crews["project"].card()
    assert [(each.name, each.required) for each in card.inputs] == [("topic", True), ("audience", True)]
    assert (card.title, card.description, card.main_input) == ("Project", "Writes a report.", None)


def with_hook(condition: str = "True") -> str:
    """The module with a `before_kickoff` that sets its second input."""
    hook = HOOK.format(condition=condition)
    imported = "import before_kickoff, CrewBase"
    return module().replace("    @agent\n", hook, 1).replace("import CrewBase", imported)


HOOK = """
    @before_kickoff
    def prepare(self, inputs):
        if {condition}:
            inputs.setdefault("audience", "sailors")
        return inputs

    @agent
"""


def test_what_before_kickoff_sets_need_not_be_given_and_is_found_missing(load: Load, tmp_path: Path) -> None:
    card = load(pkg__crew_py=with_hook()).crews["project"].card()
    assert [(each.name, each.required) for each in card.inputs] == [("topic", True), ("audience", False)]
    folder = str(tmp_path / "project")
    alone = run_crew(folder, {"topic": "tides"}, model=["Done."])
    assert "On tides for sailors" in alone.model_calls[0].prompt
    given = run_crew(folder, {"topic": "tides", "audience": "pilots"}, model=["Done."])
    assert "On tides for pilots" in given.model_calls[0].prompt


def test_what_before_kickoff_leaves_out_is_empty(load: Load, tmp_path: Path) -> None:
    load(pkg__crew_py=with_hook("len(inputs) > 1"))
    result = run_crew(str(tmp_path / "project"), {"topic": "tides"}, model=["Done."])
    assert "On tides for " in result.model_calls[0].prompt
    assert "{audience}" not in result.model_calls[0].prompt


TOOL = """
from crewai.tools import tool as made

@made("Send mail")
def send(recipient: str, subject: str) -> str:
    '''Sends.'''
    return recipient

"""
GUARDED = f"{TOOL}{module()}".replace('backstory="You write.")', 'backstory="You write.", tools=[send])')


def test_an_approval_guards_a_tool_of_the_project_by_its_name(load: Load) -> None:
    rules = """
        tools:
          send_mail: {on_interrupted: fail, approval: {edit: [subject], title: "Mail to {recipient}"}}
    """
    offer = load(pkg__crew_py=GUARDED, crewdeck_yaml=rules)
    assert offer.problems == ()
    blueprint = offer.crews["project"]
    built = crew_of(blueprint)
    tool = next(each for each in built.agents[0].tools or () if each.name != "ask_human")
    gate = blueprint.gates.of(tool)
    assert gate is not None
    assert (gate.title, tuple(gate.edit)) == ("Mail to {recipient}", ("subject",))
    assert declared(tool) == "fail"


def test_the_examples_of_the_documentation_are_right(load: Load) -> None:
    page = (Path(__file__).parents[3] / "docs" / "projects.md").read_text()
    one, several = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    more = GUARDED.replace("On {topic} for {audience}", "On {topic} in {year}")
    offer = load(pkg__crew_py=more, crewdeck_yaml=one)
    assert offer.problems == ()
    assert list(offer.crews) == ["project"]
    other = load(
        name="two",
        one__crew_py=module().replace("class Report", "class ReportCrew"),
        two__crew_py=module().replace("class Report", "class AuditFlow"),
        crewdeck_yaml=several,
    )
    assert other.problems == ()
    assert sorted(other.crews) == ["audit", "two-report-crew"]


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            "send_mial: {approval: {}}",
            "crewdeck.yaml:2: tools.send_mial: is no tool of this crew, so nothing",
        ),
        (
            "send_mail: {approval: {edit: [sum]}}",
            "tools.send_mail.approval.edit: sum is no argument of the tool",
        ),
        ("send_mail: {approval: {when: args.sum > 1}}", "tools.send_mail.approval.when: "),
        ("send_mail: {approval: {policy: nobody}}", "tools.send_mail.approval.policy"),
    ],
)
def test_an_approval_that_would_guard_nothing_keeps_the_crew_from_being_offered(
    load: Load, rules: str, problem: str
) -> None:
    [words] = told(load(pkg__crew_py=GUARDED, crewdeck_yaml=f"tools:\n  {rules}\n"))
    assert problem in words


def test_the_method_of_a_crew_may_have_any_name(load: Load) -> None:
    text = module().replace("def crew(self)", "def the_whole_team(self)")
    assert len(crew_of(load(pkg__crew_py=text).crews["project"]).tasks) == 1


def test_a_class_without_a_method_for_its_crew(load: Load) -> None:
    [problem] = told(load(pkg__crew_py=module().replace("@crew\n    def crew", "def build")))
    assert "Report has no method with @crew" in problem


def test_braces_that_are_no_placeholders_are_no_inputs(load: Load) -> None:
    text = module(
        "Answer {topic} as JSON: {\\\"a\\\": 1, 'b c': {2}}", more=", output_file='out/{topic}-{year}.md'"
    )
    card = load(pkg__crew_py=text).crews["project"].card()
    assert [each.name for each in card.inputs] == ["topic", "year"]


def test_each_run_gets_a_crew_of_its_own_and_leaves_nothing(load: Load) -> None:
    blueprint = load(pkg__crew_py=module()).crews["project"]
    first, second = crew_of(blueprint), crew_of(blueprint)
    assert first.agents[0] is first.tasks[0].agent, "within a crew, a method is called once"
    assert first.agents[0] is not second.agents[0]
    gone = weakref.ref(first.agents[0])
    del first
    gc.collect()
    assert gone() is None


def test_crewdeck_yaml_says_more_of_inputs_rules_and_reviewers(load: Load) -> None:
    offer = load(
        pkg__crew_py=module(),
        crewdeck_yaml="""
            name: yearly
            title: Yearly report
            main_input: topic
            approvers: two
            policies: {two: {who: [U0ADALOVE1, U0BOBBOBB1], need: 2}}
            inputs:
              audience: {label: Readers, type: choice, choices: [all, few]}
              from_hooks: {default: none}
            limits: {model_calls: 7}
            reviewers: {draft: [U0ADALOVE1]}
        """,
    )
    assert offer.problems == ()
    crew = offer.crews["yearly"]
    card = crew.card()
    assert [(each.name, each.type, each.required) for each in card.inputs] == [
        ("topic", FieldType.STRING, True),
        ("audience", FieldType.CHOICE, True),
        ("from_hooks", FieldType.STRING, False),
    ]
    assert (card.title, card.main_input, card.approvers.policy is not None) == (
        "Yearly report",
        "topic",
        True,
    )
    assert crew.limits.model_calls == 7
    assert [each.name for each in card.policies] == ["two"]


def test_flows_have_the_fields_of_their_state(load: Load) -> None:
    text = """
        from typing import Literal
        from crewai.flow import Flow, start
        from pydantic import BaseModel

        class State(BaseModel):
            topic: str = ""
            pages: int = 3
            colour: bool = False
            tone: Literal["plain", "warm"] = "plain"
            found: list[dict] = []
            note: str | None = None

        class Story(Flow[State]):
            @start()
            def begin(self):
                return self.state.topic
    """
    offer = load(pkg__flow_py=text)
    assert offer.problems == ()
    card = offer.crews["project"].card()
    assert [(each.name, each.type.value, each.default, each.required) for each in card.inputs] == [
        ("topic", "string", None, False),
        ("pages", "integer", 3, True),
        ("colour", "boolean", False, True),
        ("tone", "choice", "plain", True),
        ("note", "string", None, False),
    ]
    from crewai.flow.flow import Flow

    assert isinstance(offer.crews["project"].build({}), Flow)


def test_a_conversation_itself_is_no_input(load: Load) -> None:
    text = """
        from crewai.flow import ConversationConfig, ConversationState, Flow

        class State(ConversationState):
            topic: str = ""

        @ConversationConfig()
        class Chat(Flow[State]): ...
    """
    offer = load(pkg__flow_py=text)
    assert offer.problems == ()
    assert [each.name for each in offer.crews["project"].card().inputs] == ["topic"]


def test_several_crews_are_named_after_their_classes_and_one_broken_stops_no_other(load: Load) -> None:
    offer = load(
        pkg__one_py=module(),
        pkg__two_py=module().replace("class Report", "class YearlyAudit"),
        pkg__bad_py=f"import not_installed_here\n{module().replace('class Report', 'class Bad')}",
        tides__crew_yaml="title: [",
    )
    assert sorted(offer.crews) == ["project-report", "project-yearly-audit"]
    [bad, *tides] = sorted(offer.problems, key=lambda each: each.name)
    assert bad.name == "project-bad"
    assert (
        "bad.py:1: it can't be loaded: ModuleNotFoundError: No module named 'not_installed_here'"
        in bad.problem
    )
    assert bad.remedy.startswith("Make an environment with what the project needs: crewdeck add ")
    assert {each.name for each in tides} == {"project-tides"}
    assert any("crew.yaml:" in each.problem for each in tides)


def test_two_crews_of_one_name_are_not_mixed_up(load: Load) -> None:
    offer = load(pkg__one_py=module(), pkg__two_py=module())
    assert list(offer.crews) == ["project-report"]
    [problem] = offer.problems
    assert "two.py:6: it is called project-report like " in problem.problem


def test_a_crew_of_crewdecks_own_folders_is_not_replaced(load: Load) -> None:
    [problem] = told(load(name="demo", pkg__crew_py=module()))
    assert "a crew of CREWDECK_CONFIG_DIR or of Crewdeck is called demo too" in problem
    assert "another-name=" in problem


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"README_md": "# Empty"}, "project: there is no crew and no flow in it. docs/projects.md says what"),
        ({"pkg__crew_py": module(more="), 1/0, (")}, "crew.py:18: it can't be loaded: ZeroDivisionError"),
        (
            {"pkg__crew_py": f"raise SystemExit(3)\n{module()}"},
            "crew.py:1: it can't be loaded: it tried to end",
        ),
        (
            {"pkg__crew_py": f"import pkg.broken\n{module()}", "pkg__broken_py": "class ("},
            "broken.py:1: it can't",
        ),
        (
            {"one__src__mine__crew_py": f"import mine.tools\n{module()}", "one__src__mine__tools_py": ""},
            "/project/one: name that folder as the project",
        ),
        (
            {"parts__mine__crew_py": f"import mine\n{module()}"},
            "/project/parts: name that folder as the project",
        ),
        ({"json__crew_py": module()}, "crew.py: the name json.crew belongs to /"),
        ({"pkg__crew_py": f"import no_such_thing\n{module()}"}, "crewdeck add /"),
        ({"pkg__crew_py": module("{api_key}")}, "its input api_key: it asks for a secret"),
        ({"crew_jsonc": '{"agents": ["nobody"], "tasks": []}'}, "crew.jsonc"),
        ({"flow_yaml": "schema: crewai.flow/v1\nname: [1]\n"}, "flow.yaml: it can't be loaded"),
        (
            {"pkg__crew_py": module(), "crewdeck_yaml": "reviewers:\n  other: [U0ADALOVE1]\n"},
            "crewdeck.yaml:2: reviewers.other: is no task of this crew",
        ),
        (
            {"pkg__crew_py": module(), "crewdeck_yaml": "main_input: other\n"},
            "crewdeck.yaml:1: main_input: other is no input of this crew",
        ),
        (
            {"pkg__crew_py": module(), "crewdeck_yaml": "approvers: [nobody_known]\n"},
            "crewdeck.yaml:1: approvers",
        ),
        (
            {"pkg__crew_py": module(), "crewdeck_yaml": "inputs:\n  topic: {min: 3}\n"},
            "topic",
        ),
    ],
)
def test_what_is_broken_is_told_with_its_place_and_not_offered(
    load: Load, files: dict[str, str], problem: str
) -> None:
    [words] = told(load(**files))
    assert problem in words
    assert "\n" not in words


GIVEN = """
from crewai.flow import Flow, start

@CrewBase
class Given(Report):
    def __init__(self, topic, *, year, pages=3): ...

class Told(Flow):
    def __init__(self, topic, **more): ...
    @start()
    def begin(self): ...
"""


@pytest.mark.parametrize(
    ("imported", "remedy"),
    [
        ("from .tools import made", "project is a package: name the folder of its project, /"),
        ("import project.tools", "project is a package: name the folder of its project, /"),
        ("import no_such_thing", "Make an environment with what the project needs"),
    ],
)
def test_a_package_in_the_place_of_its_project_is_told(
    load: Load, tmp_path: Path, imported: str, remedy: str
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "__init__.py").touch()
    [words] = told(load(crew_py=f"{imported}\n{module()}", tools_py="made = 1"))
    sys.modules.pop("crew", None)
    assert remedy in words


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("pkg.crew:Nothing", "there is no Nothing in it"),
        ("pkg.crew:NUMBER", "NUMBER is no crew, no flow, and makes none"),
        ("pkg.crew:Plain", "Plain is neither a Flow nor a class with @CrewBase"),
        ("pkg.crew:needs", "needs needs arguments"),
        ("pkg.crew:Given", "Given can't be made without topic, year. Give them defaults, or make it in a"),
        ("pkg.crew:Told", "Told can't be made without topic. Give them defaults"),
        ("pkg.crew:other", "must return a crewai Crew or Flow, not int"),
        ("json.decoder:Report", "the name json.decoder belongs to"),
    ],
)
def test_a_target_that_makes_no_crew(load: Load, target: str, problem: str) -> None:
    text = module() + "\nNUMBER = 1\nclass Plain: ...\ndef needs(topic): ...\ndef other(): return 1\n" + GIVEN
    [words] = told(load(target=target, pkg__crew_py=text, json__decoder_py=module()))
    assert problem in words


BEGINS = """
def main():
    made = Report().crew()
    {how}
"""


@pytest.mark.parametrize(
    ("how", "begun"),
    [
        ("made.kickoff(inputs={'topic': 'x'})", "main()"),
        ("return made.kickoff_async()", "import asyncio\nasyncio.run(main())"),
        ("return made.akickoff()", "import asyncio\nasyncio.run(main())"),
        ("made.agents[0].kickoff('x')", "main()"),
        ("Story().kickoff()", "main()"),
    ],
)
def test_a_crew_that_a_function_runs_at_import_is_refused_before_it_does_anything(
    load: Load, how: str, begun: str
) -> None:
    story = (
        "\nfrom crewai.flow import Flow, start\nclass Story(Flow):\n"
        "    @start()\n    def begin(self): raise SystemExit(3)\n"
    )
    text = module() + (story if "Story" in how else "") + BEGINS.format(how=how) + begun + "\n"
    for words in told(load(pkg__crew_py=text)):
        lines = [number for number, line in enumerate(text.splitlines(), 1) if how in line or "run(" in line]
        wrong = 'it runs its crew when it is imported; put that below `if __name__ == "__main__":`'
        assert f"crew.py:{lines[-1]}: {wrong}" in words


def test_a_target_is_all_that_is_offered(load: Load) -> None:
    files = {"pkg__one_py": module(), "pkg__two_py": module().replace("class Report", "class Other")}
    assert list(load(target="pkg.two:Other", **files).crews) == ["project"]


def test_a_mistake_of_a_model_repeats_none_of_its_values(load: Load) -> None:
    text = (
        module()
        + "\nfrom crewai import LLM\nAgent(role='a', goal='b', backstory='c', max_iter='sk-live-secret')\n"
    )
    [words] = told(load(pkg__crew_py=text))
    assert "sk-live-secret" not in words
    assert "max_iter" in words


def test_a_release_of_crewai_that_is_not_supported_runs_nothing(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = version.compare("1.99.0")
    monkeypatch.setattr(version, "compare", lambda: found)
    [words] = told(load(pkg__crew_py=module()))
    assert "CrewAI 1.99.0 is not supported" in words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        (["crew"], set()),
        (["crew", "--classic"], {"topic", "current_year"}),
        (["flow"], {"topic", "outline", "draft", "final_post"}),
        (["flow", "--declarative"], {"topic"}),
    ],
    ids=["crew", "crew --classic", "flow", "flow --declarative"],
)
def test_what_crewais_own_generator_makes_is_offered(
    kind: list[str], inputs: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no person at the terminal, and without an index."""
    name = f"generated_{os.getpid()}_{next(NUMBERS)}"
    what, *options = kind
    done = subprocess.run(
        [Path(sys.prefix) / "bin" / "crewai", "create", what, name, *options],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CREWAI_DISABLE_TELEMETRY": "true",
            "CREWAI_DMN": "True",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN * 2,
    )
    if not (tmp_path / name / "pyproject.toml").exists():
        pytest.skip(f"CrewAI's generator doesn't work here: {done.stderr[-200:]}")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-1234567890")
    monkeypatch.syspath_prepend(str(tmp_path / name / "src"))
    monkeypatch.chdir(tmp_path / name)
    offer = offering.offer_of(find(str(tmp_path / name)), Settings(data_dir=tmp_path / "data"))
    assert offer.problems == ()
    [crew] = offer.crews.values()
    assert crew.name == name
    assert inputs <= {each.name for each in crew.card().inputs}


def test_a_project_whose_folder_is_gone_has_no_crews(tmp_path: Path) -> None:
    project = Project(name="gone", root=str(tmp_path / "gone"))
    offer = offering.offer_of(project, Settings(data_dir=tmp_path))
    assert told(offer)
