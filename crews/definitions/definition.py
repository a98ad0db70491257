"""The schema of the files in a crew's folder. An unknown key is an error."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from bot.core import forms
from bot.core.actor import Membership
from bot.core.crew import Crew
from bot.core.fields import FieldType
from bot.core.policy import Approvers
from bot.core.question import Deadline, QuestionKind

_DURATION_PART = re.compile(r"(\d+)\s*([dhms])")
_UNIT_S = {"d": 86400, "h": 3600, "m": 60, "s": 1}


MAX_DURATION_S = 3650 * 86400
_MAX_DURATION_LENGTH = 40


def seconds(text: object) -> int:
    """The seconds of a duration such as `2h30m`. Raises ValueError with the expected form."""
    written = str(text).strip().lower()
    if len(written) > _MAX_DURATION_LENGTH:
        raise ValueError("must be a duration such as 90s, 24h or 2h30m, and is longer than that")
    if isinstance(text, bool) or not written or _DURATION_PART.sub("", written).strip():
        raise ValueError(f"must be a duration such as 90s, 24h or 2h30m, not {text!r}")
    total = sum(int(number) * _UNIT_S[unit] for number, unit in _DURATION_PART.findall(written))
    if total < 1:
        raise ValueError("must be at least one second")
    if total > MAX_DURATION_S:
        raise ValueError("must be at most 3650d; leave it out for what has no end")
    return total


Seconds = Annotated[int, BeforeValidator(seconds)]
Text = Annotated[str, Field(min_length=1)]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""`module:Class`."""

NOBODY_TO_ASK = frozenset({"approve", "approved", "respond", "cancel"})
"""What silence can't mean: nothing is approved, said or withdrawn by nobody."""


class Entry(BaseModel):
    """Something in one of the files."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _field_type(written: object) -> FieldType:
    try:
        return FieldType(str(written))
    except ValueError:
        raise ValueError(f"must be one of {', '.join(FieldType)}, not {written!r}") from None


class InputEntry(Entry):
    """One of the `inputs`."""

    type: Annotated[FieldType, BeforeValidator(_field_type)] = FieldType.STRING
    required: bool = False
    label: str = ""
    description: str = ""
    choices: list[str] = []
    default: str | int | float | bool | list[str] | None = None
    min: int | float | str | None = None
    max: int | float | str | None = None
    min_length: Annotated[int, Field(ge=0)] | None = None
    max_length: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        forms.check_field(self._field("input"))
        return self

    def field(self, name: str) -> forms.Field:
        """What people need to know of it; its default is of its type. Raises ValueError if it is no field."""
        field = self._field(name)
        forms.check_field(field)
        default = forms.default_of(field)
        if default is None:
            return field
        return forms.Field.model_validate(field.model_dump() | {"default": forms.parse(field, default)})

    def _field(self, name: str) -> forms.Field:
        return forms.Field.model_validate(self.model_dump() | {"name": name})


class ToolEntry(Entry):
    """One of the `tools`."""

    use: Reference
    #: What is done about a call that may or may not have happened when its process died.
    on_interrupted: Literal["retry", "ask", "fail"] = "ask"


class Patience(Entry):
    """How long a question waits; None: what the crew says for all kinds."""

    deadline: Seconds | None = None
    on_deadline: Text | None = None
    remind_after: Seconds | None = None

    @field_validator("on_deadline")
    @classmethod
    def _never_an_approval(cls, outcome: str | None) -> str | None:
        if outcome is not None and outcome.strip().lower() in NOBODY_TO_ASK:
            raise ValueError(f"silence can't {outcome}; use expire, reject, or an option of the question")
        return outcome

    def over(self, general: Patience) -> Deadline:
        """These values, with those for all kinds as defaults."""
        return Deadline(
            after=self.deadline or general.deadline,
            outcome=self.on_deadline or general.on_deadline or "expire",
            remind_after=self.remind_after or general.remind_after,
        )


class QuestionsEntry(Patience):
    """`questions`: what holds for all kinds, and what for some of them."""

    approval: Patience | None = None
    choice: Patience | None = None
    text: Patience | None = None
    form: Patience | None = None
    review: Patience | None = None

    def deadlines(self) -> dict[str, Deadline]:
        """Deadlines by kind; the key "" is the default."""
        kinds = {kind.value: getattr(self, kind.value) for kind in QuestionKind}
        return {"": self.over(self)} | {name: own.over(self) for name, own in kinds.items() if own}


class Limits(Entry):
    """`limits`: beyond `time` and `model_calls` the run fails and says so; beyond `runs` it waits."""

    #: Seconds of working time: while people are asked, the clock stands still.
    time: Seconds | None = None
    model_calls: Annotated[int, Field(ge=1)] | None = None
    #: How many runs of the crew work at once, in all workers; those that wait for people don't count.
    runs: Annotated[int, Field(ge=1)] | None = None


class Review(Entry):
    """`review`: how often a task with `human_input` may be sent back."""

    rounds: Annotated[int, Field(ge=1, le=100)] = 5


def _approvers(written: object) -> Approvers:
    match written:
        case "requester":
            return Approvers()
        case "anyone":
            return Approvers(requester=False, anyone=True)
        case [*names] if names and all(isinstance(name, str) and name.strip() for name in names):
            listed = tuple(str(name) for name in names if name != "requester")
            return Approvers(requester="requester" in names, listed=listed)
    raise ValueError('must be requester, anyone, or a list of users and keys such as [U0123ABCD, "key:ci"]')


InputProvider = Annotated[Approvers, BeforeValidator(_approvers)]


class CrewFile(Entry):
    """`crew.yaml`."""

    title: Text
    description: str = ""
    model: Text | None = None
    process: Literal["sequential", "hierarchical"] = "sequential"
    approvers: InputProvider = Approvers()
    cancel: InputProvider = Approvers()
    admit: list[Literal["guest", "external"]] = []
    main_input: str | None = None
    inputs: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], InputEntry] = {}
    tools: dict[str, ToolEntry] = {}
    questions: QuestionsEntry = QuestionsEntry()
    limits: Limits = Limits()
    review: Review = Review()

    def card(self, name: str) -> Crew:
        """What people need to know of it."""
        return Crew(
            name=name,
            title=self.title,
            description=self.description,
            inputs=tuple(entry.field(each) for each, entry in self.inputs.items()),
            main_input=self.main_input,
            approvers=self.approvers,
            cancellers=self.cancel,
            allowed_memberships=(Membership.MEMBER, *map(Membership, self.admit)),
            deadlines=self.questions.deadlines(),
        )


class AgentEntry(Entry):
    """One agent of `agents.yaml`; CrewAI's own words."""

    role: Text
    goal: Text
    backstory: Text
    llm: Text | None = None
    tools: list[str] = []
    allow_delegation: bool = False
    max_iter: Annotated[int, Field(ge=1)] | None = None
    max_rpm: Annotated[int, Field(ge=1)] | None = None
    max_retry_limit: Annotated[int, Field(ge=0)] | None = None
    respect_context_window: bool | None = None
    inject_date: bool | None = None
    date_format: Text | None = None


class TaskEntry(Entry):
    """One task of `tasks.yaml`; CrewAI's own words."""

    description: Text
    expected_output: Text
    agent: str | None = None
    context: list[str] | None = None
    tools: list[str] = []
    human_input: bool = False
    async_execution: bool = False
    markdown: bool = False
    guardrail: Text | None = None
    guardrail_max_retries: Annotated[int, Field(ge=0)] | None = None
    output_pydantic: Reference | None = None
