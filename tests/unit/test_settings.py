"""Settings, as an operator gives them: in the environment and in `.env`."""

import base64
import os
import re
from pathlib import Path

import pytest
from pydantic import AliasChoices

from bot.core.errors import SettingsError
from bot.processes.worker_environment import worker_environment
from bot.settings import ClientSettings, Settings, load, load_client_settings

REPOSITORY = Path(__file__).resolve().parents[2]
TEAMS_APP = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment with nothing of ours in it, and a folder for `.env`."""
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def variables() -> set[str]:
    """The names of all settings, as an operator writes them."""
    names: set[str] = set()
    for field in (*Settings.model_fields.values(), *ClientSettings.model_fields.values()):
        if isinstance(field.validation_alias, AliasChoices):
            names.update(str(name) for name in field.validation_alias.choices if str(name).isupper())
        else:
            names.add(str(field.alias))
    return names


def test_nothing_has_to_be_set() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 3000, 1)
    assert settings.redis_url is None
    assert not settings.slack_on


def test_the_environment_wins_over_the_file(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nothing_set / ".env").write_text("PORT=4000\nCREWDECK_WORKERS=2\n")
    monkeypatch.setenv("PORT", "5000")
    settings = load()
    assert (settings.port, settings.workers) == (5000, 2)


def test_the_names_of_fields_are_no_variables(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as LOG_LEVEL and API_KEY of other programs, and PROJECT of `make run PROJECT=./my_project`."""
    for kind, read in ((Settings, load), (ClientSettings, load_client_settings)):
        own = sorted(name for name in map(str.upper, kind.model_fields) if name not in variables())
        assert own
        before = read()
        (nothing_set / ".env").write_text("".join(f"{name}=7\n" for name in own))
        assert read() == before
        for name in own:
            monkeypatch.setenv(name, "7")
        assert read() == before


def test_crewdecks_own_redis_url_comes_first(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://general")
    assert secret(load().redis_url) == "redis://general"
    assert load().redis_setting == "REDIS_URL (in the environment)"
    (nothing_set / ".env").write_text("CREWDECK_REDIS_URL=redis://file\n")
    assert secret(load().redis_url) == "redis://file"
    assert load().redis_setting == f"CREWDECK_REDIS_URL (in {nothing_set / '.env'})"
    monkeypatch.setenv("CREWDECK_REDIS_URL", "redis://ours")
    assert secret(load().redis_url) == "redis://ours"
    assert load().redis_setting == "CREWDECK_REDIS_URL (in the environment)"


@pytest.mark.parametrize(("text", "replicas"), [("Auto", None), ("", None), ("0", 0), ("2", 2)])
def test_replicas_are_a_number_or_left_to_what_is_there(
    monkeypatch: pytest.MonkeyPatch, text: str, replicas: int | None
) -> None:
    monkeypatch.setenv("CREWDECK_REDIS_REPLICAS", text)
    assert load().redis_replicas == replicas


def test_a_secret_from_a_file_is_taken_without_its_newline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "5f7d\n")
    monkeypatch.setenv("TEAMS_APP_PASSWORD", " p4ss\r\n")
    monkeypatch.setenv("CREWDECK_API_KEY", "ours\n")
    assert secret(load().slack_signing_secret) == "5f7d"
    assert secret(load().teams_app_password) == "p4ss"
    assert secret(load_client_settings().api_key) == "ours"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:3000",
        "http://",
        "http://[::1",
        "http://crews.example:99999",
        "http://exa mple",
        "http://crews.example\x07",
        "https://ada:hidden@crews.example",
        "https://crews.example/?a=b",
    ],
)
def test_a_client_is_told_of_an_address_that_is_none(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_URL", url)
    with pytest.raises(SettingsError, match=r"^CREWDECK_URL \(in the environment\): ") as refused:
        load_client_settings()
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://[::1]:3000", "https://example/crewdeck/", "http://my_host:8080"])
def test_a_client_takes_an_address_with_a_path(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_URL", url)
    assert load_client_settings().url == url.rstrip("/")


@pytest.mark.parametrize("key", ["hidden\nkey", "hidden-ké"])
def test_a_client_is_told_of_a_key_that_is_none(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_API_KEY", key)
    with pytest.raises(
        SettingsError, match=r"^CREWDECK_API_KEY \(in the environment\): .*no API key"
    ) as refused:
        load_client_settings()
    assert "hidden" not in str(refused.value)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "")
    assert load().port == 3000
    assert load().slack_bot_token is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("CREWDECK_WORKERS", "-1"),
        ("CREWDECK_LOG_LEVEL", "LOUD"),
        ("CREWDECK_LOG_FORMAT", "xml"),
        ("CREWDECK_RETENTION_DAYS", "0"),
        ("CREWDECK_REDIS_REPLICAS", "some"),
        ("CREWDECK_REDIS_REPLICAS", "-1"),
        ("CREWDECK_REDIS_REPLICAS", "9" * 40),
        ("CREWDECK_RETENTION_DAYS", "inf"),
        ("CREWDECK_JOURNAL_DAYS", "1e308"),
        ("CREWDECK_LEASE", "1e400"),
        ("CREWDECK_HOT_WINDOW", "nan"),
        ("CREWDECK_DRAIN", "inf"),
        ("CREWDECK_BUILD_TIMEOUT", "inf"),
        ("CREWDECK_RATE_LIMIT", "inf"),
        ("CREWDECK_STARTS_PER_SECOND", "inf"),
        ("CREWDECK_RUNS_PER_WORKER", "9" * 40),
        ("CREWDECK_PUBLIC_URL", "crews.example"),
        ("CREWDECK_PUBLIC_URL", "http://[::1"),
        ("CREWDECK_PUBLIC_URL", "https://ada:secret@crews.example"),
        ("CREWDECK_PUBLIC_URL", "https://crews.example:99999"),
        ("CREWDECK_PUBLIC_URL", "https://crews.example/path"),
        ("CREWDECK_PUBLIC_URL", "https://crews,example"),
        ("CREWDECK_CORS_ORIGINS", "*"),
        ("CREWDECK_CORS_ORIGINS", "https://one.example, two.example"),
        ("SLACK_API_URL", "slack.com/api/"),
        ("SLACK_BOT_TOKEN", "xapp-1-A-1-b"),
        ("SLACK_BOT_TOKEN", "xoxp-1-2-3"),
        ("SLACK_APP_TOKEN", "xoxb-1-2-3"),
        ("SLACK_SIGNING_SECRET", "xoxb-1-2-3"),
        ("SLACK_SIGNING_SECRET", "xapp-1-A-1-b"),
        ("CREWDECK_WEBHOOKS", "https://intranet.example"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(f"{name} (in the environment): ")
    assert re.search(r"[^.](\.|\.{3})$", str(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CREWDECK_PUBLIC_URL", "https://crews.example"),
        ("CREWDECK_PUBLIC_URL", "http://[::1]:3000/"),
        ("CREWDECK_PUBLIC_URL", "https://größe.example"),
        ("CREWDECK_PUBLIC_URL", "http://my_host:8080"),
        ("CREWDECK_CORS_ORIGINS", "https://one.example/, http://localhost:5173"),
        ("SLACK_API_URL", "http://127.0.0.1:9/api/"),
        ("SLACK_BOT_TOKEN", "xoxe.xoxb-1-abc"),
    ],
)
def test_a_right_value_is_taken(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    token = load().slack_bot_token
    assert value in str((load().model_dump(), token and token.get_secret_value()))


def test_a_token_of_the_other_kind_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xapp-1-secret")
    with pytest.raises(
        SettingsError, match="it is the Bot User OAuth Token, which begins with xoxb-"
    ) as caught:
        load()
    assert "secret" not in str(caught.value)


def test_the_first_line_of_a_file_from_windows_counts(nothing_set: Path) -> None:
    (nothing_set / ".env").write_bytes(b"\xef\xbb\xbfPORT=4000\r\nCREWDECK_WORKERS=2\r\n")
    settings = load()
    assert (settings.port, settings.workers) == (4000, 2)


def test_a_wrong_value_in_the_file_names_the_file(nothing_set: Path) -> None:
    (nothing_set / ".env").write_text("PORT=http\n")
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(f"PORT (in {nothing_set / '.env'}): ")


def test_a_file_that_is_no_text_is_named(nothing_set: Path) -> None:
    (nothing_set / ".env").write_bytes(b"PORT=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"\.env can't be read: it is no UTF-8 text. Save it as UTF-8\.$"):
        load()


def test_an_empty_variable_hides_no_mistake_in_the_file(
    nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nothing_set / ".env").write_text("PORT=http\n")
    monkeypatch.setenv("PORT", "")
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(f"PORT (in {nothing_set / '.env'}): ")


def test_the_level_of_the_log_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_LOG_LEVEL", "debug")
    assert load().log_level == "DEBUG"


def test_settings_never_show_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, begins in (
        ("SLACK_BOT_TOKEN", "xoxb-"),
        ("SLACK_SIGNING_SECRET", ""),
        ("SLACK_APP_TOKEN", "xapp-"),
        ("TEAMS_APP_PASSWORD", ""),
        ("TEAMS_OUTBOUND_TOKEN", ""),
        ("REDIS_URL", ""),
    ):
        monkeypatch.setenv(name, f"{begins}hidden-value")
    assert "hidden-value" not in repr(load()) + str(load()) + load().model_dump_json()


@pytest.mark.parametrize(
    ("given", "slack"),
    [
        ((), "off"),
        (("SLACK_BOT_TOKEN",), "off"),
        (("SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"), "off"),
        (("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"), "on"),
        (("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"), "on"),
    ],
)
def test_slack_is_on_when_it_can_send_and_receive(
    given: tuple[str, ...], slack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in given:
        monkeypatch.setenv(name, {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}.get(name, "some"))
    assert load().slack_on is (slack == "on")


TEAMS_IDS = {"TEAMS_APP_ID": TEAMS_APP, "TEAMS_TENANT_ID": TEAMS_APP}


@pytest.mark.parametrize(
    ("given", "teams"),
    [
        ({}, "off"),
        (TEAMS_IDS, "off"),
        ({"TEAMS_APP_ID": TEAMS_APP, "TEAMS_APP_PASSWORD": "p"}, "off"),
        (TEAMS_IDS | {"TEAMS_MANAGED_IDENTITY": "false"}, "off"),
        (TEAMS_IDS | {"TEAMS_APP_PASSWORD": "p"}, "on"),
        (TEAMS_IDS | {"TEAMS_MANAGED_IDENTITY": "true"}, "on"),
        (TEAMS_IDS | {"TEAMS_OUTBOUND_TOKEN": "t"}, "on"),
    ],
)
def test_teams_is_on_when_it_knows_its_app_and_tenant_and_can_send(
    given: dict[str, str], teams: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load().teams_on is (teams == "on")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEAMS_APP_ID", "crewdeck"),
        ("TEAMS_TENANT_ID", "contoso.onmicrosoft.com"),
        ("TEAMS_OPENID_METADATA_URL", "http://login.example/v1/.well-known/openidconfiguration"),
        ("TEAMS_OPENID_METADATA_URL", "login.example"),
    ],
)
def test_settings_of_teams_that_can_not_be_right_are_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load()


def test_a_managed_identity_of_teams_has_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAMS_APP_PASSWORD", "hush")
    monkeypatch.setenv("TEAMS_MANAGED_IDENTITY", "true")
    with pytest.raises(
        SettingsError, match=r"TEAMS_MANAGED_IDENTITY.*TEAMS_APP_PASSWORD is set too"
    ) as caught:
        load()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "peer"),
    [
        ("", "remote"),
        ("https://login.botframework.azure.us/v1/.well-known/openidconfiguration", "remote"),
        ("http://127.0.0.1:8123/openid", "local"),
        ("http://localhost:8123/openid", "local"),
    ],
)
def test_only_a_peer_on_this_machine_plays_teams(
    url: str, peer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAMS_OPENID_METADATA_URL", url)
    assert load().teams_peer_is_local is (peer == "local")


def test_crews_are_the_shipped_ones_and_those_of_every_named_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREWDECK_CONFIG_DIR", os.pathsep.join([str(tmp_path), "more"]))
    assert load().crew_dirs == (REPOSITORY / "config", tmp_path, Path("more"))


@pytest.mark.parametrize("wrong", ["missing", "file"])
def test_a_folder_of_crews_that_is_not_there_is_named(
    wrong: str, monkeypatch: pytest.MonkeyPatch, nothing_set: Path
) -> None:
    (nothing_set / "crews").mkdir()
    (nothing_set / "file").write_text("")
    monkeypatch.setenv("CREWDECK_CONFIG_DIR", os.pathsep.join(["crews", wrong]))
    with pytest.raises(SettingsError) as caught:
        load().require_crew_dirs()
    where = "CREWDECK_CONFIG_DIR (in the environment)"
    assert str(caught.value) == f"{where}: {nothing_set / wrong}: there is no such folder."
    (nothing_set / wrong).unlink(missing_ok=True)
    (nothing_set / wrong).mkdir()
    load().require_crew_dirs()


@pytest.mark.parametrize("wrong", ["file", "file/data"])
def test_a_data_folder_that_can_not_be_written_is_named(
    wrong: str, monkeypatch: pytest.MonkeyPatch, nothing_set: Path
) -> None:
    (nothing_set / "file").write_text("")
    monkeypatch.setenv("CREWDECK_DATA_DIR", wrong)
    with pytest.raises(
        SettingsError, match=rf"^CREWDECK_DATA_DIR \(in the environment\): {nothing_set / wrong} "
    ) as caught:
        load().require_data_dir()
    assert "\n" not in str(caught.value)


def test_a_data_folder_that_is_not_there_yet_is_not_made_by_looking(
    monkeypatch: pytest.MonkeyPatch, nothing_set: Path
) -> None:
    monkeypatch.setenv("CREWDECK_DATA_DIR", "new/data")
    load().require_data_dir()
    assert not (nothing_set / "new").exists()


def test_a_worker_finds_the_store_but_crewai_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://general")
    monkeypatch.setenv("CREWDECK_DATA_DIR", "here")
    monkeypatch.setenv("OPENAI_API_KEY", "kept")
    environment = worker_environment(load(), "w1")
    assert "REDIS_URL" not in environment
    assert environment["CREWDECK_REDIS_URL"] == "redis://general"
    monkeypatch.delenv("REDIS_URL")
    for name in ("CREWDECK_REDIS_URL", "CREWDECK_REDIS_SOURCE"):
        monkeypatch.setenv(name, environment[name])
    assert load().redis_setting == "REDIS_URL (in the environment)", "so it names what has to be corrected"
    assert environment["CREWDECK_DATA_DIR"] == str(tmp_path / "here")
    assert environment["CREWDECK_WORKER_ID"] == "w1"
    assert environment["OPENAI_API_KEY"] == "kept"


def test_a_worker_of_its_own_has_no_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_WORKER_ID", "of somebody else")
    assert "CREWDECK_WORKER_ID" not in worker_environment(load())


def test_a_client_finds_the_server_that_is_started_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_client_settings().url == "http://127.0.0.1:3000"
    monkeypatch.setenv("PORT", "8080")
    assert load_client_settings().url == "http://127.0.0.1:8080"
    monkeypatch.setenv("CREWDECK_URL", "https://crewdeck.example/")
    assert load_client_settings().url == "https://crewdeck.example"


def test_a_client_needs_none_of_the_servers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_API_KEYS", "no such thing")
    monkeypatch.setenv("CREWDECK_API_KEY", "ours")
    assert secret(load_client_settings().api_key) == "ours"
    monkeypatch.setenv("CREWDECK_URL", "localhost:3000")
    with pytest.raises(SettingsError, match="CREWDECK_URL"):
        load_client_settings()


def test_journal_keys_are_32_bytes_each(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [bytes([number]) * 32 for number in (255, 1)]
    texts = base64.urlsafe_b64encode(keys[0]).decode(), base64.b64encode(keys[1]).decode()
    monkeypatch.setenv("CREWDECK_JOURNAL_KEY", ", ".join(texts))
    assert load().journal_keys == tuple(keys)
    for wrong in ("short", base64.b64encode(b"short").decode(), f"{texts[1]},*"):
        monkeypatch.setenv("CREWDECK_JOURNAL_KEY", wrong)
        with pytest.raises(SettingsError, match=r"CREWDECK_JOURNAL_KEY.*openssl rand -base64 32") as error:
            load()
        assert wrong not in str(error.value)


@pytest.mark.parametrize("name", ["CREWDECK_API_KEYS", "CREWDECK_JOURNAL_KEY"])
@pytest.mark.parametrize("text", [",", " , ", ",,,"])
def test_commas_between_keys_that_are_not_there_turn_nothing_off(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError, match=f"{name}.*commas and no key"):
        load()


def test_a_number_of_replicas_has_plain_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_REDIS_REPLICAS", "\N{ARABIC-INDIC DIGIT THREE}")
    with pytest.raises(SettingsError, match="CREWDECK_REDIS_REPLICAS"):
        load()


@pytest.mark.parametrize(
    ("text", "size"), [("auto", None), ("512mb", 512 << 20), ("2 GB", 2 << 30), ("64MB", 64 << 20)]
)
def test_the_stores_memory_is_a_size(text: str, size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_STORE_MEMORY", text)
    assert load().store_memory == size


@pytest.mark.parametrize("text", ["much", "0", "1mb", "-5gb", "2", "2tb", "99999999999999gb"])
def test_a_memory_of_no_use_is_refused_in_one_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREWDECK_STORE_MEMORY", text)
    with pytest.raises(SettingsError, match=r"CREWDECK_STORE_MEMORY.*512mb"):
        load()


@pytest.mark.parametrize(
    ("env", "exposed_by"),
    [
        ({}, ()),
        ({"HOST": "localhost"}, ()),
        ({"HOST": "::1"}, ()),
        ({"HOST": "0.0.0.0"}, ("HOST",)),  # noqa: S104
        ({"HOST": "::"}, ("HOST",)),
        ({"HOST": "192.168.1.5"}, ("HOST",)),
        ({"SLACK_SIGNING_SECRET": "s"}, ("SLACK_SIGNING_SECRET",)),
        ({"SLACK_SIGNING_SECRET": "s", "SLACK_APP_TOKEN": "xapp-1"}, ()),
        ({"TEAMS_APP_ID": TEAMS_APP}, ("TEAMS_APP_ID",)),
        ({"CREWDECK_PUBLIC_URL": "https://crews.example"}, ("CREWDECK_PUBLIC_URL",)),
    ],
)
def test_what_lets_requests_from_elsewhere_in(
    env: dict[str, str], exposed_by: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert load().exposed_by == exposed_by


def test_the_documentation_names_every_setting_and_its_default() -> None:
    rows = {
        line.split("`")[1]: line
        for line in (REPOSITORY / "docs" / "settings.md").read_text().splitlines()
        if line.startswith("| `")
    }
    assert set(rows) == variables() - {
        "CREWDECK_WORKER_ID",
        "CREWDECK_ALONE",
        "CREWDECK_PROJECT",
        "CREWDECK_REDIS_SOURCE",
    }
    for field in Settings.model_fields.values():
        if isinstance(field.default, int | float) and field.alias in rows:
            default = str(field.default).lower().removesuffix(".0")
            assert f"| {default} |" in rows[field.alias]


def secret(value: object) -> str:
    reveal = getattr(value, "get_secret_value", None)
    assert reveal is not None
    return str(reveal())
