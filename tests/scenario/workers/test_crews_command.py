"""`python -m crews list` and `check`, as the command line starts them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crews.crewai_adapter.version import TESTED_VERSION
from tests.contract.crews.conftest import DEFINITIONS
from tests.contract.crews.deployment import environment, install_crews
from tests.folders import own_folder
from tests.waiting import WITHIN


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with own_folder() as home:
        install_crews(home)
        yield home


def crews(python: str, folder: Path, command: str, **env: str) -> tuple[list[dict[str, Any]], str]:
    """What a command prints, and what it says besides."""
    done = subprocess.run(
        [python, "-m", "crews", command],
        cwd=folder,
        env=environment(folder) | {"CREWDECK_CONFIG_DIR": str(DEFINITIONS)} | env,
        capture_output=True,
        text=True,
        check=True,
        timeout=WITHIN * 2,
    )
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    return [each for each in printed if "importing" not in each], done.stderr


def test_list_knows_the_catalogue_and_says_what_is_broken(python: str, folder: Path) -> None:
    listed, said = crews(python, folder, "list")
    named = {crew["name"]: crew for crew in listed}
    assert {"demo", "research", "announcement", "solo", "python"} <= set(named)
    assert [field["name"] for field in named["demo"]["inputs"]] == ["topic", "pace"]
    assert named["python"]["description"] == "In Python: tests.contract.crews.toolbox:in_python"
    assert "unreadable" not in named
    assert "on_deadlin: is no key that Crewdeck knows" in said


def test_check_builds_every_crew_and_names_the_remedy(python: str, folder: Path) -> None:
    key = "sk-secret-1234567890"
    found, _ = crews(python, folder, "check", CREWDECK_MODEL="openai/gpt-5.4-mini", OPENAI_API_KEY=key)
    release, *found = found
    assert (release["crewai"], release["state"]) == (TESTED_VERSION, "ok")
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
        "heard",
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


def test_an_unknown_command_is_refused(python: str, folder: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        crews(python, folder, "dance")
    assert refused.value.returncode == 2
    assert "usage: python -m crews worker | list | check" in refused.value.stderr


LOUD = """
import os, sys
print("{'a': 1}")
print('{"crew": "demo", "severity": "error", "code": "", "message": "no", "remedy": ""}')
os.write(1, b"{from below\\n")
print("a line that nothing ends: ", end="")
from crewai import Agent, Crew, Task
from crewdeck import crew

@crew(title="Loud")
def loud(inputs):
    print("{while it is built", end="")
    agent = Agent(role="Writer", goal="Write", backstory="Writes", llm="openai/gpt-5.4-mini")
    return Crew(agents=[agent], tasks=[Task(description="Write", expected_output="Text", agent=agent)])
"""


@pytest.mark.parametrize("command", ["list", "check"])
def test_what_code_of_crews_prints_is_among_no_records(python: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(LOUD)
    install_crews(tmp_path, "[crewdeck.crews]\nloud = loud:loud\n")
    env = {"CREWDECK_MODEL": "openai/gpt-5.4-mini", "OPENAI_API_KEY": "sk-secret-1234567890"}
    records, said = crews(python, tmp_path, command, **env)
    named = [each for each in records if each.get("crew", each.get("name")) == "loud"]
    assert len(named) == 1
    if command == "check":  # which imports it
        assert named[0]["severity"] == "ok"
        assert {"{'a': 1}", "{from below"} <= {line[:11].rstrip() for line in said.splitlines()}
        assert [each["severity"] for each in records if each.get("crew") == "demo"] == ["ok"]
