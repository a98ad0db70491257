"""`crewdeck.yaml`: what Crewdeck can't see of a project's crews; the file is optional."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from bot.core.people.policy import Approvers
from crews.definitions import yaml_lines
from crews.definitions.defined_crews import TEXT_TYPES
from crews.definitions.definition import CrewFile
from crews.definitions.entry import Text
from crews.definitions.policies import ApproverSpec, Policies, Written, approver_spec
from crews.definitions.policies_file import read_policies
from crews.definitions.validation import validated
from crews.definitions.yaml_lines import Document, Location, Problem, Unreadable

FILE = "crewdeck.yaml"
CREWS = "crews"


CODE_KEYS = ("model", "process")
"""Keys of `crew.yaml` that say what a project's own code says."""


class ProjectCrewEntry(CrewFile):
    """What the file says of one crew: the keys of `crew.yaml`, but for those that its code has."""

    title: str = ""
    name: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=60)] = None
    """What people call it; if left out, it is named after the project or its class."""
    reviewers: dict[
        Text, Annotated[ApproverSpec, BeforeValidator(approver_spec, json_schema_input_type=Written)]
    ] = Field({})
    """Who reviews tasks with `human_input`, by their names; of others the approvers are the reviewers."""

    @model_validator(mode="before")
    @classmethod
    def _has_no_keys_of_code(cls, written: Any) -> Any:  # noqa: ANN401 - as it was read
        for key in CODE_KEYS:
            if isinstance(written, Mapping) and key in written:
                raise ValueError(f"`{key}` is for crews in YAML; this one has it in its own code")
        return written

    def reviewers_by(self, named: Policies) -> dict[str, Approvers]:
        """Who reviews the tasks with these names."""
        return {task: each.approvers(named) for task, each in self.reviewers.items()}


class ProjectFile(ProjectCrewEntry):
    """The whole file: what it says of the project's only crew, or of each crew below `crews`."""

    crews: dict[Text, ProjectCrewEntry] = Field({})


@dataclass(frozen=True)
class ProjectDeclarations:
    """What a project's `crewdeck.yaml` and `policies.yaml` say."""

    page: Document | None = None
    content: ProjectFile = field(default_factory=ProjectFile)
    shared: Policies = field(default_factory=Policies)

    def of(self, *keys: str, only: bool) -> tuple[ProjectCrewEntry, Location]:
        """What is said of the crew with one of these names, and where; `only`: the project has no other."""
        for key in keys:
            if key in self.content.crews:
                return self.content.crews[key], (CREWS, key)
        return (self.content, ()) if only and not self.content.crews else (ProjectCrewEntry(), ())

    @property
    def groups(self) -> Policies:
        """The groups and policies that all crews of the project can name."""
        if not self.content.crews:
            return self.shared
        return Policies(self.content.groups, self.content.policies).over(self.shared)

    def problems(self, known: Iterable[str], how_many: int) -> Iterator[Problem]:
        """Entries for crews that the project doesn't have, and keys that could mean several crews."""
        if self.page is None:
            return
        listed = sorted(known)
        for key in self.content.crews:
            if key not in listed:
                there_are = f" (there are: {', '.join(listed)})" if listed else ""
                yield self.page.problem((CREWS, key), f"is no crew of this project{there_are}")
        general = self.content.model_fields_set - {CREWS, "groups", "policies"}
        if general and (how_many > 1 or self.content.crews):
            first = next(key for key in ProjectFile.model_fields if key in general)
            yield self.page.problem(
                (first,),
                f"says nothing of which crew it is meant for; put it below `{CREWS}:` and the crew's name",
            )


def read(root: Path) -> tuple[ProjectDeclarations | None, list[Problem]]:
    """The declarations of a project. None if they have a mistake: without them its crews can't be trusted."""
    shared, problems = read_policies(root)
    if not os.path.lexists(root / FILE):
        return ProjectDeclarations(shared=shared), problems
    try:
        page = yaml_lines.read(root / FILE)
    except Unreadable as error:
        return None, [*problems, error.problem]
    _with_declared_defaults(page)
    content, found = validated(ProjectFile, page, (), page.content)
    if content is None:
        return None, [*problems, *found]
    return ProjectDeclarations(page, content, shared), problems


def _with_declared_defaults(page: Document) -> None:
    """The defaults of inputs that are text are what is written: `12:30`, `0123`, `1.10`."""
    for at, entry in _inputs(page.content):
        written = page.written.get((*at, "default"))
        if written is not None and entry.get("type", "string") in TEXT_TYPES:
            entry["default"] = written


def _inputs(content: JsonValue) -> Iterator[tuple[Location, dict[str, JsonValue]]]:
    below = content.get(CREWS) if isinstance(content, dict) else None
    crews: dict[Location, JsonValue] = {(): content}
    crews |= {(CREWS, key): each for key, each in below.items()} if isinstance(below, dict) else {}
    for at, crew in crews.items():
        inputs = crew.get("inputs") if isinstance(crew, dict) else None
        for name, entry in inputs.items() if isinstance(inputs, dict) else ():
            if isinstance(entry, dict):
                yield (*at, "inputs", name), entry
