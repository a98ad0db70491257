"""Variables that are named like settings and are none."""

import os
from pathlib import Path

import pytest

from bot.commands.unknown_settings import unknown_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in [*os.environ]:
        if name.upper().startswith("CREWDECK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_misspelt_setting_is_named_with_its_place_and_what_was_meant(
    nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREWDECK_WORKES", "3")
    file = nothing_set / ".env"
    file.write_text("\ufeffCREWDECK_JOURNALKEY=hidden\nCREWDECK_WORKERS=2\nMINE=2\n")
    no_effect = "is no setting, so it has no effect. Did you mean"
    assert list(unknown_settings()) == [
        f"CREWDECK_JOURNALKEY (in {file}) {no_effect} CREWDECK_JOURNAL_KEY?",
        f"CREWDECK_WORKES (in the environment) {no_effect} CREWDECK_WORKERS?",
    ]


def test_settings_are_known_in_capitals_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("crewdeck_lease", "CREWDECK_URL", "CREWDECK_REDIS_URL", "CREWDECK_SECRETS_FD"):
        monkeypatch.setenv(name, "1")
    assert list(unknown_settings()) == []
