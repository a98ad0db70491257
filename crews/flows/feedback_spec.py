"""The rules of `@human_feedback`: what people are offered, and what their answers mean. Pure.

CrewAI has a model decide which outcome somebody's words mean, and takes the first one where that fails.
Here only a button decides, or words that are exactly its label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.labels import lookalikes, means_yes
from bot.core.questions.question import Action, Outcome, Question, QuestionKind, infer_kind
from bot.core.text import drop_invisible

MAX_OUTCOMES = 10
_APPROVE, _REJECT = frozenset({"approve", "approved"}), frozenset({"reject", "rejected"})


@dataclass(frozen=True)
class FeedbackSpec:
    """What a method declares with `@human_feedback`."""

    message: str
    emit: tuple[str, ...] = ()
    default: str | None = None

    @property
    def kind(self) -> QuestionKind:
        if not self.emit:
            return QuestionKind.TEXT
        return QuestionKind.APPROVAL if self._approval else infer_kind(None, self.emit)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.emit if self.kind is QuestionKind.CHOICE else ()

    @property
    def _approval(self) -> dict[Action, str]:
        """The outcomes of Approve and Reject, if `emit` consists of these two."""
        said = {label.strip().casefold(): label for label in self.emit}
        yes, no = said.keys() & _APPROVE, said.keys() & _REJECT
        if len(self.emit) == 2 and yes and no:  # noqa: PLR2004 - Approve and Reject
            return {Action.APPROVE: said[yes.pop()], Action.REJECT: said[no.pop()]}
        return {}

    def problem(self) -> str | None:
        """Why people can't be asked this; None if they can."""
        if len(self.emit) > MAX_OUTCOMES:
            return f"`emit` has more than {MAX_OUTCOMES} outcomes"
        if lookalikes(self.emit) or not all(drop_invisible(label).strip() for label in self.emit):
            return "`emit` needs outcomes that can be told apart by their words"
        return None

    def outcome(self, question: Question) -> str | None:
        """The chosen value of `emit`; None if there is none."""
        settled = question.outcome or Outcome(action=Action.EXPIRE)
        if settled.action is Action.CHOOSE:
            return next((o.label for o in question.options if o.id == settled.value), None)
        if settled.action is Action.EXPIRE:
            return self.default if self.default and not means_yes(self.default) else None
        return self._approval.get(settled.action)

    def approved(self, question: Question) -> bool:
        """Whether the outcome is an approval, which is for the code of when it was asked."""
        return means_yes(self.outcome(question) or "")


def follow_up_prompt(message: str, question: Question) -> str:
    """The follow-up prompt after an answer in words to a question that needs a decision."""
    said = question.outcome
    who = said.by.label if said and said.by else "Somebody"
    words = said.comment.strip() if said else ""
    return f"{message}\n\n{who} said: “{words}” That is kept as the feedback. Which of these is it?"


def feedback(words: Sequence[str], question: Question, outcome: str | None) -> str:
    """All that people said. A button without words counts as its outcome; a timeout counts as nothing."""
    settled = question.outcome
    if settled is None or settled.by is None:
        return "\n".join(words)
    said = [each for each in (*words, settled.comment.strip()) if each]
    return "\n".join(said) if said else outcome or ""
