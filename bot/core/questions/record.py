"""The record of a decision: everything that proves what was decided, by whom, and what ran."""

from __future__ import annotations

from bot.core.people.actor import Actor
from bot.core.questions.question import Question
from bot.core.questions.response import Response
from bot.core.value import Value


class ReadReceipt(Value):
    """A person had all of the question before them."""

    by: Actor
    at: int
    #: The digest of what they saw.
    digest: str


class Executed(Value):
    """The call that a gate let through was made."""

    at: int
    #: The digest of what was called (`bot.core.questions.tool_call.call_digest`), and of what it returned.
    call_digest: str
    result_digest: str


class Record(Value):
    """A question with everything that was recorded about it."""

    question: Question
    #: What was asked before each edit, oldest first; `question` is what is asked now.
    versions: tuple[Question, ...] = ()
    #: All responses, including those that were replaced or taken back, or that no longer count.
    responses: tuple[Response, ...] = ()
    opened: tuple[ReadReceipt, ...] = ()
    #: None if no call was made, or if its worker died before it could record it.
    executed: Executed | None = None
