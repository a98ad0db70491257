"""What `crewdeck check` finds: each mistake with its file, line, column, key and remedy."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.settings import Settings
from crews.crewai_adapter import environment
from crews.definitions import defined_crews
from crews.definitions.defined_crews import DefinedCrews
from tests.contract.crews.deployment import environment as process_environment
from tests.contract.crews.deployment import install_crews
from tests.waiting import WITHIN

if TYPE_CHECKING:
    from crews.building.check import Finding

CREW = """\
title: Tides
model: scripted
main_input: topic
inputs:
  topic: {type: string, required: true}
tools:
  pay: {use: "crews.definitions.payments:SendMoney"}
"""
AGENTS = """\
writer:
  role: Writer
  goal: Write about {topic}
  backstory: You write.
  tools: [pay]
"""
TASKS = """\
write:
  description: Write about {topic}
  expected_output: A text
  agent: writer
"""
SCRIPT = "write:\n  - say: Tides\n"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path) -> Settings:
    configured = Settings(data_dir=tmp_path / "data")
    environment.prepare(configured)
    return configured


def crew(root: Path, name: str = "tides", **files: str) -> Path:
    """A crew without a mistake, but for these files."""
    home = root / "crews" / name
    home.mkdir(parents=True)
    for file, text in {"crew": CREW, "agents": AGENTS, "tasks": TASKS, "script": SCRIPT, **files}.items():
        (home / f"{file}.yaml").write_text(text)
    return home


def checked(known: DefinedCrews, settings: Settings) -> list[Finding]:
    from crews.building.check import check

    return list(check(known, settings, lambda *_: None))


def found(home: Path, settings: Settings) -> list[tuple[str, int, int, str, str]]:
    """Name of the file, line, column, key and code of each finding that is no praise."""
    told = checked(defined_crews.read_only([home]), settings)
    assert all(each.remedy for each in told if each.severity != "ok")
    return [
        (Path(each.file).name, each.line, each.column, each.key, each.code)
        for each in told
        if each.severity != "ok"
    ]


def test_a_crew_without_a_mistake_is_right(tmp_path: Path, settings: Settings) -> None:
    [finding] = checked(defined_crews.read_only([crew(tmp_path)]), settings)
    assert (finding.crew, finding.severity) == ("tides", "ok")


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"crew": "title: [\n"}, ("crew.yaml", 2, 1, "", "not_yaml")),
        ({"crew": CREW + "titel: x\n"}, ("crew.yaml", 8, 1, "titel", "unknown_key")),
        ({"crew": CREW + "limits: {tim: 3m}\n"}, ("crew.yaml", 8, 10, "limits.tim", "unknown_key")),
        ({"crew": CREW + "limits: {time: soon}\n"}, ("crew.yaml", 8, 10, "limits.time", "invalid_value")),
        (
            {"crew": CREW.replace("main_input: topic", "main_input: topics")},
            ("crew.yaml", 3, 1, "main_input", "unknown_name"),
        ),
        (
            {"crew": CREW.replace("payments:SendMoney", "payments:SendMony")},
            ("crew.yaml", 7, 9, "tools.pay.use", "invalid_reference"),
        ),
        (
            {"crew": CREW.replace("crews.definitions.payments", "nowhere")},
            ("crew.yaml", 7, 9, "tools.pay.use", "invalid_reference"),
        ),
        (
            {"crew": CREW.rstrip("}\n") + ", approval: {edit: [nothing]}}\n"},
            ("crew.yaml", 7, 65, "tools.pay.approval.edit", "invalid_approval"),
        ),
        (
            {"crew": CREW + "  send_mony: {approval: {}}\n"},
            ("crew.yaml", 8, 3, "tools.send_mony", "invalid_approval"),
        ),
        (
            {"agents": AGENTS.replace("{topic}", "{topics}")},
            ("agents.yaml", 3, 3, "writer.goal", "unknown_name"),
        ),
        (
            {"agents": AGENTS.replace("[pay]", "[ask_human, pya]")},
            ("agents.yaml", 5, 22, "writer.tools.1", "unknown_name"),
        ),
        (
            {"tasks": TASKS.replace("agent: writer", "agent: writre")},
            ("tasks.yaml", 4, 3, "write.agent", "unknown_name"),
        ),
        (
            {"tasks": TASKS + '  output_pydantic: "nowhere:Model"\n'},
            ("tasks.yaml", 5, 3, "write.output_pydantic", "invalid_reference"),
        ),
        ({"script": "write:\n  - sya: Tides\n"}, ("script.yaml", 2, 5, "write.0.sya", "invalid_value")),
        (
            {"script": SCRIPT + "writ:\n  - say: Tides\n"},
            ("script.yaml", 3, 1, "writ", "unknown_name"),
        ),
    ],
)
def test_each_mistake_has_its_place(
    tmp_path: Path, settings: Settings, files: dict[str, str], where: tuple[str, int, int, str, str]
) -> None:
    assert where in found(crew(tmp_path, **files), settings)


def test_a_mistake_in_one_file_hides_none_in_another(tmp_path: Path, settings: Settings) -> None:
    home = crew(
        tmp_path,
        crew=CREW + "titel: x\n",
        agents=AGENTS.replace("role", "rôle"),
        tasks=TASKS.replace("expected", "expcted"),
    )
    assert {file for file, *_ in found(home, settings)} == {"crew.yaml", "agents.yaml", "tasks.yaml"}
    (home / "crew.yaml").unlink()
    assert {file for file, *_ in found(home, settings)} == {"crew.yaml", "agents.yaml", "tasks.yaml"}


def test_what_other_files_name_is_checked_although_one_entry_is_wrong(
    tmp_path: Path, settings: Settings
) -> None:
    more = "editor:\n  role: Editor\n"
    tasks = TASKS + TASKS.replace("write:", "edit:").replace("agent: writer", "agent: editor")
    home = crew(tmp_path, agents=AGENTS + more, tasks=tasks.replace("{topic}", "{topics}", 1))
    places = found(home, settings)
    assert ("tasks.yaml", 2, 3, "write.description", "unknown_name") in places
    assert not [each for each in places if each[3] == "edit.agent"]  # editor is there, with a mistake


def test_a_name_that_is_nearly_right_is_suggested(tmp_path: Path, settings: Settings) -> None:
    home = crew(tmp_path, crew=CREW + "aprovers: anyone\n", tasks=TASKS.replace("writer", "writre"))
    told = {each.key: each.remedy for each in checked(defined_crews.read_only([home]), settings)}
    assert told == {"aprovers": "Did you mean approvers?", "write.agent": "Did you mean writer?"}


def test_what_the_environment_lacks_is_a_warning_at_the_model(tmp_path: Path, settings: Settings) -> None:
    os.environ.pop("OPENAI_API_KEY", None)
    agents = AGENTS + "  llm: openai/gpt-5.4-mini\n"
    [finding] = checked(defined_crews.read_only([crew(tmp_path, agents=agents)]), settings)
    assert (finding.severity, finding.code) == ("warning", "missing_key")
    assert (Path(finding.file).name, finding.line, finding.key) == ("agents.yaml", 6, "writer.llm")


def test_a_folder_of_crews_and_its_policies_are_checked_together(tmp_path: Path, settings: Settings) -> None:
    good = crew(tmp_path)
    (good.parent / "policies.yaml").write_text("policies:\n  pay: {who: [finance]}\n")
    assert ("policies.yaml", 2, 15, "policies.pay.who.0", "invalid_value") in found(good.parent, settings)
    assert found(tmp_path / "nowhere", settings)[0][4] == "unreadable"
    (tmp_path / "empty").mkdir()
    assert found(tmp_path / "empty", settings) == [("empty", 0, 0, "", "no_crew")]


FACTORIES = """\
def breaks(inputs):
    return missing(inputs)

def returns_nothing(inputs):
    return None
"""


def test_factories_are_found_in_their_modules(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import EntryPoint

    (tmp_path / "checked_factories.py").write_text(FACTORIES)
    (tmp_path / "checked_syntax.py").write_text("\n\ndef (\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = {
        "breaks": "checked_factories:breaks",
        "nothing": "checked_factories:returns_nothing",
        "syntax": "checked_syntax:crew",
    }
    known = DefinedCrews(
        factories=tuple(EntryPoint(each, names[each], defined_crews.GROUP) for each in names)
    )
    places = {each.crew: (Path(each.file).name, each.line) for each in checked(known, settings)}
    sys.modules.pop("checked_factories")
    assert places == {
        "breaks": ("checked_factories.py", 2),
        "nothing": ("checked_factories.py", 4),
        "syntax": ("checked_syntax.py", 3),
    }


async def crewdeck(python: str, folder: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", "bot", *arguments),
        cwd=folder,
        env=process_environment(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WITHIN * 2):
        out, err = await process.communicate()
    assert b"Traceback" not in err
    return process.returncode or 0, out.decode()


@pytest.mark.slow
async def test_the_command_tells_people_and_editors(python: str, tmp_path: Path) -> None:
    crew(tmp_path, crew=CREW + "titel: x\n")
    crew(tmp_path, "other")
    crew(tmp_path, "deadly", crew=CREW.replace("crews.definitions.payments", "deadly_tools"))
    (tmp_path / "deadly_tools.py").write_text("import os\nos._exit(7)\n")

    status, told = await crewdeck(python, tmp_path, "check", "crews")
    assert status == 1
    assert "crews/tides/crew.yaml:8:1: error: titel: is no key that Crewdeck knows" in told
    assert "    -> Did you mean title?" in told
    assert "the crew deadly, ends the process (status 7)" in told
    assert told.splitlines()[-1] == "3 crews checked: 2 errors."

    status, told = await crewdeck(python, tmp_path / "crews" / "tides", "check")
    assert (status, told.splitlines()[-1]) == (1, "1 crew checked: 1 error.")

    status, told = await crewdeck(python, tmp_path, "check", "--json", "crews/tides")
    assert status == 1
    [finding] = json.loads(told)
    assert finding == {
        "file": str(tmp_path / "crews" / "tides" / "crew.yaml"),
        "line": 8,
        "column": 1,
        "key": "titel",
        "severity": "error",
        "code": "unknown_key",
        "message": finding["message"],
        "remedy": "Did you mean title?",
        "crew": "tides",
    }
    status, told = await crewdeck(python, tmp_path, "check", "--json", "crews/other")
    assert (status, json.loads(told)) == (0, [])


@pytest.mark.slow
async def test_without_folders_all_crews_are_checked_and_no_store_is_needed(
    python: str, tmp_path: Path
) -> None:
    install_crews(tmp_path, "[crewdeck.crews]\nbroken = nowhere:crew\n")
    status, told = await crewdeck(python, tmp_path, "check", "--json")
    findings: list[dict[str, Any]] = json.loads(told)
    assert status == 1
    assert [each["crew"] for each in findings if each["severity"] == "error"] == ["broken"]
    assert {each["crew"] for each in findings if each["code"] == "missing_model"} == {
        "research",
        "announcement",
    }
    assert not (tmp_path / "data" / "valkey").exists()


@pytest.mark.slow
async def test_a_project_is_checked_like_crews(python: str, tmp_path: Path) -> None:
    project = tmp_path / "press"
    shutil.copytree(Path(__file__).parents[2] / "projects" / "newsroom", project)
    source = project / "src" / "newsroom" / "crew.py"
    source.write_text(source.read_text().replace("class Newsroom:", "class Newsroom(:"))
    line = source.read_text().splitlines().index("class Newsroom(:") + 1
    crew(tmp_path, crew=CREW + "titel: x\n")
    status, told = await crewdeck(python, tmp_path, "check", "--json", "press", "crews")
    assert status == 1
    assert {(each["file"], each["line"], each["crew"]) for each in json.loads(told)} == {
        (str(source), line, "newsroom"),
        (str(tmp_path / "crews" / "tides" / "crew.yaml"), 8, "tides"),
    }
    assert (await crewdeck(python, tmp_path, "check", "nowhere"))[0] == 2
