"""Asks the person at the terminal a question, and sends the answer."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from pydantic import JsonValue

from bot.terminal import decisions, editing, form_prompts, lines
from bot.terminal.exits import Withdrawn
from bot.terminal.screen import Screen
from crewdeck.client import (
    Answer,
    ApiError,
    Client,
    HumanInputCompleted,
    HumanInputRecorded,
    Option,
    Question,
    Unreachable,
)

IN_WORDS = "Answer in words"
EDIT = "Edit and approve"
TAKE_BACK = "Take my answer back"
CHANGED = "What is asked was edited, so earlier approvals no longer count. It stands now like this:"
RETRY_TIMEOUT_S = 60.0
"""How long a request is retried while the server doesn't respond."""

Answered = TypeVar("Answered")


class Reply(NamedTuple):
    """The person's answer."""

    action: str
    value: str | None = None
    arguments: dict[str, JsonValue] | None = None
    comment: str = ""
    values: dict[str, JsonValue] | None = None


class Asking:
    """Asks one question at a time."""

    def __init__(self, client: Client, screen: Screen) -> None:
        self._client = client
        self._screen = screen
        self._asked = ""
        self._digest = ""
        self._sent: set[str] = set()
        self._gone: set[str] = set()
        #: What was filled in of forms that were not sent, by question.
        self._drafts: dict[str, dict[str, JsonValue]] = {}

    def is_mine(self, question_id: str) -> bool:
        """Whether this terminal is answering the question; then the response reports the outcome."""
        return question_id in self._sent

    def settled(self, event: HumanInputCompleted) -> None:
        """Handle a settled question: withdraw its prompt if it is on the screen."""
        self._gone.add(event.question_id)
        if event.question_id == self._asked and not self.is_mine(event.question_id):
            self._screen.withdraw()

    def recorded(self, event: HumanInputRecorded) -> None:
        """Handle a response that settled nothing: withdraw the prompt if something else is asked by now."""
        if event.question_id == self._asked and event.digest != self._digest:
            self._screen.withdraw()

    async def still_open(self, question_id: str) -> Question | None:
        """The question, if it is still open."""
        try:
            question = await self._with_retries(lambda: self._client.question(question_id))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None  # its run was deleted
        return question if question.open else None

    async def ask(self, question: Question, *, title: str = "") -> Answer | None:
        """Ask until an answer is accepted; None if somebody else settled the question. Raises Interrupted.

        Whoever may not answer is told why, and isn't asked. What is edited meanwhile is shown again.
        """
        asked: Question | None = question
        while asked is not None and asked.question_id not in self._gone:
            if not asked.viewer.can_answer:
                self._screen.say(*decisions.why_not(asked))
                return None
            self._asked, self._digest = asked.question_id, asked.digest
            self._screen.clear()
            try:
                return await self._ask(asked, title)
            except Withdrawn:
                asked = await self._asked_now(asked)
            finally:
                self._asked = ""
        return None

    async def _ask(self, question: Question, title: str) -> Answer | None:
        """Raises Withdrawn, also if something else is asked by now."""
        while True:
            reply = await self._reply(question, title)
            try:
                return await self._send(question, reply)
            except ApiError as error:
                goes_on = self._goes_on(error)
                if error.code == "stale":
                    raise Withdrawn from None
                if not goes_on:
                    return None

    async def _asked_now(self, before: Question) -> Question | None:
        """The question as it is asked now, after showing it; None if it is settled."""
        if before.question_id in self._gone:
            return None
        question = await self.still_open(before.question_id)
        if question is not None and question.digest != before.digest:
            self._screen.say([("ansiyellow", f"  {CHANGED}")], *lines.asked(question))
        return question

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
        self._screen.say(*lines.own_answer(answer))
        return answer

    async def _reply(self, question: Question, title: str) -> Reply:
        if question.kind == "form":
            return await self._filled_in(question)
        if not question.options:
            return Reply("respond", await self._words())
        choices = _choices(question)
        at = 0
        while True:
            at = await self._screen.choose([choice.label for choice in choices], title, at)
            reply = await self._reply_of(question, choices[at])
            if reply is not None:
                return reply

    async def _reply_of(self, question: Question, choice: Choice) -> Reply | None:
        """The reply by this choice; None if the person goes back to the choices."""
        match choice.action:
            case "respond":
                words = await self._screen.words()
                return Reply("respond", words) if words else None
            case "choose":
                return Reply("choose", choice.value)
            case "edit":
                edited = await editing.edit(self._screen, question)
                return Reply("approve", edited.value, edited.arguments) if edited else None
            case "reject" if question.action is not None:
                # The agent reads the reason. An empty one leads back to the choices.
                reason = await self._screen.words("reason", several_lines=False)
                return Reply("reject", comment=reason) if reason else None
            case action:
                return Reply(action)

    async def _filled_in(self, question: Question) -> Reply:
        draft = self._drafts.setdefault(question.question_id, {})
        values = await form_prompts.fill_in(self._screen, question, draft)
        if values is None:
            return Reply("reject", comment=await self._screen.words("why (optional)", several_lines=False))
        return Reply("submit", values=values)

    async def _words(self) -> str:
        return await self._screen.words(check=lambda text: "" if text else "Nothing is written")

    async def _send(self, question: Question, reply: Reply) -> Answer:
        self._sent.add(question.question_id)
        key = str(uuid.uuid4())
        try:
            answer = await self._with_retries(
                lambda: self._client.answer(
                    question.question_id,
                    reply.action,
                    reply.value,
                    reply.comment,
                    arguments=reply.arguments,
                    values=reply.values,
                    digest=question.digest,
                    idempotency_key=key,
                )
            )
        except ApiError as error:
            if error.code != "settled":
                self._sent.discard(question.question_id)
            raise
        if answer.status == "recorded":
            self._sent.discard(question.question_id)  # others decide how it ends
        self._screen.say(*lines.own_answer(answer))
        return answer

    async def _with_retries(self, call: Callable[[], Awaitable[Answered]]) -> Answered:
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


class Choice(NamedTuple):
    """An entry of the menu: an action of the API, or `edit`."""

    label: str
    action: str
    value: str | None = None


def _choices(question: Question) -> list[Choice]:
    choices = [_choice(question, option) for option in question.options]
    if editing.can_edit(question) and choices[0].action == "approve":
        choices.insert(1, Choice(EDIT, "edit"))
    takes_words = not question.actions or "respond" in question.actions
    if takes_words and all(choice.action != "respond" for choice in choices):
        choices.append(Choice(IN_WORDS, "respond"))
    if question.viewer.response is not None:
        choices.append(Choice(TAKE_BACK, "withdraw"))
    return choices


def _choice(question: Question, option: Option) -> Choice:
    if question.kind == "choice":
        return Choice(option.label, "choose", option.id)
    return Choice(option.label, option.id)
