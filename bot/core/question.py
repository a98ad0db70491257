"""What a run asks people, and the outcome that it gets."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum

from bot.core.actor import Actor
from bot.core.alike import label_key
from bot.core.policy import Policy
from bot.core.text import ValidJson, ValidText
from bot.core.value import Strict


class QuestionKind(StrEnum):
    """What a question wants. A `review` is of a task's output."""

    APPROVAL = "approval"
    CHOICE = "choice"
    TEXT = "text"
    REVIEW = "review"


class Deadline(Strict):
    """How long a question waits, in seconds, and what its silence means."""

    after: int | None = None
    #: `expire`, `reject`, or the id of one of the question's options. Never an approval.
    outcome: str = "expire"
    remind_after: int | None = None


class Action(StrEnum):
    """What a response or an outcome says. `expire` and `cancel` are nobody's to send."""

    APPROVE = "approve"
    REJECT = "reject"
    CHOOSE = "choose"
    RESPOND = "respond"
    EXPIRE = "expire"
    CANCEL = "cancel"


class Option(Strict):
    """A button. Its label is the outcome; its id stays short and plain whatever the label holds."""

    id: str
    label: ValidText


class Source(StrEnum):
    """What in the run asks."""

    TOOL = "tool"
    TASK = "task"
    GATE = "gate"
    SYSTEM = "system"


class ReasonFlags(Strict):
    """Why the crew asks."""

    ambiguity: bool = False
    missing_field: bool = False


class Outcome(Strict):
    """What the policy made of the responses, or of the deadline: there is one, and the crew sees it."""

    action: Action
    #: With `choose`: the option's id.
    value: ValidJson = None
    comment: ValidText = ""
    by: Actor | None = None

    def text(self, options: tuple[Option, ...]) -> str:
        """The outcome in words: the label of what was chosen, or what was said."""
        match self.action:
            case Action.RESPOND:
                return self.comment
            case Action.EXPIRE:
                return "No answer before the deadline"
            case Action.CANCEL:
                return "Withdrawn: the run ended"
            case _:
                return self._decision(options)

    def _decision(self, options: tuple[Option, ...]) -> str:
        chosen = self.value if self.action is Action.CHOOSE else self.action
        label = next((o.label for o in options if o.id == chosen), str(chosen))
        return f"{label}: {self.comment}" if self.comment else label


class Question(Strict):
    """What a run asks people. Open until `outcome` is there."""

    id: str
    run_id: str
    kind: QuestionKind
    prompt: ValidText
    context: ValidText = ""
    options: tuple[Option, ...] = ()
    reason: ReasonFlags = ReasonFlags()
    source: Source = Source.TOOL
    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    #: Who asks, in people's words: the agent's role.
    asker: ValidText = ""
    #: Reviews only: this round (from 1) and the crew's cap.
    round: int | None = None
    rounds: int | None = None
    policy: Policy
    #: Of all that people see and decide on (`digest_of`). The store adds it.
    digest: str = ""
    #: What it is known by in its run, and in one that tries that again: there its answer still counts.
    known_as: str = ""
    deadline: Deadline = Deadline()
    #: The rest is the store's.
    created_at: int = 0
    deadline_at: int | None = None
    settled_at: int | None = None
    outcome: Outcome | None = None

    @property
    def open(self) -> bool:
        return self.outcome is None

    @property
    def actions(self) -> tuple[Action, ...]:
        return ACTIONS[self.kind]


ACTIONS: dict[QuestionKind, tuple[Action, ...]] = {
    QuestionKind.APPROVAL: (Action.APPROVE, Action.REJECT, Action.RESPOND),
    QuestionKind.CHOICE: (Action.CHOOSE, Action.RESPOND),
    QuestionKind.TEXT: (Action.RESPOND,),
    QuestionKind.REVIEW: (Action.APPROVE, Action.REJECT, Action.RESPOND),
}
"""What a person may do with a question of each kind. `respond` to a review requests changes."""


APPROVAL_OPTIONS = (Option(id="approve", label="Approve"), Option(id="reject", label="Reject"))
REVIEW_OPTIONS = (*APPROVAL_OPTIONS, Option(id="respond", label="Request changes"))


def infer_kind(kind: QuestionKind | None, labels: tuple[str, ...]) -> QuestionKind:
    """The kind of a question that names none: by its options."""
    if kind is not None:
        return kind
    if {label_key(label) for label in labels} == {"approve", "reject"}:
        return QuestionKind.APPROVAL
    return QuestionKind.CHOICE if labels else QuestionKind.TEXT


def options_for(kind: QuestionKind, labels: tuple[str, ...]) -> tuple[Option, ...]:
    """A question's options. Those of a choice are numbered, since a label can be long or in any script."""
    match kind:
        case QuestionKind.APPROVAL:
            return APPROVAL_OPTIONS
        case QuestionKind.REVIEW:
            return REVIEW_OPTIONS
        case QuestionKind.CHOICE:
            return tuple(Option(id=str(number), label=label) for number, label in enumerate(labels, start=1))
        case QuestionKind.TEXT:
            return ()


_NOT_SHOWN = {
    # Where it stands in its run.
    "id",
    "run_id",
    "crew_id",
    "task_id",
    "agent_id",
    "known_as",
    # What the store adds.
    "digest",
    "created_at",
    "deadline_at",
    "settled_at",
    "outcome",
}


def digest_of(question: Question) -> str:
    """SHA-256 of all that people see of a question and decide on.

    Whatever a question has is covered unless it is named above: kind, words, options, who asks, which round,
    who may answer, and what silence means.
    """
    shown = question.model_dump(mode="json", exclude=_NOT_SHOWN)
    text = json.dumps(shown, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
