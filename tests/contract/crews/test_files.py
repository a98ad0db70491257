"""Files of runs, their folder and their progress, against a real store: given once, whatever happens."""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools take and return anything
import asyncio
import itertools
import stat
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bot.core import files, ids
from bot.core.events.event import FileAttached, FileRefused, RunProgress
from bot.core.files import StoredFile, as_input, stored_file
from bot.core.forms.fields import Field
from bot.core.people.policy import policy_for
from bot.core.questions.question import Action, Question
from bot.core.questions.response import make_response
from bot.core.retry import retry
from bot.core.runs.crew import Crew
from bot.core.runs.place import Place
from bot.core.runs.run import NewRun, Run, RunStatus
from bot.core.wakeups import Wakeups
from bot.store.redis import RedisStore, open_store
from crews.run.folder import Folders
from crews.run.store_proxy import StoreProxy
from crews.worker.slots import Slots
from tests.contract.examples import ADA, LEASE
from tests.waiting import WITHIN

if TYPE_CHECKING:
    from crews.building.build import Built

NAME = "writing"

pytestmark = pytest.mark.usefixtures("crewai_environment")


class Deployment:
    """A store, and workers of this process, each with a data folder."""

    def __init__(self, store: RedisStore, wakeups: Wakeups, root: Path) -> None:
        self.store = store
        self.root = root
        self._proxy = StoreProxy(
            asyncio.get_running_loop(), store, wakeups, Slots(store.queue, "here", LEASE, most=50)
        )

    async def start(self, inputs: dict[str, Any] | None = None, key: str = "") -> Run:
        policy = policy_for(Crew(name=NAME, title="Writing").approvers, ADA)
        crew = Crew(name=NAME, title="Writing", inputs=(Field(name="topic"),))
        new = NewRun(
            id=ids.run_id(key or uuid.uuid4().hex),
            crew=crew,
            inputs={"topic": "tides", **(inputs or {})},
            requester=ADA,
            approvers=policy,
            cancellers=policy,
            place=None if key != "placed" else Place(surface="slack", tenant="T1", ref="C1/1"),
        )
        run, _ = await self.store.runs.start(new)
        return run

    async def execute(
        self, build: Callable[[dict[str, Any]], Built], at: str = "data", hot_window: float = 60.0
    ) -> Run:
        """Let a worker with this data folder take up the next run; the run once it has left the worker."""
        from crewdeck import crew
        from crews.building.build import PythonCrew
        from crews.worker.runtime import Runtime

        [claim] = await self.store.queue.claim("here", [NAME], 1, LEASE)
        declared = crew(title="Writing", inputs={"topic": {}})(build)
        runtime = Runtime(
            {NAME: PythonCrew(NAME, declared)},
            self._proxy,
            hot_window=hot_window,
            folders=Folders(self.root / at / "runs"),
        )
        await asyncio.wait_for(runtime.execute(claim), WITHIN)
        return await self.store.runs.get(claim.run.id)

    async def content(self, run: Run, file: StoredFile) -> bytes:
        return b"".join([part async for part in self.store.files.read(run.id, file.id)])

    async def texts(self, run: Run) -> dict[str, str]:
        """The files of a run: their texts by name."""
        return {
            file.name: (await self.content(run, file)).decode()
            for file in await self.store.files.list(run.id)
        }

    async def told(self, run: Run, kind: type[Any]) -> list[Any]:
        return [each.body for each in await self.store.events.read(run.id) if isinstance(each.body, kind)]

    async def answer(self, run: Run, words: str) -> None:
        [question] = [each for each in await self.store.questions.list(run.id) if each.open]
        await self.respond(question, words)

    async def respond(self, question: Question, words: str) -> None:
        said = make_response(Action.RESPOND, ADA, key=uuid.uuid4().hex, comment=words)
        await self.store.questions.respond(question.run_id, question.id, said)


@pytest.fixture
async def deployment(redis_url: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    async with open_store(redis_url) as store:
        wakeups = Wakeups()
        following = asyncio.create_task(wakeups.follow(store.events))
        yield Deployment(store, wakeups, tmp_path)
        following.cancel()
        await asyncio.wait({following})


# ── output_file ─────────────────────────────────────────────────────────────────────────────────────────


async def test_what_a_task_writes_is_given_to_people_once(deployment: Deployment) -> None:
    from tests.contract.crews import file_crews

    run = await deployment.start()
    ended = await deployment.execute(lambda _: file_crews.crew("{topic}.md", "out/{topic}.txt"))
    assert ended.status is RunStatus.COMPLETED, ended.error
    assert await deployment.texts(run) == {"tides.md": "# Tides", "tides.txt": "# Tides"}
    attached = await deployment.told(run, FileAttached)
    assert [(each.name, each.media_type, each.size) for each in attached] == [
        ("tides.md", "text/markdown", 7),
        ("tides.txt", "text/plain", 7),
    ]
    assert len({each.task_id for each in attached}) == 2
    assert [each.path for each in await deployment.store.files.list(run.id)] == ["tides.md", "out/tides.txt"]
    assert [each.name for each in (deployment.root / "data" / "runs").iterdir() if each.is_dir()] == []


async def test_runs_at_the_same_time_have_files_of_their_own(deployment: Deployment) -> None:
    from tests.contract.crews import file_crews

    def build(inputs: dict[str, Any]) -> Any:
        return file_crews.crew("report.md", says=f"About {inputs['topic']}")

    runs = [await deployment.start({"topic": topic}) for topic in ("tides", "wind")]
    await asyncio.gather(deployment.execute(build), deployment.execute(build))
    assert [await deployment.texts(run) for run in runs] == [
        {"report.md": "About tides"},
        {"report.md": "About wind"},
    ]


@pytest.mark.parametrize(
    ("output_file", "topic"),
    [
        ("{topic}.md", "../../etc/tides"),
        ("{topic}", "/etc/tides"),
        ("x/{topic}/y.md", ".."),
        ("{topic}", ".."),
    ],
)
async def test_an_input_leads_no_file_out_of_the_folder(
    deployment: Deployment, output_file: str, topic: str
) -> None:
    from tests.contract.crews import file_crews

    asked: list[str] = []
    run = await deployment.start({"topic": topic})

    def says(*_: Any) -> str:
        asked.append("asked")
        return "# Tides"

    ended = await deployment.execute(lambda _: file_crews.crew(output_file, says=says))
    assert ended.error is not None
    assert ended.error.code == "invalid_output_file"
    assert asked == []
    assert await deployment.store.files.list(run.id) == []


@pytest.mark.parametrize("topic", ["t" * 300, "\N{EURO SIGN}" * 100, "tides. " * 60, "a/" + "b" * 300])
async def test_an_input_that_is_too_long_for_a_files_name_is_shortened_in_it(
    deployment: Deployment, topic: str
) -> None:
    from tests.contract.crews import file_crews

    run = await deployment.start({"topic": topic})
    ended = await deployment.execute(lambda _: file_crews.crew("notes/{topic}.md", says=lambda *_: "# Tides"))
    assert ended.error is None
    [file] = await deployment.store.files.list(run.id)
    assert file.name.endswith(".md")
    assert file.name[:6] in topic
    assert len(file.name.encode()) <= 240


async def test_an_absolute_path_is_left_as_its_author_wrote_it(deployment: Deployment) -> None:
    from tests.contract.crews import file_crews

    run = await deployment.start()
    output = deployment.root / "elsewhere"
    ended = await deployment.execute(lambda _: file_crews.crew(f"{output}/{{topic}}.md"))
    assert ended.status is RunStatus.COMPLETED, ended.error
    assert (output / "tides.md").read_text() == "# Tides"
    assert await deployment.store.files.list(run.id) == []


async def test_a_finished_task_has_its_file_whoever_goes_on(deployment: Deployment) -> None:
    """The run is parked after its first task, and continued where there is another data folder."""
    from tests.contract.crews import file_crews

    seen: list[str] = []

    def build(_: dict[str, Any]) -> Any:
        import crewdeck
        from tests.contract.crews.gated import calls

        def says(messages: list[dict[str, Any]], _tools: list[Any]) -> Any:
            if "second" not in str(messages):
                return "# First"
            run = crewdeck.current_run()
            assert run is not None
            seen.append((run.folder / "first.md").read_text())
            answers = [each["content"] for each in messages if each.get("role") == "tool"]
            return f"# Second: {answers[0]}" if answers else calls(("ask_human", {"question": "Which?"}))

        writer = file_crews.agent(says)
        first = file_crews.task(writer, "first.md", description="first")
        second = file_crews.task(writer, "second.md", description="second")
        return file_crews.of(first, second)

    run = await deployment.start()
    parked = await deployment.execute(build, hot_window=0)
    assert parked.status is RunStatus.INPUT_REQUIRED, parked.error
    assert await deployment.texts(run) == {"first.md": "# First"}
    assert not (deployment.root / "data" / "runs" / run.id).exists()
    await deployment.answer(run, "that one")
    ended = await deployment.execute(build, at="elsewhere")
    assert ended.status is RunStatus.COMPLETED, ended.error
    assert set(seen) == {"# First"}
    assert await deployment.texts(run) == {
        "first.md": "# First",
        "second.md": "# Second: Ada answered: that one",
    }
    assert [each.name for each in await deployment.told(run, FileAttached)] == ["first.md", "second.md"]


async def test_a_worker_without_room_for_files_says_so(deployment: Deployment) -> None:
    from tests.contract.crews import file_crews

    (deployment.root / "data").write_text("no folder")
    await deployment.start()
    with capture_logs():
        ended = await deployment.execute(lambda _: file_crews.crew("{topic}.md"))
    assert ended.error is not None
    assert (ended.error.code, str(deployment.root) in ended.error.message) == ("disk", False)


async def test_a_file_that_its_worker_could_not_announce_is_announced_by_the_next_one(
    deployment: Deployment,
) -> None:
    from tests.contract.crews import file_crews

    run = await deployment.start()
    [claim] = await deployment.store.queue.claim("dies", [NAME], 1, LEASE)
    file = stored_file("tides.md", b"# Tides", path="tides.md")
    await deployment.store.files.attach(claim, file, b"# Tides")
    await deployment.store.journal.put_if_absent(claim, "format", "2")
    await deployment.store.queue.release(claim)
    seen: list[bool] = []

    def says(*_: Any) -> str:
        import crewdeck

        run = crewdeck.current_run()
        assert run is not None
        seen.append((run.folder / "tides.md").exists())
        return "# Tides"

    ended = await deployment.execute(lambda _: file_crews.crew("{topic}.md", says=says))
    assert ended.status is RunStatus.COMPLETED, ended.error
    assert seen == [True]
    assert [each.name for each in await deployment.told(run, FileAttached)] == ["tides.md"]


# ── attach ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_attached_file_is_there_once(deployment: Deployment, tmp_path: Path) -> None:
    import crewdeck
    from tests.contract.crews import file_crews

    file = tmp_path / "data.csv"

    def work() -> None:
        file.write_text("a,b")
        for _ in range(3):
            crewdeck.attach(file, description="The figures")
        file.write_text("a,b,c")
        crewdeck.attach(str(file))
        crewdeck.attach(file, name="../../renamed\u202e.csv")

    run = await deployment.start()
    ended = await deployment.execute(lambda _: file_crews.flow(work))
    assert ended.status is RunStatus.COMPLETED, ended.error
    attached = await deployment.told(run, FileAttached)
    assert [(each.name, each.size, each.description) for each in attached] == [
        ("data.csv", 3, "The figures"),
        ("data.csv", 5, ""),
        ("renamed.csv", 5, ""),
    ]
    stored = await deployment.store.files.list(run.id)
    assert {each.digest for each in attached} == {each.digest for each in stored}


async def test_what_is_left_in_the_folder_is_given_to_people(deployment: Deployment) -> None:
    from tests.contract.crews import file_crews

    modes: list[int] = []

    def work() -> None:
        file_crews.note("plots/tide.svg", "<svg/>")
        file_crews.note(".cache/x", "hidden")
        path = file_crews.note("notes.txt", "n")
        (path.parent / "link").symlink_to("/etc/hostname")
        modes.append(stat.S_IMODE(path.parent.stat().st_mode))

    run = await deployment.start()
    ended = await deployment.execute(lambda _: file_crews.flow(work))
    assert ended.status is RunStatus.COMPLETED, ended.error
    assert await deployment.texts(run) == {"tide.svg": "<svg/>", "notes.txt": "n"}
    assert modes == [0o700]
    assert not (deployment.root / "data" / "runs" / run.id).exists()


async def test_a_folder_full_of_files_is_not_given_file_by_file(deployment: Deployment) -> None:
    from crews.run.files import MAX_COLLECTED
    from tests.contract.crews import file_crews

    def work() -> None:
        for number in range(MAX_COLLECTED + 5):
            file_crews.note(f"{number:02}.txt", str(number))

    run = await deployment.start()
    ended = await deployment.execute(lambda _: file_crews.flow(work))
    assert ended.status is RunStatus.COMPLETED, ended.error
    assert sorted(await deployment.texts(run)) == [f"{number:02}.txt" for number in range(MAX_COLLECTED)]
    [refused] = await deployment.told(run, FileRefused)
    assert (refused.name, "Pack them into one" in refused.reason) == ("Further files", True)


async def test_what_can_not_be_attached_fails_the_call_and_not_the_run(
    deployment: Deployment, tmp_path: Path
) -> None:
    import crewdeck
    from tests.contract.crews import file_crews

    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(files.MAX_FILE_BYTES + 1)
    said: list[str] = []

    def work() -> None:
        for path in (big, tmp_path / "missing", tmp_path):
            try:
                crewdeck.attach(path)
            except (ValueError, OSError) as error:
                said.append(type(error).__name__)
        file_crews.note("large.bin", "x" * (files.MAX_FILE_BYTES + 1))

    run = await deployment.start()
    ended = await deployment.execute(lambda _: file_crews.flow(work))
    assert ended.status is RunStatus.COMPLETED, ended.error
    assert said == ["ValueError", "FileNotFoundError", "IsADirectoryError"]
    [refused] = await deployment.told(run, FileRefused)
    assert refused.name == "large.bin"
    assert "at most 20971520" in refused.reason
    assert await deployment.store.files.list(run.id) == []


# ── input files ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_crew_reads_the_file_of_an_input_wherever_it_runs(deployment: Deployment) -> None:
    from tests.contract.crews import file_crews

    paths: list[str] = []

    def build(inputs: dict[str, Any]) -> Any:
        def work() -> str:
            import crewdeck

            path = inputs["doc"]
            run = crewdeck.current_run()
            assert run is not None
            assert (run.inputs["doc"], run.requester.name, run.crew) == (path, "Ada", NAME)
            paths.append(path)
            before = Path(path).read_text()
            crewdeck.ask_human(f"Is {path} right?")
            return before + Path(path).read_text()

        return file_crews.flow(work)

    file = stored_file("plan.txt", b"PLAN", input="doc")
    await deployment.store.files.seed(ids.run_id("with a file"), file, b"PLAN")
    run = await deployment.start({"doc": as_input(file)}, key="with a file")
    await deployment.execute(build, hot_window=0)
    await deployment.answer(run, "yes")
    ended = await deployment.execute(build, at="elsewhere")
    assert ended.result == "PLANPLAN", ended.error
    assert len(await deployment.store.questions.list(run.id)) == 1
    assert [Path(each).relative_to(deployment.root).parts for each in paths] == [
        (folder, "runs", run.id, "inputs", "doc", "plan.txt") for folder in ("data", "elsewhere")
    ]
    assert await deployment.told(run, FileAttached) == []


async def test_a_run_whose_file_is_lost_says_so(deployment: Deployment) -> None:
    from tests.contract.crews import file_crews

    run = await deployment.start({"doc": as_input(stored_file("plan.txt", b"PLAN", input="doc"))})
    ended = await deployment.execute(lambda _: file_crews.flow(lambda: "never"))
    assert ended.error is not None
    assert (ended.error.code, "plan.txt" in ended.error.message) == ("file_lost", True)
    assert run.id == ended.id


async def test_a_retry_has_the_files_of_the_run_that_it_tries_again(deployment: Deployment) -> None:
    import crewdeck
    from tests.contract.crews import file_crews

    fails = [True]

    def build(inputs: dict[str, Any]) -> Any:
        def second(messages: list[dict[str, Any]], _tools: list[Any]) -> str:
            if "second" in str(messages) and fails:
                crewdeck.progress("about to fail")
                raise RuntimeError
            return Path(inputs["doc"]).read_text()

        writer = file_crews.agent(second)
        named = [("first.md", "first: {doc}"), ("second.md", "second: {doc}")]
        return file_crews.of(*(file_crews.task(writer, name, description=words) for name, words in named))

    file = stored_file("plan.txt", b"PLAN", input="doc")
    await deployment.store.files.seed(ids.run_id("to be retried"), file, b"PLAN")
    run = await deployment.start({"doc": as_input(file)}, key="to be retried")
    with capture_logs():  # the failure's traceback, which takes long to draw
        failed = await deployment.execute(build)
    assert failed.status is RunStatus.FAILED
    assert await deployment.texts(run) == {"first.md": "PLAN", "plan.txt": "PLAN"}
    fails.clear()
    again = await retry(deployment.store, failed, key="again")
    ended = await deployment.execute(build)
    assert (ended.id, ended.status) == (again.id, RunStatus.COMPLETED), ended.error
    assert set(await deployment.texts(again)) == {"first.md", "second.md", "plan.txt"}
    assert [each.name for each in await deployment.told(again, FileAttached)] == ["second.md"]


# ── progress ────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_newest_progress_is_recorded_and_not_all_of_it(deployment: Deployment) -> None:
    import crewdeck
    from tests.contract.crews import file_crews

    def work() -> None:
        for number in itertools.count(1):
            crewdeck.progress(f"Fetched {number} of 200\n\x00")
            if number == 200:
                break

    run = await deployment.start()
    ended = await deployment.execute(lambda _: file_crews.flow(work))
    assert ended.status is RunStatus.COMPLETED, ended.error
    told = await deployment.told(run, RunProgress)
    assert 1 <= len(told) <= 3
    assert all("\n" not in each.text for each in told)


# ── outside of runs ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_code_works_outside_of_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import crewdeck

    file = tmp_path / "data.csv"
    file.write_text("a,b")
    assert crewdeck.current_run() is None
    crewdeck.attach(file, name="figures.csv")
    crewdeck.progress("Fetched 3\nof 10")
    said = capsys.readouterr().err
    assert "figures.csv (3 bytes) is given to nobody" in said
    assert "crewdeck: Fetched 3 of 10\n" in said
    assert file.read_text() == "a,b"
    with pytest.raises(FileNotFoundError):
        crewdeck.attach(tmp_path / "missing")
    with file.open("wb") as large:
        large.truncate(files.MAX_FILE_BYTES + 1)
    with pytest.raises(ValueError, match="at most 20971520"):
        crewdeck.attach(file)
