"""`python -m crews list` and `check`, as the command line starts them."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crews.crewai_adapter.version import PROVEN
from tests.contract.crews.conftest import DEFINITIONS
from tests.contract.crews.deployment import environment, install_crews
from tests.waiting import WITHIN


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="crewdeck-") as home:
        install_crews(Path(home))
        yield Path(home)


def crews(folder: Path, command: str, **env: str) -> tuple[list[dict[str, Any]], str]:
    """What a command prints, and what it says besides."""
    done = subprocess.run(
        [sys.executable, "-m", "crews", command],
        cwd=folder,
        env=environment(folder) | {"CREWDECK_CONFIG_DIR": str(DEFINITIONS)} | env,
        capture_output=True,
        text=True,
        check=True,
        timeout=WITHIN * 2,
    )
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    return [each for each in printed if "importing" not in each], done.stderr


def test_list_knows_the_catalogue_and_says_what_is_broken(folder: Path) -> None:
    listed, said = crews(folder, "list")
    named = {crew["name"]: crew for crew in listed}
    assert {"demo", "research", "announcement", "solo", "python"} <= set(named)
    assert [field["name"] for field in named["demo"]["inputs"]] == ["topic", "pace"]
    assert named["python"]["description"] == "In Python: tests.contract.crews.toolbox:in_python"
    assert "unreadable" not in named
    assert "on_deadlin: is no key that Crewdeck knows" in said


def test_check_builds_every_crew_and_names_the_remedy(folder: Path) -> None:
    key = "sk-secret-1234567890"
    found, _ = crews(folder, "check", CREWDECK_MODEL="openai/gpt-5.4-mini", OPENAI_API_KEY=key)
    release, *found = found
    assert (release["crewai"], release["state"]) == (PROVEN, "ok")
    by_name = {finding["crew"]: finding for finding in found}
    sound = {name for name, finding in by_name.items() if finding["severity"] == "ok"}
    assert sound == {
        *(
            "announcement",
            "demo",
            "few_calls",
            "hasty",
            "literal",
            "newspaper",
            "own_key",
            "payments",
            "react",
            "rejecting",
            "research",
            "reviewed",
        ),
        *("short_time", "single", "solo", "team", "unreviewed"),
        "halves",
        "python",
        "steady",
    }
    wrong = by_name["unreadable"]
    assert (Path(wrong["file"]).parts[-2:], wrong["line"]) == (("unreadable", "crew.yaml"), 9)
    assert "on_deadlin" in wrong["key"]
    assert by_name["keyless"]["remedy"] == "Set OPENROUTER_API_KEY for the workers."
    assert "Nowhere" in by_name["broken_tool"]["message"]
    assert "nothing_there" in by_name["missing"]["message"]
    assert all(finding["remedy"] for finding in found if finding["severity"] != "ok")
    assert key not in json.dumps(found)


def test_an_unknown_command_is_refused(folder: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        crews(folder, "dance")
    assert refused.value.returncode == 2
    assert "usage: python -m crews worker | list | check" in refused.value.stderr
