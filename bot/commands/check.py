"""`crewdeck check`: everything that is wrong with crews, for people and for editors."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.commands.catalogue import check_crews, check_project
from bot.commands.output import format_count, print_text
from bot.core.text import terminal_safe
from bot.processes.projects import find_all, find_configured
from bot.settings import Settings

CREW_FILES = ("crew.yaml", "agents.yaml", "tasks.yaml")
PROJECT_FILES = frozenset({"pyproject.toml", "crewdeck.yaml", "crew.json", "crew.jsonc"})
KEYS = ("file", "line", "column", "key", "severity", "code", "message", "remedy", "crew")
"""What each finding has in JSON, in this order."""


def check(settings: Settings, folders: Sequence[str], *, as_json: bool) -> int:
    """Print the findings about the crews of these folders; 1 if any is an error, else 0.

    Raises SettingsError if they can't be checked at all.
    """
    records = [record for record in _records(settings, folders) if "crew" in record]
    found = sorted((each for each in records if each["severity"] != "ok"), key=_order)
    if as_json:
        sys.stdout.write(f"{json.dumps([{key: each[key] for key in KEYS} for each in found], indent=2)}\n")
    else:
        _print(found, crews=len({record["crew"] for record in records}))
    return 1 if any(each["severity"] == "error" for each in found) else 0


def _records(settings: Settings, named: Sequence[str]) -> list[dict[str, Any]]:
    """The findings about what was named: folders of crews together, and each project in its environment.

    Where nothing is named, the crews in the current folder are meant; if it has none, those of the settings.
    """
    named = named or ([str(Path.cwd())] if has_crews_in_yaml(Path.cwd()) else [])
    folders = [each for each in named if has_crews_in_yaml(Path(each).expanduser())]
    others = [each for each in named if each not in folders]
    projects = find_all(others) if named else find_configured(settings)
    if not named:
        settings.require_crew_dirs()
    records = check_crews(settings, folders) if folders or not named else []
    for project in projects:
        records += check_project(settings, project)
    return records


def has_crews_in_yaml(folder: Path) -> bool:
    """Whether it is a crew, or a folder of crews, in YAML; otherwise it is a project.

    Projects have files of these names, too: beside the code that reads them, or in a folder such as `config`.
    """
    own = _names(folder)
    homes = [own, *(_names(folder / each) for each in own if not each.startswith("."))]
    if any(CREW_FILES[0] in names for names in homes):
        return True
    homes = [] if _has_code(own) else [names for names in homes if not _has_code(names)]
    return any(names.intersection(CREW_FILES) for names in homes)


def _names(folder: Path) -> frozenset[str]:
    """What is in a folder; nothing if it is none, or can't be read."""
    try:
        return frozenset(each.name for each in folder.iterdir())
    except OSError:
        return frozenset()


def _has_code(names: frozenset[str]) -> bool:
    """Whether a project has such files."""
    return bool(names & PROJECT_FILES) or any(each.endswith(".py") for each in names)


def _order(record: dict[str, Any]) -> tuple[object, ...]:
    return record["file"], record["line"], record["column"], record["key"], record["message"]


def _print(found: Sequence[dict[str, Any]], crews: int) -> None:
    for each in found:
        where = shown_place(each) or f"crew {each['crew']}"
        key = f"{each['key']}: " if each["key"] else ""
        line = f"{where}: {each['severity']}: {key}{each['message']} [{each['code']}]"
        print_text(terminal_safe(line, one_line=True))
        if each["remedy"]:
            print_text(terminal_safe(f"    -> {each['remedy']}", one_line=True))
    count = Counter(each["severity"] for each in found)
    told = [format_count(count[each], each) for each in ("error", "warning") if count[each]]
    print_text(f"{format_count(crews, 'crew')} checked: {' and '.join(told) or 'nothing is wrong'}.")


def shown_place(record: dict[str, Any]) -> str:
    """File, line and column of a finding, as compilers print them; empty if it has no file."""
    if not record["file"]:
        return ""
    file, here = Path(record["file"]), Path.cwd()
    shown = str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
    return ":".join([shown, *(str(each) for each in (record["line"], record["column"]) if each)])
