"""The words of Crewdeck as frozen values. Times are milliseconds since the epoch, by the store's clock."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from bot.core.text import ValidJson, ValidText

ANYONE = "*"
"""The principal that everybody has."""


class Value(BaseModel):
    """A value never changes. Fields of another release, which this one doesn't know, are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Strict(Value):
    """A value on which decisions rest.

    A field that this release doesn't know would change its meaning, so it is refused when it is read.
    """

    model_config = ConfigDict(extra="forbid")


class Standing(StrEnum):
    """How somebody belongs to the workspace they act in."""

    MEMBER = "member"
    GUEST = "guest"
    EXTERNAL = "external"


class Actor(Value):
    """Who acts, as the surface has verified it."""

    surface: str
    #: The workspace, where the surface has such a thing.
    tenant: str = ""
    user_id: str
    name: ValidText = ""
    standing: Standing = Standing.MEMBER
    #: May do everything: an `admin` key, or the local person where there are no keys.
    admin: bool = False
    #: Further principals of the same person, on other surfaces.
    identities: tuple[str, ...] = ()
    #: On whose behalf a program acts, as it says itself. Recorded, never trusted.
    on_behalf_of: ValidText = ""

    @property
    def principal(self) -> str:
        return principal(self.surface, self.tenant, self.user_id)

    @property
    def principals(self) -> tuple[str, ...]:
        return (self.principal, *self.identities)

    @property
    def label(self) -> str:
        """What people call them."""
        return self.name or self.user_id


def principal(surface: str, tenant: str, user_id: str) -> str:
    """One name for a person of one surface, as policies hold it: `slack:T0:U0`, `http::key:ci`."""
    return f"{surface}:{tenant}:{user_id}"


class Place(Value):
    """Where a run lives on a surface. `ref` is the surface's own code, opaque here."""

    surface: str
    tenant: str = ""
    ref: str
    #: What lists are filtered by (Slack: the channel); opaque as well.
    group: str = ""

    @property
    def key(self) -> str:
        return f"{self.surface}:{self.tenant}:{self.ref}"


class Policy(Strict):
    """Who may do something: a snapshot, taken when the run or the question was made."""

    #: Principals; `ANYONE` stands for everybody.
    deciders: tuple[str, ...]
    admits: tuple[Standing, ...] = (Standing.MEMBER,)


# ── crews ───────────────────────────────────────────────────────────────────────────────────────────────


class InputKind(StrEnum):
    """The type of an input. `text` is a string of several lines."""

    STRING = "string"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    DATE = "date"


class InputField(Value):
    """One input of a crew."""

    name: ValidText
    type: InputKind = InputKind.STRING
    required: bool = False
    description: ValidText = ""
    choices: tuple[ValidText, ...] = ()
    default: str | int | float | bool | None = None


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


class Approvers(Strict):
    """Whom a crew names: its requester, anyone, or the users and keys of a list."""

    requester: bool = True
    anyone: bool = False
    #: Slack user ids, or `key:<name>`.
    listed: tuple[str, ...] = ()


class Crew(Value):
    """What people need to know of a crew to start it: as a worker announced it."""

    name: ValidText
    title: ValidText
    description: ValidText = ""
    inputs: tuple[InputField, ...] = ()
    main_input: str | None = None
    approvers: Approvers = Approvers()
    cancellers: Approvers = Approvers()
    admits: tuple[Standing, ...] = (Standing.MEMBER,)
    #: By question kind; the key "" is for those that have none of their own.
    deadlines: dict[str, Deadline] = {}

    def deadline(self, kind: QuestionKind) -> Deadline:
        return self.deadlines.get(kind) or self.deadlines.get("") or Deadline()


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────


class RunStatus(StrEnum):
    """Where a run is in its life; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}


class RunError(Value):
    """Why a run failed: a code for programs, a sentence for people."""

    code: str
    message: ValidText


class NewRun(Value):
    """A run that somebody wants started."""

    id: str
    crew: Crew
    inputs: dict[str, ValidJson] = {}
    requester: Actor
    approvers: Policy
    cancellers: Policy
    place: Place | None = None
    #: Not to be queued before its place is complete (`Store.settle_place`).
    held: bool = False
    retry_of: str | None = None
    #: Where it is followed besides: each is one more surface's, which shows all of it there.
    followers: tuple[Place, ...] = ()


class Run(Value):
    """One kickoff of a crew. `id` is the public `execution_id`."""

    id: str
    crew: Crew
    status: RunStatus
    inputs: dict[str, ValidJson] = {}
    requester: Actor
    approvers: Policy
    cancellers: Policy
    place: Place | None = None
    held: bool = False
    retry_of: str | None = None
    followers: tuple[Place, ...] = ()
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    result: ValidText | None = None
    error: RunError | None = None
    cancelled_by: Actor | None = None
    #: Milliseconds for which it has worked, as far as its workers have said.
    worked: int = 0
    #: The number of its newest event.
    seq: int = 0
    epoch: int = 0

    @property
    def cursor(self) -> str:
        """Where a list goes on after this run: `RunFilter.before`."""
        return f"{self.created_at}:{self.id}"


class Claim(Value):
    """A worker's hold on a run. `epoch` fences off an earlier holder."""

    run: Run
    worker: str
    epoch: int


# ── questions ───────────────────────────────────────────────────────────────────────────────────────────


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
    #: Of all that people see and decide on (`bot.core.questions.digest_of`). The store adds it.
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


class Verdict(StrEnum):
    """What became of one response."""

    SETTLED = "settled"
    #: It counts, and more people are needed.
    RECORDED = "recorded"
    #: The same response had been given before; what it led to stands.
    REPEATED = "repeated"
    REFUSED = "refused"


class Ruling(Value):
    """What became of a response, and the question as it stands now."""

    verdict: Verdict
    #: Of a refusal: unknown_question, not_allowed, settled, stale, invalid_answer.
    code: str = ""
    #: None: there is none, or the actor may not know how it stands.
    question: Question | None = None
