"""`crewdeck follow` at a terminal: events above, the current question below."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, suppress

from bot.terminal import lines
from bot.terminal.asking import Asking
from bot.terminal.exits import COMPLETED, FAILED, INTERRUPTED, Interrupted, of_run
from bot.terminal.screen import Screen
from crewdeck.client import (
    ApiError,
    Client,
    ClientError,
    Event,
    HumanInputCompleted,
    HumanInputRecorded,
    HumanInputRequired,
    RunCompleted,
)

QUEUED_NOTICE_DELAY_S = 1.0
"""Seconds without an event after which the server is asked why a run waits."""
QUEUE_CHECK_INTERVAL_S = 3.0
DETACH, CANCEL, STAY = range(3)
LEAVE_CHOICES = ("Detach: the run goes on without you", "Cancel the run", "Stay")


class Watch:
    """Follows one run for one person."""

    def __init__(self, client: Client, screen: Screen, run_id: str, answers: Sequence[str] = ()) -> None:
        self._client = client
        self._screen = screen
        self._run_id = run_id
        self._asking = Asking(client, screen)
        self._answers = deque(answers)
        self._open: dict[str, HumanInputRequired] = {}
        self._required: dict[str, HumanInputRequired] = {}
        self._changed = asyncio.Event()
        self._interrupted = False
        self._lost = False

    async def run(self, after: str | None = None) -> int:
        """Follow the run until it is over or the person leaves; returns the exit status."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        following = asyncio.create_task(self._follow(after))
        asking = asyncio.create_task(self._ask())
        waiting = asyncio.create_task(self._tell_waits())
        try:
            done, _ = await asyncio.wait((following, asking), return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            following.cancel()
            asking.cancel()
            waiting.cancel()
            await asyncio.gather(following, asking, waiting, return_exceptions=True)
            loop.remove_signal_handler(signal.SIGINT)

    def _interrupt(self) -> None:
        self._interrupted = True
        self._changed.set()
        self._screen.interrupt()

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _follow(self, after: str | None) -> int:
        seen, status = 0, None
        async with aclosing(self._client.follow(self._run_id, after, lost=self._say_lost)) as events:
            async for event in events:
                self._lost = False
                if event.seq and event.seq <= seen:
                    continue  # events before a reset were shown already
                seen = event.seq or seen
                self._see(event)
                if event.last:
                    status = COMPLETED if isinstance(event, RunCompleted) else FAILED
        return status if status is not None else of_run(await self._client.run(self._run_id))

    def _see(self, event: Event) -> None:
        match event:
            case HumanInputRequired():
                self._open[event.question_id] = self._required[event.question_id] = event
                self._changed.set()
            case HumanInputRecorded():
                self._see_recorded(event)
            case HumanInputCompleted():
                self._open.pop(event.question_id, None)
                self._asking.settled(event)
                if self._asking.is_mine(event.question_id):
                    return
        self._screen.say(*lines.of(event))
        if isinstance(event, HumanInputRequired) and not self._screen.asks:
            self._screen.say([("ansibrightblack", f"    crewdeck answer {event.question_id}")])

    def _see_recorded(self, event: HumanInputRecorded) -> None:
        """After an edit the question is asked again: earlier approvals no longer count."""
        self._asking.recorded(event)
        edited = event.arguments is not None or event.value is not None
        if edited and event.question_id in self._required:
            self._open.setdefault(event.question_id, self._required[event.question_id])
            self._changed.set()

    async def _tell_waits(self) -> None:
        """Print why the run is queued, whenever the reason changes."""
        said = ""
        await asyncio.sleep(QUEUED_NOTICE_DELAY_S)
        while True:
            with suppress(ClientError):
                waiting = (await self._client.run(self._run_id)).waiting_for
                if waiting is None:
                    return
                if waiting.message != said:
                    said = waiting.message
                    self._screen.say([("ansibrightblack", f"  Queued. {said}")])
            await asyncio.sleep(QUEUE_CHECK_INTERVAL_S)

    def _say_lost(self) -> None:
        if not self._lost:
            self._lost = True
            self._screen.say([("ansibrightblack", "  The connection is gone; coming back …")])

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self) -> int:
        """Ask the open questions, one after the other, until the person leaves."""
        while True:
            try:
                await self._put(await self._next())
            except Interrupted:
                if not self._screen.asks or await self._leaves():
                    return INTERRUPTED

    async def _next(self) -> HumanInputRequired:
        while not self._open or not (self._screen.asks or self._answers):
            await self._changed.wait()
            self._changed.clear()
            self._check_interrupted()
        self._check_interrupted()
        return next(iter(self._open.values()))

    def _check_interrupted(self) -> None:
        if self._interrupted:
            raise Interrupted

    async def _put(self, event: HumanInputRequired) -> None:
        question = await self._asking.still_open(event.question_id)
        self._check_interrupted()
        title = event.prompt if len(self._open) > 1 else ""
        if question is not None and self._answers:
            await self._asking.say(question, self._answers.popleft())
        elif question is not None and self._screen.asks and question.viewer.response is None:
            await self._asking.ask(question, title=lines.one_line(title))
        self._open.pop(event.question_id, None)

    async def _leaves(self) -> bool:
        """Ask whether to detach or to cancel; True if the person leaves."""
        self._interrupted = False
        self._screen.clear()
        try:
            choice = await self._screen.choose(LEAVE_CHOICES, "Leave this run?")
        except Interrupted:
            choice = DETACH
        if choice == CANCEL:
            await self._cancel()
        if choice == DETACH:
            self._screen.say([("", f"  It goes on. Come back with: crewdeck follow {self._run_id}")])
        return choice == DETACH

    async def _cancel(self) -> None:
        """Cancel the run; the stream then delivers its last event."""
        try:
            await self._client.cancel(self._run_id)
        except ApiError as error:
            self._screen.say([("ansired", f"  {error.detail}")])
