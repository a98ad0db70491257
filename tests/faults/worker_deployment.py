"""Workers that are killed: a few processes on one store, and what people and tools see meanwhile."""

import asyncio
import itertools
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import redis

from bot.core.runs.run import Run
from bot.store import redis_keys
from bot.store.embedded import Embedded
from tests.contract.crews.deployment import WorkerProcess
from tests.folders import own_folder
from tests.fork_server.client import ForkServer
from tests.waiting import WITHIN, pauses

DEFINITIONS = Path(__file__).parent / "definitions"
PYTHON = """\
[crewdeck.crews]
campaign = tests.faults.worker_flows:campaign
branches = tests.faults.worker_flows:branches
racing = tests.faults.worker_flows:racing
silent = tests.faults.worker_flows:silent
reworked = tests.faults.worker_flows:reworked
shortened = tests.faults.worker_flows:shortened
sending = tests.faults.worker_flows:sending
chat = tests.faults.worker_flows:chat
native = tests.faults.attempts:native
written = tests.faults.attempts:written
guarded = tests.faults.attempts:guarded
attempts_reviewed = tests.faults.attempts:reviewed
delegating = tests.faults.attempts:delegating
kickoff = tests.faults.attempts:kickoff
loop = tests.faults.attempts:loop
refused = tests.faults.attempts:refused
reporting = tests.faults.attempts:reporting
filing = tests.faults.attempts:filing
remembering = tests.faults.memory_crew:remembering
"""
RELEASED = Path(__file__).parent / "releases" / "crews"
"""Crews of which earlier releases left runs."""
LEASE = 2
HOT_WINDOW = 1.5


class WorkerDeployment:
    """Workers that share a store; one that was killed is replaced while the tests go on."""

    def __init__(self, folder: Path, model_url: str, redis_server: Embedded, fork_server: ForkServer) -> None:
        self._folder = folder
        self._redis = redis_server
        self._fork_server = fork_server
        self.redis_url = redis_server.url
        self.effects_file = folder / "effects.jsonl"
        self.definitions = Path(shutil.copytree(DEFINITIONS, folder / "definitions"))
        self._env = {
            "CREWDECK_CONFIG_DIR": f"{self.definitions}{os.pathsep}{RELEASED}",
            "CREWDECK_MODEL": "openai/gpt-5.4-mini",
            "CREWDECK_LEASE": str(LEASE),
            "CREWDECK_HOT_WINDOW": str(HOT_WINDOW),
            "OPENAI_API_KEY": "sk-test-1234567890",
            "OPENAI_BASE_URL": model_url,
            "OPENAI_API_BASE": model_url,
            "EFFECTS": str(self.effects_file),
        }
        self._names = (f"worker-{number}" for number in itertools.count(1))
        self.workers: list[WorkerProcess] = []

    @classmethod
    @contextmanager
    def started(cls, model_url: str, fork_server: ForkServer, many: int = 2) -> Iterator[Self]:
        with own_folder() as folder:
            server = Embedded.attach(folder / "data")
            worker_deployment = cls(folder, model_url, server, fork_server)
            try:
                for _ in range(many):
                    worker_deployment.add()
                worker_deployment.workers[0].wait_for_log("ready")
                yield worker_deployment
            finally:
                for worker in worker_deployment.workers:
                    worker.process.kill()
                    worker.process.wait(WITHIN)
                server.detach()

    def add(self, **env: str) -> WorkerProcess:
        folder = self._folder / next(self._names)
        folder.mkdir()
        worker = WorkerProcess(folder, self._redis, self._env | env, PYTHON, self._fork_server)
        self.workers.append(worker)
        return worker

    def holder(self, run: Run) -> WorkerProcess:
        """The worker that has this run, or has just parked it: on a busy machine it is slow to be killed."""
        epoch, state = self._fields(run, "epoch", "state")
        claimed = int(epoch or 0) - (state == "parked")
        for worker in self.workers:
            claims = [line for line in worker.log.splitlines() if '"claimed"' in line and run.id in line]
            if claims and json.loads(claims[-1])["epoch"] == claimed:
                return worker
        raise AssertionError(f"nobody has this run\n{self.story()}")

    def kill(self, run: Run) -> None:
        """SIGKILL for the worker that has this run; others take it up, and a new one comes."""
        worker = self.holder(run)
        worker.process.send_signal(signal.SIGKILL)
        worker.process.wait(WITHIN)
        self.workers.remove(worker)
        self.add()

    def bury(self) -> None:
        """Wait for a worker to die by itself, and replace it."""
        self._wait_for(lambda: any(worker.process.poll() is not None for worker in self.workers))
        self.workers.remove(next(each for each in self.workers if each.process.poll() is not None))
        self.add()

    def stop_all(self) -> None:
        """SIGTERM for all, and one new worker, which is ready when this returns."""
        stopped, self.workers = self.workers, []
        for worker in stopped:
            worker.process.send_signal(signal.SIGTERM)
        for worker in stopped:
            assert worker.process.wait(WITHIN) == 0, worker.log
        self.add().wait_for_log("ready")

    async def parked(self, run: Run) -> None:
        """Returns once no worker has this run."""
        await asyncio.to_thread(self._wait_for, lambda: self._fields(run, "state") == ["parked"])

    def _fields(self, run: Run, *names: str) -> list[str | None]:
        with redis.Redis.from_url(self.redis_url, decode_responses=True) as client:
            values: list[str | None] = client.hmget(redis_keys.run(run.id), names)
            return values

    def effects(self, mark: str) -> list[str]:
        """What tools did under this mark, in order."""
        if not self.effects_file.exists():
            return []
        done = map(json.loads, self.effects_file.read_text().splitlines())
        return [each["what"] for each in done if each["mark"] == mark]

    async def did(self, mark: str, many: int) -> None:
        """Returns once tools have done so much under this mark."""
        await asyncio.to_thread(self._wait_for, lambda: len(self.effects(mark)) >= many)

    def _wait_for(self, condition: Callable[[], bool], within: float = WITHIN) -> None:
        deadline = time.monotonic() + within
        for pause in pauses():
            if condition():
                return
            assert time.monotonic() < deadline, self.story()
            time.sleep(pause)

    @contextmanager
    def rewritten(self, crew: str, edits: Mapping[str, Mapping[str, str]], **env: str) -> Iterator[None]:
        """Other values of keys in a crew's files, and other settings, for workers that start in the block."""
        before = {file: (self.definitions / crew / f"{file}.yaml").read_text() for file in edits}
        for file, values in edits.items():
            text = before[file]
            for key, value in values.items():
                text = re.sub(rf"\b{key}: .*", f"{key}: {value}", text)
            (self.definitions / crew / f"{file}.yaml").write_text(text)
        usual, self._env = self._env, self._env | env
        self.stop_all()
        try:
            yield
        finally:
            self._env = usual
            for file, text in before.items():
                (self.definitions / crew / f"{file}.yaml").write_text(text)
            self.stop_all()

    def story(self) -> str:
        return "\n".join(worker.log for worker in self.workers)
