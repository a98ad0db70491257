"""An answer is accepted -> the tool returns in the crew, beside a bare Redis publish/subscribe round trip."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from bench.deployment import ADA, Deployment, deployed
from bench.effort import Effort, taking_turns
from bench.peer import Peer
from bench.peers.pubsub import PING, PONG
from bench.table import AtMostTimes, Figure, Quantiles
from bot.core.events.event import HumanInputRequired
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action, Question
from bot.core.questions.response import make_response

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

PER_RUN = 20
"""Questions that one run asks: a conversation that grows for ever would be no crew's."""
SETTLED = 0.01
"""Seconds until the crew surely waits."""


@dataclass
class Answers:
    """Answers questions of a crew, and knows when."""

    running: Deployment
    #: From sending the answer, a round each.
    from_sent: list[list[float]] = field(default_factory=list)

    async def round(self, many: int) -> list[float]:
        """Milliseconds from the answer's acceptance to the tool's return."""
        from_accepted: list[float] = []
        from_sent: list[float] = []
        for _ in range(max(1, many // PER_RUN)):
            for sent, accepted, returned in await self._run():
                from_sent.append((returned - sent) * 1000)
                from_accepted.append((returned - accepted) * 1000)
        self.from_sent.append(from_sent)
        return from_accepted

    async def _run(self) -> list[tuple[float, float, float]]:
        """When each answer of a run was sent, when it was accepted, and when the tool returned."""
        notes = self.running.folder / "returned.jsonl"
        notes.write_text("")
        run = await self.running.start("bench_asks", questions=PER_RUN, notes=str(notes))
        answered: dict[str, tuple[float, float]] = {}
        async for event in self.running.follow(run):
            if isinstance(event.body, HumanInputRequired):
                await asyncio.sleep(SETTLED)
                question = await self.running.store.questions.get(run.id, event.body.question_id)
                answered[question.prompt] = await self._answer(question)
        returned = [json.loads(each) for each in notes.read_text().splitlines()]
        assert len(returned) == len(answered) == PER_RUN
        return [(*answered[each["question"]], each["at"]) for each in returned]

    async def _answer(self, question: Question) -> tuple[float, float]:
        """When it was sent, and when the store settled it: by the machine's clock, which the store's is too.

        When we hear of it says nothing: on a busy machine the crew can be faster. The store counts whole
        milliseconds, rounded down, so what follows is up to one millisecond less than measured.
        """
        sent = time.time()
        said = make_response(Action.RESPOND, ADA, key=question.id, comment="yes")
        ruling = await self.running.store.questions.respond(question.run_id, question.id, said)
        assert ruling.verdict is Verdict.SETTLED
        assert ruling.question is not None
        assert ruling.question.settled_at is not None
        return sent, ruling.question.settled_at / 1000


@dataclass(frozen=True)
class RoundTrip:
    """Publishes, and hears the echo of another process."""

    redis: Redis
    heard: PubSub

    @classmethod
    @asynccontextmanager
    async def on(cls, url: str) -> AsyncIterator[RoundTrip]:
        async with (
            Peer.started("pubsub", url) as echo,
            Redis.from_url(url) as redis,
            redis.pubsub(ignore_subscribe_messages=True) as heard,
        ):
            await heard.subscribe(PONG)
            await echo.heard()
            yield cls(redis, heard)

    async def round(self, many: int) -> list[float]:
        """Milliseconds for there and back."""
        took = []
        pongs = self.heard.listen()
        for number in range(many):
            await asyncio.sleep(SETTLED)
            sent = time.monotonic()
            await self.redis.publish(PING, str(number))
            message = await anext(pongs)
            took.append((time.monotonic() - sent) * 1000)
            assert message["data"] == str(number).encode()
        return took


async def measure(effort: Effort) -> list[Figure]:
    many = effort.samples
    async with deployed() as running, RoundTrip.on(running.server.store_url) as bare:
        await Answers(running).round(1)
        answers = Answers(running)
        ours, baseline = await taking_turns(effort, lambda: answers.round(many), lambda: bare.round(many))
    return [
        Figure(
            "answer accepted -> tool returns", ours, baseline, aims=(AtMostTimes(4), AtMostTimes(4, "p99"))
        ),
        Figure("answer sent -> tool returns", Quantiles.of(answers.from_sent), baseline),
    ]
