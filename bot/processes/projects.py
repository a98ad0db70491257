"""Finds the projects that the operator names: folder, name and environment. Imports none of their code."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from bot.core.errors import SettingsError
from bot.core.project import Project

NAMED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9_-]*)=(.+)$", re.DOTALL)
MODULE = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
ATTRIBUTE = re.compile(r"^[A-Za-z_]\w*$")
MAX_NAME_LENGTH = 60


def find_all(references: Iterable[str], base: Path | None = None) -> tuple[Project, ...]:
    """All of these projects, each once. Raises SettingsError, also for two of the same name."""
    found: dict[str, Project] = {}
    for reference in references:
        project = find(reference, base)
        other = found.setdefault(project.name, project)
        if other != project:
            raise SettingsError(
                f"CREWDECK_PROJECTS: {_what(other)} and {_what(project)} are both called {project.name}. "
                f"Name one of them yourself: another-name={reference}."
            )
    return tuple(found.values())


def find(reference: str, base: Path | None = None) -> Project:
    """The project that `[name=]folder`, `[name=]file.py[:Name]` or `[name=]module:Name` stands for.

    Modules are looked for in `base` (the working directory) and its `src`. Raises SettingsError.
    """
    base = base or Path.cwd()
    named = NAMED.match(reference)
    name, what = (named[1], named[2]) if named else ("", reference)
    root, target = _located(what, base)
    return Project(
        name=name or _name(root, target),
        root=str(root),
        target=target,
        python=str(_interpreter(root) or ""),
    )


def source_folders(root: Path) -> list[Path]:
    """The folders of a project that modules are imported from, in this order."""
    return [folder for folder in (root / "src", root) if folder.is_dir()]


def _located(what: str, base: Path) -> tuple[Path, str]:
    """The folder of a project, and what is meant in it: nothing, a module, or `module:Name`."""
    folder = _path(what, base)
    if folder.is_dir():
        return folder.resolve(), ""
    place, attribute = _split(what)
    file = _path(place, base)
    if file.suffix == ".py" and file.is_file():
        if not MODULE.match(file.stem):
            raise _no(what, f"{file.name} can't be imported, since its name is no name of a module")
        return file.parent.resolve(), f"{file.stem}:{attribute}".rstrip(":")
    if not MODULE.match(place):
        raise _no(what, f"there is no {folder}")
    for source in source_folders(base):
        module = source.joinpath(*place.split("."))
        if module.with_suffix(".py").is_file() or (module / "__init__.py").is_file():
            return base.resolve(), f"{place}:{attribute}".rstrip(":")
    raise _no(what, f"there is neither a folder nor a module {place} in {base}")


def _path(written: str, base: Path) -> Path:
    return (base / Path(written).expanduser()).absolute()


def _split(what: str) -> tuple[str, str]:
    """A place, and a name in it if one is given."""
    place, colon, attribute = what.rpartition(":")
    return (place, attribute) if colon and ATTRIBUTE.match(attribute) else (what, "")


def _no(what: str, why: str) -> SettingsError:
    remedy = "Name the folder of a project, or what is in a module: blog.crew:BlogCrew"
    return SettingsError(f"CREWDECK_PROJECTS: {what}: {why}. {remedy}.")


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
    """A text as the name of a crew: letters, digits, - and _."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:MAX_NAME_LENGTH]


def kebab(name: str) -> str:
    """A name of Python as the name of a crew: `BlogCrew` is blog-crew."""
    return slug(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).replace("_", "-"))


def _interpreter(root: Path) -> Path | None:
    """The interpreter of the project's own environment, unless that is the one that we run in."""
    environment = root / ".venv"
    if not environment.is_dir() or environment.resolve() == Path(sys.prefix).resolve():
        return None
    return environment / "bin" / "python"
