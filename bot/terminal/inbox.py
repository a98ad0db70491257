"""`crewdeck inbox` at a terminal: choose an open question and answer it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from bot.terminal import lines
from bot.terminal.asking import Asking
from bot.terminal.exits import COMPLETED, Interrupted, Withdrawn
from bot.terminal.screen import Screen
from crewdeck.client import (
    Client,
    HumanInputCompleted,
    HumanInputRecorded,
    HumanInputRequired,
    SnapshotComplete,
    StreamReset,
)

TITLE = "What waits for an answer (Ctrl-C leaves)"


class Inbox:
    """The open questions of all runs, and the prompt for one of them."""

    def __init__(self, client: Client, screen: Screen) -> None:
        self._client = client
        self._screen = screen
        self._asking = Asking(client, screen)
        self._open: dict[str, HumanInputRequired] = {}
        self._chosen = ""
        self._choosing = False
        self._complete = False
        self._said_nothing = False
        self._changed = asyncio.Event()

    async def run(self, after: str | None = None) -> int:
        """Show the inbox until the person leaves."""
        reading = asyncio.create_task(self._read(after))
        answering = asyncio.create_task(self._answer())
        try:
            done, _ = await asyncio.wait((reading, answering), return_when=asyncio.FIRST_COMPLETED)
            next(iter(done)).result()
        finally:
            reading.cancel()
            answering.cancel()
            await asyncio.gather(reading, answering, return_exceptions=True)
        return COMPLETED

    async def _read(self, after: str | None) -> None:
        async with aclosing(self._client.inbox(after)) as events:
            async for event in events:
                match event:
                    case HumanInputRequired():
                        self._open[event.question_id] = event
                    case HumanInputRecorded():
                        self._asking.recorded(event)
                    case HumanInputCompleted():
                        self._see_settled(event)
                    case StreamReset():
                        self._open.clear()
                        self._complete = False
                    case SnapshotComplete():
                        self._complete = True
                self._changed.set()
                if self._choosing and self._complete:
                    self._screen.withdraw()  # shown again with its current state

    def _see_settled(self, event: HumanInputCompleted) -> None:
        was = self._open.pop(event.question_id, None)
        if was is None:
            return
        if event.question_id == self._chosen and not self._asking.is_mine(event.question_id):
            self._screen.say(*lines.of(event))
        self._asking.settled(event)

    async def _answer(self) -> None:
        try:
            while True:
                if await self._wait():
                    await self._choose_and_ask()
        except Interrupted:
            return

    async def _wait(self) -> bool:
        """Wait until a question is open; False if the list has to be read again."""
        if self._complete and self._open:
            self._said_nothing = False
            return True
        if self._complete and not self._said_nothing:
            self._said_nothing = True
            self._screen.say([("ansibrightblack", "Nothing waits for an answer. Ctrl-C leaves.")])
        self._changed.clear()
        await self._changed.wait()
        return False

    async def _choose_and_ask(self) -> None:
        listed = list(self._open.values())
        ids = [event.question_id for event in listed]
        first = ids.index(self._chosen) if self._chosen in ids else 0
        self._choosing = True
        try:
            at = await self._screen.choose([lines.one_line(event.prompt) for event in listed], TITLE, first)
        except Withdrawn:
            return
        finally:
            self._choosing = False
            self._screen.clear()
        self._chosen = listed[at].question_id
        await self._ask(listed[at])

    async def _ask(self, event: HumanInputRequired) -> None:
        question = await self._asking.still_open(event.question_id)
        answer = None
        if question is not None:
            self._screen.say(*lines.asked(question))
            answer = await self._asking.ask(question)
        if answer is None or answer.status != "recorded":
            self._open.pop(event.question_id, None)
