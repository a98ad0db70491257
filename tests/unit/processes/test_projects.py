"""Which project a name on the command line, or in CREWDECK_PROJECTS, stands for."""

import os
import re
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import SettingsError
from bot.core.project import Project
from bot.processes.projects import find, find_all, find_configured, kebab, slug
from bot.settings import Settings

NAME = r"[a-z0-9][a-z0-9_-]*"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    blog = tmp_path / "my blog"
    (blog / "src" / "blog").mkdir(parents=True)
    (blog / "src" / "blog" / "crew.py").write_text("class BlogCrew: ...\n")
    (blog / "script.py").write_text("crew = None\n")
    (blog / "two-words.py").write_text("")
    return tmp_path


def test_a_folder_is_named_after_its_project_file_or_itself(base: Path) -> None:
    blog = base / "my blog"
    assert find("my blog", base) == Project(name="my-blog", root=str(blog))
    (blog / "pyproject.toml").write_text('[project]\nname = "Blog_2"\n')
    assert find("./my blog/", base).name == "blog_2"
    (blog / "pyproject.toml").write_bytes(b'\xef\xbb\xbf[project]\r\nname = "Blog_3"\r\n')
    assert find("my blog", base).name == "blog_3"
    (blog / "pyproject.toml").write_text("this is [no TOML")
    assert find("my blog", base).name == "my-blog", "its worker reports the file"
    assert find("news=my blog", base).name == "news"
    assert find(str(blog)) == find("my blog", base)


@pytest.mark.parametrize(
    ("reference", "root", "target", "name"),
    [
        ("blog.crew:BlogCrew", "my blog", "blog.crew:BlogCrew", "blog-crew"),
        ("blog.crew", "my blog", "blog.crew", "crew"),
        ("a=blog.crew:BlogCrew", "my blog", "blog.crew:BlogCrew", "a"),
        ("script:crew", "my blog", "script:crew", "crew"),
        ("script.py:crew", "my blog", "script:crew", "crew"),
        ("./script.py", "my blog", "script", "script"),
        ("src/blog/crew.py:BlogCrew", "my blog/src/blog", "crew:BlogCrew", "blog-crew"),
    ],
)
def test_a_module_and_a_name_in_it(base: Path, reference: str, root: str, target: str, name: str) -> None:
    found = find(reference, base / "my blog")
    assert (found.root, found.target, found.name) == (str(base / root), target, name)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("nothing", "neither a folder nor a module nothing"),
        ("./nothing", "there is no "),
        ("blog.nothing:Crew", "neither a folder nor a module blog.nothing"),
        ("two-words.py:crew", "its name is no name of a module"),
        ("/etc/passwd", "/etc/passwd is no folder"),
        ("./" + "n" * 300, "it can't be read: File name too long"),
    ],
)
def test_what_is_not_there_is_said_with_where_it_was_named(
    base: Path, reference: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wanted in (find, lambda reference, base: find_all([reference], base)):
        with pytest.raises(SettingsError, match=rf"^argument {re.escape(reference)}: ") as wrong:
            wanted(reference, base / "my blog")
        assert why in str(wrong.value)
    monkeypatch.chdir(base / "my blog")
    monkeypatch.delenv("CREWDECK_PROJECTS", raising=False)
    settings, dotenv = Settings(projects_text=reference), base / "my blog" / ".env"
    dotenv.write_text(f"CREWDECK_PROJECTS={reference}\n")
    with pytest.raises(SettingsError, match=rf"^CREWDECK_PROJECTS \(in {dotenv}\): .*{re.escape(why)}"):
        find_configured(settings)
    monkeypatch.setenv("CREWDECK_PROJECTS", reference)
    with pytest.raises(SettingsError, match=r"^CREWDECK_PROJECTS \(in the environment\): "):
        find_configured(settings)


@pytest.mark.parametrize("reference", ["", " ", "\t"])
def test_nothing_is_not_the_working_directory(base: Path, reference: str) -> None:
    with pytest.raises(SettingsError, match=r"^argument '': it is empty.* Name the folder of a project"):
        find(reference, base / "my blog")
    assert find(".", base / "my blog").name == "my-blog"


def test_a_folder_that_may_not_be_looked_into_is_told_in_one_line() -> None:
    with tempfile.TemporaryDirectory(prefix="crewdeck-") as name:
        closed = Path(name) / "closed"
        closed.mkdir(mode=0o000)
        Path(name).chmod(0o755)
        us = os.geteuid()
        os.seteuid(us or 65534)
        try:
            with pytest.raises(SettingsError, match=r": it can't be read: Permission denied\.$"):
                find(str(closed))
        finally:
            os.seteuid(us)


def test_arguments_and_the_setting_name_projects_together(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [base / "one, with a comma", base / "other" / "two", base / "two"]
    for each in folders:
        each.mkdir(parents=True)
    monkeypatch.chdir(base)
    settings = Settings(projects_text=str(folders[1]))
    found = find_configured(settings, ["one, with a comma"])
    assert [each.root for each in found] == [str(folders[0]), str(folders[1])]
    with pytest.raises(SettingsError, match=r"^CREWDECK_PROJECTS: .* are both called two"):
        find_configured(settings, ["two"])


def test_two_projects_of_one_name_are_refused_and_the_same_one_twice_is_one(base: Path) -> None:
    other = base / "other" / "my-blog"
    other.mkdir(parents=True)
    with pytest.raises(SettingsError, match="are both called my-blog") as wrong:
        find_all(["my blog", str(other)], base)
    assert f"another-name={other}" in str(wrong.value)
    assert len(find_all(["my blog", f"second={other}", "./my blog"], base)) == 2


def test_a_projects_own_environment_is_its_interpreter_unless_it_is_ours(base: Path) -> None:
    blog = base / "my blog"
    assert find("my blog", base).python == ""
    (blog / ".venv").symlink_to(sys.prefix)
    assert find("my blog", base).python == ""
    (blog / ".venv").unlink()
    (blog / ".venv").mkdir()
    found = find("my blog", base)
    assert found.python == str(blog / ".venv" / "bin" / "python")
    assert found.environment == str(blog / ".venv")


@pytest.mark.parametrize(
    ("written", "projects"),
    [
        ("", ()),
        ("./a", ("./a",)),
        ("./a,b", ("./a", "b")),
        ("/a:/b:~/c:./d:../e", ("/a", "/b", "~/c", "./d", "../e")),
        ("blog.crew:BlogCrew", ("blog.crew:BlogCrew",)),
        ("n=./a, m=blog.crew:BlogCrew ,", ("n=./a", "m=blog.crew:BlogCrew")),
    ],
)
def test_how_the_setting_is_separated(written: str, projects: tuple[str, ...]) -> None:
    assert Settings(projects_text=written).projects == projects


@given(st.text(max_size=80))
def test_whatever_a_project_is_called_its_name_can_be_typed(text: str) -> None:
    for name in (slug(text), kebab(text)):
        assert name == "" or re.fullmatch(NAME, name)


@pytest.mark.parametrize(
    ("name", "words"),
    [("BlogCrew", "blog-crew"), ("HTTPFlow", "http-flow"), ("my_crew", "my-crew"), ("crew2", "crew2")],
)
def test_names_of_python_in_words(name: str, words: str) -> None:
    assert kebab(name) == words


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Café", "cafe"),
        ("Cafe\u0301", "cafe"),
        ("Straße Ærø", "strasse-aero"),
        ("Łódź_plan", "lodz_plan"),
        ("Résumé ﬁnder №2", "resume-finder-no2"),
        ("日本 news", "news"),
    ],
)
def test_letters_with_marks_are_read_as_those_without(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    assert find(str(tmp_path / folder)).name == name
