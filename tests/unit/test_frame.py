"""The locks fit together, hold hashes and no address; the core imports next to nothing."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-build.lock", "requirements-dev.lock"]


def pinned(lock: str) -> dict[str, str]:
    text = (REPOSITORY / lock).read_text()
    lines = re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)(?: ; (.+?))? \\$", text, re.MULTILINE)
    return {f"{name} {marker}".strip(): version for name, version, marker in lines}


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_hashes_and_no_address(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(requirements) == len(pinned(lock)) == len(re.findall(r"==.* \\\n    --hash=sha256:", text))
    assert not re.search(r"://|^-", text, re.MULTILINE)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_the_locks_fit_into_one_environment(lock: str) -> None:
    assert pinned(lock).items() <= pinned("requirements-dev.lock").items()


def test_the_lock_pins_every_dependency_of_the_project() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=;\s]", line)[0] for line in lines}
    assert names <= {name.split()[0] for name in pinned("requirements.lock")}


def test_the_core_imports_the_standard_library_and_pydantic_only() -> None:
    # Of the second library only a table is used: Unicode's, of characters that look alike.
    allowed = {*sys.stdlib_module_names, "pydantic", "confusable_homoglyphs"}
    for path in (REPOSITORY / "bot" / "core").rglob("*.py"):
        for name in imported(path):
            assert name.split(".")[0] in allowed or name.startswith("bot.core"), f"{path.name} imports {name}"


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "bot.core" if node.level else node.module or ""
