"""An answer on the command line as an action of the API. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from bot.core.errors import InvalidInputs
from bot.terminal import editing
from bot.terminal.decisions import short_digest
from crewdeck.client import Question

MIN_DIGEST = 12
"""Characters of a digest that say which call is approved."""


class AnswerOptions(NamedTuple):
    """What goes with the words of `crewdeck answer`."""

    comment: str = ""
    #: The digest, or its start, as it was shown.
    digest: str = ""
    #: Edited arguments as `name=value`.
    changes: Sequence[str] = ()
    override: bool = False


class Action(NamedTuple):
    """An action of the API, with its parts."""

    action: str
    value: str | None = None
    arguments: Mapping[str, JsonValue] | None = None


def action_of(question: Question, said: str, options: AnswerOptions) -> Action | None:
    """The action that these words are; None if they are to be understood by the server.

    Raises InvalidInputs: a call is approved by its digest, so that it is the one that was looked at.
    """
    action = said.strip().lower()
    if action == "withdraw" and question.viewer.response is not None:
        return Action("withdraw")
    if question.kind == "choice":
        return Action("choose", said) if options.comment or "respond" not in question.actions else None
    if action == "approve" and question.action is not None:
        _check_digest(question, options.digest)
        return Action("approve", arguments=_arguments(question, options.changes))
    if action not in {"approve", "reject"}:
        return None
    explicit = options.comment or options.override or "respond" not in question.actions
    return Action(action) if explicit else None


def _check_digest(question: Question, given: str) -> None:
    digest = given.strip().lower().removeprefix("sha256:")
    if not digest:
        look = (
            f"look at it (crewdeck answer {question.question_id}), then give the digest that stands below it"
        )
        raise InvalidInputs({"--digest": f"says which call you approve; {look}"})
    if len(digest) < MIN_DIGEST or not question.digest.removeprefix("sha256:").startswith(digest):
        now = f"the call that waits now has {short_digest(question.digest)}"
        raise InvalidInputs({"--digest": f"is of another call, or of one that was edited: {now}"})


def _arguments(question: Question, changes: Sequence[str]) -> dict[str, JsonValue] | None:
    if not changes or question.action is None:
        return None
    found: dict[str, JsonValue] = {}
    for change in changes:
        name, separator, words = change.partition("=")
        if not separator:
            raise InvalidInputs({"--set": f"is written name=value, not {change!r}"})
        if name not in question.action.editable:
            editable = ", ".join(question.action.editable) or "none"
            raise InvalidInputs({name: f"can't be edited; these can: {editable}"})
        try:
            found[name] = editing.parser(question.action, name)(words)
        except ValueError as error:
            raise InvalidInputs({name: str(error)}) from None
    return found
