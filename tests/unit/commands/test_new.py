"""`crewdeck new` and `crewdeck schema`."""

import json
from pathlib import Path

import pytest

from bot.commands.new import new, schema
from bot.core.errors import SettingsError
from crews.definitions.defined_crews import read
from crews.definitions.script import script_problems
from crews.definitions.yaml_lines import read as read_yaml
from crews.projects import schemas


@pytest.mark.parametrize("name", ["hello", "Hello-World_2", "2024", "on", "a"])
def test_a_new_crew_can_be_read_and_has_lines_for_each_of_its_tasks(name: str, tmp_path: Path) -> None:
    assert new(name, str(tmp_path)) == 0
    known = read([tmp_path], installed=False)
    assert known.problems == ()
    [definition] = known.definitions.values()
    assert (definition.name, definition.crew.model) == (name, "scripted")
    assert definition.crew.title[0].isupper() or definition.crew.title.isdigit()
    assert list(script_problems(definition.folder, definition.tasks)) == []
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_each_of_its_files_names_the_schema_for_editors_that_lies_beside_it(tmp_path: Path) -> None:
    new("hello", str(tmp_path))
    for file in (tmp_path / "hello").glob("*.yaml"):
        first = file.read_text().partition("\n")[0]
        path = tmp_path / "hello" / first.removeprefix("# yaml-language-server: $schema=")
        assert json.loads(path.read_text()) == schemas.schema(file.stem)


def test_it_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new("hello", str(tmp_path / "my crews"))
    told = capsys.readouterr().out
    assert f"crewdeck check '{tmp_path}/my crews/hello'" in told
    assert f"crewdeck serve '{tmp_path}/my crews/hello'" in told
    assert "OPENAI_API_KEY" in told
    assert "$" not in told
    assert "__" not in told + (tmp_path / "my crews" / "hello" / "crew.yaml").read_text()


@pytest.mark.parametrize("name", ["", "-x", "a b", "../up", "a/b", ".hidden", "crèw", "x" * 61, "a\n"])
def test_a_name_that_no_crew_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be the name of a crew"):
        new(name, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["demo", "Demo", "schemas"])
def test_it_replaces_no_crew_of_crewdeck(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="comes with Crewdeck"):
        new(name, str(tmp_path))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("empty", "file", "dangling"):
        with pytest.raises(SettingsError, match="is there already"):
            new(name, str(tmp_path))
    with pytest.raises(SettingsError, match="can't be made"):
        new("hello", str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("name", schemas.names())
def test_schemas_are_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert schema(f"{name}.yaml") == 0
    assert json.loads(capsys.readouterr().out) == schemas.schema(name)


def test_an_unknown_schema_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="agents, crew, crewdeck, policies, script, tasks"):
        schema("crews")


def test_the_crews_of_crewdeck_name_their_schemas_too() -> None:
    from bot.settings import shipped

    for file in shipped("config").glob("*/*.yaml"):
        if file.stem in schemas.names():
            first = file.read_text().partition("\n")[0]
            assert (file.parent / first.removeprefix("# yaml-language-server: $schema=")).is_file()
            read_yaml(file)
