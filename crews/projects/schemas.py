"""JSON Schemas of the files of crews and projects, made from the models that read them.

`config/schemas/` holds them as files, for editors, and a test keeps both alike: `python -m
crews.projects.schemas` writes them anew. A schema accepts everything that the models accept; `crewdeck
check` finds more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field, TypeAdapter

from bot.settings import shipped
from crews.definitions.agents_and_tasks import AgentEntry, TaskEntry
from crews.definitions.definition import YamlCrewFile
from crews.definitions.entry import Entry, Text
from crews.definitions.policies import PolicyEntry
from crews.definitions.script import Script
from crews.projects.crewdeck_yaml import CODE_KEYS, ProjectCrewEntry, ProjectFile

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The dialect that editors' YAML extensions know best."""
FOLDER = "schemas"
"""Within the folder of the crews that come with Crewdeck."""
PLAIN = ["string", "number", "boolean"]
"""Where text is wanted, unquoted numbers and booleans are taken as they are written."""


class _PoliciesFile(Entry):
    """`policies.yaml`; `policies_file.py` reads it, entry by entry."""

    groups: dict[str, list[Text]] = Field({})
    policies: dict[str, PolicyEntry] = Field({})


_KINDS: Mapping[str, tuple[str, Any]] = {
    "crew": ("crew.yaml: what people need to know of a crew", YamlCrewFile),
    "agents": ("agents.yaml: the agents of a crew, by name", dict[str, AgentEntry]),
    "tasks": ("tasks.yaml: the tasks of a crew, by name, in their order", dict[str, TaskEntry]),
    "policies": ("policies.yaml: groups and policies for all crews of its folder", _PoliciesFile),
    "script": ("script.yaml: the lines of the scripted model, by task", Script),
    "crewdeck": ("crewdeck.yaml: what Crewdeck can't see of a project's crews", ProjectFile),
}


def names() -> list[str]:
    """What there are schemas for: the names of files without `.yaml`."""
    return list(_KINDS)


def schema(name: str) -> dict[str, Any]:
    """The schema of one kind of file. Raises KeyError."""
    title, kind = _KINDS[name]
    made = TypeAdapter(kind).json_schema(ref_template="#/definitions/{model}")
    made["definitions"] = made.pop("$defs", {})
    if kind is ProjectFile:
        for each in (made, made["definitions"][ProjectCrewEntry.__name__]):
            for key in CODE_KEYS:
                del each["properties"][key]
    return {"$schema": DRAFT, **_simplified(made), "title": title}


def text(name: str) -> str:
    """The schema of one kind of file, as JSON that is laid out for its file. Raises KeyError."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def _simplified(node: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as people write it: no titles that repeat names, no defaults that are nothing."""
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key in {"properties", "definitions"}:
            made[key] = {name: _simplified(each) for name, each in value.items()}
        elif key == "patternProperties":
            # Which names are right is told when the file is read; in editors \\w means ASCII only.
            made["additionalProperties"] = _simplified(next(iter(value.values())))
        elif key == "type" and value == "string" and not {"enum", "const", "pattern"} & node.keys():
            made[key] = PLAIN
        elif isinstance(value, dict) and key != "default":
            made[key] = _simplified(value)
        elif isinstance(value, list) and key in {"anyOf", "allOf"}:
            made[key] = [_simplified(each) for each in value]
        elif key == "description":
            made[key] = " ".join(value.split())
        elif key != "title" and not (
            key == "default" and (isinstance(value, dict) or value in (None, "", []))
        ):
            made[key] = value
    return made


if __name__ == "__main__":
    folder = shipped("config") / FOLDER
    folder.mkdir(exist_ok=True)
    for each in names():
        (folder / f"{each}.schema.json").write_text(text(each), encoding="utf-8")
