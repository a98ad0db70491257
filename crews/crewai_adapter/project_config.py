"""The files in which projects declare agents, tasks, crews and flows are read once in a process.

CrewAI reads them for each crew that it builds, so that an edit would be in new runs of a worker that was
started before, also a broken one. A worker that starts later has the edit.
"""

from __future__ import annotations

# ruff: noqa: ANN401, SLF001 - CrewAI says Any here, and the seams are private
import copy
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from crewai.flow.flow_definition import FlowDefinition
from crewai.project import crew_base, json_loader
from yaml import MarkedYAMLError, YAMLError

from crews.definitions.exceptions import CrewBroken
from crews.definitions.yaml_lines import Problem, not_utf8
from crews.definitions.yaml_nodes import short
from crews.journal.exceptions import first_line


def install() -> None:
    """Once per process, before classes are decorated."""
    crews: Any = crew_base
    if getattr(crews, "_crewdeck_reads_once", False):
        return
    crews._crewdeck_reads_once = True
    ours = staticmethod(_once(crew_base.load_yaml))
    crews._METHODS_TO_INJECT = tuple(
        ours if isinstance(each, staticmethod) and each.__func__ is crew_base.load_yaml else each
        for each in crew_base._METHODS_TO_INJECT
    )
    loader: Any = json_loader
    loader.load_jsonc_file = _once(json_loader.load_jsonc_file)
    flows: Any = FlowDefinition
    flows.from_declaration = classmethod(
        _from_declaration(FlowDefinition.__dict__["from_declaration"].__func__)
    )


_ABSENT: set[Path] = set()


def absent() -> frozenset[Path]:
    """The files that classes have by their name or by default, and that weren't there when they were read.

    CrewAI goes on without them, and fails at the first name that would be in them.
    """
    return frozenset(_ABSENT)


def _once(read: Callable[[Path], Any]) -> Callable[[str | Path], Any]:
    contents: dict[Path, Any] = {}

    @wraps(read)
    def read_once(source: str | Path) -> Any:
        """A copy of what the file had when it was read first: what is built from it changes it."""
        path = Path(source).expanduser().absolute()
        if path not in contents:
            contents[path] = _read(read, path)
        return copy.deepcopy(contents[path])

    return read_once


def _read(read: Callable[[Path], Any], path: Path) -> Any:
    """What CrewAI reads. Raises CrewBroken with the file's name, which errors of decoding don't have."""
    try:
        return read(path)
    except FileNotFoundError:
        _ABSENT.add(path)
        raise
    except UnicodeDecodeError as error:
        raise CrewBroken.at(not_utf8(path, error)) from error
    except YAMLError as error:
        raise CrewBroken.at(_not_yaml(path, error)) from error


def _not_yaml(path: Path, error: YAMLError) -> Problem:
    why = "is no YAML: "
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        why += short(str(error.problem))
        return Problem(path, mark.line + 1, "", why, mark.column + 1, code="not_yaml")
    return Problem(path, 0, "", why + short(first_line(error)), code="not_yaml")


def _from_declaration(theirs: Callable[..., FlowDefinition]) -> Callable[..., FlowDefinition]:
    read = _once(lambda path: theirs(FlowDefinition, path=path))

    def from_declaration(
        cls: type[FlowDefinition], *, contents: Any = None, path: Any = None
    ) -> FlowDefinition:
        if contents is None and path is not None:
            return read(path)  # type: ignore[no-any-return]
        return theirs(cls, contents=contents, path=path)

    return from_declaration
