"""`crewdeck add PROJECT`: installs into a project's environment what its worker needs."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bot.commands.output import print_text, print_to_stderr
from bot.core.errors import SettingsError
from bot.core.project import Project
from bot.processes.project_problems import problem_of
from bot.processes.projects import find

WORKER = "crewdeck[worker]"
ENVIRONMENT = ".venv"


def add(reference: str, options: Sequence[str]) -> int:
    """Install Crewdeck, as it runs here, into the project's environment, which is made if there is none.

    `options` are for pip or uv. Raises SettingsError if something can't be installed.
    """
    project = find(reference)
    root = Path(project.root)
    if not (root / ENVIRONMENT).is_dir():
        _make_environment(root, options)
        project = find(reference)
    if not project.python:
        print_text(f"{project.root} uses the environment that Crewdeck runs in: there is nothing to install.")
    elif asyncio.run(problem_of(project)) is None:
        print_text(f"{project.environment} has all that a worker needs.")
    else:
        _install(project, options)
    print_text(f"Run it: crewdeck serve {shlex.quote(reference)}")
    return 0


def _install(project: Project, options: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="crewdeck-") as folder:
        _run([*_installer(project.python), *options, _requirement(Path(folder))])
    if problem := asyncio.run(problem_of(project)):
        raise SettingsError(problem.problem)


def _make_environment(root: Path, options: Sequence[str]) -> None:
    """Make `.venv` with what the project depends on."""
    _run([sys.executable, "-m", "venv", "--without-pip", str(root / ENVIRONMENT)])
    install = [*_installer(str(root / ENVIRONMENT / "bin" / "python")), *options]
    if (root / "pyproject.toml").is_file():
        _run([*install, "--editable", str(root)])
    elif (root / "requirements.txt").is_file():
        _run([*install, "--requirement", str(root / "requirements.txt")])


def _installer(python: str) -> list[str]:
    """The command line that installs into the environment of this interpreter, with uv or with pip."""
    if find_spec("pip") is not None:
        return [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--quiet",
            "--python",
            python,
            "install",
        ]
    return [_uv(), "pip", "install", "--python", python]


def _uv() -> str:
    if uv := shutil.which("uv"):
        return uv
    raise SettingsError("`crewdeck add` needs pip in Crewdeck's own environment, or the program uv.")


def _requirement(folder: Path) -> str:
    """This very Crewdeck: from where it was installed, or its version from the package index."""
    ours = distribution("crewdeck")
    written = ours.read_text("direct_url.json")
    origin = json.loads(written) if written else {}
    url = str(origin.get("url", ""))
    if "dir_info" in origin:
        return f"{WORKER} @ {_wheel(Path(unquote(urlsplit(url).path)), folder).as_uri()}"
    return f"{WORKER} @ {url}" if "archive_info" in origin else f"{WORKER}=={ours.version}"


def _wheel(source: Path, folder: Path) -> Path:
    """A wheel of Crewdeck's folder, built with what this environment has."""
    if find_spec("pip") is not None:
        build = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel", "--no-index"]
        _run([*build, "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)])
    else:
        build = [_uv(), "build", "--quiet", "--wheel", "--offline", "--no-build-isolation"]
        _run([*build, "--python", sys.executable, "--out-dir", str(folder), str(source)])
    return next(folder.glob("crewdeck-*.whl"))


def _run(command: Sequence[str]) -> None:
    print_to_stderr(f"$ {shlex.join(command)}")
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SettingsError(f"That failed with status {done.returncode}; what it said is above.")
