"""What crews and flows are in a project, by reading its files: nothing is imported, nothing is executed.

`pyproject.toml` is read as CrewAI's own commands read it.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from bot.core.project import Project
from bot.processes.projects import source_folders
from crews.definitions.yaml_lines import Problem, not_utf8
from crews.projects.python_files import CrewDefinition, FileDefinitions, PythonFile, Unparsable, read_file

SKIPPED = frozenset(
    {"__pycache__", "build", "dist", "node_modules", "site-packages", "test", "tests", "venv", "env"}
)
"""Folders without crews of the project; neither are those whose names begin with a dot."""
MAX_FILES = 5000
"""Files that are looked at."""
FLOW_FILES = (".yaml", ".yml", ".json")
CREW_FILES = ("crew.jsonc", "crew.json")
YAML_CREW = "crew.yaml"
_FLOW_SCHEMA = re.compile(rb"""(?m)^[ \t{]*["']?schema["']?[ \t]*:[ \t]*["']?crewai\.flow/""")
_HEAD_BYTES = 4096


class Kind(StrEnum):
    """What a crew is made from."""

    PYTHON = "python"
    CREW_FILE = "crew file"
    FLOW_FILE = "flow file"
    YAML_FOLDER = "yaml folder"


@dataclass(frozen=True)
class Candidate:
    """Something in a project that should be a crew or a flow."""

    kind: Kind
    #: Its own name: of the class, function or variable, or of the file or folder.
    key: str
    file: Path
    #: From 1; 0 where it is the whole file.
    line: int = 0
    #: Where Python imports it from.
    module: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else str(self.file)


@dataclass(frozen=True)
class Discovered:
    """The candidates of a project in a fixed order, and what is wrong with its files."""

    candidates: tuple[Candidate, ...]
    problems: tuple[Problem, ...] = ()


def discover(project: Project) -> Discovered:
    """Everything in the project's folder, or what its target means."""
    root = Path(project.root)
    module, _, attribute = project.target.partition(":")
    if module and attribute:
        return Discovered((Candidate(Kind.PYTHON, attribute, _file_of(root, module), module=module),))
    if module:
        return _python([PythonFile(_file_of(root, module), module)])
    return _everything(root)


def _everything(root: Path) -> Discovered:
    settings, problems = read(root)
    modules: list[PythonFile] = []
    unnamed: list[PythonFile] = []
    flows: list[Candidate] = []
    folders: list[Candidate] = []
    paths = list(islice(_walk(root), MAX_FILES + 1))
    if len(paths) > MAX_FILES:
        too_many = (
            f"has more than {MAX_FILES} files, and not all were looked at; name what you mean: module:Name"
        )
        problems.append(Problem(root, 0, "", too_many))
    for path in paths[:MAX_FILES]:
        if path.suffix == ".py":
            if module := _module(root, path):
                modules.append(PythonFile(path, module))
            elif _module(root, path.with_stem("crew")):
                unnamed.append(PythonFile(path, path.stem))
        elif path.name == YAML_CREW:
            folders.append(Candidate(Kind.YAML_FOLDER, path.parent.name, path))
        elif path.suffix in FLOW_FILES and path != settings.definition and _is_flow(path):
            flows.append(Candidate(Kind.FLOW_FILE, path.stem, path))
    in_python = _python(modules)
    candidates = (*_defined(root, settings), *flows, *folders, *in_python.candidates)
    problems += in_python.problems
    if not candidates and not problems:
        problems += _not_importable(unnamed)
    if not candidates and not problems:
        problems += _out_of_reach(modules)
    return Discovered(candidates, tuple(problems))


def _not_importable(files: list[PythonFile]) -> Iterator[Problem]:
    """Files with crews whose names are none of Python's: `my-crew.py`."""
    for each in _python(files).candidates:
        wrong = f"has {each.key}, but Python can't import a file of this name: use letters, digits and _"
        yield Problem(each.file, each.line, "", wrong)


def _out_of_reach(files: list[PythonFile]) -> Iterator[Problem]:
    """Files that make crews where nothing can be called for them: in a method, a list or a `main`."""
    wrong = "makes a crew that nothing hands over before it runs"
    remedy = (
        "Return it from a function without arguments that doesn't run it, or declare one: @crewdeck.crew."
    )
    for content, file in _read(files)[0]:
        if content.makes_crew_at:
            yield Problem(file.path, content.makes_crew_at, "", wrong, remedy=remedy)


def _defined(root: Path, settings: Settings) -> Iterator[Candidate]:
    """What `toml` names as definition, or else the crew file in the project's folder."""
    if settings.definition is not None:
        kind = Kind.FLOW_FILE if settings.type == "flow" else Kind.CREW_FILE
        yield Candidate(kind, settings.definition.stem, settings.definition)
        return
    for name in CREW_FILES:
        if (root / name).is_file():
            yield Candidate(Kind.CREW_FILE, "crew", root / name)
            return


def _python(files: list[PythonFile]) -> Discovered:
    """The crews in modules, without those that a flow uses: they are its parts."""
    read, problems = _read(files)
    contents = [content for content, _ in read]
    found: list[CrewDefinition] = []
    used: set[str] = set()
    flows = _flows(contents)
    for content in contents:
        derived = (each.found for each in content.derived if each.name in flows)
        here = sorted((*content.found, *derived), key=lambda each: each.line)
        found += here
        if any(each.is_flow for each in here):
            used |= content.names_used - {each.name for each in here if each.is_flow}
        problems += content.problems
    candidates = tuple(
        Candidate(Kind.PYTHON, each.name, each.file.path, each.line, each.file.module)
        for each in found
        if each.is_flow or each.name not in used
    )
    return Discovered(candidates, tuple(problems))


def _read(files: list[PythonFile]) -> tuple[list[tuple[FileDefinitions, PythonFile]], list[Problem]]:
    """What the files define that name CrewAI, or a flow of the project: a flow may be the base of others."""
    read: dict[PythonFile, FileDefinitions] = {}
    problems: list[Problem] = []
    left, named, flows = list(files), set[str](), set[str]()
    while left:
        unnamed: list[PythonFile] = []
        for file in left:
            try:
                content = read_file(file, flows - named)
            except Unparsable as error:
                problems.append(error.problem)
                continue
            if content is None:
                unnamed.append(file)
            else:
                read[file] = content
        named |= flows
        flows = {each.rpartition(".")[2] for each in _flows(read.values())}
        left = unnamed if flows - named else []
    return [(read[file], file) for file in files if file in read], problems


def _flows(contents: Iterable[FileDefinitions]) -> set[str]:
    """All classes that are flows, with their modules: also those whose base is one in another module."""
    contents = list(contents)
    flows = {name for content in contents for name in content.flows}
    left = [each for content in contents for each in content.derived]
    while derived := [each for each in left if any(_is_one_of(base, flows) for base in each.bases)]:
        flows |= {each.name for each in derived}
        left = [each for each in left if each not in derived]
    return flows


def _is_one_of(base: str, flows: set[str]) -> bool:
    """Whether a base class is a flow of the project, imported from its module or from a package around it."""
    module, _, name = base.rpartition(".")
    return any(
        flow == base or (flow.startswith(f"{module}.") and flow.endswith(f".{name}")) for flow in flows
    )


def _walk(root: Path) -> Iterator[Path]:
    """The files of the project, in a fixed order."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(each for each in folders if each not in SKIPPED and not each.startswith("."))
        for name in sorted(files):
            yield Path(folder) / name


def folder_with(root: Path, module: str) -> Path | None:
    """The folder within a project that this module is imported from, if that is a project of its own."""
    name = module.partition(".")[0]
    for path in islice(_walk(root), MAX_FILES):
        if path == path.parent / f"{name}.py":
            folder = path.parent
        elif path.suffix == ".py" and path.parent.name == name:
            folder = path.parent.parent
        else:
            continue
        project = folder.parent if folder.name == "src" else folder
        if project != root and project.is_relative_to(root):
            return project
    return None


def project_of_package(root: Path) -> Path:
    """The folder of the project that a package belongs to."""
    around = next(folder for folder in root.parents if not (folder / "__init__.py").is_file())
    return around.parent if around.name == "src" else around


def _module(root: Path, path: Path) -> str:
    """The name under which a file is imported; empty if it can't be."""
    source = next((each for each in source_folders(root) if path.is_relative_to(each)), root)
    parts = path.relative_to(source).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts) if parts and all(each.isidentifier() for each in parts) else ""


def _file_of(root: Path, module: str) -> Path:
    for source in source_folders(root):
        place = source.joinpath(*module.split("."))
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return root


def _is_flow(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _FLOW_SCHEMA.search(file.read(_HEAD_BYTES)) is not None
    except OSError:
        return False  # a broken link, or a file of somebody else


FILE = "pyproject.toml"


@dataclass(frozen=True)
class Settings:
    """`[tool.crewai]`, and what people may read of the project."""

    description: str = ""
    #: crew or flow; empty if it isn't said.
    type: str = ""
    #: The file that defines the crew or the flow.
    definition: Path | None = None


def read(root: Path) -> tuple[Settings, list[Problem]]:
    """The settings of the project in this folder, and what is wrong with them."""
    file = root / FILE
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Settings(), []
    except UnicodeDecodeError as error:
        return Settings(), [not_utf8(file, error)]
    except (OSError, ValueError) as error:
        return Settings(), [Problem(file, 0, "", f"can't be read: {error}")]
    crewai = _table(_table(content, "tool"), "crewai")
    kind, named = crewai.get("type"), crewai.get("definition")
    settings = Settings(_text(_table(content, "project").get("description")), _text(kind))
    if named is None:
        return settings, []
    definition = (root / _text(named)).resolve()
    if not _text(named) or not definition.is_relative_to(root.resolve()) or not definition.is_file():
        wrong = f"must be a file of the project, not {named!r}"
        return settings, [Problem(file, 0, "tool.crewai.definition", wrong)]
    return Settings(settings.description, settings.type, definition), []


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
