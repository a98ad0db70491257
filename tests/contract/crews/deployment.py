"""A worker process, and what people see of it through the store."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

from pydantic import JsonValue

from bot.core import starting
from bot.core.events.event import Event
from bot.core.people.actor import Actor
from bot.core.questions import answering
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Action, Question
from bot.core.questions.response import make_response
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.core.wakeups import Wakeups, run_topic
from bot.store.embedded import Embedded
from bot.store.redis import RedisStore, open_store
from tests.folders import own_folder
from tests.fork_server.client import WORKER, Child, ForkServer
from tests.loopback.models import LoopbackModel
from tests.waiting import WITHIN, alongside, until

REPOSITORY = Path(__file__).resolve().parents[3]
ADA = Actor(surface="http", user_id="ada", name="Ada")

METADATA = "Metadata-Version: 2.1\nName: crewdeck-test-crews\nVersion: 1\n"
ENTRY_POINTS = """\
[crewdeck.crews]
python = tests.contract.crews.toolbox:in_python
steady = tests.contract.crews.toolbox:steady
halves = tests.contract.crews.toolbox:halves
newspaper = tests.contract.crews.toolbox:newspaper
own_key = tests.contract.crews.toolbox:own_key
heard = tests.contract.crews.toolbox:heard
missing = tests.contract.crews.toolbox:nothing_there
"""


async def called(model: LoopbackModel, marker: str, times: int = 1) -> None:
    """Returns once the model has been called so often for this marker."""
    await until(lambda: model.count(marker) >= times)


class WorkerProcess:
    """`python -m crews worker` with a folder, and by default a store, of its own."""

    def __init__(
        self,
        folder: Path,
        redis: Embedded,
        env: Mapping[str, str],
        crews: str = ENTRY_POINTS,
        fork_server: ForkServer | None = None,
    ) -> None:
        self.folder = folder
        self._redis = redis
        self.redis_url = redis.url
        self._log = folder / "worker.log"
        self._env = environment(folder) | {"CREWDECK_REDIS_URL": redis.url} | dict(env)
        self.fork_server = fork_server
        """What forks it when it is started; None executes it, as people do."""
        install_crews(folder, crews)
        self.process: Child | subprocess.Popen[bytes]
        self.start()

    def start(self, *, executed: bool = False) -> None:
        """Start the process, again after it has ended: `executed` even where there is a fork server."""
        if self.fork_server is not None and not executed:
            self.process = self.fork_server.born(WORKER, self._env, self.folder, self._log)
            return
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "crews", "worker"],
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @classmethod
    @contextmanager
    def started(
        cls,
        model_url: str,
        definitions: Path,
        crews: str = ENTRY_POINTS,
        fork_server: ForkServer | None = None,
        **settings: str,
    ) -> Iterator[Self]:
        """With a `fork_server` it is there at once, in place of after some seconds."""
        with own_folder() as folder:
            embedded = Embedded.attach(folder / "data")
            env = {
                "CREWDECK_CONFIG_DIR": str(definitions),
                "CREWDECK_MODEL": "openai/gpt-5.4-mini",
                "OPENAI_API_KEY": "sk-test-1234567890",
                "OPENAI_BASE_URL": model_url,
                "OPENAI_API_BASE": model_url,
                **settings,
            }
            worker = cls(folder, embedded, env, crews, fork_server)
            try:
                yield worker
            finally:
                worker.process.kill()
                worker.process.wait(WITHIN)
                embedded.detach()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for_log(self, message: str, within: float = WITHIN) -> None:
        deadline = time.monotonic() + within
        while f'"message": "{message}"' not in self.log:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def heard(self) -> list[dict[str, Any]]:
        """What a listener of CrewAI's event bus heard in the worker."""
        file = self.folder / "heard.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def restart_redis(self, away: float) -> None:
        """SIGKILL for the server; `away` seconds later it is there again, on the same data."""
        os.kill(int(self._redis._pid()), signal.SIGKILL)  # noqa: SLF001 - nobody else needs to know
        time.sleep(away)
        self._redis.ensure()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN)


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process that shares nothing with the machine's."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{folder}",
        "CREWDECK_DATA_DIR": str(folder / "data"),
        "CREWDECK_LOG_FORMAT": "json",
    }


def install_crews(folder: Path, crews: str = ENTRY_POINTS) -> None:
    """An installed package that registers crews, as far as Python can tell."""
    package = folder / "crewdeck_test_crews-1.dist-info"
    package.mkdir(exist_ok=True)
    (package / "METADATA").write_text(METADATA)
    (package / "entry_points.txt").write_text(crews)


class Deployment:
    """A store and its workers, as people see them: it starts runs, sees questions, answers them."""

    def __init__(self, store: RedisStore, wakeups: Wakeups, story: Callable[[], str]) -> None:
        self.store = store
        self._wakeups = wakeups
        self._story = story

    @classmethod
    @asynccontextmanager
    async def at(cls, redis_url: str, story: Callable[[], str] = str) -> AsyncIterator[Self]:
        """`story`: the logs of its workers, for a run that fails unexpectedly."""
        async with open_store(redis_url) as store:
            wakeups = Wakeups()
            async with alongside(wakeups.follow(store.events)):
                yield cls(store, wakeups, story)

    async def start(self, crew: str, **inputs: Any) -> Run:
        crews = await self.announced(crew)
        run, _ = await self.store.runs.start(starting.plan(crews[crew], inputs, ADA, key=uuid.uuid4().hex))
        return run

    async def announced(self, name: str) -> Mapping[str, Crew]:
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                crews = await self.store.catalogue.crews()
                if name in crews:
                    return crews
                await asyncio.sleep(0.05)
        raise AssertionError

    async def asked(self, run: Run, many: int = 1) -> list[Question]:
        """The run's open questions, once there are that many."""
        async with asyncio.timeout(WITHIN):
            with self._wakeups.watch(run_topic(run.id)) as signal:
                while True:
                    signal.clear()
                    now = await self.store.runs.get(run.id)
                    assert not now.status.over, f"{now.error}\n{self._story()}"
                    found = [each for each in await self.store.questions.list(run.id) if each.open]
                    if len(found) >= many:
                        return found
                    await signal.wait()

    async def question(self, run: Run) -> Question:
        [question] = await self.asked(run)
        return question

    async def say(self, question: Question, words: str) -> Ruling:
        """Answer in words; exactly a label is that button."""
        said = answering.in_words(question, ADA, words, key=uuid.uuid4().hex)
        return await self.store.questions.respond(question.run_id, question.id, said)

    async def submit(self, question: Question, values: dict[str, JsonValue]) -> Ruling:
        """Fill in a form."""
        said = make_response(Action.SUBMIT, ADA, key=uuid.uuid4().hex, values=values)
        return await self.store.questions.respond(question.run_id, question.id, said)

    async def reject(self, question: Question, comment: str) -> Ruling:
        said = make_response(Action.REJECT, ADA, key=uuid.uuid4().hex, comment=comment)
        return await self.store.questions.respond(question.run_id, question.id, said)

    async def over(self, run: Run, within: float = WITHIN) -> Run:
        """The run, once it is over."""
        return await self.until(run, lambda now: now.status.over, within)

    async def until(self, run: Run, condition: Callable[[Run], bool], within: float = WITHIN) -> Run:
        async with asyncio.timeout(within):
            with self._wakeups.watch(run_topic(run.id)) as signal:
                while True:
                    signal.clear()
                    now = await self.store.runs.get(run.id)
                    if condition(now):
                        return now
                    await signal.wait()

    async def result(self, run: Run) -> str:
        """What the run came to; it must have worked."""
        done = await self.over(run)
        assert done.status is RunStatus.COMPLETED, f"{done.error}\n{self._story()}"
        return done.result or ""

    async def events(self, run: Run) -> list[Event]:
        return await self.store.events.read(run.id)
