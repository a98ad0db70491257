"""What the API answers, as frozen values. Fields and words of a newer server are no error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue


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
    #: Of files: the suffixes that may be given, and how many bytes.
    accept: tuple[str, ...] = ()
    max_size: int | None = None


class Crew(Value):
    """A crew that can be started."""

    name: str
    title: str = ""
    description: str = ""
    inputs: tuple[InputField, ...] = ()
    #: The input that free text is meant for.
    main_input: str | None = None


class CrewProblem(Value):
    """Why a crew, or all crews of a project, can't be started."""

    name: str
    #: One line, with file and line where there is one.
    problem: str
    remedy: str = ""
    #: Nothing is wrong: its worker is starting.
    starting: bool = False


class File(Value):
    """A file of a run, without its content."""

    file_id: str
    name: str
    media_type: str = "application/octet-stream"
    #: In bytes.
    size: int = 0
    #: `sha256:` and 64 hexadecimal digits.
    digest: str = ""
    description: str = ""
    #: The task that wrote it.
    task_id: str | None = None
    #: The input that it was given as; None: the crew made it.
    input: str | None = None


class FileList(Value):
    """The answer of `GET /runs/{run_id}/files`."""

    files: tuple[File, ...]


class Upload(Value):
    """An uploaded file; its id is the value of an input of type `file`, for an hour."""

    file_id: str
    name: str = ""
    size: int = 0
    digest: str = ""


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


class Response(Value):
    """What one person said about a question that counts."""

    answered_by: str = ""
    surface: str = ""
    action: str = ""
    #: With `choose`: the option's id. With `approve` of a review: the edited text.
    value: JsonValue = None
    comment: str = ""
    at: str = ""
    #: As an administrator whom the policy doesn't name.
    override: bool = False


class Outcome(Value):
    """What was decided: `action` is approve, reject, choose, respond, submit, expire or cancel."""

    action: str
    #: With `choose`: the option's id. With `approve` of a review: the edited text, if it was edited.
    value: JsonValue = None
    comment: str = ""
    #: The outcome in words, as the crew sees it.
    human_feedback: str = ""
    answered_by: Actor | None = None
    answered_at: str | None = None
    #: Forms: the values by field.
    values: dict[str, JsonValue] | None = None
    #: Gates: the arguments that were approved.
    arguments: dict[str, JsonValue] | None = None
    #: One for each person who counted, in order.
    responses: tuple[Response, ...] = ()
    #: An administrator settled it whom the policy doesn't name.
    override: bool = False


class Policy(Value):
    """Who decides a question, in its author's words."""

    name: str = ""
    version: str = ""
    who: tuple[str, ...] = ()
    excluded: tuple[str, ...] = Field(default=(), alias="not")
    #: How many different people it takes; by group in `per_group`.
    need: int = 1
    per_group: dict[str, int] = {}


class Progress(Value):
    """How far an open question is from its outcome."""

    approved: int = 0
    need: int = 1
    #: The groups with empty seats, or who is still needed.
    missing: tuple[str, ...] = ()
    #: The responses that count now, oldest first.
    responses: tuple[Response, ...] = ()
    #: Responses of people who may no longer decide.
    fell_out: tuple[Response, ...] = ()


class ToolCall(Value):
    """A tool call that waits for an approval. Secret arguments are named, never contained."""

    tool: str
    title: str = ""
    #: In whose name the call is made.
    on_behalf: str = ""
    arguments: dict[str, JsonValue] = {}
    #: The arguments before anybody edited them.
    proposed: dict[str, JsonValue] = {}
    editable: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    #: The arguments that can only be texts, or nothing: `5` is a text there.
    text_only: tuple[str, ...] = ()
    #: The JSON Schema of the tool's arguments.
    parameters: dict[str, JsonValue] = {}
    digest: str = ""


class Viewer(Value):
    """What the caller may do about a question, and what they said about it."""

    can_answer: bool = True
    #: Why they can't: excluded, membership, not_named, unreadable_group or unverified.
    objection: str = ""
    can_override: bool = False
    #: Their response that counts now.
    response: Response | None = None


class Answer(Outcome):
    """An answer that counts. `recorded`: more people are needed, and the other fields say what was sent."""

    question_id: str
    run_id: str
    #: settled or recorded.
    status: str = "settled"
    #: The same answer had been counted before.
    repeated: bool = False
    progress: Progress = Progress()
    #: Of what is asked now; an edit changes it.
    digest: str = ""


class Question(Value):
    """What a run asks people. `kind`: approval, choice, text, form, review; open until `outcome` is there."""

    question_id: str
    run_id: str
    kind: str
    #: tool, task, gate or system.
    source: str = ""
    prompt: str
    context: str = ""
    #: Reviews: the text before somebody edited it.
    proposed: str | None = None
    options: tuple[Option, ...] = ()
    #: The actions that decide it.
    actions: tuple[str, ...] = ()
    #: Forms: a flat JSON Schema, and the same as fields.
    form: dict[str, JsonValue] | None = None
    fields: tuple[InputField, ...] = ()
    #: Gates: the call that waits for the approval.
    action: ToolCall | None = None
    #: None: any one of the crew's approvers decides.
    policy: Policy | None = None
    progress: Progress = Progress()
    viewer: Viewer = Viewer()
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


class Identity(Value):
    """An account on a surface, or an API key. `current`: the one that the caller uses now."""

    id: str
    surface: str = ""
    name: str = ""
    current: bool = False


class IdentityList(Value):
    """What `GET /me/identities` answers."""

    identities: tuple[Identity, ...]


class LinkCode(Value):
    """A code that links another identity with the caller, once."""

    code: str
    #: Seconds.
    expires_in: int = 0


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
    problems: tuple[CrewProblem, ...] = ()
    #: Projects whose worker is starting.
    starting: tuple[str, ...] = ()


class QuestionList(Value):
    """What `GET /questions` answers."""

    questions: tuple[Question, ...]
