"""Outside of crews/crewai_adapter, CrewAI's public names are used, and nothing of it is patched."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from crews.crewai_adapter import version

REPOSITORY = Path(__file__).parents[4]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
PUBLIC: dict[str, list[str]] = PROJECT["tool"]["crewdeck"]["crewai"]
OWN = {"self", "cls"}
"""Whose private names may be used."""
PYTHONS_OWN = {"os._exit", "nesting._replace"}


def modules() -> list[Path]:
    adapter = REPOSITORY / "crews" / "crewai_adapter"
    return sorted(path for path in (REPOSITORY / "crews").rglob("*.py") if not path.is_relative_to(adapter))


def faults(code: str) -> list[str]:
    tree = ast.parse(code)
    imported = {name: where for node in ast.walk(tree) for name, where in _imports(node)}
    return [fault for node in ast.walk(tree) for fault in _faults(node, imported)]


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """What is imported of CrewAI: the name that it has here, and where it is from."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] == "crewai":
                yield alias.asname or "crewai", alias.name
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "crewai":
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}:{alias.name}"


def _faults(node: ast.AST, imported: dict[str, str]) -> Iterator[str]:
    for _, where in _imports(node):
        module, _, name = where.partition(":")
        if name not in PUBLIC.get(module, []):
            yield f"imports {where}"
    for target in _changed(node):
        if _root(target) in imported:
            yield f"patches {ast.unparse(target)}"
    accessed = _accessed(node)
    if accessed and re.match(r"_(?!_)", accessed.rpartition(".")[2]) and accessed not in PYTHONS_OWN:
        yield f"uses {accessed}"


def _changed(node: ast.AST) -> Iterator[ast.expr]:
    """The attributes that a statement assigns or deletes."""
    if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node
    if isinstance(node, ast.Call) and _called(node) in {"setattr", "delattr", "__setattr__", "__delattr__"}:
        yield node.args[0]


def _accessed(node: ast.AST) -> str:
    """An attribute of something that isn't this module's own, as it is written; empty if there is none."""
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in OWN:
        return ast.unparse(node) if isinstance(node.value, ast.Name) else f"….{node.attr}"
    if isinstance(node, ast.Call) and _called(node) in {"getattr", "setattr", "hasattr", "delattr"}:
        name = node.args[1]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return f"….{name.value}"
    return ""


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_only_the_adapter_touches_what_crewai_does_not_promise(path: Path) -> None:
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    "code",
    [
        "import crewai",
        "from crewai import task",
        "from crewai.utilities.rpm_controller import RPMController",
        "from crewai import Task\nTask.execute_sync = None",
        "from crewai import Task\nTask.__init__: object = None",
        "from crewai import Crew\nCrew.__private_attributes__['_task_output_handler'] = None",
        "from crewai import Crew\nsetattr(Crew, 'kickoff', None)",
        "from crewai import Crew\ndel Crew.kickoff",
        "from crewai import Crew\ndef run(crew: Crew) -> None:\n    crew._task_output_handler = None",
        "def run(flow: object) -> object:\n    return getattr(flow, '_definition')",
        "def run(flow: object) -> object:\n    return flow.state._lock",
    ],
)  # fmt: skip
def test_each_way_to_touch_it_is_seen(code: str) -> None:
    assert faults(code)


def test_the_project_demands_the_releases_that_the_adapter_supports() -> None:
    project = PROJECT["project"]
    extras = project.get("optional-dependencies", {}).values()
    demanded = [
        line for each in (project["dependencies"], *extras) for line in each if line.startswith("crewai")
    ]
    assert set(demanded) == {f"crewai{version.SUPPORTED_VERSIONS}"}
    lock = (REPOSITORY / "requirements.lock").read_text()
    assert re.search(rf"^crewai=={re.escape(version.TESTED_VERSION)} ", lock, re.MULTILINE)


@pytest.mark.parametrize(
    ("installed", "state"),
    [
        (version.TESTED_VERSION, "ok"),
        ("1.15.31", "warning"),
        ("1.15.29", "broken"),
        ("1.16.0", "broken"),
        ("1.16.0a1", "broken"),
        ("2.0", "broken"),
    ],
)
def test_what_follows_from_the_installed_crewai(installed: str, state: str) -> None:
    found = version.compare(installed)
    assert found["state"] == state
    assert installed in found["words"]
    assert bool(found["remedy"]) == (state != "ok")
