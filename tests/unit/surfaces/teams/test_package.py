"""The app package: Teams takes it, and it asks for what Crewdeck needs and nothing else.

The schema beside this file is Microsoft's (https://github.com/OfficeDev/microsoft-teams-app-schema, MIT
licence, Copyright (c) Microsoft Corporation), unchanged.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.waiting import WITHIN

REPOSITORY = Path(__file__).parents[4]
SCHEMA = Path(__file__).with_name("teams-manifest-1.29.schema.json")
APP_ID = "11111111-2222-4333-8444-555555555555"


def build(package: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEAMS_", "CREWDECK_"))}
    return subprocess.run(
        [sys.executable, "-m", "appPackage.build", str(package)],
        cwd=REPOSITORY,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    path = tmp_path_factory.mktemp("teams") / "crewdeck.zip"
    made = build(path, TEAMS_APP_ID=APP_ID, CREWDECK_PUBLIC_URL="https://crew.example.org")
    assert made.returncode == 0, made.stderr
    return zipfile.ZipFile(path)


def manifest_in(package: zipfile.ZipFile) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(package.read("manifest.json"))
    return found


def test_the_manifest_is_valid_by_microsofts_schema(package: zipfile.ZipFile) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema_rs.Draft4Validator(schema, validate_formats=True)
    assert [error.message for error in validator.iter_errors(manifest_in(package))] == []


def test_it_is_this_app_and_leads_to_this_console(package: zipfile.ZipFile) -> None:
    manifest = manifest_in(package)
    assert manifest["id"] == manifest["bots"][0]["botId"] == manifest["webApplicationInfo"]["id"] == APP_ID
    assert manifest["validDomains"] == ["crew.example.org"]
    assert manifest["developer"]["websiteUrl"] == "https://crew.example.org"
    assert not re.search(r"\{\w+\}", json.dumps(manifest))


def test_it_asks_to_read_what_is_said_where_it_is_added_and_no_more(
    package: zipfile.ZipFile,
) -> None:
    permissions = manifest_in(package)["authorization"]["permissions"]["resourceSpecific"]
    assert {each["name"] for each in permissions} == {"ChannelMessage.Read.Group", "ChatMessage.Read.Chat"}


@pytest.mark.parametrize(("name", "size"), [("color.png", 192), ("outline.png", 32)])
def test_the_icons_have_the_sizes_that_teams_wants(package: zipfile.ZipFile, name: str, size: int) -> None:
    content = package.read(name)
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (size, size)


def test_files_and_nothing_else_are_at_the_top(package: zipfile.ZipFile) -> None:
    assert sorted(package.namelist()) == ["color.png", "manifest.json", "outline.png"]


def test_without_an_app_id_it_says_what_is_missing(tmp_path: Path) -> None:
    made = build(tmp_path / "crewdeck.zip", TEAMS_APP_ID="")
    assert made.returncode == 2
    assert made.stderr.count("\n") == 1
    assert "TEAMS_APP_ID" in made.stderr
