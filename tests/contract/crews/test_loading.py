"""Crews in Python that go wrong when they are imported or built: that costs their own crew only."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.core.runs.run import RunStatus
from bot.store.embedded import Embedded
from tests.contract.crews.deployment import ADA, Deployment, WorkerProcess, environment, install_crews
from tests.folders import own_folder
from tests.fork_server.client import ForkServer
from tests.waiting import WITHIN, eventually

MODULES = {
    "hangs": "import threading\nthreading.Event().wait()\n",
    "hangs_too": "import threading\nthreading.Event().wait()\n",
    "exits": "import sys\nsys.exit(3)\n",
    "interrupted": "raise KeyboardInterrupt\n",
    "based": "class Odd(BaseException):\n    def __str__(self):\n        raise ValueError\nraise Odd\n",
    "recursive": "def again():\n    again()\nagain()\n",
    "wrong": "import nowhere\n",
    "broken_syntax": "def (\n",
    "no_factory": "crew = 7\n",
}
BUILT = """
import os, sys, threading
from pathlib import Path
from crewdeck import crew
from tests.contract.crews.toolbox import in_python

waiting = threading.Event()

@crew(title="Waits")
def waits(inputs):
    Path("waits").open("a").write("x")
    waiting.wait()

@crew(title="Exits")
def exits(inputs):
    sys.exit(4)

@crew(title="Breaks")
def breaks(inputs):
    raise KeyboardInterrupt

@crew(title="Works", inputs={"prompt": {"required": True}}, main_input="prompt")
def works(inputs):
    return in_python(inputs)
"""
ENTRIES = "[crewdeck.crews]\n" + "".join(f"{name} = {name}:crew\n" for name in MODULES)
ENTRIES += "".join(f"builds_{name} = built:{name}\n" for name in ("waits", "exits", "breaks", "works"))
BUILD_TIMEOUT = "5"
"""Seconds: the first crew that a process builds takes one of them on a busy machine."""
DEADLY = "[crewdeck.crews]\ndies = dies:crew\nbuilds_works = built:works\n"


@contextmanager
def equipped() -> Iterator[Path]:
    with own_folder() as home:
        for module, code in MODULES.items():
            (home / f"{module}.py").write_text(code)
        (home / "built.py").write_text(BUILT)
        (home / "dies.py").write_text("import os\nos._exit(9)\n")
        yield home


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with equipped() as home:
        yield home


@pytest.fixture
def another() -> Iterator[Path]:
    """One in which nothing has happened yet."""
    with equipped() as home:
        yield home


@pytest.fixture(scope="module")
def worker(folder: Path, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    """A worker that has all of them installed."""
    redis = Embedded.attach(folder / "data")
    settings = {"CREWDECK_BUILD_TIMEOUT": BUILD_TIMEOUT, "OPENAI_API_KEY": "sk-test-12345678"}
    worker = WorkerProcess(folder, redis, settings, ENTRIES, fork_server)
    try:
        worker.wait_for_log("ready")
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait(WITHIN)
        redis.detach()


@pytest.fixture
async def deployment(worker: WorkerProcess) -> AsyncIterator[Deployment]:
    async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
        yield deployment


def records(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def problems(log: str) -> dict[str, str]:
    refused = [each for each in records(log) if each["message"] == "a crew can't be loaded"]
    return {each["crew"]: each["problem"] for each in refused}


def called(file: Path, times: int) -> None:
    """Returns once a factory has noted in this file that it was called so often."""
    deadline = time.monotonic() + WITHIN
    while not file.exists() or len(file.read_text()) < times:
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_a_module_that_goes_wrong_costs_its_own_crew_only(
    worker: WorkerProcess, deployment: Deployment
) -> None:
    told = problems(worker.log)
    assert set(told) == set(MODULES)
    assert f"hangs:crew can't be imported within {BUILD_TIMEOUT} s" in told["hangs"]
    assert "it tried to end the process: SystemExit: 3" in told["exits"]
    assert "it tried to end the process: KeyboardInterrupt" in told["interrupted"]
    assert told["based"].endswith("Odd")
    assert "RecursionError" in told["recursive"]
    assert "nowhere" in told["wrong"]
    assert "SyntaxError" in told["broken_syntax"]
    assert "is no factory" in told["no_factory"]
    assert all(len(each.splitlines()) == 1 for each in told.values())

    async def announced() -> set[str]:
        return {name for name in await deployment.store.catalogue.crews() if name.startswith("builds_")}

    # A worker says that it is ready before it announces what it offers.
    assert await eventually(announced) == {
        *("builds_waits", "builds_exits", "builds_breaks", "builds_works"),
    }


async def test_builds_that_hang_are_bounded_hold_up_nobody_and_can_be_cancelled(
    deployment: Deployment, worker: WorkerProcess
) -> None:
    waiting = [await deployment.start("builds_waits") for _ in range(6)]
    await asyncio.to_thread(called, worker.folder / "waits", 4)
    await deployment.store.runs.cancel(waiting[0].id, ADA)
    demo = await deployment.start("demo", topic="tides", pace=0)
    await deployment.question(demo)
    for run in waiting[1:]:
        failed = await deployment.over(run)
        assert failed.error is not None
        assert failed.error.code == "crew_broken"
        assert f"can't be built within {BUILD_TIMEOUT} s" in failed.error.message
    assert (await deployment.over(waiting[0])).status is RunStatus.CANCELLED
    given_up = [
        each["run_id"] for each in records(worker.log) if each["message"] == "the crew can't be built"
    ]
    assert sorted(given_up) == sorted(run.id for run in waiting[1:])


async def test_builds_that_exit_fail_their_runs_and_the_worker_goes_on(
    deployment: Deployment, worker: WorkerProcess
) -> None:
    for crew, words in (("builds_exits", "called sys.exit(4)"), ("builds_breaks", "KeyboardInterrupt")):
        failed = await deployment.over(await deployment.start(crew))
        assert failed.error is not None
        assert failed.error.code == "crew_exited"
        assert words in failed.error.message
    demo = await deployment.start("demo", topic="tides", pace=0)
    await deployment.question(demo)
    assert worker.process.poll() is None


def test_a_module_that_ends_the_process_is_left_out_after_three_of_them(
    another: Path, fork_server: ForkServer
) -> None:
    redis = Embedded.attach(another / "data")
    worker = WorkerProcess(another, redis, {}, DEADLY, fork_server)
    try:
        for _ in range(3):
            assert worker.process.wait(WITHIN) == 9
            worker.start()
        worker.wait_for_log("ready")
        assert "dies:crew has ended 3 processes that imported it" in problems(worker.log)["dies"]
    finally:
        worker.process.kill()
        worker.process.wait(WITHIN)
        redis.detach()


def test_the_doctor_names_the_module_that_ends_its_process_and_those_that_hang(
    another: Path, python: str
) -> None:
    settings = {"CREWDECK_BUILD_TIMEOUT": BUILD_TIMEOUT, "OPENAI_API_KEY": "sk-test-1234567890"}

    def doctor() -> list[str]:
        done = subprocess.run(
            [python, "-m", "bot", "doctor"],
            cwd=another,
            env=environment(another) | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN * 2,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr
        return [line for line in done.stdout.splitlines() if line.startswith("BROKEN")]

    install_crews(another, DEADLY)
    [line] = doctor()
    assert "Importing dies:crew, the crew dies, ends the process (status 9)" in line
    install_crews(another, ENTRIES)
    lines = {line.split()[2].rstrip(":"): line for line in doctor()}
    assert set(lines) == {*MODULES, "builds_waits", "builds_exits", "builds_breaks"}
    assert f"can't be built within {BUILD_TIMEOUT} s" in lines["builds_waits"]
    assert "SystemExit: 4" in lines["builds_exits"]
