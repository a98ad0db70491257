"""The documentation and the tree agree: links lead somewhere, and what is named is there."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:bot|crews|crewdeck|tests|bench|config|docs)/[\w./-]*)`")
MODULE = re.compile(r"`((?:[\w-]+/)*\w+\.(?:py|lua|js))`")
OF_OTHERS = {
    *("tools/base_tool.py", "tools/structured_tool.py", "utilities/agent_utils.py"),
    *("agents/agent_executor.py", "src/my_project/crew.py"),
}
"""Modules of CrewAI, and of projects that readers have."""
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MADE_BY_THE_BUILD = {"crewdeck/_data"}


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = set(PATH.findall(prose(page))) - MADE_BY_THE_BUILD
    assert {path for path in named if not (REPOSITORY / path).exists()} == set()


def test_every_module_that_a_page_names_by_the_end_of_its_path_exists() -> None:
    tops = ("bot", "crews", "crewdeck", "tests", "bench", "config")
    files = [path.as_posix() for top in tops for path in (REPOSITORY / top).rglob("*.*")]
    ends = {
        name
        for path in files
        for name in accumulate(reversed(path.split("/")), lambda end, part: f"{part}/{end}")
    }
    named = {name for page in PAGES for name in MODULE.findall(prose(page))}
    assert named - ends - OF_OTHERS == set()


def test_the_index_leads_to_every_page() -> None:
    docs = REPOSITORY / "docs"
    linked = {link.partition("#")[0] for link in LINK.findall((docs / "index.md").read_text())}
    pages = {str(page.relative_to(docs)) for page in docs.rglob("*.md")} - {"index.md"}
    assert pages - linked == set()


def test_decisions_have_numbers_of_their_own() -> None:
    pages = sorted((REPOSITORY / "docs" / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert numbers == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page, number in zip(pages, numbers, strict=True):
        assert page.read_text().startswith(f"# {number}: ")


def house() -> Iterator[str]:
    """The folders that `docs/architecture.md` draws, by their indentation."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    drawing = page.split("## The house\n\n", 1)[1].split("\n\n", 1)[0]
    parents: list[tuple[int, str]] = []
    for line in drawing.splitlines():
        if not (found := re.match(r"( +)([\w/]+/)(?= |$)", line)):
            continue
        depth, name = len(found[1]), found[2]
        parents = [(indent, folder) for indent, folder in parents if indent < depth]
        path = (parents[-1][1] if parents else "") + name
        parents.append((depth, path))
        yield path.rstrip("/")


def packages() -> set[str]:
    """The folders of the tree that hold modules, and those of tests and crews."""
    modules = (path for top in ("bot", "crews", "crewdeck") for path in (REPOSITORY / top).rglob("*.py"))
    return {str(path.parent.relative_to(REPOSITORY)) for path in modules}


def test_the_house_is_drawn_as_it_is() -> None:
    drawn = set(house())
    assert {path for path in drawn if not (REPOSITORY / path).is_dir()} == set()
    assert packages() - drawn == set()


def test_every_log_message_that_operators_are_told_of_is_written_somewhere() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    table = page.split("Log messages that need attention:", 1)[1].split("\n\n", 2)[1]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    modules = (path for top in ("bot", "crews") for path in (REPOSITORY / top).rglob("*.py"))
    code = "".join(path.read_text() for path in modules)
    assert len(messages) > 10
    assert [each for each in messages if f'"{each}' not in code] == []


def code(*folders: str) -> str:
    modules = (path for top in folders for path in (REPOSITORY / top).rglob("*.py"))
    return "\n".join(path.read_text() for path in modules)


def named(pattern: str) -> dict[str, str]:
    """What the pages name in this way, and on which page; the changelog is history."""
    pages = [page for page in PAGES if page.name != "CHANGELOG.md"]
    return {found: page.name for page in pages for found in re.findall(pattern, page.read_text())}


def test_every_metric_that_a_page_names_is_measured() -> None:
    metrics = named(r"\b(crewdeck_[a-z_]+)")
    measured = set(re.findall(r'"(crewdeck_[a-z_]+)"', code("bot")))
    suffix = re.compile(r"_(?:total|bucket|count|sum)$")
    modules = {"crewdeck_run"}  # a fixture of pytest
    assert len(metrics) > 10
    assert {
        each: page for each, page in metrics.items() if suffix.sub("", each) not in measured | modules
    } == {}


def test_every_operation_of_the_api_that_a_page_names_is_there() -> None:
    operations = named(r"`((?:GET|POST|DELETE) /[^` ?]*)")
    served = {
        f"{method} {path}" for method, path in re.findall(r'"(GET|POST|DELETE)",\s+"(/[^"]*)"', code("bot"))
    }
    served |= {
        f"{method.upper()} {path}" for method, path in re.findall(r'web\.(get|post)\("(/[^"]*)"', code("bot"))
    }
    shape = re.compile(r"\{\w+\}|(?<=/)ID(?=/|$)")
    known = {shape.sub("{}", each) for each in served}
    assert len(operations) > 10
    assert {each: page for each, page in operations.items() if shape.sub("{}", each) not in known} == {}


def test_every_variable_of_crewdeck_that_a_page_names_is_a_setting_with_a_line_of_its_own() -> None:
    lines = set(
        re.findall(r"^\| `([A-Z_]+)`", (REPOSITORY / "docs" / "settings.md").read_text(), re.MULTILINE)
    )
    assert {each: page for each, page in named(r"\b(CREWDECK_[A-Z]\w*)").items() if each not in lines} == {}


def test_every_command_that_a_page_names_is_there() -> None:
    commands = named(r"(?m)(?:`|^    |bin/)crewdeck ([a-z]+)")
    known = set(re.findall(r"^  ([a-z]+) {2,}", help_of(), re.MULTILINE))
    assert len(commands) > 10
    assert {each: page for each, page in commands.items() if each not in known} == {}


def help_of() -> str:
    return subprocess.run(
        [sys.executable, "-m", "bot", "--help"], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout
