"""What scripted people answer in a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from bot.core.labels import label_key
from bot.core.people.actor import Actor, actor_named
from bot.core.people.policy import member
from bot.core.questions import answering
from bot.core.questions.question import Action, Question
from bot.core.questions.response import Response, make_response
from crews.definitions.policies import Policies

REQUESTER = "ada"
"""Who starts runs and answers, where a test names nobody."""
_NO_POLICIES = Policies()


@dataclass(frozen=True)
class ScriptedAnswer:
    """One answer of a scripted person; `approve` and its kin make them."""

    action: Action
    #: Who gives it: as policies name people (`U0123ABCD`, `key:erp`, `teams:<object id>`), or any other name.
    as_: str = REQUESTER
    #: Words that the question must have in it; empty: the next question, whatever it is.
    to: str = ""
    #: The code with which the answer has to be refused; empty: it has to count.
    refused: str = ""
    parts: Mapping[str, Any] = field(default_factory=dict)

    def answers(self, question: Question) -> bool:
        """Whether it is meant for this question."""
        return self.to.casefold() in f"{question.prompt}\n{question.context}".casefold()

    def response(self, question: Question) -> Response:
        """The answer, by somebody who was shown the question as it is now."""
        actor, key, parts = actor_of(self.as_), uuid4().hex, dict(self.parts)
        if self.action is Action.RESPOND:
            return answering.in_words(question, actor, parts["value"], key=key, digest=question.digest)
        if self.action is Action.CHOOSE:
            parts["value"] = _option(question, parts["value"])
        return make_response(self.action, actor, key=key, digest=question.digest, **parts)

    def __str__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self.parts.items() if value not in (None, "")]
        shown += [f"as_={self.as_!r}"] if self.as_ != REQUESTER else []
        shown += [f"to={self.to!r}"] if self.to else []
        name = "reply" if self.action is Action.RESPOND else self.action.value
        return f"{name}({', '.join(shown)})"


def approve(
    *,
    edit: Mapping[str, Any] | None = None,
    text: str | None = None,
    comment: str = "",
    as_: str = REQUESTER,
    to: str = "",
    refused: str = "",
) -> ScriptedAnswer:
    """Approve. `edit`: changed arguments of a tool call; `text`: the changed text of a review."""
    parts = {"arguments": edit, "value": text, "comment": comment}
    return ScriptedAnswer(Action.APPROVE, as_, to, refused, parts)


def reject(why: str = "", *, as_: str = REQUESTER, to: str = "", refused: str = "") -> ScriptedAnswer:
    """Reject, or decline a form."""
    return ScriptedAnswer(Action.REJECT, as_, to, refused, {"comment": why})


def choose(
    option: str, *, comment: str = "", as_: str = REQUESTER, to: str = "", refused: str = ""
) -> ScriptedAnswer:
    """Choose an option, by its label or its number."""
    return ScriptedAnswer(Action.CHOOSE, as_, to, refused, {"value": option, "comment": comment})


def submit(
    values: Mapping[str, Any], *, as_: str = REQUESTER, to: str = "", refused: str = ""
) -> ScriptedAnswer:
    """Fill in a form, with values of the types that its fields have."""
    return ScriptedAnswer(Action.SUBMIT, as_, to, refused, {"values": dict(values)})


def reply(words: str, *, as_: str = REQUESTER, to: str = "", refused: str = "") -> ScriptedAnswer:
    """Answer in words, as in a chat: a reply that is exactly a button's label is that button."""
    return ScriptedAnswer(Action.RESPOND, as_, to, refused, {"value": words})


def withdraw(*, as_: str = REQUESTER, to: str = "", refused: str = "") -> ScriptedAnswer:
    """Take the own answer back, while more people are needed."""
    return ScriptedAnswer(Action.WITHDRAW, as_, to, refused)


def expire(*, to: str = "") -> ScriptedAnswer:
    """Nobody answers until the deadline."""
    return ScriptedAnswer(Action.EXPIRE, to=to)


def actor_of(name: str) -> Actor:
    """The person, or the key, that policies call so; any other name is somebody whom no policy names."""
    if not _NO_POLICIES.unknown(name):
        return actor_named(member(name), name)
    return Actor(surface="http", user_id=name, name=name.capitalize())


def _option(question: Question, wanted: str) -> str:
    """The id of an option; what isn't one stays, and is refused."""
    for option in question.options:
        if wanted == option.id or label_key(wanted) == label_key(option.label):
            return option.id
    return wanted
