"""Makes this process the worker of a project: its `.env`, and where its modules are imported from."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import structlog

from bot.processes import worker_environment
from bot.processes.projects import source_folders
from bot.settings import Settings

log = structlog.get_logger(__name__)

OUR_PACKAGES = ("bot", "crews", "crewdeck")


def enter(settings: Settings) -> None:
    """Prepare the process. The working directory is the project's folder already. Raises SettingsError."""
    left_out = worker_environment.read_project_dotenv(settings)
    if left_out:
        log.info("Variables of the project's .env that its worker doesn't get", names=sorted(left_out))
    folders = source_folders(Path.cwd())
    # Last, so that no file there shadows a module of Crewdeck or of a library.
    sys.path.extend(map(str, folders))
    _share_names(folders)


def _share_names(folders: list[Path]) -> None:
    """Let a project have a package of the same name as one of ours: `crews/` is common in flows.

    Its modules are found after ours.
    """
    for name in OUR_PACKAGES:
        package = import_module(name)
        here = [str(folder / name) for folder in folders if (folder / name).is_dir()]
        package.__path__.extend(path for path in here if path not in package.__path__)
