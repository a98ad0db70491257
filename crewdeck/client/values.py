"""What the API answers, as frozen values. Fields and words of a newer server are no error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue


class Value(BaseModel):
    """Never changes; fields that this release doesn't know are ignored. Times are ISO 8601, in UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class InputField(Value):
    """One input of a crew. Its types and bounds are those of docs/crews.md."""

    name: str
    #: What people read instead of the name.
    label: str = ""
    type: str = "string"
    required: bool = False
    description: str = ""
    choices: tuple[str, ...] = ()
    default: JsonValue = None
    #: Numbers, or dates and times in ISO 8601.
    min: int | float | str | None = None
    max: int | float | str | None = None
    #: The number of characters of a text, or of choices of `multi_choice`.
    min_length: int | None = None
    max_length: int | None = None


class Crew(Value):
    """A crew that can be started."""

    name: str
    title: str = ""
    description: str = ""
    inputs: tuple[InputField, ...] = ()
    #: The input that free text is meant for.
    main_input: str | None = None


class Actor(Value):
    """Who did something, and where: `surface` is slack, http, ..."""

    surface: str = ""
    name: str = ""
    on_behalf_of: str | None = None


class Option(Value):
    """What can be chosen."""

    id: str
    label: str


class ReasonFlags(Value):
    """Why the crew asks."""

    ambiguity: bool = False
    missing_field: bool = False


class Outcome(Value):
    """What was decided: `action` is approve, reject, choose, respond, expire or cancel."""

    action: str
    #: With `choose`: the option's id.
    value: JsonValue = None
    comment: str = ""
    #: The outcome in words, as the crew sees it.
    human_feedback: str = ""
    answered_by: Actor | None = None
    answered_at: str | None = None


class Answer(Outcome):
    """An answer that counts, as it is recorded."""

    question_id: str
    run_id: str


class Question(Value):
    """What a run asks people. `kind`: approval, choice, text or review; open until `outcome` is there."""

    question_id: str
    run_id: str
    kind: str
    prompt: str
    context: str = ""
    options: tuple[Option, ...] = ()
    reason_flags: ReasonFlags = ReasonFlags()
    #: The role of the agent that asks.
    asker: str = ""
    #: Reviews only: which round this is, from 1.
    round: int | None = None
    #: Of what is asked: an answer that carries it counts for nothing else.
    digest: str = ""
    created_at: str = ""
    deadline: str | None = None
    outcome: Outcome | None = None

    @property
    def open(self) -> bool:
        return self.outcome is None


class RunError(Value):
    """Why a run failed: a code for programs, a sentence for people."""

    code: str
    message: str = ""


class Started(Value):
    """A run that was started, now or by the same request before."""

    run_id: str
    crew: str
    status: str
    created_at: str = ""


class WaitingFor(Value):
    """What a queued run waits for: place, paused, worker, retry, alone, limit or turn; and in words."""

    code: str
    message: str = ""
    #: With `turn` and `limit`: how many runs of its crew go before it.
    ahead: int | None = None
    #: With `retry`: when.
    until: str | None = None


class RunSummary(Value):
    """A run in a list. `status`: queued, running, input_required, completed, failed or cancelled."""

    run_id: str
    crew: str
    title: str = ""
    status: str
    #: While it is queued.
    waiting_for: WaitingFor | None = None
    inputs: dict[str, JsonValue] = {}
    requester: Actor = Actor()
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    error: RunError | None = None
    cancelled_by: Actor | None = None
    #: The run that this one tries again.
    retry_of: str | None = None


class Run(RunSummary):
    """A run with what it came to, and all that it asked."""

    result: str | None = None
    questions: tuple[Question, ...] = ()


class RunPage(Value):
    """A page of runs, newest first. `next` is the cursor of the following page; None: this is the last."""

    runs: tuple[RunSummary, ...]
    next: str | None = None


class CrewList(Value):
    """What `GET /crews` answers."""

    crews: tuple[Crew, ...]


class QuestionList(Value):
    """What `GET /questions` answers."""

    questions: tuple[Question, ...]
