"""Edited crews take effect for new runs; where the edit is broken, the last good version stays."""

from __future__ import annotations

import asyncio
import email.mime.text
import itertools
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from bot.commands.new import new
from bot.core.runs.crew import Crew, CrewProblem
from bot.core.runs.run import RunStatus
from bot.settings import Settings
from crews.crewai_adapter import environment
from crews.definitions.defined_crews import read_only
from crews.worker.watching import WatchedFiles
from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.fork_server.client import ForkServer
from tests.waiting import WITHIN


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CREWDECK_CONFIG_DIR", str(tmp_path / "crews"))
    new("hello", str(tmp_path / "crews"))
    configured = Settings(data_dir=tmp_path / "data")
    environment.prepare(configured)
    return configured


def edit(file: Path, old: str, new_text: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new_text))
    os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns + 1_000_000))


def test_what_was_edited_added_and_removed_is_seen(settings: Settings, tmp_path: Path) -> None:
    files = WatchedFiles(settings)
    hello = tmp_path / "crews" / "hello"
    before = files.stamps()
    assert files.edited(before, files.stamps()) == set()
    (hello / "notes.txt").write_text("nothing that a crew is made from")
    assert files.edited(before, files.stamps()) == set()
    edit(hello / "crew.yaml", "Hello", "Hallo")
    assert files.edited(before, files.stamps()) == {str(hello / "crew.yaml")}
    shutil.copytree(hello, tmp_path / "crews" / "second")
    (hello / "script.yaml").unlink()
    (tmp_path / "crews" / "policies.yaml").write_text("policies: {pay: {who: [anyone]}}\n")
    names = {Path(each).relative_to(tmp_path / "crews") for each in files.edited(before, files.stamps())}
    assert {str(each) for each in names} == {
        "hello/crew.yaml",
        "hello/script.yaml",
        "policies.yaml",
        *(f"second/{kind}.yaml" for kind in ("crew", "agents", "tasks", "script")),
    }


def test_modules_of_authors_are_watched_once_they_are_imported_and_others_are_not(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "crewdeck_watched.py"
    module.write_text("ONE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    files = WatchedFiles(settings)
    before = files.stamps()
    __import__("crewdeck_watched")
    imported = files.stamps()
    assert str(module) in imported
    assert files.edited(before, imported) == set(), "an import is no edit"
    edit(module, "1", "2")
    assert files.edited(imported, files.stamps()) == {str(module)}
    assert not [each for each in imported if "site-packages" in each or each == pytest.__file__]
    assert not [each for each in imported if each.endswith(("crews/worker/watching.py", "json/__init__.py"))]


def test_a_module_is_watched_that_was_imported_while_another_one_was_taken_out(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many modules as before: some import placeholders, or take out what they fail to import."""
    module = tmp_path / "crewdeck_replacing.py"
    module.write_text("ONE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "crewdeck_replaced", ModuleType("crewdeck_replaced"))
    files = WatchedFiles(settings)
    files.stamps()
    del sys.modules["crewdeck_replaced"]
    __import__("crewdeck_replacing")
    assert str(module) in files.stamps()


@pytest.mark.parametrize("linked", ["file", "folder", "folder above"])
@pytest.mark.parametrize("authors", [True, False])
def test_links_are_followed_to_whose_module_it_is(
    linked: str, *, authors: bool, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Path(email.mime.text.__file__)
    if authors:
        target = tmp_path / "written" / "here" / "text.py"
        target.parent.mkdir(parents=True)
        target.touch()
    above = {"file": target, "folder": target.parent, "folder above": target.parent.parent}[linked]
    link = tmp_path / "link.py"
    link.symlink_to(above)
    module = ModuleType("crewdeck_linked")
    module.__file__ = str(link / target.relative_to(above)) if above != target else str(link)
    files = WatchedFiles(settings)
    monkeypatch.setitem(sys.modules, "crewdeck_linked", module)
    assert (module.__file__ in files.stamps()) is authors


def test_a_broken_edit_keeps_the_last_good_version(settings: Settings, tmp_path: Path) -> None:
    from crews.building.build import YamlCrew
    from crews.building.offer import Offer
    from crews.building.reloading import reloaded

    hello = tmp_path / "crews" / "hello"

    def again(current: Offer) -> Offer:
        return reloaded(read_only([tmp_path / "crews"]), current.crews, settings, "14:02")

    first = again(Offer({}))
    assert (list(first.crews), first.problems) == (["hello"], ())
    for file, old, wrong, told in (
        ("crew.yaml", "main_input", "main_inptu", f"{hello}/crew.yaml:10: main_inptu: is no key"),
        (
            "tasks.yaml",
            "agent: writer",
            "agent: nobody",
            f"{hello}/tasks.yaml:6: draft.agent: nobody is no agent",
        ),
        (
            "crew.yaml",
            "limits:",
            "tools: {t: {use: 'nowhere:T'}}\nlimits:",
            f"{hello}/crew.yaml:16: tools.t.use: ",
        ),
        ("script.yaml", "draft:", "drfat:", f"{hello}/script.yaml:"),
    ):
        good = (hello / file).read_text()
        edit(hello / file, old, wrong)
        kept = again(first)
        assert kept.crews == first.crews, file
        if told:
            [problem] = kept.problems
            assert problem.name == "hello"
            assert problem.problem.startswith(told)
            assert (
                problem.remedy == "The edit is broken: runs use the version of 14:02 until it is corrected."
            )
        (hello / file).write_text(good)
    edit(hello / "crew.yaml", '"Hello"', '"Hallo"')
    now = again(first)
    assert now.problems == ()
    assert now.crews["hello"].card().title == "Hallo"
    new("second", str(tmp_path / "crews"))
    assert list(again(now).crews) == ["hello", "second"]
    shutil.rmtree(hello)
    last = again(again(now))
    assert list(last.crews) == ["second"]
    assert isinstance(last.crews["second"], YamlCrew)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crews")
    new("hello", str(folder))
    return folder


@pytest.fixture(scope="module")
def worker(folder: Path, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    with WorkerProcess.started("http://127.0.0.1:1", folder, "", fork_server) as process:
        process.wait_for_log("ready")
        yield process


@pytest.fixture
async def deployment(worker: WorkerProcess) -> AsyncIterator[Deployment]:
    async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
        yield deployment


async def test_a_worker_takes_edits_over_at_once_and_its_runs_go_on(
    deployment: Deployment, worker: WorkerProcess, folder: Path
) -> None:
    catalogue = deployment.store.catalogue

    async def known(condition: Callable[[Mapping[str, Crew]], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                if condition(await catalogue.crews()):
                    return
                await asyncio.sleep(0.05)

    async def titled(title: str) -> None:
        await known(lambda crews: crews["hello"].title == title)

    async def told(many: int) -> list[CrewProblem]:
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                found = [each for each in await catalogue.problems() if each.name == "hello"]
                if len(found) == many:
                    return found
                await asyncio.sleep(0.05)
        raise AssertionError

    before = await deployment.start("hello", topic="tides")
    question = await deployment.question(before)
    edit(folder / "hello" / "script.yaml", "The decision on", "What was decided on")
    # Last, as it is what shows that the edits were read.
    edit(folder / "hello" / "crew.yaml", 'title: "Hello"', 'title: "Hallo"')
    await titled("Hallo")
    after = await deployment.start("hello", topic="tides")
    later = await deployment.question(after)
    for each in (question, later):
        await deployment.say(each, "approve")
    assert (await deployment.result(before)).startswith("The decision on the text")
    assert (await deployment.result(after)).startswith("What was decided on the text")

    good = (folder / "hello" / "crew.yaml").read_text()
    edit(folder / "hello" / "crew.yaml", "limits:", "limtis:")
    [problem] = await told(1)
    assert f"{folder}/hello/crew.yaml:" in problem.problem
    assert "limtis" in problem.problem
    assert "runs use the version of" in problem.remedy
    assert '"message": "an edited crew is broken"' in worker.log
    kept = await deployment.start("hello", topic="tides")
    await deployment.say(await deployment.question(kept), "reject")
    assert (await deployment.over(kept)).status is RunStatus.COMPLETED
    (folder / "hello" / "crew.yaml").write_text(good.replace("Hallo", "Bonjour"))
    await titled("Bonjour")
    await told(0)

    shutil.copytree(folder / "hello", folder / "second")
    second = await deployment.start("second", topic="tides")
    await deployment.say(await deployment.question(second), "approve")
    await deployment.result(second)
    shutil.rmtree(folder / "second")
    await known(lambda crews: "second" not in crews)
    assert worker.process.poll() is None
