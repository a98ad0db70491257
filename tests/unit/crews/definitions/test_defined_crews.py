"""Defined crews: crews in YAML, and everything that can be wrong with them, with file, line and key."""

from pathlib import Path

import pytest

from bot.core.forms.fields import FieldType
from bot.core.people.actor import Membership
from bot.core.people.policy import ANYONE, Approvers
from crews.definitions.defined_crews import DefinedCrews, read
from tests.new_interpreter import output_of

CREW = """\
title: Tides
description: About tides.
main_input: topic
inputs:
  topic: {type: string, required: true}
  tone: {type: choice, choices: [plain, playful], default: plain}
tools:
  search: {use: "our.search:Search", on_interrupted: retry}
"""
AGENTS = """\
writer:
  role: Writer
  goal: Write about {topic}
  backstory: You write in a {tone} tone.
  tools: [search, ask_human]
"""
TASKS = """\
first:
  description: Write about {topic}
  expected_output: A text
  agent: writer
second:
  description: Check it
  expected_output: A text
  agent: writer
  context: [first]
"""


def folder(
    root: Path, name: str = "tides", crew: str = CREW, agents: str = AGENTS, tasks: str = TASKS
) -> Path:
    home = root / name
    home.mkdir()
    for file, content in {"crew.yaml": crew, "agents.yaml": agents, "tasks.yaml": tasks}.items():
        (home / file).write_text(content)
    return home


def problems(root: Path) -> list[str]:
    """What is wrong, as people see it, without the folder."""
    return [str(each).removeprefix(f"{root}/tides/") for each in read([root]).problems]


def only(defined: DefinedCrews) -> str:
    [name] = defined.definitions
    return name


def test_a_complete_crew_becomes_what_people_need_to_know(tmp_path: Path) -> None:
    more = """\
approvers: [U0123ABCD, "key:ci"]
cancel: anyone
admit: [guest]
questions: {deadline: 24h, remind_after: 4h, review: {deadline: 2h30m, on_deadline: reject}}
limits: {time: 90s, model_calls: 20}
review: {rounds: 2}
"""
    folder(tmp_path, crew=CREW + more)
    defined = read([tmp_path])
    assert defined.problems == ()
    definition = defined.definitions["tides"]
    card = definition.card()
    assert (card.name, card.title, card.main_input) == ("tides", "Tides", "topic")
    assert [(field.name, field.type, field.required) for field in card.inputs] == [
        ("topic", FieldType.STRING, True),
        ("tone", FieldType.CHOICE, False),
    ]
    assert card.approvers == Approvers(requester=False, listed=("U0123ABCD", "key:ci"))
    assert card.cancellers == Approvers(requester=False, anyone=True)
    assert card.allowed_memberships == (Membership.MEMBER, Membership.GUEST)
    general, review = card.deadlines[""], card.deadlines["review"]
    assert (general.after, general.outcome, general.remind_after) == (86400, "expire", 14400)
    assert (review.after, review.outcome, review.remind_after) == (9000, "reject", 14400)
    assert (definition.limits.time, definition.limits.model_calls) == (90, 20)
    assert definition.review_rounds == 2


def test_by_default_the_requester_decides_and_nothing_is_limited(tmp_path: Path) -> None:
    folder(tmp_path)
    definition = read([tmp_path]).definitions["tides"]
    card = definition.card()
    assert card.approvers == card.cancellers == Approvers()
    assert card.allowed_memberships == (Membership.MEMBER,)
    assert definition.limits.time is None
    assert ANYONE not in card.approvers.listed


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            "aprovers: anyone\n",
            "crew.yaml:9: aprovers: is no key that Crewdeck knows. Did you mean approvers?",
        ),
        ("xyz: anyone\n", "crew.yaml:9: xyz: is no key that Crewdeck knows (known here: title, "),
        ("limits: {calls: 3}\n", "crew.yaml:9: limits.calls: is no key that Crewdeck knows"),
        (
            "limits:\n  time: soon\n",
            "crew.yaml:10: limits.time: must be a duration such as 90s, 24h or 2h30m",
        ),
        ("limits: {time: true}\n", "crew.yaml:9: limits.time: must be a duration"),
        ("ask_human: perhaps\n", "crew.yaml:9: ask_human: must be true or false, or a list"),
        ("ask_human: ~\n", "crew.yaml:9: ask_human: must be true or false, or a list"),
        ("admit: guest\n", "crew.yaml:9: admit: must be a list"),
        ("limits: {model_calls: many}\n", "crew.yaml:9: limits.model_calls: input should be a valid integer"),
        ("questions: {on_deadline: approve}\n", "crew.yaml:9: questions.on_deadline: silence can't approve"),
        ('questions: {on_deadline: "yes"}\n', "crew.yaml:9: questions.on_deadline: silence can't yes"),
        (
            "questions: {on_deadline: Accepted.}\n",
            "crew.yaml:9: questions.on_deadline: silence can't Accepted.",
        ),
        ('questions: {on_deadline: "O\u200bk"}\n', "crew.yaml:9: questions.on_deadline: silence can't O"),
        ('questions: {on_deadline: "OK!"}\n', "crew.yaml:9: questions.on_deadline: silence can't OK!"),
        ("questions: {on_deadline: Respond}\n", "crew.yaml:9: questions.on_deadline: silence can't Respond"),
        (
            "questions:\n  approval:\n    on_deadline: Approve\n",
            "crew.yaml:11: questions.approval.on_deadline: silence can't Approve",
        ),
        (
            "approvers: everybody\n",
            "crew.yaml:9: approvers: must be requester, anyone, a policy's name or a list: there is no",
        ),
        ("admit: [robots]\n", "crew.yaml:9: admit.0: input should be 'guest' or 'external'"),
        ("process: parallel\n", "crew.yaml:9: process: input should be 'sequential' or 'hierarchical'"),
        ("title: Again\n", "crew.yaml:9: title: is there twice"),
        ("model: [a]\n", "crew.yaml:9: model: input should be a valid string"),
        ("{\n", "crew.yaml:10: is no YAML: "),
    ],
)
def test_what_is_wrong_in_crew_yaml(tmp_path: Path, lines: str, problem: str) -> None:
    folder(tmp_path, crew=CREW + lines)
    assert [each[: len(problem)] for each in problems(tmp_path)] == [problem]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("title: Tides\n", "", "crew.yaml:1: title: is missing"),
        (
            "main_input: topic",
            "main_input: subject",
            "crew.yaml:3: main_input: subject is no input of this crew",
        ),
        (
            "type: string",
            "type: number, default: much",
            "crew.yaml:5: inputs.topic: its default must be a number, not 'much'",
        ),
        (
            "default: plain",
            "default: loud",
            "crew.yaml:6: inputs.tone: its default must be one of plain, playful, not 'loud'",
        ),
        ("type: choice, ", "", "crew.yaml:6: inputs.tone: `choices` belongs to `type: choice`"),
        (
            "type: string",
            "type: colour",
            "crew.yaml:5: inputs.topic.type: must be one of string, text, integer",
        ),
        ('"our.search:Search"', "search", "crew.yaml:8: tools.search.use: string should match pattern"),
        (
            "on_interrupted: retry",
            "on_interrupted: hope",
            "crew.yaml:8: tools.search.on_interrupted: input should",
        ),
        ("  search:", "  ask_human:", "crew.yaml:8: tools.ask_human: every agent has ask_human already"),
    ],
)
def test_what_is_wrong_in_the_parts_of_crew_yaml(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in CREW
    folder(tmp_path, crew=CREW.replace(old, new), agents=AGENTS.replace("search, ", ""))
    assert [each[: len(problem)] for each in problems(tmp_path)] == [problem]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("  goal: Write about {topic}\n", "", "agents.yaml:1: writer.goal: is missing"),
        ("{topic}", "{subject}", "agents.yaml:3: writer.goal: {subject} is no input of this crew"),
        ("[search,", "[serch,", "agents.yaml:5: writer.tools.0: crew.yaml names no tool serch"),
        (
            "  role:",
            "  max_execution_time: 60\n  role:",
            "agents.yaml:2: writer.max_execution_time: would count the time that people take; set",
        ),
        ("  role: Writer", "  role: [7]", "agents.yaml:2: writer.role: input should be a valid string"),
        ("  role: Writer", "  role: ~", "agents.yaml:2: writer.role: is empty where text is wanted"),
    ],
)
def test_what_is_wrong_in_agents_yaml(tmp_path: Path, old: str, new: str, problem: str) -> None:
    folder(tmp_path, agents=AGENTS.replace(old, new))
    assert [each[: len(problem)] for each in problems(tmp_path)] == [problem]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "agent: writer\nsecond",
            "agent: author\nsecond",
            "tasks.yaml:4: first.agent: author is no agent of",
        ),
        ("  agent: writer\nsecond", "second", "tasks.yaml:1: first.agent: is missing"),
        (
            "about {topic}",
            "about {theme}",
            "tasks.yaml:2: first.description: {theme} is no input of this crew",
        ),
        (
            "  context:",
            "  output_file: ../x.md\n  context:",
            "tasks.yaml:9: second.output_file: must be a path in the run's folder",
        ),
        (
            "  context:",
            "  output_file: a;b\n  context:",
            "tasks.yaml:9: second.output_file: can't have the character ;",
        ),
        (
            "  context:",
            "  output_file: report-{theme}.md\n  context:",
            "tasks.yaml:9: second.output_file: {theme} is no input of this crew",
        ),
        ("[first]", "[third]", "tasks.yaml:9: second.context.0: third is no task of tasks.yaml"),
        ("[first]", "[second]", "tasks.yaml:9: second.context.0: second doesn't come before second"),
        ("[first]", "first", "tasks.yaml:9: second.context: must be a list"),
        (
            "  context:",
            "  tools: [hammer]\n  context:",
            "tasks.yaml:9: second.tools.0: crew.yaml names no",
        ),
        (
            "  context:",
            "  human_input: often\n  context:",
            "tasks.yaml:9: second.human_input: must be true or false",
        ),
    ],
)
def test_what_is_wrong_in_tasks_yaml(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in TASKS
    folder(tmp_path, tasks=TASKS.replace(old, new))
    assert [each[: len(problem)] for each in problems(tmp_path)] == [problem]


def test_all_problems_of_a_crew_are_told_at_once(tmp_path: Path) -> None:
    folder(tmp_path, agents=AGENTS.replace("{tone}", "{mood}"), tasks=TASKS.replace("{topic}", "{theme}"))
    assert len(problems(tmp_path)) == 2


def test_a_mistake_in_crew_yaml_hides_none_in_what_tasks_say_of_agents_and_each_other(tmp_path: Path) -> None:
    tasks = TASKS.replace("context: [first]", "context: [frist]").replace("agent: ", "agent: x")
    folder(tmp_path, crew=f"{CREW}aprovers: anyone\n", tasks=tasks)
    told = "\n".join(problems(tmp_path))
    assert "aprovers: is no key" in told
    assert "is no agent of agents.yaml" in told
    assert "frist is no task of tasks.yaml. Did you mean first?" in told


def test_a_broken_crew_leaves_the_others_alone(tmp_path: Path) -> None:
    folder(tmp_path)
    folder(tmp_path, "waves", crew="titel: Waves\n")
    (folder(tmp_path, "winds") / "agents.yaml").unlink()
    (tmp_path / "notes").mkdir()
    defined = read([tmp_path, tmp_path / "elsewhere"])
    assert only(defined) == "tides"
    told = "\n".join(map(str, defined.problems))
    assert f"{tmp_path}/waves/crew.yaml:1: titel: is no key" in told
    assert f"{tmp_path}/winds/agents.yaml: can't be read: No such file or directory" in told
    assert f"{tmp_path}/elsewhere: there is no such folder" in told


def test_agents_of_a_hierarchical_crew_get_their_tasks_from_the_manager(tmp_path: Path) -> None:
    folder(tmp_path, crew=CREW + "process: hierarchical\n", tasks=TASKS.replace("  agent: writer\n", ""))
    assert problems(tmp_path) == []


def test_of_two_crews_with_one_name_the_later_folder_counts(tmp_path: Path) -> None:
    for number in ("one", "two"):
        (tmp_path / number).mkdir()
        folder(tmp_path / number, crew=CREW.replace("Tides", number))
    defined = read([tmp_path / "one", tmp_path / "two"])
    assert defined.definitions["tides"].crew.title == "two"


def test_reading_defined_crews_imports_no_crewai() -> None:
    modules = (
        "crews.__main__, crews.definitions.defined_crews, crews.definitions.decorator, crews.worker.worker"
    )
    code = f"import sys, crewdeck, {modules}; print('crewai' in sys.modules)"
    assert output_of(code) == "False\n"


def test_the_crews_that_ship_are_sound() -> None:
    defined = read([Path(__file__).parents[4] / "config"])
    assert defined.problems == ()
    assert list(defined.definitions) == ["announcement", "demo", "payments", "research"]
