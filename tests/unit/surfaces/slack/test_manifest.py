"""Slack's manifest: complete, with every scope that something needs and no other."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[4]

#: What Slack asks for before it delivers an event (docs.slack.dev/reference/events); the others need nothing.
SCOPE_OF_EVENT = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "app_home_opened": None,
    "app_uninstalled": None,
    "tokens_revoked": None,
    "user_change": "users:read",
}
#: What Slack asks for before it does what Crewdeck asks of it.
SCOPES_OF_CALLS = {
    "chat:write",  # chat.postMessage, chat.postEphemeral, chat.update
    "commands",
    "files:write",  # files.getUploadURLExternal, files.completeUploadExternal
    "im:write",  # conversations.open
    "users:read",  # users.info
}


@cache
def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "manifest.yml").read_text())
    return loaded


def scopes() -> list[str]:
    found: list[str] = manifest()["oauth_config"]["scopes"]["bot"]
    return found


def test_the_manifest_is_complete_and_within_slacks_limits() -> None:
    assert set(manifest()) == {"_metadata", "display_information", "features", "oauth_config", "settings"}
    assert manifest()["_metadata"]["major_version"] == 2
    display = manifest()["display_information"]
    assert len(display["name"]) <= 35
    assert len(display["description"]) <= 140
    assert 174 <= len(display["long_description"]) <= 4000
    assert re.fullmatch("#[0-9a-f]{6}", display["background_color"])
    (crew,) = manifest()["features"]["slash_commands"]
    assert crew["command"] == "/crew"
    assert len(crew["description"]) <= 2000
    assert len(crew["usage_hint"]) <= 1000
    assert manifest()["features"]["app_home"]["home_tab_enabled"] is True
    assert manifest()["settings"]["interactivity"]["is_enabled"] is True


def test_every_event_has_its_scope() -> None:
    events = manifest()["settings"]["event_subscriptions"]["bot_events"]
    assert set(events) == set(SCOPE_OF_EVENT)
    assert {SCOPE_OF_EVENT[event] for event in events} - {None} <= set(scopes())


def test_no_scope_is_asked_for_that_nothing_needs() -> None:
    needed = {scope for scope in SCOPE_OF_EVENT.values() if scope} | SCOPES_OF_CALLS
    assert sorted(needed) == scopes()
    assert "user" not in manifest()["oauth_config"]["scopes"]


def test_every_scope_says_what_it_is_for_in_the_manifest_and_the_guide() -> None:
    text = (REPOSITORY / "manifest.yml").read_text()
    guide = (REPOSITORY / "docs" / "slack.md").read_text()
    table = guide.split("| scope |")[1].split("\n\n")[0]
    for scope in scopes():
        assert re.search(rf"^ +- {scope} # \w", text, re.MULTILINE), scope
    assert re.findall(r"^\| `(.+?)` \| .", table, re.MULTILINE) == scopes()


def addresses(of: dict[str, Any]) -> set[str]:
    settings = of["settings"]
    commands = of["features"]["slash_commands"]
    return {
        settings["event_subscriptions"]["request_url"],
        settings["interactivity"]["request_url"],
        *(command["url"] for command in commands),
    }


def test_one_line_changes_socket_mode_into_request_urls() -> None:
    text = (REPOSITORY / "manifest.yml").read_text()
    (line,) = re.findall(r"^  socket_mode_enabled: true$", text, re.MULTILINE)
    changed = yaml.safe_load(text.replace(line, "  socket_mode_enabled: false"))
    assert manifest()["settings"]["socket_mode_enabled"] is True
    assert changed["settings"]["socket_mode_enabled"] is False
    assert addresses(changed) == {"https://crewdeck.example.com/slack/events"}


@pytest.mark.parametrize("where", ["manifest.yml", "docs/slack.md"])
def test_the_documented_command_prints_a_manifest_for_ones_own_server(where: str) -> None:
    (script,) = re.findall(r"sed '(.+)' manifest\.yml", (REPOSITORY / where).read_text())
    printed = subprocess.run(
        ["sed", script.replace("YOUR.HOST", "crews.acme.test"), "manifest.yml"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert addresses(yaml.safe_load(printed)) == {"https://crews.acme.test/slack/events"}
    assert yaml.safe_load(printed)["settings"]["socket_mode_enabled"] is False
