"""What `serve` says when it is up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.commands.announcement import announcement
from bot.core.project import Project
from bot.settings import load


@pytest.fixture(autouse=True)
def no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CREWDECK_REDIS_URL", "CREWDECK_WORKERS"):
        monkeypatch.delenv(name, raising=False)


def lines(projects: Sequence[Project] = ()) -> dict[str, str]:
    said = announcement(load(), projects, "http://here", "1", console="http://here/", trusted="nobody")
    return {
        name: rest.strip() for name, _, rest in (each.strip().partition(" ") for each in said.splitlines())
    }


def test_projects_are_listed_with_their_folders() -> None:
    assert "Projects" not in lines()
    said = lines([Project(name="news", root="/srv/news"), Project(name="tides", root="/srv/ti\ndes")])
    assert said["Projects"].startswith("news (/srv/news), tides (/srv/ti")
    assert said["Projects"].endswith("des)")
    assert said["Workers"] == "1, and 1 for each project"


def test_the_store_is_named_by_the_setting_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret@shared")
    assert lines()["Store"] == "Redis, from REDIS_URL (in the environment)"
    monkeypatch.setenv("CREWDECK_REDIS_URL", "redis://:secret@ours")
    assert lines()["Store"] == "Redis, from CREWDECK_REDIS_URL (in the environment)"
