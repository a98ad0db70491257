"""A store, and processes on it as if each had a machine of its own: they share nothing but its address."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import redis

from bot import local_token
from bot.core.ports.store import Catalogue
from bot.core.runs.run import Run
from bot.store import redis_keys
from tests.contract.crews.deployment import environment
from tests.folders import own_folder
from tests.fork_server.client import SERVE, WORKER, Child, Command, ForkServer
from tests.waiting import WITHIN, eventually, pauses

DEFINITIONS = Path(__file__).parent / "definitions"
LEASE = 2.0
ANNOUNCED = re.compile(r"http://127\.0\.0\.1:\d+")


class Machine:
    """One process of ours: a worker, or a web process."""

    def __init__(self, name: str, child: Child, log: Path) -> None:
        self.name = name
        self.child = child
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def records(self, message: str) -> list[dict[str, Any]]:
        """What it logged with this message."""
        lines = (line for line in self.log.splitlines() if line.startswith("{"))
        return [record for record in map(json.loads, lines) if record["message"] == message]

    async def said(self, words: str, within: float = WITHIN) -> None:
        """Returns once its log has these words."""
        await until(lambda: words in self.log, within, lambda: self.log)

    async def ready(self) -> None:
        """Of a worker: it takes runs."""
        await self.said('"message": "ready"')

    async def left(self, run: Run) -> None:
        """Of a worker that has had this run: returns once nothing of it goes on there."""
        await until(
            lambda: any(r["run_id"] == run.id for r in self.records("done")), WITHIN, lambda: self.log
        )

    def pause(self) -> None:
        """SIGSTOP: as a machine that is put to sleep."""
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.child.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: as a machine whose power is cut."""
        self.child.kill()
        self.child.wait(WITHIN)

    def ask_to_stop(self) -> None:
        self.child.send_signal(signal.SIGTERM)

    async def stopped(self) -> None:
        """SIGTERM, and the end of it."""
        self.ask_to_stop()
        assert await asyncio.to_thread(self.child.wait, WITHIN) == 0, self.log


class Web(Machine):
    """A web process."""

    @property
    def url(self) -> str:
        found = ANNOUNCED.search(self.log)
        assert found, self.log
        return found.group()

    @property
    def ws_url(self) -> str:
        return self.url.replace("http://", "ws://")

    @property
    def bearer(self) -> dict[str, str]:
        """What proves to it that we are its user, where it has made a token for that."""
        made = next(self._log.parent.rglob(local_token.FILE_NAME), None)
        return {"Authorization": f"Bearer {local_token.read(made.parent)}"} if made else {}

    async def up(self) -> None:
        """Returns once it has said where it is."""
        await until(lambda: ANNOUNCED.search(self.log), WITHIN, lambda: self.log)


M = TypeVar("M", bound=Machine)


class ProcessDeployment:
    """All of it. Processes get the deployment's settings, and those of their own."""

    def __init__(
        self, folder: Path, fork_server: ForkServer, redis_url: str, settings: dict[str, str]
    ) -> None:
        self.redis_url = redis_url
        self.effects_file = folder / "effects.jsonl"
        self._folder = folder
        self._fork_server = fork_server
        self._settings = settings | {"EFFECTS": str(self.effects_file), "CREWDECK_REDIS_URL": redis_url}
        self._numbers = itertools.count(1)
        self.machines: list[Machine] = []

    @classmethod
    @contextmanager
    def built(
        cls, fork_server: ForkServer, redis_url: str, model_url: str, **settings: str
    ) -> Iterator[Self]:
        """A deployment on this Redis, gone with its processes when the block ends."""
        general = {
            "CREWDECK_CONFIG_DIR": str(DEFINITIONS),
            "CREWDECK_MODEL": "openai/gpt-5.4-mini",
            "CREWDECK_LEASE": str(LEASE),
            "OPENAI_API_KEY": "sk-test-1234567890",
            "OPENAI_BASE_URL": model_url,
            "OPENAI_API_BASE": model_url,
        }
        with own_folder() as folder:
            processes = cls(folder, fork_server, redis_url, general | settings)
            try:
                yield processes
            finally:
                for machine in processes.machines:
                    machine.child.kill()
                for machine in processes.machines:
                    machine.child.wait(WITHIN)

    def worker(self, **settings: str) -> Machine:
        """One more worker; `ready` says when it takes runs."""
        return self._add(Machine, "worker", WORKER, settings)

    def misled(self, seconds: int) -> Machine:
        """A worker whose clock is so much ahead."""
        return self._add(
            Machine, "worker", Command("tests.faults.shifted_clock", (str(seconds), "worker")), {}
        )

    def web(self, **settings: str) -> Web:
        """One more web process, without workers; `up` says when it listens."""
        return self._add(Web, "web", SERVE, {"CREWDECK_WORKERS": "0", "PORT": "0", **settings})

    def _add(self, kind: type[M], name: str, command: Command, settings: dict[str, str]) -> M:
        name = f"{name}-{next(self._numbers)}"
        folder = self._folder / name
        folder.mkdir()
        log = folder / "log"
        log.touch()
        env = environment(folder) | self._settings | settings
        machine = kind(name, self._fork_server.born(command, env, folder, log), log)
        self.machines.append(machine)
        return machine

    # ── what is to be seen ──────────────────────────────────────────────────────────────────────────────

    def field(self, run: Run, name: str) -> str | None:
        """What the store holds of a run."""
        with redis.Redis.from_url(self.redis_url, decode_responses=True) as client:
            value: str | None = client.hget(redis_keys.run(run.id), name)
            return value

    def holder(self, run: Run) -> Machine | None:
        """The worker that has this run, as far as the logs tell."""
        epoch = int(self.field(run, "epoch") or 0)
        for machine in self.machines:
            if any(c["run_id"] == run.id and c["epoch"] == epoch for c in machine.records("claimed")):
                return machine
        return None

    async def held(self, run: Run) -> Machine:
        """The worker that has this run, once one has it."""
        await until(lambda: self.holder(run), WITHIN, self.story)
        found = self.holder(run)
        assert found is not None
        return found

    async def parked(self, run: Run) -> None:
        """Returns once no worker has this run, since it waits for people."""
        await until(lambda: self.field(run, "state") == "parked", WITHIN, self.story)

    def effects(self, mark: str) -> list[str]:
        """What tools did under this mark, in order."""
        if not self.effects_file.exists():
            return []
        done = map(json.loads, self.effects_file.read_text().splitlines())
        return [each["what"] for each in done if each["mark"] == mark]

    async def did(self, mark: str, many: int) -> None:
        """Returns once tools have done so much under this mark."""
        await until(lambda: len(self.effects(mark)) >= many, WITHIN, self.story)

    def story(self) -> str:
        return "\n".join(f"--- {machine.name}\n{machine.log}" for machine in self.machines)


async def announced(store: Catalogue, crew: str) -> None:
    """Returns once the crew can be started: a worker says so a moment after it is ready."""

    async def there() -> bool:
        return crew in await store.crews()

    await eventually(there)


async def until(there: Callable[[], object], within: float, story: Callable[[], str]) -> None:
    """Wait until something is the case; fails with the story when the time is up."""
    deadline = time.monotonic() + within
    for pause in pauses():
        if there():
            return
        assert time.monotonic() < deadline, story()
        await asyncio.sleep(pause)
