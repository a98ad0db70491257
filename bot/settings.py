"""The settings, from the environment and `.env`. No other module reads these."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import SettingsConfigDict

from bot.core.addresses import check_origin, check_origins, check_web_address, is_loopback
from bot.core.errors import SettingsError
from bot.core.events.endpoints import Endpoint, StartUrls, parse_endpoints, parse_secrets
from bot.core.people.api_keys import ApiKey, parse_keys
from bot.core.ports.journal import parse_journal_keys
from bot.core.project import Project
from bot.setting_sources import DOTENV, EnvironmentSettings, with_source
from bot.setting_values import (
    check_api_key,
    check_api_keys,
    check_app_token,
    check_bot_token,
    check_journal_keys,
    check_metadata_url,
    check_readable,
    check_signing_secret,
    check_webhook_secrets,
    check_writable,
    read_entra_id,
    read_memory,
    read_replicas,
    read_server_url,
    unreadable,
)

PROJECT_SEPARATOR = re.compile(rf"[,\n]|{re.escape(os.pathsep)}(?=[./~])")
"""The colon of `module:Name` separates nothing."""
DAY_S = 86_400
MAX_DAYS = 36_500
MAX_SETTING = 1_000_000_000
"""What has no limit in practice: infinity and the like are mistakes."""

Read = TypeVar("Read", bound=EnvironmentSettings)


def shipped(name: str) -> Path:
    """The path of a file or folder that is part of Crewdeck: `config` or `manifest.yml`.

    It is in `crewdeck/_data` of an installed package, and at the top of a checkout.
    """
    package = Path(str(files("crewdeck")))
    data = package / "_data"
    return (data if data.is_dir() else package.parent) / name


def _data_dir() -> Path:
    from platformdirs import user_data_path  # with the setting nobody needs it

    return user_data_path("crewdeck", appauthor=False)


class Settings(EnvironmentSettings):
    """All settings. `alias` is the name of the environment variable."""

    model_config = SettingsConfigDict(
        env_file=DOTENV,
        env_file_encoding="utf-8-sig",  # as some editors on Windows write it
        env_ignore_empty=True,
        str_strip_whitespace=True,  # a secret that was read from a file ends with its newline
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", alias="HOST")
    port: int = Field(3000, alias="PORT", ge=0, le=65535)
    #: The public address of this server, for links to the console: `https://crews.example`.
    public_url: Annotated[str, AfterValidator(check_origin)] = Field("", alias="CREWDECK_PUBLIC_URL")

    own_redis_url: SecretStr | None = Field(None, alias="CREWDECK_REDIS_URL")
    #: What other programs read, too; it counts where `own_redis_url` is in neither place.
    shared_redis_url: SecretStr | None = Field(None, alias="REDIS_URL")
    #: Replicas that have to confirm an answer. None (`auto`): one, if the primary has any connected.
    redis_replicas: Annotated[Annotated[int, Field(le=100)] | None, BeforeValidator(read_replicas)] = Field(
        None, alias="CREWDECK_REDIS_REPLICAS"
    )
    #: Wait until an answer is on disk, too.
    redis_fsync: bool = Field(default=False, alias="CREWDECK_REDIS_FSYNC")
    data_dir: Path = Field(default_factory=_data_dir, alias="CREWDECK_DATA_DIR")
    #: The memory limit of the embedded Valkey in bytes. None (`auto`): half of the machine's memory.
    store_memory: Annotated[int | None, BeforeValidator(read_memory)] = Field(
        None, alias="CREWDECK_STORE_MEMORY"
    )
    retention_days: float = Field(30, alias="CREWDECK_RETENTION_DAYS", gt=0, le=MAX_DAYS)
    #: Days after a run's end for which its journal is kept, so that the run can be retried.
    journal_days: float = Field(7, alias="CREWDECK_JOURNAL_DAYS", gt=0, le=MAX_DAYS)
    #: 32 random bytes in base64; several, separated by commas: the first encrypts, all decrypt.
    journal_key_text: Annotated[SecretStr, AfterValidator(check_journal_keys)] = Field(
        SecretStr(""), alias="CREWDECK_JOURNAL_KEY"
    )

    config_dirs: str = Field("", alias="CREWDECK_CONFIG_DIR")
    #: CrewAI projects: folders, or modules with a name in them. `bot/processes/projects.py` finds them.
    projects_text: str = Field("", alias="CREWDECK_PROJECTS")
    model: str | None = Field(None, alias="CREWDECK_MODEL")
    workers: int = Field(1, alias="CREWDECK_WORKERS", ge=0, le=64)
    #: Seconds without a heartbeat after which a worker's runs are taken from it.
    lease: float = Field(15, alias="CREWDECK_LEASE", ge=1, le=DAY_S)
    #: Limits of one worker: runs that it holds, waiting ones included; runs that execute at the same time;
    #: starts per second; and executed runs after which it is replaced.
    runs_per_worker: int = Field(500, alias="CREWDECK_RUNS_PER_WORKER", ge=1, le=MAX_SETTING)
    working: int = Field(50, alias="CREWDECK_WORKING", ge=1, le=MAX_SETTING)
    starts_per_second: float = Field(50, alias="CREWDECK_STARTS_PER_SECOND", gt=0, le=MAX_SETTING)
    recycle_after: int = Field(1000, alias="CREWDECK_RECYCLE_AFTER", ge=1, le=MAX_SETTING)
    #: Threads of finished runs that are blocked in a tool: a worker with this many is replaced.
    leaked_threads: int = Field(50, alias="CREWDECK_OUTLIVED", ge=1, le=MAX_SETTING)
    #: Seconds for importing a crew's Python module, and for building the crew for a run.
    build_timeout: float = Field(60, alias="CREWDECK_BUILD_TIMEOUT", gt=0, le=DAY_S)
    #: Seconds that a stopping worker gives its runs. `serve` as a whole ends within 10 s.
    drain: float = Field(5, alias="CREWDECK_DRAIN", ge=0, le=DAY_S)

    #: Where messages to chat platforms and webhooks are sent from: a process that `serve` starts, `serve`
    #: itself, or other machines only (`crewdeck deliver`).
    delivery: Literal["process", "inside", "none"] = Field("process", alias="CREWDECK_DELIVERY")

    #: Seconds that a run waits for people in a worker's memory before it is parked.
    hot_window: float = Field(60, alias="CREWDECK_HOT_WINDOW", ge=0, le=365 * DAY_S)
    #: Waiting runs in memory, each of which has threads. Beyond the limit, the longest waiting are parked.
    hot_runs: int = Field(100, alias="CREWDECK_HOT_RUNS", ge=0, le=MAX_SETTING)

    slack_bot_token: Annotated[SecretStr, AfterValidator(check_bot_token)] | None = Field(
        None, alias="SLACK_BOT_TOKEN"
    )
    slack_signing_secret: Annotated[SecretStr, AfterValidator(check_signing_secret)] | None = Field(
        None, alias="SLACK_SIGNING_SECRET"
    )
    slack_app_token: Annotated[SecretStr, AfterValidator(check_app_token)] | None = Field(
        None, alias="SLACK_APP_TOKEN"
    )
    slack_api_url: Annotated[str, AfterValidator(check_web_address)] = Field(
        "https://slack.com/api/", alias="SLACK_API_URL"
    )
    #: Messages that the app may edit per minute, in the whole workspace.
    slack_edits_per_minute: int = Field(50, alias="CREWDECK_SLACK_EDITS_PER_MINUTE", ge=6, le=MAX_SETTING)

    #: The bot's app id in Microsoft Entra, its tenant, and its password, unless it is a managed identity.
    teams_app_id: Annotated[str, BeforeValidator(read_entra_id)] = Field("", alias="TEAMS_APP_ID")
    teams_tenant_id: Annotated[str, BeforeValidator(read_entra_id)] = Field("", alias="TEAMS_TENANT_ID")
    teams_app_password: SecretStr | None = Field(None, alias="TEAMS_APP_PASSWORD")
    teams_managed_identity: bool = Field(default=False, alias="TEAMS_MANAGED_IDENTITY")
    #: Of national clouds and of local peers: where the keys are that sign what Teams sends, and who signs it.
    teams_openid_metadata_url: Annotated[str, AfterValidator(check_metadata_url)] = Field(
        "https://login.botframework.com/v1/.well-known/openidconfiguration",
        alias="TEAMS_OPENID_METADATA_URL",
    )
    teams_token_issuer: str = Field("https://api.botframework.com", alias="TEAMS_TOKEN_ISSUER")
    #: A token that is sent as it is, for a peer that takes no tokens of Microsoft Entra.
    teams_outbound_token: SecretStr | None = Field(None, alias="TEAMS_OUTBOUND_TOKEN")

    #: `name:key:scope+scope,...`; a key without scopes has all. `crewdeck keys add` creates further keys.
    api_keys_text: Annotated[SecretStr, AfterValidator(check_api_keys)] = Field(
        SecretStr(""), alias="CREWDECK_API_KEYS"
    )
    #: Origins whose pages may call the API: `https://intranet.example,...`.
    cors_origins_text: Annotated[str, AfterValidator(check_origins)] = Field(
        "", alias="CREWDECK_CORS_ORIGINS"
    )
    #: Requests per second for each key, in each web process.
    rate_limit: float = Field(50, alias="CREWDECK_RATE_LIMIT", gt=0, le=MAX_SETTING)
    #: Open streams and waiting polls for each key, in each web process.
    streams_per_key: int = Field(100, alias="CREWDECK_STREAMS_PER_KEY", ge=1, le=MAX_SETTING)

    #: Allow webhooks to private networks and by `http://`.
    webhook_allow_private: bool = Field(default=False, alias="CREWDECK_WEBHOOK_ALLOW_PRIVATE")
    #: `name=https://... whsec_... [events=type,type]`, separated by spaces.
    webhooks_text: SecretStr = Field(SecretStr(""), alias="CREWDECK_WEBHOOKS")
    #: The secret from which those for addresses of runs' starts are derived.
    webhook_secret_text: Annotated[SecretStr, AfterValidator(check_webhook_secrets)] = Field(
        SecretStr(""), alias="CREWDECK_WEBHOOK_SECRET"
    )
    #: Allow the start of a run to specify a webhook address.
    webhook_urls: bool = Field(default=False, alias="CREWDECK_WEBHOOK_URLS")

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda level: str(level).upper())
    ] = Field("INFO", alias="CREWDECK_LOG_LEVEL")
    #: `auto`: text on a terminal, JSON otherwise.
    log_format: Literal["auto", "json", "text"] = Field("auto", alias="CREWDECK_LOG_FORMAT")

    #: Set by `crewdeck serve` for its workers; not for operators.
    worker_id: str | None = Field(None, alias="CREWDECK_WORKER_ID")
    #: The project of a worker. Set by `crewdeck serve` for its workers; not for operators.
    project: Project | None = Field(None, alias="CREWDECK_PROJECT")
    #: What its address of Redis is from. Set by `crewdeck` for workers; not for operators.
    redis_source: str | None = Field(None, alias="CREWDECK_REDIS_SOURCE")
    #: Set by a worker for the process that isolates a suspected run; not for operators.
    alone: bool = Field(default=False, alias="CREWDECK_ALONE")

    @property
    def redis_url(self) -> SecretStr | None:
        """The address of Redis; None: the embedded Valkey."""
        return self.own_redis_url or self.shared_redis_url

    @property
    def redis_setting(self) -> str:
        """The setting that `redis_url` is from, and where that was set."""
        name = "CREWDECK_REDIS_URL" if self.own_redis_url else "REDIS_URL"
        return self.redis_source or with_source(name)

    @property
    def journal_keys(self) -> tuple[bytes, ...]:
        """The keys that encrypt journals, the current one first; empty if journals are not encrypted."""
        return parse_journal_keys(self.journal_key_text.get_secret_value())

    @property
    def api_keys(self) -> tuple[ApiKey, ...]:
        return parse_keys(self.api_keys_text.get_secret_value())

    @field_validator("teams_managed_identity")
    @classmethod
    def _check_teams_proof(cls, on: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it
        if on and info.data.get("teams_app_password"):
            raise ValueError("TEAMS_APP_PASSWORD is set too, and a managed identity has none: remove one")
        return on

    @field_validator("webhooks_text")
    @classmethod
    def _check_webhooks(cls, text: SecretStr, info: ValidationInfo) -> SecretStr:
        parse_endpoints(text.get_secret_value(), private=info.data.get("webhook_allow_private", False))
        return text

    @field_validator("webhook_urls")
    @classmethod
    def _check_webhook_urls(cls, on: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it
        secret: SecretStr | None = info.data.get("webhook_secret_text")
        if on and secret is not None and not secret.get_secret_value():
            raise ValueError("it needs CREWDECK_WEBHOOK_SECRET, which signs what is sent there")
        return on

    @property
    def webhooks(self) -> tuple[Endpoint, ...]:
        """The endpoints that receive the events of all runs."""
        return parse_endpoints(self.webhooks_text.get_secret_value(), private=self.webhook_allow_private)

    @property
    def start_urls(self) -> StartUrls:
        """Whether the start of a run may specify a webhook address."""
        return StartUrls(allowed=self.webhook_urls, private=self.webhook_allow_private)

    @property
    def webhook_secrets(self) -> tuple[SecretStr, ...]:
        """The secrets from which those of requesters are derived: the current one, then earlier ones."""
        return parse_secrets(self.webhook_secret_text.get_secret_value())

    @property
    def exposed_by(self) -> tuple[str, ...]:
        """The settings that make this server reachable for others; empty if only this machine can reach it.

        With a proxy or tunnel for Slack or Teams on this machine, the source address of a request is always
        local, so it doesn't identify the sender.
        """
        found = {
            "HOST": not is_loopback(self.host),
            "SLACK_SIGNING_SECRET": self.slack_signing_secret is not None and not self.socket_mode,
            "TEAMS_APP_ID": bool(self.teams_app_id),
            "CREWDECK_PUBLIC_URL": bool(self.public_url),
        }
        return tuple(name for name, exposes in found.items() if exposes)

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """The origins as browsers write them, without a trailing slash."""
        return tuple(part.strip().rstrip("/") for part in self.cors_origins_text.split(",") if part.strip())

    @property
    def crew_dirs(self) -> tuple[Path, ...]:
        """The folders with crews: those of Crewdeck, then the operator's."""
        named = tuple(Path(part).expanduser() for part in self.config_dirs.split(os.pathsep) if part.strip())
        return (shipped("config"), *named)

    def require_crew_dirs(self) -> None:
        """Check that the operator's folders with crews can be read. Raises SettingsError."""
        for folder in self.crew_dirs[1:]:
            _require("CREWDECK_CONFIG_DIR", check_readable, folder)

    def require_data_dir(self) -> None:
        """Check that the data folder can be written, or made. Raises SettingsError."""
        _require("CREWDECK_DATA_DIR", check_writable, self.data_dir.expanduser())

    @property
    def projects(self) -> tuple[str, ...]:
        """What names the projects. Separated by commas, or by colons before an absolute or relative path."""
        return tuple(part.strip() for part in PROJECT_SEPARATOR.split(self.projects_text) if part.strip())

    @property
    def socket_mode(self) -> bool:
        return self.slack_app_token is not None

    @property
    def slack_on(self) -> bool:
        """Whether Slack is configured: the bot token, and an app token or the signing secret."""
        return self.slack_bot_token is not None and (
            self.socket_mode or self.slack_signing_secret is not None
        )

    @property
    def teams_on(self) -> bool:
        """Whether Teams is configured: the app, its tenant, and how it proves to Teams who it is."""
        proof = self.teams_app_password or self.teams_outbound_token or self.teams_managed_identity
        return bool(self.teams_app_id and self.teams_tenant_id and proof)

    @property
    def delivers(self) -> bool:
        """Whether there is anything to deliver to: a chat platform, or webhooks."""
        return bool(self.slack_on or self.teams_on or self.webhooks or self.webhook_urls)

    @property
    def teams_peer_is_local(self) -> bool:
        """Whether a peer on this machine plays Teams: then it may be called without TLS."""
        return is_loopback(urlsplit(self.teams_openid_metadata_url).hostname or "")


class ClientSettings(EnvironmentSettings):
    """The settings of clients, which need no others."""

    model_config = Settings.model_config

    address: Annotated[str, AfterValidator(read_server_url)] = Field("", alias="CREWDECK_URL")
    api_key: Annotated[SecretStr, AfterValidator(check_api_key)] | None = Field(
        None, alias="CREWDECK_API_KEY"
    )
    port: int = Field(3000, alias="PORT", ge=0, le=65535)
    data_dir: Path = Field(default_factory=_data_dir, alias="CREWDECK_DATA_DIR")

    @property
    def url(self) -> str:
        """The server's address; by default that of `crewdeck serve` on this machine."""
        return self.address or f"http://127.0.0.1:{self.port or 3000}"


def load(given: Mapping[str, str] | None = None) -> Settings:
    """Load the settings. Raises SettingsError, which names the variable and its source.

    `given` has precedence over the environment, and then no `.env` is read.
    """
    return _read(Settings) if given is None else _read(Settings, _env_file=None, **given)


def load_client_settings() -> ClientSettings:
    """Load the settings of a client. Raises SettingsError as `load` does."""
    return _read(ClientSettings)


def _read(kind: type[Read], **given: Any) -> Read:
    try:
        return kind(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        msg = first["msg"].removeprefix("Value error, ")
        end = "" if msg.endswith("...") else "."
        raise SettingsError(f"{with_source(name)}: {msg}{end}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(unreadable(Path(DOTENV), error)) from error


def _require(name: str, check: Callable[[Path], None], folder: Path) -> None:
    try:
        check(folder)
    except ValueError as error:
        raise SettingsError(f"{with_source(name)}: {error}.") from None
