"""The API as an HTTP server in this process, and a crew that the test plays with the worker's verbs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from bot.core import ids
from bot.core.events.event import TaskCompleted, TaskStarted
from bot.core.people.actor import Actor, Membership
from bot.core.questions.question import Deadline, Question, QuestionKind, options_for
from bot.core.runs.crew import Crew
from bot.core.runs.run import Claim
from bot.core.wakeups import Wakeups
from bot.settings import Settings
from bot.store.redis import RedisStore
from bot.surfaces.console.surface import Console
from bot.surfaces.http.api import open_api
from bot.surfaces.http.site import IDLE_TIMEOUT_S, SHUTDOWN_TIMEOUT_S, serving
from bot.surfaces.http.streams.streams import StreamTimings
from bot.surfaces.trust import FailedKeyAttempts, LocalTrust
from tests.waiting import WITHIN

LEASE = 60.0
SECRETS = {"reader": "r" * 40, "ci": "c" * 40, "other": "o" * 40, "ops": "a" * 40}
KEYS = {
    "CREWDECK_API_KEYS": (
        f"reader:{SECRETS['reader']}:read,ci:{SECRETS['ci']}:read+start+answer,"
        f"other:{SECRETS['other']}:read+start+answer,ops:{SECRETS['ops']}:admin"
    )
}


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRETS[name]}"}


@dataclass
class Served:
    """A running API."""

    url: str
    store: RedisStore
    client: httpx.AsyncClient
    #: What clients of other connections say beside, for a server that wants to know who they are.
    headers: Mapping[str, str] = field(default_factory=dict)
    _asked: int = field(default=0)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def ws_url(self) -> str:
        return self.url.replace("http://", "ws://")

    async def get(self, path: str, **how: Any) -> httpx.Response:
        return await self.client.get(path, **how)

    async def post(self, path: str, body: object, **how: Any) -> httpx.Response:
        return await self.client.post(path, json=body, **how)

    async def start(self, crew: str = "demo", **how: Any) -> str:
        """Start a run over HTTP; its id."""
        answer = await self.post("/crew/start", {"crew": crew}, **how)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run_id"])

    async def claim(self, crew: str = "demo") -> Claim:
        [claim] = await self.store.queue.claim("w1", [crew], 1, LEASE)
        return claim

    async def started(self, **how: Any) -> Claim:
        """A run that was started over HTTP, held by the worker that the test plays."""
        await self.start(**how)
        return await self.claim()

    async def ask(
        self,
        claim: Claim,
        prompt: str = "Publish it?",
        kind: QuestionKind = QuestionKind.APPROVAL,
        labels: tuple[str, ...] = (),
        deadline: Deadline | None = None,
        **fields: Any,
    ) -> Question:
        """Ask; `fields` are further fields of the question, such as `policy`, `call` and `form`."""
        self._asked += 1
        question = Question(
            id=ids.part_id(claim.run.id, "question", self._asked),
            run_id=claim.run.id,
            kind=kind,
            prompt=prompt,
            deadline=deadline or Deadline(),
            **{"policy": claim.run.approvers, "options": options_for(kind, labels), **fields},
        )
        return await self.store.questions.ask(claim, question)

    async def work(self, claim: Claim, number: int, total: int = 99) -> None:
        """One task, done."""
        task = ids.part_id(claim.run.id, "task", number)
        crew = ids.part_id(claim.run.id, "crew")
        words = f"Task {number}: žluťoučký “kůň” \u2028 <b>&"
        for event in (TaskStarted, TaskCompleted):
            await self.store.events.append(
                claim, event(crew_id=crew, task_id=task, task=words, number=number, total=total)
            )


def demo(**fields: Any) -> Crew:
    return Crew(name="demo", title="Demo", **fields)


def http_client(url: str, timeout: float, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """A client without certificates, whose reading takes longer than most tests."""
    no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncClient(base_url=url, timeout=timeout, headers=headers, trust_env=False, verify=no_tls)


async def still_the_same(person: Actor) -> Membership | None:
    """Nobody's membership changes."""
    return person.membership


@asynccontextmanager
async def serve(
    store: RedisStore,
    settings: Mapping[str, str],
    timings: StreamTimings | None = None,
    idle_for: float = IDLE_TIMEOUT_S,
    *,
    finish_within: float = SHUTDOWN_TIMEOUT_S,
    console: bool = False,
) -> AsyncIterator[Served]:
    """The API on this store, and the `console` if wanted; `settings` are named as in the environment."""
    wakeups = Wakeups()
    configured = Settings.model_validate(dict(settings))
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with asyncio.TaskGroup() as group:
        following = group.create_task(wakeups.follow(store.events))
        wrong_keys = FailedKeyAttempts()
        trust = LocalTrust(configured.exposed_by)
        pages = Console(configured, store, trust, wrong_keys, still_the_same) if console else None
        authenticator = pages.authenticator if pages else None
        async with (
            open_api(
                configured, store, wakeups, authenticator, timings=timings, wrong_keys=wrong_keys
            ) as api,
            serving(pages.routes() if pages else (), listener, api, idle_for, finish_within),
            http_client(url, WITHIN) as client,
        ):
            yield Served(url, store, client)
        following.cancel()
