"""Finds the projects that the operator names: folder, name and environment. Imports none of their code."""

from __future__ import annotations

import os
import re
import sys
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.core.errors import SettingsError
from bot.core.project import Project
from bot.setting_sources import with_source
from bot.settings import Settings

NAMED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9_-]*)=(.+)$", re.DOTALL)
MODULE = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
ATTRIBUTE = re.compile(r"^[A-Za-z_]\w*$")
MAX_NAME_LENGTH = 60
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h"}
)
"""Latin letters that are no others with a mark."""
REMEDY = "Name the folder of a project, or what is in a module: blog.crew:BlogCrew"


@dataclass(frozen=True)
class Reference:
    """What the operator wrote for a project, and where."""

    written: str
    #: The setting and its source; empty: an argument of the command.
    setting: str = ""

    def refused(self, why: str) -> SettingsError:
        """The error that names where it was written."""
        written = self.written if self.written.strip() else "''"
        return SettingsError(f"{self.setting or 'argument'} {written}: {why}.")


def find_configured(settings: Settings, arguments: Iterable[str] = ()) -> tuple[Project, ...]:
    """The projects of the arguments, then those of the settings, each once. Raises SettingsError."""
    setting = f"{with_source('CREWDECK_PROJECTS')}:"
    references = [*map(Reference, arguments), *(Reference(each, setting) for each in settings.projects)]
    return _each_once(references, Path.cwd())


def find_all(arguments: Iterable[str], base: Path | None = None) -> tuple[Project, ...]:
    """The projects of a command's arguments, each once. Raises SettingsError, also for two of one name."""
    return _each_once(map(Reference, arguments), base or Path.cwd())


def find(argument: str, base: Path | None = None) -> Project:
    """The project that `[name=]folder`, `[name=]file.py[:Name]` or `[name=]module:Name` stands for.

    Modules are looked for in `base` (the working directory) and its `src`. Raises SettingsError.
    """
    return _find(Reference(argument), base or Path.cwd())


def _each_once(references: Iterable[Reference], base: Path) -> tuple[Project, ...]:
    found: dict[str, Project] = {}
    for reference in references:
        project = _find(reference, base)
        other = found.setdefault(project.name, project)
        if other != project:
            raise reference.refused(
                f"{_what(other)} and {_what(project)} are both called {project.name}. "
                f"Name one of them yourself: another-name={reference.written}"
            )
    return tuple(found.values())


def _find(reference: Reference, base: Path) -> Project:
    named = NAMED.match(reference.written)
    name, what = (named[1], named[2]) if named else ("", reference.written)
    try:
        root, target = _located(what, base)
        name = name or _name(root, target)
        python = _interpreter(root)
    except ValueError as error:
        raise reference.refused(f"{error}. {REMEDY}") from None
    except OSError as error:
        raise reference.refused(f"it can't be read: {error.strerror}") from error
    return Project(
        name=name,
        root=str(root),
        target=target,
        python=str(python or ""),
    )


def source_folders(root: Path) -> list[Path]:
    """The folders of a project that modules are imported from, in this order."""
    return [folder for folder in (root / "src", root) if folder.is_dir()]


def _located(what: str, base: Path) -> tuple[Path, str]:
    """The folder of a project, and what is meant in it: nothing, a module, or `module:Name`.

    Raises ValueError.
    """
    if not what.strip():
        raise ValueError("it is empty, as a variable of a shell is that isn't set")
    folder = _path(what, base)
    if folder.is_dir():
        return folder.resolve(), ""
    place, attribute = _split(what)
    file = _path(place, base)
    if file.suffix == ".py" and file.is_file():
        if not MODULE.match(file.stem):
            raise ValueError(f"{file.name} can't be imported, since its name is no name of a module")
        return file.parent.resolve(), f"{file.stem}:{attribute}".rstrip(":")
    if not MODULE.match(place):
        raise ValueError(_no_project(folder))
    for source in source_folders(base):
        module = source.joinpath(*place.split("."))
        if module.with_suffix(".py").is_file() or (module / "__init__.py").is_file():
            return base.resolve(), f"{place}:{attribute}".rstrip(":")
    raise ValueError(f"there is neither a folder nor a module {place} in {base}")


def _path(written: str, base: Path) -> Path:
    return (base / Path(written).expanduser()).absolute()


def _split(what: str) -> tuple[str, str]:
    """A place, and a name in it if one is given."""
    place, colon, attribute = what.rpartition(":")
    return (place, attribute) if colon and ATTRIBUTE.match(attribute) else (what, "")


def _no_project(place: Path) -> str:
    return f"{place} is no folder" if os.path.lexists(place) else f"there is no {place}"


def _what(project: Project) -> str:
    return f"{project.root} ({project.target})" if project.target else project.root


def _name(root: Path, target: str) -> str:
    """After the class or module, `pyproject.toml`, or the folder."""
    module, _, attribute = target.partition(":")
    chosen = kebab(attribute or module.rpartition(".")[2]) or slug(_declared_name(root)) or slug(root.name)
    return chosen or "project"


def _declared_name(root: Path) -> str:
    """What `pyproject.toml` calls it; empty if it doesn't say, or can't be read, which its worker reports."""
    try:
        content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return ""
    table = content.get("project")
    name = table.get("name") if isinstance(table, dict) else None
    return name if isinstance(name, str) else ""


def slug(text: str) -> str:
    """A text as the name of a crew: letters of English, digits, - and _; `Café Ærø` is cafe-aero."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9_]+", "-", plain.lower()).strip("-_")[:MAX_NAME_LENGTH]


def kebab(name: str) -> str:
    """A name of Python as the name of a crew: `BlogCrew` is blog-crew."""
    return slug(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).replace("_", "-"))


def _interpreter(root: Path) -> Path | None:
    """The interpreter of the project's own environment, unless that is the one that we run in."""
    environment = root / ".venv"
    if not environment.is_dir() or environment.resolve() == Path(sys.prefix).resolve():
        return None
    return environment / "bin" / "python"
