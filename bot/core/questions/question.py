"""Questions to people, and their outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field

from bot.core.forms import fields
from bot.core.json_text import named_values
from bot.core.labels import label_key
from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.questions.tool_call import ToolCall, sha256_of
from bot.core.text import ValidJson, ValidText
from bot.core.value import Strict


class QuestionKind(StrEnum):
    """The kind of a question. A `review` concerns a task's output."""

    APPROVAL = "approval"
    CHOICE = "choice"
    TEXT = "text"
    FORM = "form"
    REVIEW = "review"


class Deadline(Strict):
    """How long a question stays open, in seconds, and its outcome afterwards."""

    after: int | None = None
    #: `expire`, `reject` or the id of one of the question's options. Never an approval.
    outcome: str = "expire"
    remind_after: int | None = None


class Action(StrEnum):
    """The action of a response or an outcome.

    `expire` and `cancel` can't be sent as responses; `withdraw` takes a response back and is no outcome.
    """

    APPROVE = "approve"
    REJECT = "reject"
    CHOOSE = "choose"
    RESPOND = "respond"
    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    CANCEL = "cancel"


class Option(Strict):
    """A button. The label becomes the outcome; the id is short and plain whatever the label contains."""

    id: str
    label: ValidText


class Source(StrEnum):
    """The part of the run that asks."""

    TOOL = "tool"
    TASK = "task"
    GATE = "gate"
    SYSTEM = "system"


class ReasonFlags(Strict):
    """The reason why the crew asks."""

    ambiguity: bool = False
    missing_field: bool = False


class Counted(Strict):
    """A response that counts for the outcome: who gave it, and when."""

    by: Actor
    action: Action
    value: ValidJson = None
    comment: ValidText = ""
    at: int = 0
    override: bool = False


class Progress(Strict):
    """How far an open question is from its outcome."""

    #: How many of the `need` seats are filled (of a choice: for the leading option).
    approved: int = 0
    need: int = 1
    #: The groups with empty seats, or the policy's words for who is still needed.
    missing: tuple[str, ...] = ()
    #: The responses that count now, oldest first; one for each person.
    counted: tuple[Counted, ...] = ()
    #: Responses of people who may no longer decide.
    ineligible: tuple[Counted, ...] = Field(default=(), alias="fell_out")


class Outcome(Strict):
    """The final result of a question, from its responses or its deadline, as the crew receives it."""

    action: Action
    #: With `choose`: the id of the option. With `approve` of a review: the edited text, if it was edited.
    value: ValidJson = None
    comment: ValidText = ""
    #: The person whose response settled it.
    by: Actor | None = None
    #: The responses that counted, oldest first.
    responses: tuple[Counted, ...] = ()
    #: With `submit`: the values of the form by field.
    values: dict[str, ValidJson] | None = None
    #: With `approve` of a gate: the arguments that were approved, without secrets.
    arguments: dict[str, ValidJson] | None = None
    #: An administrator settled it, although the policy doesn't name them.
    override: bool = False

    def text(self, options: tuple[Option, ...]) -> str:
        """The outcome as text: the label of the chosen option, or the comment."""
        match self.action:
            case Action.RESPOND:
                return self.comment
            case Action.EXPIRE:
                return "No answer before the deadline"
            case Action.CANCEL:
                return "Withdrawn: the run ended"
            case Action.SUBMIT:
                return named_values(self.values or {})
            case _:
                return self._decision(options)

    def _decision(self, options: tuple[Option, ...]) -> str:
        chosen = self.value if self.action is Action.CHOOSE else self.action
        label = next((o.label for o in options if o.id == chosen), str(chosen))
        return f"{label}: {self.comment}" if self.comment else label


class Question(Strict):
    """A question to people. It is open as long as `outcome` is None."""

    id: str
    run_id: str
    kind: QuestionKind
    prompt: ValidText
    context: ValidText = ""
    #: Reviews only: the text before somebody edited it; `context` is the edited one.
    proposed: ValidText | None = None
    options: tuple[Option, ...] = ()
    #: Forms only: the fields to be filled in.
    form: tuple[fields.Field, ...] = ()
    #: Gates only: the call that waits for the approval.
    call: ToolCall | None = None
    reason: ReasonFlags = ReasonFlags()
    source: Source = Source.TOOL
    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    #: The agent's role, as people read it.
    asker: ValidText = ""
    #: Reviews only: the current round (from 1) and the maximum number of rounds.
    round: int | None = None
    rounds: int | None = None
    policy: Policy
    #: The digest of everything that people see and decide on (`digest_of`). Set by the store.
    digest: str = ""
    #: Of what is asked, and in which task: the same in a retry of the run, where an earlier answer counts.
    content_hash: str = Field("", alias="known_as")
    deadline: Deadline = Deadline()
    #: Set by the store, like all fields below.
    created_at: int = 0
    deadline_at: int | None = None
    settled_at: int | None = None
    progress: Progress = Progress()
    outcome: Outcome | None = None

    @property
    def open(self) -> bool:
        return self.outcome is None

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions that decide it. Words decide neither a gate nor a question for several people."""
        actions = ACTIONS[self.kind]
        if self.source is Source.GATE or self.policy.seats > 1:
            return tuple(each for each in actions if each is not Action.RESPOND)
        return actions

    @property
    def editable(self) -> bool:
        """Whether an approval may change what is approved: a review's text, some of a gate's arguments."""
        return self.kind is QuestionKind.REVIEW or (self.call is not None and bool(self.call.editable))


ACTIONS: dict[QuestionKind, tuple[Action, ...]] = {
    QuestionKind.APPROVAL: (Action.APPROVE, Action.REJECT, Action.RESPOND),
    QuestionKind.CHOICE: (Action.CHOOSE, Action.RESPOND),
    QuestionKind.TEXT: (Action.RESPOND,),
    QuestionKind.FORM: (Action.SUBMIT, Action.REJECT),
    QuestionKind.REVIEW: (Action.APPROVE, Action.REJECT, Action.RESPOND),
}
"""The actions allowed for each kind of question. `respond` to a review requests changes."""


APPROVAL_OPTIONS = (Option(id="approve", label="Approve"), Option(id="reject", label="Reject"))
REVIEW_OPTIONS = (*APPROVAL_OPTIONS, Option(id="respond", label="Request changes"))


def infer_kind(kind: QuestionKind | None, labels: tuple[str, ...]) -> QuestionKind:
    """Infer the kind of a question that names none from its options."""
    if kind is not None:
        return kind
    if {label_key(label) for label in labels} == {"approve", "reject"}:
        return QuestionKind.APPROVAL
    return QuestionKind.CHOICE if labels else QuestionKind.TEXT


def options_for(kind: QuestionKind, labels: tuple[str, ...]) -> tuple[Option, ...]:
    """The options for these labels. A choice uses numbers as ids: labels can be long or in any script.

    No id reads as the label of another option, which may be a number: either names one.
    """
    match kind:
        case QuestionKind.APPROVAL:
            return APPROVAL_OPTIONS
        case QuestionKind.REVIEW:
            return REVIEW_OPTIONS
        case QuestionKind.CHOICE:
            keys = {label_key(label): number for number, label in enumerate(labels, start=1)}
            return tuple(
                Option(id=_option_id(number, keys), label=label)
                for number, label in enumerate(labels, start=1)
            )
        case QuestionKind.TEXT | QuestionKind.FORM:
            return ()


def _option_id(number: int, keys: Mapping[str, int]) -> str:
    """The id of an option. `keys`: the numbers of options by how their labels are read."""
    found = str(number)
    while keys.get(found, number) != number:
        found = f"option-{found}"
    return found


_NOT_SHOWN = {
    # Identifies the question in its run.
    "id",
    "run_id",
    "crew_id",
    "task_id",
    "agent_id",
    "content_hash",
    # Set by the store.
    "digest",
    "created_at",
    "deadline_at",
    "settled_at",
    "progress",
    "outcome",
}


def digest_of(question: Question) -> str:
    """SHA-256 of everything that people see of a question and decide on.

    Covers all fields that are not excluded above: kind, texts, options, asker, round, policy and deadline.
    """
    return sha256_of(question.model_dump(mode="json", exclude=_NOT_SHOWN))
