"""The JSON Schemas of crews' files: what editors show agrees with what is read."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from bot.settings import shipped
from crews.definitions import yaml_lines
from crews.definitions.defined_crews import FILES, read
from crews.projects import schemas

REPOSITORY = Path(__file__).resolve().parents[4]
CONFIG = shipped("config")
HOMES = sorted(
    {each.parent for each in [*CONFIG.glob("*/crew.yaml"), *REPOSITORY.glob("tests/**/crew.yaml")]}
)


@cache
def validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schemas.schema(name))


@cache
def readable(folder: Path) -> frozenset[str]:
    """The crews of a folder that can be read."""
    return frozenset(read([folder], installed=False).definitions)


def refused(name: str, content: object) -> list[str]:
    """Where a schema refuses this content."""
    return ["/".join(map(str, each.instance_path)) for each in validator(name).iter_errors(content)]


def crew(**more: Any) -> dict[str, Any]:
    return {"title": "Tides", **more}


def test_the_files_hold_what_the_models_say() -> None:
    files = {each.name: each.read_text(encoding="utf-8") for each in (CONFIG / schemas.FOLDER).iterdir()}
    # If this fails: python -m crews.projects.schemas
    assert files == {f"{name}.schema.json": schemas.text(name) for name in schemas.names()}


@pytest.mark.parametrize("home", HOMES, ids=lambda home: "/".join(home.parts[-3:]))
def test_every_crew_that_can_be_read_is_right_for_editors_too(home: Path) -> None:
    if home.name not in readable(home.parent):
        pytest.skip("a crew with a mistake")
    for file in [*FILES, "script.yaml"]:
        if (home / file).exists():
            assert refused(Path(file).stem, yaml_lines.read(home / file).content) == [], file


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("crew", {}, ""),
        ("crew", crew(titel="x"), ""),
        ("crew", crew(title=None), "title"),
        ("crew", crew(process="parallel"), "process"),
        ("crew", crew(approvers=[]), "approvers"),
        ("crew", crew(approvers={"who": ["anyone"]}), "approvers"),
        ("crew", crew(admit=["all"]), "admit/0"),
        ("crew", crew(inputs={"topic": {"type": "strin"}}), "inputs/topic/type"),
        ("crew", crew(inputs={"topic": {"required": "yes"}}), "inputs/topic/required"),
        ("crew", crew(inputs={"topic": {"min_length": -1}}), "inputs/topic/min_length"),
        ("crew", crew(tools={"pay": {"use": "our_tools.Pay"}}), "tools/pay/use"),
        ("crew", crew(tools={"pay": {"on_interrupted": "again"}}), "tools/pay/on_interrupted"),
        ("crew", crew(tools={"pay": {"approval": {"whn": "true"}}}), "tools/pay/approval"),
        ("crew", crew(policies={"pay": {"need": 0}}), "policies/pay/need"),
        ("crew", crew(policies={"pay": {"on_reject": "stops"}}), "policies/pay/on_reject"),
        ("crew", crew(questions={"deadline": "soon"}), "questions/deadline"),
        ("crew", crew(questions={"review": {"deadline": 90}}), "questions/review"),
        ("crew", crew(limits={"time": 90}), "limits/time"),
        ("crew", crew(limits={"model_calls": 0}), "limits/model_calls"),
        ("crew", crew(review={"rounds": 101}), "review/rounds"),
        ("agents", {"writer": {"role": "Writer"}}, "writer"),
        ("agents", {"writer": ["Writer"]}, "writer"),
        ("tasks", {"write": {"description": "D", "expected_output": None}}, "write/expected_output"),
        ("tasks", {"write": {"description": "D", "human_input": "yes"}}, "write/human_input"),
        ("policies", {"polices": {}}, ""),
        ("policies", {"policies": {"pay": {"whom": ["anyone"]}}}, "policies/pay"),
        ("script", {"write": [{"sya": "x"}]}, "write/0"),
        ("crewdeck", {"model": "openai/gpt-5.4-mini"}, ""),
        ("crewdeck", {"inputs": {"topic": {"type": "strin"}}}, "inputs/topic/type"),
        ("crewdeck", {"reviewers": {"write": {}}}, "reviewers/write"),
        ("crewdeck", {"crews": {"Blog": {"process": "sequential"}}}, "crews/Blog"),
    ],
)  # fmt: skip
def test_mistakes_are_seen_in_the_editor(name: str, content: object, where: str) -> None:
    assert where in refused(name, content)


@pytest.mark.parametrize(
    "more",
    [
        {"title": 2024, "description": True},  # taken as they are written
        {"approvers": "pay", "cancel": ["requester"]},
        {
            "tools": {
                "pay": {"approval": True},
                "send": {"approval": "pay"},
                "ask": {"approval": ["U0123ABCD"]},
            }
        },
        {"tools": {"pay": {"approval": {}}}},
        {"inputs": {"größe": {"type": "number", "default": 1.5, "min": 1}}},
        {"questions": {"deadline": "2h30m", "remind_after": "90S"}, "limits": {"time": "1d 2h"}},
        {"model": None, "main_input": None},
        {"policies": {"pay": {"who": ["finance"], "not": ["requester"], "per_group": {"finance": 2}}}},
    ],
)
def test_every_way_to_write_it_is_right_for_editors(more: dict[str, Any]) -> None:
    assert refused("crew", crew(**more)) == []


OF_PROJECTS = sorted(REPOSITORY.glob("tests/projects/*/crewdeck.yaml"))


@pytest.mark.parametrize("file", OF_PROJECTS, ids=lambda each: each.parent.name)
def test_what_projects_say_is_right_for_editors_too(file: Path) -> None:
    assert refused("crewdeck", yaml_lines.read(file).content) == []


def test_editors_can_show_what_each_key_of_a_crew_is_for() -> None:
    made = schemas.schema("crew")
    undescribed = {key for key, each in made["properties"].items() if not each.get("description")}
    assert undescribed - {"questions", "limits", "review"} == set()
    assert all(each.get("description") for each in made["definitions"].values())
