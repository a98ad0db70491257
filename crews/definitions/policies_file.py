"""`policies.yaml`: the groups and policies of all crews of a folder.

A mistake in one of them is told once, and puts aside what names it: other crews keep working.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue

from crews.definitions import yaml_lines
from crews.definitions.policies import Policies, PolicyEntry
from crews.definitions.validation import validated
from crews.definitions.yaml_lines import Document, Problem, Unreadable

FILE = "policies.yaml"
KEYS = ("groups", "policies")


def read_policies(folder: Path) -> tuple[Policies, list[Problem]]:
    """The policies of a folder that have no mistake, and all problems."""
    if not os.path.lexists(folder / FILE):
        return Policies(), []
    try:
        page = yaml_lines.read(folder / FILE)
    except Unreadable as error:
        return Policies(), [error.problem]
    content = page.content
    if not isinstance(content, dict):
        return Policies(), [page.problem((), f"must have the keys {' and '.join(KEYS)}")]
    unknown = f"is no key that Crewdeck knows (known here: {', '.join(KEYS)})"
    problems = [page.problem((key,), unknown) for key in content if key not in KEYS]
    problems += [
        page.problem((key,), "must have names with what they stand for below them")
        for key in KEYS
        if not isinstance(content.get(key, {}), dict)
    ]
    groups, of_groups = _groups(page)
    policies, of_policies = _policies(page)
    named = Policies(groups, policies, _names(content) - groups.keys() - policies.keys())
    right, mistakes = named.checked(Policies())
    return right, [*problems, *of_groups, *of_policies, *(page.problem(at, what) for at, what in mistakes)]


def _groups(page: Document) -> tuple[dict[str, list[str]], list[Problem]]:
    groups: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for name, members in _below(page.content, "groups"):
        if isinstance(members, list) and all(isinstance(each, str) and each for each in members):
            groups[name] = [str(each) for each in members]
        else:
            problems.append(page.problem(("groups", name), "must be a list of members, each of them text"))
    return groups, problems


def _policies(page: Document) -> tuple[dict[str, PolicyEntry], list[Problem]]:
    policies: dict[str, PolicyEntry] = {}
    problems: list[Problem] = []
    for name, content in _below(page.content, "policies"):
        entry, found = validated(PolicyEntry, page, ("policies", name), content)
        problems += found
        if entry is not None:
            policies[name] = entry
    return policies, problems


def _below(content: JsonValue, key: str) -> Iterator[tuple[str, JsonValue]]:
    entries = content.get(key) if isinstance(content, dict) else None
    yield from entries.items() if isinstance(entries, dict) else ()


def _names(content: JsonValue) -> frozenset[str]:
    return frozenset(name for key in KEYS for name, _ in _below(content, key))
