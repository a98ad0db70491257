"""Asks the person at the terminal a question, and sends the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from bot.terminal import lines
from bot.terminal.exits import Withdrawn
from bot.terminal.screen import Screen
from crewdeck.client import Answer, ApiError, Client, HumanInputCompleted, Question, Unreachable

IN_WORDS = "Answer in words"
RETRY_TIMEOUT_S = 60.0
"""How long a request is retried while the server doesn't respond."""

Answered = TypeVar("Answered")


class Reply(NamedTuple):
    """The person's answer."""

    action: str
    value: str | None = None


class Asking:
    """Asks one question at a time."""

    def __init__(self, client: Client, screen: Screen) -> None:
        self._client = client
        self._screen = screen
        self._asked = ""
        self._sent: set[str] = set()
        self._gone: set[str] = set()

    def is_mine(self, question_id: str) -> bool:
        """Whether this terminal is answering the question; then the response reports the outcome."""
        return question_id in self._sent

    def settled(self, event: HumanInputCompleted) -> None:
        """Handle a settled question: withdraw its prompt if it is on the screen."""
        self._gone.add(event.question_id)
        if event.question_id == self._asked and not self.is_mine(event.question_id):
            self._screen.withdraw()

    async def still_open(self, question_id: str) -> Question | None:
        """The question, if it is still open."""
        try:
            question = await self._patiently(lambda: self._client.question(question_id))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None  # its run was deleted
        return question if question.open else None

    async def ask(self, question: Question, *, title: str = "") -> Answer | None:
        """Ask until an answer is accepted; None if somebody else settled the question. Raises Interrupted."""
        if question.question_id in self._gone:
            return None
        self._asked = question.question_id
        self._screen.clear()
        try:
            while True:
                reply = await self._reply(question, title)
                try:
                    return await self._send(question, reply)
                except ApiError as error:
                    if not self._goes_on(error):
                        return None
        except Withdrawn:
            return None
        finally:
            self._asked = ""

    async def say(self, question: Question, words: str) -> Answer | None:
        """Answer with words from the command line; None if they are refused, after printing the reason."""
        self._sent.add(question.question_id)
        try:
            answer = await self._client.respond(
                question.run_id, words, question_id=question.question_id, digest=question.digest
            )
        except ApiError as error:
            self._goes_on(error)
            return None
        self._screen.say(lines.mine(answer))
        return answer

    async def _reply(self, question: Question, title: str) -> Reply:
        if not question.options:
            return Reply("respond", await self._words())
        choices = [option.label for option in question.options]
        if all(option.id != "respond" for option in question.options):
            choices.append(IN_WORDS)
        at = 0
        while True:
            at = await self._screen.choose(choices, title, at)
            option = question.options[at] if at < len(question.options) else None
            if option is None or (option.id == "respond" and question.kind != "choice"):
                # An empty reply returns to the choices.
                if words := await self._screen.words():
                    return Reply("respond", words)
            elif question.kind == "choice":
                return Reply("choose", option.id)
            else:
                return Reply(option.id)

    async def _words(self) -> str:
        return await self._screen.words(check=lambda text: "" if text else "Nothing is written")

    async def _send(self, question: Question, reply: Reply) -> Answer:
        self._sent.add(question.question_id)
        try:
            answer = await self._patiently(
                lambda: self._client.answer(
                    question.question_id, reply.action, reply.value, digest=question.digest
                )
            )
        except ApiError as error:
            if error.code != "settled":
                self._sent.discard(question.question_id)
            raise
        self._screen.say(lines.mine(answer))
        return answer

    async def _patiently(self, call: Callable[[], Awaitable[Answered]]) -> Answered:
        """Call, and retry while the server restarts. Safe, because answers are idempotent."""
        deadline, told = time.monotonic() + RETRY_TIMEOUT_S, False
        while True:
            try:
                return await call()
            except Unreachable:
                if time.monotonic() > deadline:
                    raise
            if not told:
                self._screen.say([("ansibrightblack", "  The server gives no answer; trying again …")])
            told = True
            await asyncio.sleep(1)

    def _goes_on(self, error: ApiError) -> bool:
        """Print the error; True if the person may try another answer."""
        outcome = error.outcome
        if error.code == "settled" and outcome is not None:
            self._screen.say(lines.decided(outcome))
        else:
            self._screen.say([("ansired", f"  {error.detail}")])
        return error.code == "invalid_answer"
