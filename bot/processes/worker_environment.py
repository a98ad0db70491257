"""The environment of a worker: variables without Crewdeck's secrets, and two secrets through a pipe.

Code in a worker and its subprocesses can read the worker's environment, also as it was at its start
(`/proc/<pid>/environ`). So the environment has no secret of a surface. The worker reads the two secrets that
it needs, the address of the store and the journal key, once from a pipe.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from bot.core.errors import SettingsError
from bot.core.project import Project
from bot.logging import MIN_SECRET_LENGTH, secrets_of
from bot.setting_sources import DOTENV
from bot.setting_values import unreadable
from bot.settings import ClientSettings, Settings, load

PIPE = "CREWDECK_SECRETS_FD"
"""The variable with the number of the descriptor from which a worker reads its secrets."""
WORKERS_SECRETS = ("CREWDECK_REDIS_URL", "CREWDECK_JOURNAL_KEY")
WITHHELD_FROM_DELIVERY = frozenset({"CREWDECK_API_KEYS"})
"""Secrets that the delivery process doesn't need. It does need the journal key, which encrypts files, too."""
SURFACES = ("SLACK_", "TEAMS_")
"""Prefixes of variables that belong to surfaces."""
OURS = "CREWDECK_"
"""The prefix of Crewdeck's own settings."""
MANAGED_IDENTITY = ("IDENTITY_", "MSI_")
"""Prefixes of the variables by which Azure gives out tokens of the machine's managed identity."""
NO_DOTENV = "PYTHON_DOTENV_DISABLED"
_PR_SET_DUMPABLE = 4


class WorkerEnvironment(NamedTuple):
    """The environment of a worker, and the pipe with its secrets."""

    environment: Mapping[str, str]
    #: The child has to inherit it under the same number.
    descriptor: int


def worker_environment(
    settings: Settings, worker_id: str | None = None, project: Project | None = None
) -> dict[str, str]:
    """The variables of a worker: the environment and `.env`, without those that surfaces and clients need.

    `REDIS_URL` is left out as well, because libraries of CrewAI read it. The worker's own secrets are
    included; `worker_pipe` moves them into the pipe. `project`: the worker runs this project, in its folder.
    """
    secrets = _secrets(settings)
    reserved = _reserved(settings)
    # The working directory of a project's worker is the project, whose `.env` has none of our settings.
    given = dict(os.environ) if settings.project is not None else _variables()
    environment = {
        name: value for name, value in given.items() if not _withheld(name, value, secrets, reserved)
    }
    if project is not None:
        environment |= _of_project(settings, project)
    environment["CREWDECK_DATA_DIR"] = str(settings.data_dir.expanduser().absolute())
    # `.env` is already included; CrewAI would load the whole file itself.
    environment.setdefault(NO_DOTENV, "true")
    if settings.redis_url is not None:
        environment["CREWDECK_REDIS_URL"] = settings.redis_url.get_secret_value()
        environment["CREWDECK_REDIS_SOURCE"] = settings.redis_setting
    if journal_key := settings.journal_key_text.get_secret_value():
        environment["CREWDECK_JOURNAL_KEY"] = journal_key
    if settings.webhook_urls:
        # Workers don't get the secret that it needs, and send no webhooks. The variable overrides `.env`.
        environment["CREWDECK_WEBHOOK_URLS"] = "false"
    environment.pop("CREWDECK_WORKER_ID", None)
    if worker_id is not None:
        environment["CREWDECK_WORKER_ID"] = worker_id
    return environment


def _of_project(settings: Settings, project: Project) -> dict[str, str]:
    """What a project's worker gets: the project, absolute paths, and the project's own programs first."""
    folders = os.pathsep.join(str(folder.absolute()) for folder in settings.crew_dirs[1:])
    found = {"CREWDECK_PROJECT": project.model_dump_json(), "CREWDECK_CONFIG_DIR": folders}
    if environment := project.environment:
        path = os.environ.get("PATH", os.defpath)
        found |= {"VIRTUAL_ENV": environment, "PATH": f"{environment}/bin{os.pathsep}{path}"}
    return found


def read_project_dotenv(settings: Settings) -> list[str]:
    """Set the variables of the project's `.env`, over others, as `crewai run` does; the names left out.

    Raises SettingsError if the file can't be read.
    """
    file, withheld = Path(DOTENV), withheld_from_projects(settings)
    try:
        written = _written_in(file) if file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(unreadable(file, error)) from error
    left_out = []
    for name, value in written.items():
        if value is None or (not value and os.environ.get(name)):
            continue  # an empty line is for somebody to fill in
        if withheld(name, value):
            left_out.append(name)
        else:
            os.environ[name] = value
    return left_out


def withheld_from_projects(settings: Settings) -> Callable[[str, str], bool]:
    """Whether a project's files may not set this variable to this value.

    Variables of Crewdeck and of its surfaces, `REDIS_URL`, and values with one of our secrets are withheld.
    """
    secrets, reserved = _secrets(settings), (*_reserved(settings), OURS)
    return lambda name, value: name.upper() == "REDIS_URL" or _withheld(name, value, secrets, reserved)


@contextmanager
def worker_pipe(environment: Mapping[str, str]) -> Iterator[WorkerEnvironment]:
    """Write the worker's secrets into a pipe; start the worker within the block. Raises SettingsError."""
    secrets = {name: environment[name] for name in WORKERS_SECRETS if environment.get(name)}
    public = {name: value for name, value in environment.items() if name not in WORKERS_SECRETS}
    reading, writing = os.pipe()
    try:
        _fill(writing, json.dumps(secrets).encode())
        yield WorkerEnvironment(public | {PIPE: str(reading)}, reading)
    finally:
        os.close(reading)


def _fill(writing: int, content: bytes) -> None:
    os.set_blocking(writing, False)
    try:
        if os.write(writing, content) < len(content):
            raise SettingsError(f"{' and '.join(WORKERS_SECRETS)} are too long together.")
    finally:
        os.close(writing)


def settings_from_pipe() -> Settings | None:
    """The settings of a worker, with its secrets from the pipe; None without one. Raises SettingsError."""
    descriptor = os.environ.pop(PIPE, None)
    if descriptor is None:
        return None
    try:
        with os.fdopen(int(descriptor), encoding="utf-8") as pipe:
            secrets = json.load(pipe)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{PIPE} is set by Crewdeck itself: don't set it.") from error
    return load(secrets)


def remove_withheld(settings: Settings) -> None:
    """Remove all variables from this process that a worker must not have."""
    secrets, reserved = _secrets(settings), _reserved(settings)
    for name, value in tuple(os.environ.items()):
        if _withheld(name, value, secrets, reserved) or name.upper() in WORKERS_SECRETS:
            del os.environ[name]
    os.environ.setdefault(NO_DOTENV, "true")


def hide_from_processes_of_this_user() -> None:
    """Protect memory and environment from other processes of this user, debuggers included (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def _variables() -> dict[str, str]:
    """The environment, completed by `.env` with the same precedence as settings."""
    written = _written_in(Path(DOTENV))
    variables = {name: value for name, value in written.items() if value is not None}
    return variables | {name: value for name, value in os.environ.items() if value or name not in variables}


def _written_in(file: Path) -> Mapping[str, str | None]:
    return DotEnvSettingsSource(Settings, env_file=file, case_sensitive=True).env_vars


def _secrets(settings: Settings) -> list[str]:
    """The secret values. An address without a password is not secret: a tool may use the same Redis."""
    address = settings.redis_url.get_secret_value() if settings.redis_url is not None else ""
    found = (secret for secret in secrets_of(settings) if secret != address)
    return [secret for secret in found if len(secret) >= MIN_SECRET_LENGTH]


def _reserved(settings: Settings) -> tuple[str, ...]:
    """Prefixes of variables that no worker may have. With the bot's identity a crew could speak as it."""
    return (*SURFACES, *MANAGED_IDENTITY) if settings.teams_managed_identity else SURFACES


def _withheld(name: str, value: str, secrets: Iterable[str], reserved: tuple[str, ...]) -> bool:
    """Whether the name is reserved, or the value contains one of our secrets (`REDIS_PASSWORD`)."""
    upper = name.upper()
    ours = upper in _SECRET or upper.startswith(reserved) or upper == PIPE
    return ours or any(secret in value for secret in secrets)


def _is_secret(field: FieldInfo) -> bool:
    return _holds_secret(field.annotation)


def _holds_secret(annotation: object) -> bool:
    """Whether a secret is in this type, however deep: `Annotated[SecretStr, ...] | None`."""
    return annotation is SecretStr or any(_holds_secret(each) for each in get_args(annotation))


def secret_names(*kinds: type[BaseSettings]) -> frozenset[str]:
    """The variables that hold secrets, derived from the settings, so that new secrets are withheld, too."""
    fields = [field for kind in kinds for field in kind.model_fields.values()]
    return frozenset(str(field.alias).upper() for field in fields if _is_secret(field))


_SECRET = secret_names(Settings, ClientSettings)
