"""What counts as a change of a crew under its run, and how it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from crews.changes.snapshot import CrewSnapshot

AGENTS = {"Writer": {"goal": "Write", "backstory": "You write."}, "Editor": {"goal": "Edit", "backstory": ""}}
TASKS = {
    "draft": {"agent": "Writer", "description": "Draft it, in 10 lines", "expected_output": "A draft"},
    "polish": {"agent": "Editor", "description": "Polish it", "expected_output": "A text"},
}

pytestmark = pytest.mark.usefixtures("crewai_environment")


def made(
    agents: dict[str, dict[str, Any]] = AGENTS,
    tasks: dict[str, dict[str, str]] = TASKS,
    *,
    literal: bool = True,
) -> CrewSnapshot:
    from crewai import Agent, Crew, Task

    from crews.changes.snapshot import CrewSnapshot
    from crews.definitions.scripted import ScriptedLLM

    def model(name: str = "small") -> ScriptedLLM:
        scripted = ScriptedLLM.of({}, {})
        scripted.model = name
        return scripted

    given: dict[str, dict[str, Any]] = {
        role: {"role": role} | options | {"llm": model(options.get("llm", "small"))}
        for role, options in agents.items()
    }
    built = {role: Agent(**each) for role, each in given.items()}
    options: list[dict[str, Any]] = [
        {**task, "name": name, "agent": built[task["agent"]]} for name, task in tasks.items()
    ]
    crew = Crew(agents=list(built.values()), tasks=[Task(**each) for each in options])
    return CrewSnapshot.of(crew, literal=literal)


def with_models(writer: str, editor: str, manager: str | None = None, **more: str) -> CrewSnapshot:
    both = {"Writer": AGENTS["Writer"] | {"llm": writer}, "Editor": AGENTS["Editor"] | {"llm": editor} | more}
    return made(both).model_copy(update={"manager": manager})


def agents(role: str, **options: Any) -> dict[str, dict[str, Any]]:
    return AGENTS | {role: AGENTS[role] | options}


def tasks(name: str, **options: str) -> dict[str, dict[str, str]]:
    return TASKS | {name: TASKS[name] | options}


def test_the_same_crew_built_again_is_the_same() -> None:
    assert made().changes_since(made(), 0) == []
    assert made().changes_since(type(made()).model_validate_json(made().model_dump_json()), 1) == []


def test_what_is_different_is_named() -> None:
    assert made(agents("Writer", backstory="You rhyme.", goal="Rhyme")).changes_since(made(), 0) == [
        "agent “Writer”: goal, backstory"
    ]
    assert made(tasks=tasks("polish", agent="Writer", expected_output="A poem")).changes_since(made(), 0) == [
        "task “polish”: agent, expected output"
    ]
    assert made(tasks=dict(reversed(TASKS.items()))).changes_since(made(), 0) == ["the order of the tasks"]


def test_what_is_finished_does_not_count() -> None:
    changed = made(agents("Writer", goal="Rhyme"), tasks("draft", description="Rhyme"))
    assert changed.changes_since(made(), 1) == []
    assert changed.changes_since(made(), 0) == ["agent “Writer”: goal", "task “draft”: description"]


def test_whoever_may_be_asked_for_help_counts() -> None:
    helped = agents("Editor", allow_delegation=True)
    changed = helped | {"Writer": AGENTS["Writer"] | {"goal": "Rhyme"}}
    assert made(changed).changes_since(made(helped), 1) == ["agent “Writer”: goal"]


def test_a_task_in_another_ones_place_is_noticed() -> None:
    more = {"draft": TASKS["draft"], "check": TASKS["polish"], "polish": TASKS["polish"]}
    assert made(tasks=more).changes_since(made(), 2) == ["new is task “check”"]
    assert made(tasks=more).first_moved_task(made()) == 2
    assert made(tasks=TASKS | {"check": TASKS["polish"]}).first_moved_task(made()) is None
    assert made(tasks={"polish": TASKS["polish"]}).changes_since(made(), 0) == ["gone is task “draft”"]


def test_dates_and_numbers_in_the_texts_of_a_factory_do_not_count() -> None:
    monday = tasks("draft", description="Report of Monday, 22 November 2026")
    tuesday = tasks("draft", description="Report of Tuesday, 1 December 2026")
    edited = tasks("draft", description="Summary of Tuesday, 1 December 2026")
    assert made(tasks=tuesday, literal=False).changes_since(made(tasks=monday, literal=False), 0) == []
    assert made(tasks=edited, literal=False).changes_since(made(tasks=monday, literal=False), 0)
    assert made(tasks=tasks("draft", description="Draft it, in 20 lines")).changes_since(made(), 0)


def test_other_models_alone_are_a_sentence() -> None:
    small = with_models("small", "small")
    assert with_models("big", "big").changes_since(small, 0) == [
        "agent “Writer”: model",
        "agent “Editor”: model",
    ]
    assert with_models("big", "big").model_changes_since(small, 0) == "Goes on with big instead of small."
    assert with_models("big", "big").model_changes_since(small, 1) == "Goes on with big instead of small."
    assert with_models("big", "big").changes_since(small, 2) == []
    assert with_models("small", "big").model_changes_since(small, 0) == (
        "Goes on with big instead of small (agent “Editor”)."
    )
    assert with_models("big", "fine").model_changes_since(small, 0) == (
        "Goes on with big instead of small (agent “Writer”). "
        "Goes on with fine instead of small (agent “Editor”)."
    )
    assert with_models("big", "big", backstory="Strict").model_changes_since(small, 0) == ""
    assert small.model_changes_since(small, 0) == ""


def test_a_managers_model_counts_where_it_was_noted() -> None:
    before = with_models("small", "small", manager="small")
    after = with_models("small", "small", manager="big")
    assert after.changes_since(before, 0) == ["the manager: model"]
    assert after.model_changes_since(before, 0) == "Goes on with big instead of small (the manager)."
    assert after.changes_since(with_models("small", "small"), 0) == [], (
        "an earlier release noted nothing of it"
    )
