"""Which crews and flows are found in a project, by reading its files."""

import textwrap
from pathlib import Path

import pytest

from bot.core.project import Project
from crews.projects import discovery
from crews.projects.discovery import Discovered, Kind, discover

CREW_CLASS = """
from crewai.project import CrewBase

@CrewBase
class {name}:
    def crew(self): ...
"""


def project(root: Path, target: str = "", **files: str) -> Discovered:
    """What is found where these files are; `__` in a name is a folder."""
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        file = root / f"{stem.replace('__', '/')}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return discover(Project(name="p", root=str(root), target=target))


def found(what: Discovered) -> list[tuple[str, str]]:
    return [(each.module, each.key) for each in what.candidates]


@pytest.mark.parametrize(
    "text",
    [
        "from crewai.project import CrewBase\n@CrewBase\nclass Blog: ...",
        "from crewai.project import CrewBase as Base\n@Base\nclass Blog: ...",
        "from crewai import project\n@project.CrewBase\nclass Blog: ...",
        "import crewai.project\n@crewai.project.CrewBase\nclass Blog: ...",
        "from crewai.flow import Flow, start\nclass Blog(Flow):\n    @start()\n    def a(self): ...",
        "from crewai.flow.flow import Flow, start\nclass Blog(Flow[D]):\n @start()\n async def a(self): 1",
        "from crewai.flow import Flow, start\nclass B(Flow): ...\nclass Blog(B):\n @start()\n def a(self): 1",
        "from crewai.flow import Flow\nclass Blog(Flow):\n conversational = True",
        "from crewai.flow import Flow\nclass Blog(Flow[D]):\n conversational: ClassVar[bool] = True",
        "from crewai.flow import ConversationConfig as C, Flow\n@C(llm='x')\nclass Blog(Flow): ...",
        "from crewai import Crew\nBlog = Crew(agents=[], tasks=[])",
        "from crewai import Crew\nBlog: Crew = Crew(agents=[], tasks=[])",
        "from crewai import Crew\ndef Blog() -> Crew: ...",
        "from crewai import Crew\ndef Blog(n=1):\n    return Crew(agents=[], tasks=[])",
        "from crewai import Crew\ndef Blog() -> 'Crew': ...",
        "from crewai import Crew\ndef Blog():\n    made = Crew(agents=[], tasks=[])\n    return made",
        "from crewai import Crew\nclass Own(Crew): ...\nBlog = Own(agents=[], tasks=[])",
        "from crewai import Crew\nif True:\n    Blog = Crew(agents=[], tasks=[])",
        "from crewai import Crew\ntry:\n    Blog = Crew(a=1)\nexcept TypeError:\n    Blog = Crew(agents=[])",
        "from crewai.flow import start\nfrom a import Base\nclass Blog(Base):\n @start()\n def a(self): 1",
        "import crewdeck\n@crewdeck.crew(title='Crew(x)')\ndef Blog(inputs): ...",
        "from crewdeck import register\n@register(title='Crew(x)')\ndef Blog(inputs): ...",
        "from crewai import *\nBlog = Crew(agents=[], tasks=[])",
        "from crewai.project import *\n@CrewBase\nclass Blog: ...",
        "from crewai.flow.flow import *\nclass Blog(Flow):\n @start()\n def a(self): 1",
    ],
)
def test_what_makes_a_crew_or_a_flow(tmp_path: Path, text: str) -> None:
    result = project(tmp_path, src__blog__crew_py=text)
    assert found(result) == [("blog.crew", "Blog")]
    assert result.problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "class Flow: ...\nclass Blog(Flow): ...",
        "def CrewBase(c): return c\n@CrewBase\nclass Blog: ...",
        "from crewai.flow import Flow\nclass Base(Flow): ...",
        "from crewai.flow import Flow\nclass Base(Flow):\n conversational = False",
        "from crewai import Crew\ndef _build() -> Crew: ...",
        "from other import Crew\nBlog = Crew()",
        "# CrewBase, Flow and Crew( in words",
        "from crewai import *\nfrom other import Crew as Own\nBlog = Own()",
        "from crewai import Task\nfrom a import start, Base\nclass Blog(Base):\n @start()\n def a(self): 1",
    ],
)
def test_what_makes_none(tmp_path: Path, text: str) -> None:
    assert project(tmp_path, src__blog__crew_py=text) == Discovered(())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def build(topic):\n    return Crew(agents=[], tasks=[])", 3),
        ("def run():\n    made = Crew()\n    made.kickoff()\n    return made", 3),
        ("class Trip:\n    def crew(self):\n        return Crew(agents=[], tasks=[])", 4),
        ("ALL = {'one': Crew(agents=[], tasks=[])}", 2),
        ("one, two = Crew(agents=[]), Crew(agents=[])", 2),
        ("build = lambda: Crew(agents=[], tasks=[])", 2),
        ("async def build():\n    return Crew(agents=[], tasks=[])", 3),
        ("if __name__ == '__main__':\n    Crew(agents=[], tasks=[]).kickoff()", 3),
    ],
)
def test_a_crew_that_nothing_hands_over_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    result = project(tmp_path, src__blog__crew_py=f"from crewai import Crew\n{text}\n")
    assert result.candidates == ()
    [problem] = result.problems
    assert (problem.file.name, problem.line) == ("crew.py", line)
    assert "hands over" in problem.message
    assert "@crewdeck.crew" in problem.remedy
    # Where the project has others, that one may be meant to be a part of something.
    beside = project(tmp_path, src__blog__other_py=CREW_CLASS.format(name="Other"))
    assert (found(beside), beside.problems) == ([("blog.other", "Other")], ())


@pytest.mark.parametrize(
    ("imported", "base"),
    [
        ("from .base import Base", "Base"),
        ("from blog.base import Base as B", "B[dict]"),
        ("from . import base", "base.Base"),
        ("import blog.base", "blog.base.Base"),
        ("import blog.base as its", "its.Base"),
        ("from blog import Base", "Base"),
        ("from .middle import Middle", "Middle"),
        ("from .base import *", "Base"),
    ],
)
def test_a_flow_whose_base_is_in_another_module_is_found(tmp_path: Path, imported: str, base: str) -> None:
    result = project(
        tmp_path,
        src__blog__base_py="from crewai.flow import Flow\nclass Base(Flow): ...",
        src__blog__middle_py="# crewai\nfrom blog.base import Base\nclass Middle(Base): ...",
        src__blog__a_py=f"import crewai\n{imported}\nclass Blog({base}): ...",
        src__blog__b_py="import crewai\nfrom elsewhere.base import Base\nclass Other(Base): ...",
    )
    assert found(result) == [("blog.a", "Blog"), ("blog.middle", "Middle")]


def test_a_flow_is_found_in_a_file_that_names_only_its_base(tmp_path: Path) -> None:
    result = project(
        tmp_path,
        a__last_py="from a.middle import Middle\n\nclass Last(Middle):\n    pass\n",
        a__middle_py="from .base import Base\n\nclass Middle(Base):\n    pass\n",
        a__base_py="from crewai.flow import Flow\nclass Base(Flow): ...",
        a__notes_py="class Middle(Base): ...\n",
    )
    assert found(result) == [("a.last", "Last"), ("a.middle", "Middle")]
    assert result.problems == ()


def test_a_crew_beside_a_flow_that_does_not_use_it_is_offered_too(tmp_path: Path) -> None:
    text = """
        from crewai import Crew
        from crewai.flow import Flow, start
        part = Crew(agents=[], tasks=[])
        alone: Crew = Crew(agents=[], tasks=[])

        class Story(Flow):
            @start()
            def begin(self):
                part.kickoff()
    """
    assert found(project(tmp_path, main_py=text)) == [("main", "alone"), ("main", "Story")]


def test_where_nothing_else_is_found_a_file_that_can_not_be_imported_is_named(tmp_path: Path) -> None:
    (tmp_path / "my-crew.py").write_text("from crewai import Crew\ncrew = Crew()\n")
    [problem] = discover(Project(name="p", root=str(tmp_path))).problems
    assert (problem.file.name, problem.line) == ("my-crew.py", 2)
    assert "use letters, digits and _" in str(problem)
    result = project(tmp_path, study_py="from crewai import Crew\ncrew = Crew()\n")
    assert (found(result), result.problems) == ([("study", "crew")], ())


def test_the_crews_of_a_flow_are_its_parts_and_others_are_not(tmp_path: Path) -> None:
    result = project(
        tmp_path,
        src__blog__main_py="""
            from crewai.flow import Flow, start
            from blog.parts import Part

            class Story(Flow):
                @start()
                def begin(self):
                    Part().crew().kickoff()
        """,
        src__blog__parts_py=CREW_CLASS.format(name="Part"),
        src__blog__other_py=CREW_CLASS.format(name="Other"),
    )
    assert found(result) == [("blog.main", "Story"), ("blog.other", "Other")]


@pytest.mark.parametrize(
    "line",
    [
        "crew.kickoff()",
        "result = crew.kickoff(inputs={})",
        "for each in (1, 2):\n    crew.kickoff()",
        "import asyncio\nasyncio.run(crew.kickoff_async())",
        "crew.kickoff_for_each_async(inputs=[])",
        "class Result:\n    text = crew.kickoff()",
    ],
)
def test_a_module_that_runs_its_crew_when_it_is_imported_is_refused_with_its_line(
    tmp_path: Path, line: str
) -> None:
    result = project(tmp_path, study_py=f"from crewai import Crew\ncrew = Crew()\n{line}\n")
    assert result.candidates == ()
    [problem] = result.problems
    assert problem.line >= 3
    assert 'below `if __name__ == "__main__":`' in str(problem)


def test_a_kickoff_in_main_or_in_a_function_is_none_at_import(tmp_path: Path) -> None:
    text = """
        from crewai import Crew
        crew = Crew(agents=[], tasks=[])

        def run():
            crew.kickoff()

        if crew:
            def again():
                crew.kickoff()

        later = lambda: crew.kickoff()

        if __name__ == "__main__":
            crew.kickoff()
    """
    result = project(tmp_path, study_py=text)
    assert found(result) == [("study", "crew")]


def test_a_file_that_is_no_python_is_a_problem_only_if_it_names_crews(tmp_path: Path) -> None:
    result = project(
        tmp_path,
        src__a__crew_py="from crewai.project import CrewBase\nclass (\n",
        src__a__notes_py="class (\n",
    )
    [problem] = result.problems
    assert (problem.file.name, problem.line) == ("crew.py", 2)


@pytest.mark.parametrize(
    "written",
    [
        b"\xef\xbb\xbffrom crewai import Crew\r\nBlog = Crew(agents=[], tasks=[])\r\n",
        b"# -*- coding: latin-1 -*-\nfrom crewai import Crew\nBlog = Crew(name='\xe9t\xe9')\n",
    ],
    ids=["byte order mark", "latin-1"],
)
def test_a_file_is_read_in_the_encoding_in_which_python_reads_it(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "crew.py").write_bytes(written)
    (tmp_path / "pyproject.toml").write_bytes(b"\xef\xbb\xbf[project]\r\nname = 'blog'\r\n")
    result = project(tmp_path)
    assert (found(result), result.problems) == ([("crew", "Blog")], ())


def test_a_crew_in_an_encoding_that_python_refuses_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "crew.py").write_bytes(b"from crewai import Crew\nBlog = Crew(name='\xe9t\xe9')\n")
    [problem] = project(tmp_path).problems
    assert "is no Python" in problem.message


def test_where_nothing_is_looked_for(tmp_path: Path) -> None:
    text = CREW_CLASS.format(name="Blog")
    for folder in (".venv", "tests", "node_modules", "src/blog/__pycache__", "build", ".hidden", "a-b"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "crew.py").write_text(text)
    assert project(tmp_path) == Discovered(())


def test_definitions_of_pyproject_flows_and_folders(tmp_path: Path) -> None:
    result = project(
        tmp_path,
        pyproject_toml='[tool.crewai]\ntype = "flow"\ndefinition = "src/f/flow.yaml"\n',
        src__f__flow_yaml="schema: crewai.flow/v1\nname: A\n",
        src__f__second_json='{"schema": "crewai.flow/v1", "name": "B"}',
        src__f__other_yaml="schema: something/else\n",
        tides__crew_yaml="title: Tides\n",
        config__agents_yaml="a: {}\n",
    )
    assert [(each.kind, each.key) for each in result.candidates] == [
        (Kind.FLOW_FILE, "flow"),
        (Kind.FLOW_FILE, "second"),
        (Kind.YAML_FOLDER, "tides"),
    ]
    assert result.problems == ()


@pytest.mark.parametrize("name", ["crew.jsonc", "crew.json"])
def test_a_crew_file_needs_no_pyproject(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    [candidate] = project(tmp_path).candidates
    assert (candidate.kind, candidate.file.name) == (Kind.CREW_FILE, name)


@pytest.mark.parametrize(
    "definition", ['"../outside.yaml"', '"/etc/passwd"', '"gone.yaml"', '""', "3", '"."']
)
def test_a_definition_that_is_no_file_of_the_project_is_a_problem(tmp_path: Path, definition: str) -> None:
    root = tmp_path / "project"
    (tmp_path / "outside.yaml").write_text("schema: crewai.flow/v1\n")
    result = project(root, pyproject_toml=f'[tool.crewai]\ntype = "flow"\ndefinition = {definition}\n')
    assert result.candidates == ()
    [problem] = result.problems
    assert problem.key == "tool.crewai.definition"


def test_a_project_with_too_many_files_is_not_cut_off_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MAX_FILES", 2)
    result = project(tmp_path, a_txt="", b__crew_py=CREW_CLASS.format(name="B"), c__crew_py="")
    assert found(result) == [("b.crew", "B")]
    [problem] = result.problems
    assert "has more than 2 files" in str(problem)


def test_a_target_means_one_thing_or_one_module(tmp_path: Path) -> None:
    texts = {"src__a__one_py": CREW_CLASS.format(name="One"), "src__a__two_py": CREW_CLASS.format(name="Two")}
    assert found(project(tmp_path, **texts)) == [("a.one", "One"), ("a.two", "Two")]
    assert found(project(tmp_path, "a.two:Two")) == [("a.two", "Two")]
    assert found(project(tmp_path, "a.two")) == [("a.two", "Two")]


def test_the_project_of_a_package_is_the_folder_around_its_sources(tmp_path: Path) -> None:
    package = tmp_path / "news" / "src" / "news" / "crews"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    assert discovery.project_of_package(package) == package.parent
    (package.parent / "__init__.py").touch()
    assert discovery.project_of_package(package) == tmp_path / "news"
