"""People in Slack who start walks and answer what they ask, each answer twice, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bot.core import ids
from tests.faults.chaos.deployment import ChaosDeployment
from tests.faults.chaos.patience import patiently
from tests.loopback.models import Conversation, Turn, call, say, text_of
from tests.loopback.slack import Delivery, Message, Person

AGAIN, SKIP = "Do it again", "Skip it"
PATIENCE = 0.1
RETRIES = (0.1, 1.0, 5.0)
"""Seconds before Slack tells of an event again; really, the later ones are sixty times as long."""


def walk(mark: str, seconds: float = 0.0) -> Callable[[Conversation], Turn]:
    """How the model plays a walk: tools side by side, a question, a tool behind a gate, and a report."""

    def played(conversation: Conversation) -> Turn:
        prompt = "\n".join(map(text_of, conversation.messages))
        if "Report on this" in prompt:
            return say(
                report(approved=" approved." in prompt) if "did one" in prompt else "Nothing was done."
            )
        return (
            call("effect", mark=mark, what="one", seconds=seconds)
            & call("careful", mark=mark, what="two", seconds=seconds)
            & call("effect", mark=mark, what="three"),
            call("ask_human", question=f"Go on with {mark}?", kind="approval"),
            call("gated", mark=mark, what="four", seconds=seconds),
            say(" / ".join(conversation.results)),
        )[min(conversation.answered, 3)]

    return played


EFFECTS = ("one", "two", "three", "four")
GATED = "four"
"""What two people have to approve."""


def report(*, approved: bool) -> str:
    """What a walk comes to."""
    return f"Walked, and it was {'approved' if approved else 'rejected'}."


@dataclass
class Walk:
    """A run as who started it sees it."""

    mark: str
    #: Who started it in Slack, who approves calls with them, and where; nobody if a program did, over HTTP.
    ada: Person | None = None
    bob: Person | None = None
    channel: str = ""
    run_id: str = ""
    #: Its questions are answered from now on.
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    #: Ada wanted it to end.
    cancelled: bool = False
    #: Nothing is asked any more.
    over: bool = False
    #: Its thread shows so.
    rewritten: bool = False


class People:
    """Ada and Bob, in a channel for each walk."""

    def __init__(self, deployment: ChaosDeployment, seed: random.Random) -> None:
        self._deployment = deployment
        self._seed = seed
        self._slack = deployment.slack.person("U0SLACK", name="Slack")
        self.walks: dict[str, Walk] = {}
        #: How many answers were given, and how often they had to be given again.
        self.answers = 0
        self.repeated = 0

    async def start(self, mark: str, *, answered: bool = True, seconds: float = 0.0) -> Walk:
        """`/crew start walk`; returns when that is taken, by a process that lives."""
        slack = self._deployment.slack
        ada = slack.person(f"U0{mark.upper()}", name="Ada")
        bob = slack.person(f"U1{mark.upper()}", name="Bob")
        channel = slack.add_channel(f"C0{mark.upper()}", members=(ada, bob)).id
        self._deployment.model.script(mark, walk(mark, seconds))
        self.walks[mark] = made = Walk(mark, ada, bob, channel)
        if answered:
            made.may_go_on.set()
        await self._until_taken(ada, lambda: ada.command("/crew", f"start walk [[{mark}]]", channel))
        return made

    async def cancel(self, of: Walk) -> None:
        """By the button on its first message."""
        of.cancelled = True
        ada = of.ada
        assert ada is not None
        said = self._deployment.slack.messages
        first = await self._deployment.slack.wait_for(
            lambda: next(each for each in said(of.channel) if "Cancel" in each.labels)
        )
        await self._until_taken(ada, lambda: ada.press(first, "Cancel"))

    async def attend(self) -> None:
        """Answer every question as soon as it is seen, for ever."""
        answered: set[tuple[str, str, str]] = set()
        while True:
            for each in tuple(self.walks.values()):
                if each.may_go_on.is_set() and not each.rewritten:
                    for person in filter(None, (each.ada, each.bob)):
                        await self._answer_all(each, person, answered)
            await asyncio.sleep(0.1)

    async def _answer_all(self, of: Walk, person: Person, answered: set[tuple[str, str, str]]) -> None:
        """Bob answers only what takes two."""
        for message in self._deployment.slack.messages(of.channel):
            place = (message.channel, message.ts, person.id)
            if place in answered or not asks(message) or (person is of.bob and not takes_two(message)):
                continue
            answered.add(place)
            label = "Approve" if "Approve" in message.labels else await self.resolved(of)
            self.answers += 1
            await self._until_taken(person, partial(person.press, message, label))

    async def resolved(self, of: Walk) -> str:
        """Whether a call that may have happened has happened: somebody has looked."""
        journal = await patiently(lambda: self._deployment.store.journal.read(of.run_id))
        done = {trace.key for trace in self._deployment.effects.traces(of.mark)}
        doubtful = [name[:-1] for name in journal if name.endswith("?") and name[:-1] not in journal]
        happened = [ids.part_id(of.run_id, "call", name) in done for name in doubtful]
        return SKIP if all(happened) else AGAIN

    async def _until_taken(self, who: Person, act: Callable[[], Awaitable[Delivery]]) -> None:
        """Do it until somebody acknowledges it, and then once more: it arrives twice."""
        done = await act()
        while not done.ok:
            self.repeated += 1
            await asyncio.sleep(PATIENCE)
            done = await who.redeliver(done)
        await who.redeliver(done)

    async def redeliver(self) -> None:
        """Slack tells again what nobody acknowledged, for ever."""
        seen = 0
        async with asyncio.TaskGroup() as retries:
            while True:
                deliveries = self._deployment.slack.deliveries
                for each in deliveries[seen:]:
                    if each.parcel.kind == "events_api" and not each.parcel.attempt and not each.ok:
                        retries.create_task(self._retry(each))
                seen = len(deliveries)
                await asyncio.sleep(PATIENCE)

    async def _retry(self, event: Delivery) -> None:
        for attempt, pause in enumerate(RETRIES, 1):
            await asyncio.sleep(pause)
            if (await self._slack.redeliver(event, attempt)).ok:
                return


def asks(message: Message) -> bool:
    """Whether something can be answered here."""
    return any(_answers(element) for _, element in message.elements())


def takes_two(message: Message) -> bool:
    """Whether this asks about a call behind the gate."""
    return f"Do {GATED} of " in message.words and "Approve" in message.labels


def _answers(element: dict[str, Any]) -> bool:
    return str(element["action_id"]).startswith(("answer.", "open.reply", "open.full"))


def shown(deployment: ChaosDeployment, walk: Walk) -> tuple[list[Message], list[Message]]:
    """What the app posted for a walk: first messages, and what is in their threads.

    There is a second first message if nobody lived to record the first one.
    """
    said = deployment.slack.messages(walk.channel) if walk.channel else []
    ours = [message for message in said if message.user == deployment.slack.workspace.bot_user]
    first = [message for message in ours if message.thread_ts in {None, message.ts}]
    return first, [message for message in ours if message not in first]


def all_rewritten(deployment: ChaosDeployment, walk: Walk) -> bool:
    """Whether its thread shows that it is over, and nothing in it can be answered any more."""
    if not walk.rewritten:  # Looking is a lot of work where much was said.
        first, told = shown(deployment, walk)
        settled = not walk.channel or (
            bool(first) and all("Cancel" not in message.labels for message in first)
        )
        walk.rewritten = walk.over and settled and not any(asks(message) for message in told)
    return walk.rewritten


def unfinished(deployment: ChaosDeployment, walks: Iterable[Walk]) -> list[str]:
    """A line for each of these that doesn't show its end, and for each message of it that has buttons."""
    lines = []
    for walk in walks:
        if not walk.rewritten:
            first, told = shown(deployment, walk)
            lines.append(
                f"{walk.mark}: run {walk.run_id}, {'over' if walk.over else 'not over'}, {len(first)} first"
            )
            lines += [
                f"  {each.ts} {each.labels} {each.words[:80]!r}" for each in first + told if each.labels
            ]
    return lines
