"""`crewdeck.yaml`: what it may say, and that a mistake is told with file, line and key."""

from pathlib import Path

import pytest

from crews.projects.crewdeck_yaml import ProjectDeclarations, read


def declared(root: Path, text: str) -> ProjectDeclarations:
    (root / "crewdeck.yaml").write_text(text)
    found, problems = read(root)
    assert problems == []
    assert found is not None
    return found


def problems(root: Path, text: str, *crews: str) -> list[str]:
    (root / "crewdeck.yaml").write_text(text)
    found, wrong = read(root)
    if found is not None:
        wrong += found.problems(crews, len(crews))
    return [str(each).removeprefix(f"{root}/") for each in wrong]


def test_it_is_optional(tmp_path: Path) -> None:
    found, wrong = read(tmp_path)
    assert wrong == []
    assert found is not None
    assert found.of("Blog", only=True)[0].title == ""


def test_one_crew_has_its_keys_at_the_top_and_several_by_name(tmp_path: Path) -> None:
    one = declared(tmp_path, "title: Blog\ninputs: {year: {default: 0123}}\n")
    entry, at = one.of("Blog", only=True)
    assert (entry.title, at, entry.inputs["year"].default) == ("Blog", (), "0123")
    several = declared(tmp_path, "groups: {a: [U0123ABCD]}\ncrews:\n  Blog: {title: B, approvers: [a]}\n")
    entry, at = several.of("Blog", only=True)
    assert (entry.title, at) == ("B", ("crews", "Blog"))
    assert list(entry.mistakes(several.groups)) == []
    assert several.of("Other", only=False) == (type(entry)(), ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("titel: Blog\n", "crewdeck.yaml:1: titel: is no key that Crewdeck knows"),
        ("crews:\n  Blog:\n    titel: B\n", "crewdeck.yaml:3: crews.Blog.titel: is no key"),
        (
            "crews:\n  Blgo: {title: B}\n",
            "crewdeck.yaml:2: crews.Blgo: is no crew of this project (there are: Blog",
        ),
        ("model: gpt\n", "`model` is for crews in YAML"),
        ("crews:\n  Blog: {process: sequential}\n", "`process` is for crews in YAML"),
        ("limits: {time: never}\n", "crewdeck.yaml:1: limits.time: must be a duration"),
        ("inputs:\n  a: {type: file_of_some_kind}\n", "crewdeck.yaml:2: inputs.a.type: must be one of"),
        ("name: two words\n", "crewdeck.yaml:1: name: "),
        ("title: [\n", "crewdeck.yaml:2: "),
    ],
)
def test_a_mistake_has_its_place(tmp_path: Path, text: str, problem: str) -> None:
    [told] = problems(tmp_path, text, "Blog")
    assert problem in told


def test_what_is_said_of_nobody_in_particular_is_a_mistake(tmp_path: Path) -> None:
    [told] = problems(tmp_path, "approvers: anyone\n", "Blog", "Audit")
    assert told.startswith("crewdeck.yaml:1: approvers: says nothing of which crew it is meant for")
    assert problems(tmp_path, "groups: {a: [U0123ABCD]}\n", "Blog", "Audit") == []
    assert problems(tmp_path, "approvers: anyone\n", "Blog") == []


def test_without_a_sound_file_nothing_is_declared(tmp_path: Path) -> None:
    (tmp_path / "crewdeck.yaml").write_text("approvers: {need: two}\n")
    found, wrong = read(tmp_path)
    assert found is None
    assert wrong
