"""The commands that run for months: what they need is loaded, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from bot.processes import lazy_modules, unused_libraries


def serve(projects: Sequence[str]) -> int:
    """Run Crewdeck until a signal arrives; returns the exit status.

    Raises SettingsError and StoreUnavailable if the start fails.
    """
    lazy_modules.install()
    with unused_libraries.blocked_imports():
        from bot.commands.installation import require, version

        require("server")
        from bot.commands.serve import serve_until_stopped
        from bot.processes.projects import find_configured
        from bot.processes.start import allow_open_files
        from bot.processes.worker_environment import hide_from_processes_of_this_user
        from bot.settings import load

    hide_from_processes_of_this_user()
    allow_open_files()
    settings = load()
    found = find_configured(settings, projects)
    if settings.workers or settings.redis_url is None:
        settings.require_data_dir()
    if settings.workers:
        settings.require_crew_dirs()
        require("worker", ", or let it start none: CREWDECK_WORKERS=0")
    if settings.teams_on:
        require("teams")
    return serve_until_stopped(settings, version(), found)


def deliver(console: str | None = None) -> int:
    """Deliver until a signal arrives; returns the exit status.

    `console`: the address of the `serve` that supervises this process; None: nobody does. Raises
    SettingsError and StoreUnavailable if the start fails.
    """
    lazy_modules.install()
    with unused_libraries.blocked_imports():
        from bot.commands.installation import require

        require("server")
        from bot.commands.deliver import deliver_until_stopped
        from bot.processes.start import allow_open_files
        from bot.processes.worker_environment import hide_from_processes_of_this_user
        from bot.settings import load

    hide_from_processes_of_this_user()
    allow_open_files()
    settings = load()
    if settings.teams_on:
        require("teams")
    supervised = console is not None
    return deliver_until_stopped(settings, console or settings.public_url.rstrip("/"), supervised=supervised)
