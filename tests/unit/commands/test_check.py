"""What `crewdeck check` takes a folder for."""

from pathlib import Path

import pytest

from bot.commands.check import has_crews_in_yaml


@pytest.mark.parametrize(
    ("files", "is_crews"),
    [
        ("crew.yaml agents.yaml tasks.yaml", True),
        ("agents.yaml tasks.yaml", True),
        ("tides/crew.yaml tides/agents.yaml policies.yaml", True),
        ("tides/agents.yaml", True),
        ("tides/crew.yaml our_tools.py", True),
        ("tides/crew.yaml tides/tools.py", True),
        ("crew.py config/agents.yaml config/tasks.yaml", False),
        ("crew.py agents.yaml tasks.yaml", False),
        ("pyproject.toml config/agents.yaml config/tasks.yaml src/press/crew.py", False),
        ("crew.jsonc agents/agents.yaml", False),
        ("crewdeck.yaml config/agents.yaml", False),
        ("poems/poems.py poems/agents.yaml poems/tasks.yaml", False),
        ("src/press/config/agents.yaml src/press/crew.py", False),
        (".hidden/crew.yaml", False),
        ("notes.txt", False),
    ],
)
def test_a_folder_is_crews_in_yaml_or_a_project(tmp_path: Path, files: str, is_crews: bool) -> None:  # noqa: FBT001 - a column of the table
    for name in files.split():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert has_crews_in_yaml(tmp_path) is is_crews


def test_a_folder_that_is_not_there_is_none_of_crews(tmp_path: Path) -> None:
    assert not has_crews_in_yaml(tmp_path / "nowhere")
