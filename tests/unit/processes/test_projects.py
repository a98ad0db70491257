"""Which project a name on the command line, or in CREWDECK_PROJECTS, stands for."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import SettingsError
from bot.core.project import Project
from bot.processes.projects import find, find_all, kebab, slug
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
    ],
)
def test_what_is_not_there_is_said_with_the_setting(base: Path, reference: str, why: str) -> None:
    with pytest.raises(SettingsError, match=r"^CREWDECK_PROJECTS: ") as wrong:
        find(reference, base / "my blog")
    assert why in str(wrong.value)


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
    settings = Settings(projects_text=written)
    assert settings.projects == projects
    assert settings.with_projects(["first"]).projects == ("first", *projects)


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
