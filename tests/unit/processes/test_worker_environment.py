"""What a worker is started with."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from bot.core.errors import SettingsError
from bot.core.project import Project
from bot.processes.worker_environment import (
    PIPE,
    WORKERS_SECRETS,
    read_project_dotenv,
    remove_withheld,
    secret_names,
    settings_from_pipe,
    worker_environment,
    worker_pipe,
)
from bot.settings import ClientSettings, Settings, load
from tests.unit.test_settings import REPOSITORY

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in tuple(os.environ):
        if name.startswith(("CREWDECK_", "SLACK_", "TEAMS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def secret_variables() -> set[str]:
    """By what the settings themselves say of their types."""
    kinds = (Settings, ClientSettings)
    fields = [(name, field) for kind in kinds for name, field in kind.model_fields.items()]
    return {
        str(field.alias or "CREWDECK_REDIS_URL")
        for _, field in fields
        if "SecretStr" in str(field.annotation)
    }


def test_no_setting_that_is_a_secret_is_in_a_workers_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    names = secret_variables()
    assert {"SLACK_BOT_TOKEN", "CREWDECK_API_KEYS", "CREWDECK_WEBHOOKS", "CREWDECK_JOURNAL_KEY"} <= names
    settings = load()
    for name in names:
        monkeypatch.setenv(name, "a-secret")
        monkeypatch.setenv(name.lower(), "a-secret")
    monkeypatch.setenv("SLACK_SOMETHING_NEW", "a-secret")
    with worker_pipe(worker_environment(settings)) as handover:
        assert "a-secret" not in handover.environment.values()


def test_a_workers_own_secrets_come_through_a_pipe_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_REDIS_URL", "redis://ada:lovelace@127.0.0.1")
    monkeypatch.setenv("CREWDECK_LEASE", "7")
    settings = load()
    for name in WORKERS_SECRETS:
        monkeypatch.delenv(name, raising=False)
    with worker_pipe(worker_environment(settings)) as handover:
        assert "lovelace" not in json.dumps(dict(handover.environment))
        monkeypatch.setenv(PIPE, str(os.dup(handover.descriptor)))
        got = settings_from_pipe()
    assert got is not None
    assert got.redis_url == SecretStr("redis://ada:lovelace@127.0.0.1")
    assert got.lease == 7
    assert PIPE not in os.environ
    assert settings_from_pipe() is None


EVERYTHING = {
    "SLACK_BOT_TOKEN": "xoxb-1-abcdefgh",
    "SLACK_APP_TOKEN": "xapp-1-abcdefgh",
    "SLACK_SIGNING_SECRET": "0123456789abcdef0123456789abcdef",
    "TEAMS_APP_ID": "11111111-1111-4111-8111-111111111111",
    "TEAMS_TENANT_ID": "22222222-2222-4222-8222-222222222222",
    "TEAMS_MANAGED_IDENTITY": "true",
    "CREWDECK_API_KEYS": "ci:0123456789abcdef",
    "CREWDECK_PUBLIC_URL": "https://crews.example",
    "CREWDECK_WEBHOOKS": f"crm=http://10.0.0.1 {WHSEC}",
    "CREWDECK_WEBHOOK_ALLOW_PRIVATE": "1",
    "CREWDECK_WEBHOOK_URLS": "1",
    "CREWDECK_WEBHOOK_SECRET": WHSEC,
}


@pytest.mark.parametrize("dotenv", [(), ("CREWDECK_WEBHOOK_URLS", "CREWDECK_WEBHOOKS"), tuple(EVERYTHING)])
def test_whatever_is_on_a_workers_settings_are_valid(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dotenv: tuple[str, ...]
) -> None:
    """Also where `.env`, which a worker reads too, has only some of what belongs together."""
    (tmp_path / ".env").write_text("".join(f'{name}="{EVERYTHING[name]}"\n' for name in dotenv))
    for name in EVERYTHING.keys() - set(dotenv):
        monkeypatch.setenv(name, EVERYTHING[name])
    settings = load()
    assert settings.webhook_urls
    with worker_pipe(worker_environment(settings)) as handover:
        for name in EVERYTHING:
            monkeypatch.delenv(name, raising=False)
        for name, value in handover.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv(PIPE, str(os.dup(handover.descriptor)))
        got = settings_from_pipe()
    assert got is not None
    assert not got.webhook_urls


@pytest.mark.parametrize("of_the_bot", [True, False])
def test_a_managed_identity_is_withheld_where_it_is_the_bots(
    monkeypatch: pytest.MonkeyPatch, *, of_the_bot: bool
) -> None:
    if of_the_bot:
        monkeypatch.setenv("TEAMS_APP_ID", "11111111-2222-3333-4444-555555555555")
        monkeypatch.setenv("TEAMS_TENANT_ID", "66666666-7777-8888-9999-000000000000")
        monkeypatch.setenv("TEAMS_MANAGED_IDENTITY", "true")
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET"):
        monkeypatch.setenv(name, "http://169.254.129.3")
    left = [name for name in worker_environment(load()) if name.startswith(("IDENTITY_", "MSI_"))]
    assert bool(left) is not of_the_bot


def test_our_secrets_are_withheld_under_other_names_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_REDIS_URL", "redis://:lovelace@redis")
    monkeypatch.setenv("REDIS_PASSWORD", "lovelace")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1234567890")
    monkeypatch.setenv("ANY", "Bearer xoxb-1234567890")
    monkeypatch.setenv("OTHER", "redis://redis")
    with worker_pipe(worker_environment(load())) as handover:
        assert {"REDIS_PASSWORD", "ANY"}.isdisjoint(handover.environment)
        assert "lovelace" not in str(handover.environment)
        assert handover.environment["OTHER"] == "redis://redis"


def test_a_pipe_that_is_none_is_an_operators_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("x", "987654"):
        monkeypatch.setenv(PIPE, value)
        with pytest.raises(SettingsError, match=PIPE):
            settings_from_pipe()


def test_what_dotenv_says_is_passed_on_without_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "SLACK_APP_TOKEN=xapp-1\nOPENAI_API_KEY=ours\nGEMINI_API_KEY=theirs\nEMPTY=x\n"
    )
    monkeypatch.setenv("GEMINI_API_KEY", "of the environment")
    monkeypatch.setenv("EMPTY", "")
    environment = worker_environment(load())
    assert "SLACK_APP_TOKEN" not in environment
    assert (environment["OPENAI_API_KEY"], environment["GEMINI_API_KEY"]) == ("ours", "of the environment")
    assert environment["EMPTY"] == "x"
    assert environment["PYTHON_DOTENV_DISABLED"] == "true"


def test_a_process_takes_them_out_of_its_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("CREWDECK_JOURNAL_KEY", "")
    monkeypatch.setenv("OPENAI_API_KEY", "kept")
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "false")
    remove_withheld(load())
    assert {"SLACK_BOT_TOKEN", "CREWDECK_JOURNAL_KEY"}.isdisjoint(os.environ)
    assert (os.environ["OPENAI_API_KEY"], os.environ["PYTHON_DOTENV_DISABLED"]) == ("kept", "false")


PEEK = """
import ctypes, os
from bot.processes.worker_environment import hide_from_processes_of_this_user

def read_by_another_process():
    mine, child = os.getpid(), os.fork()
    if child == 0:
        try:
            open(f"/proc/{mine}/environ").read()
        except PermissionError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0

if os.geteuid() == 0:  # Root reads everything. Who was root is hidden already, until it says otherwise.
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1)
before = read_by_another_process()
hide_from_processes_of_this_user()
print(before, read_by_another_process())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_another_process_of_the_user_can_not_read_what_it_was_started_with() -> None:
    environment = {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", PEEK], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


def test_a_project_gets_its_place_and_its_own_programs_first(tmp_path: Path) -> None:
    settings = Settings(config_dirs="crews:/else/where")
    project = Project(name="blog", root="/p", python="/p/.venv/bin/python")
    variables = worker_environment(settings, project=project)
    assert Project.model_validate_json(variables["CREWDECK_PROJECT"]) == project
    assert variables["CREWDECK_CONFIG_DIR"] == f"{tmp_path}/crews:/else/where"
    assert variables["VIRTUAL_ENV"] == "/p/.venv"
    assert variables["PATH"].split(os.pathsep)[0] == "/p/.venv/bin"
    assert "VIRTUAL_ENV" not in worker_environment(settings, project=Project(name="blog", root="/p"))


def test_a_projects_dotenv_sets_its_own_variables_and_none_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PROVIDER_KEY", "EMPTY", "NEW", "COPY", "REDIS_URL", "crewdeck_lease"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROVIDER_KEY", "sk-of-the-server")
    monkeypatch.setenv("EMPTY", "kept")
    settings = Settings(slack_bot_token=SecretStr("xoxb-of-crewdeck"))
    (tmp_path / ".env").write_text(
        "PROVIDER_KEY=sk-of-the-project\nEMPTY=\nNEW='two words'\nCOPY=x-xoxb-of-crewdeck\n"
        "SLACK_BOT_TOKEN=xoxb-other\ncrewdeck_lease=1\nCREWDECK_ALONE=1\nREDIS_URL=redis://h\n"
    )
    left_out = read_project_dotenv(settings)
    assert sorted(left_out) == ["COPY", "CREWDECK_ALONE", "REDIS_URL", "SLACK_BOT_TOKEN", "crewdeck_lease"]
    assert {name: os.environ.get(name) for name in ("PROVIDER_KEY", "EMPTY", "NEW")} == {
        "PROVIDER_KEY": "sk-of-the-project",
        "EMPTY": "kept",
        "NEW": "two words",
    }
    assert not set(left_out) & set(os.environ)
    monkeypatch.delenv("NEW")


def test_a_worker_of_a_project_passes_nothing_of_the_projects_file_on_as_settings(tmp_path: Path) -> None:
    """Its working directory is the project: the process that isolates a run is started from there."""
    (tmp_path / ".env").write_text("SLACK_BOT_TOKEN=xoxb-of-the-project\nCREWDECK_LEASE=1\nMODEL=m\n")
    settings = Settings(_env_file=None, project=Project(name="blog", root=str(tmp_path)))
    assert not {"SLACK_BOT_TOKEN", "CREWDECK_LEASE", "MODEL"} & set(worker_environment(settings))


class Kinds(BaseSettings):
    """Settings in all ways in which one may write that they are secret."""

    plain: SecretStr = Field(alias="PLAIN")
    optional: SecretStr | None = Field(alias="OPTIONAL")
    checked: Annotated[SecretStr, AfterValidator(str)] = Field(alias="CHECKED")
    both: Annotated[SecretStr, AfterValidator(str)] | None = Field(alias="BOTH")
    several: dict[str, list[Annotated[SecretStr, AfterValidator(str)]]] = Field(alias="SEVERAL")
    public: Annotated[str, AfterValidator(str)] | None = Field(alias="PUBLIC")


def test_secrets_are_known_however_their_settings_are_written() -> None:
    assert secret_names(Kinds) == {"PLAIN", "OPTIONAL", "CHECKED", "BOTH", "SEVERAL"}
