"""Starts and answers over HTTP, beside an endpoint that writes one entry to the same Valkey.

At a modest rate, one after the other. What is accepted is on disk, on both sides.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from bench.deployment import ADA, Deployment, deployed
from bench.effort import Effort, taking_turns
from bench.peer import Peer
from bench.table import AtMostTimes, Figure
from bot.core import ids, starting
from bot.core.questions.question import Deadline, Question, QuestionKind
from bot.core.runs.crew import Crew

A_SECOND = 10
"""One worker keeps up with that."""
SHARE = 4
"""A part of the samples will do, as they are taken so seldom."""
BODY = {"crew": "bench_busy", "inputs": {"turns": 0}}
ANSWER = {"action": "respond", "value": "yes"}
CREW = Crew(name="bench_questions", title="Questions")
LEASE = 600.0
AIMS = (AtMostTimes(2), AtMostTimes(3, "p99"))
ACCEPTED = frozenset({200, 202})


async def measure(effort: Effort) -> list[Figure]:
    many = max(1, effort.samples // SHARE)
    async with (
        deployed() as running,
        Peer.started("durable", running.server.store_url) as durable,
        aiohttp.ClientSession(headers=running.server.bearer) as session,
    ):
        floor = str((await durable.heard())["url"])
        url = running.server.url

        async def accept(body: Mapping[str, Any]) -> list[float]:
            return [await _posted(session, floor, body) async for _ in _paced(many)]

        async def start() -> list[float]:
            return [await _posted(session, f"{url}/crew/start", BODY) async for _ in _paced(many)]

        async def answer() -> list[float]:
            asked = await _asked(running, many)
            return [
                await _posted(session, f"{url}/questions/{asked[number]}/answer", ANSWER)
                async for number in _paced(many)
            ]

        for warm in (start, answer):
            await warm()
        await accept(BODY)
        started = await taking_turns(effort, start, lambda: accept(BODY))
        answered = await taking_turns(effort, answer, lambda: accept(ANSWER))
    return [
        Figure("POST /crew/start -> 202", *started, aims=AIMS),
        Figure("POST /questions/ID/answer -> 200", *answered, aims=AIMS),
    ]


async def _paced(many: int) -> AsyncIterator[int]:
    for number in range(many):
        await asyncio.sleep(1 / A_SECOND)
        yield number


async def _posted(session: aiohttp.ClientSession, url: str, body: Mapping[str, Any]) -> float:
    """Milliseconds until it was accepted."""
    sent = time.perf_counter()
    async with session.post(url, json=body) as answer:
        said = await answer.text()
        took = (time.perf_counter() - sent) * 1000
    assert answer.status in ACCEPTED, said
    return took


async def _asked(running: Deployment, many: int) -> list[str]:
    """Questions of runs of their own, which we ask as a worker does: their ids."""
    asked = []
    for _ in range(many):
        await running.store.runs.start(starting.plan(CREW, {}, ADA, key=uuid.uuid4().hex))
        [claim] = await running.store.queue.claim("bench", [CREW.name], 1, LEASE)
        run = claim.run
        question = Question(
            id=ids.part_id(run.id, "question", 1),
            run_id=run.id,
            kind=QuestionKind.TEXT,
            prompt="What next?",
            policy=run.approvers,
            deadline=Deadline(after=3600),
        )
        asked.append((await running.store.questions.ask(claim, question)).id)
    return asked
