"""Makes this process the worker of a project: its `.env`, and where its modules are imported from."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

import structlog
from dotenv.main import DotEnv

from bot.processes import worker_environment
from bot.processes.projects import source_folders
from bot.settings import Settings

log = structlog.get_logger(__name__)

OUR_PACKAGES = ("bot", "crews", "crewdeck")


def set_up_process(settings: Settings) -> None:
    """Apply the project's environment and import paths; its folder is the working directory already.

    Raises SettingsError.
    """
    left_out = worker_environment.read_project_dotenv(settings)
    if left_out:
        log.info("Variables of the project's .env that its worker doesn't get", names=sorted(left_out))
    _let_projects_load_dotenv(settings)
    folders = source_folders(Path.cwd())
    # Last, so that no file there shadows a module of Crewdeck or of a library.
    sys.path.extend(map(str, folders))
    _share_names(folders)


def _let_projects_load_dotenv(settings: Settings) -> None:
    """Let `load_dotenv()` of the project's code set what the project's own `.env` may set, too."""
    os.environ.pop(worker_environment.NO_DOTENV, None)
    withheld, load = worker_environment.withheld_from_projects(settings), DotEnv.dict

    def set_as_environment_variables(self: DotEnv) -> bool:
        written = load(self)
        for name, value in written.items():
            kept = name in os.environ and not self.override
            if value is not None and not kept and not withheld(name, value):
                os.environ[name] = value
        return bool(written)

    DotEnv.set_as_environment_variables = set_as_environment_variables  # type: ignore[method-assign]


def _share_names(folders: list[Path]) -> None:
    """Let a project have a package of the same name as one of ours: `crews/` is common in flows.

    Its modules are found after ours.
    """
    for name in OUR_PACKAGES:
        package = import_module(name)
        here = [str(folder / name) for folder in folders if (folder / name).is_dir()]
        package.__path__.extend(path for path in here if path not in package.__path__)
