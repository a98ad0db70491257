"""Programs that start walks over HTTP, follow all walks live, and answer some, each answer twice."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp

from bot.core.errors import CrewdeckError
from tests.faults.chaos.deployment import KEY, SECOND_KEY, ChaosDeployment
from tests.faults.chaos.people import People, Walk, walk

PATIENCE = 0.2
SILENCE = aiohttp.ClientTimeout(total=None, sock_connect=2, sock_read=5)
"""A stream says something every three seconds: one that doesn't is hung up on."""
LAST = {"run_completed", "run_failed", "run_cancelled"}


class Programs:
    """All of them; they come through the balancer, to whichever process that is."""

    def __init__(self, deployment: ChaosDeployment, people: People, session: aiohttp.ClientSession) -> None:
        self._deployment = deployment
        self._people = people
        self._session = session
        #: The events of each run as its follower has them: (id, seq).
        self.followed: dict[str, list[tuple[str, int]]] = {}
        #: Answers given against those of people.
        self.conflicts = 0
        self.reconnects = 0

    async def start(self, mark: str, seconds: float) -> Walk:
        """Started, by the same request twice."""
        self._deployment.model.script(mark, walk(mark, seconds))
        self._people.walks[mark] = made = Walk(mark)
        made.may_go_on.set()
        body = {"crew": "walk", "inputs": {"prompt": f"[[{mark}]]"}}
        headers = {"Idempotency-Key": mark}
        for _ in range(2):
            answer = await self._post("/crew/start", body, headers, until={202})
            assert made.run_id in {"", answer["run_id"]}, f"{mark} was started twice"
            made.run_id = answer["run_id"]
        return made

    async def follow(self, of: Walk, *, contrary: bool) -> None:
        """Read the events of a run to its end, and answer what nobody else is asked.

        With `contrary`, reject what Ada is about to approve.
        """
        seen = self.followed.setdefault(of.run_id, [])
        async with asyncio.TaskGroup() as group:
            for _ in itertools.count():
                with suppress(aiohttp.ClientError, TimeoutError):
                    async for event in self._events(of.run_id, seen):
                        group.create_task(self._react(of, event, contrary=contrary))
                        if event["type"] in LAST:
                            return
                self.reconnects += 1
                await asyncio.sleep(PATIENCE)

    async def _events(self, run_id: str, seen: list[tuple[str, int]]) -> AsyncIterator[dict[str, Any]]:
        headers = {"Last-Event-ID": seen[-1][0]} if seen else {}
        url = f"{self._deployment.url}/events/human-input/{run_id}"
        async with self._session.get(url, headers=headers, timeout=SILENCE) as stream:
            stream.raise_for_status()
            async for line in stream.content:
                event = json.loads(line[5:]) if line.startswith(b"data:") else {}
                if "event_id" in event:
                    seen.append((event["event_id"], event["seq"]))
                    yield event

    async def _react(self, to: Walk, event: Mapping[str, Any], *, contrary: bool) -> None:
        if event["type"] != "human_input_required":
            return
        said = {"question_id": event["question_id"], "digest": event["digest"]}
        if event["kind"] == "approval":
            if to.ada is None:
                await self._answer(said, {"action": "approve"})
                if event["action"] is not None:
                    await self._answer(said, {"action": "approve"}, SECOND_KEY)
            if contrary:
                self.conflicts += 1
                await self._answer(said, {"action": "reject"})
        elif to.ada is None:
            await self._answer(said, {"action": "choose", "value": await self._people.resolved(to)})

    async def _answer(self, to: Mapping[str, str], answer: Mapping[str, Any], key: str = KEY) -> None:
        """Given until it is taken, or somebody else's was; and then once more."""
        headers = {"Authorization": f"Bearer {key}"}
        body = {**answer, "digest": to["digest"]}
        for _ in range(2):
            await self._post(f"/questions/{to['question_id']}/answer", body, headers, until={200, 409})
        self._people.answers += 1

    async def _post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], until: set[int]
    ) -> dict[str, Any]:
        for attempt in itertools.count():
            self._people.repeated += attempt > 0
            with suppress(aiohttp.ClientError, TimeoutError, CrewdeckError):
                timeout = aiohttp.ClientTimeout(total=5)
                url = self._deployment.url + path
                async with self._session.post(url, json=body, headers=headers, timeout=timeout) as answer:
                    if answer.status in until:
                        told: dict[str, Any] = await answer.json()
                        return told
            await asyncio.sleep(PATIENCE)
        raise AssertionError
