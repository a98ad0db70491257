"""The schema of `crew.yaml`. An unknown key is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from bot.core.forms import fields, validation
from bot.core.forms.fields import FieldType
from bot.core.labels import label_key, means_yes
from bot.core.people.actor import Membership
from bot.core.people.policy import Approvers, PolicyDefinition
from bot.core.questions.question import Deadline, QuestionKind
from bot.core.runs.crew import Crew
from crews.definitions.approval import GateEntry
from crews.definitions.conditions import invalid, type_of_input
from crews.definitions.crewai_keys import CREW_KEYS, WithCrewaiKeys
from crews.definitions.entry import Entry, Reference, Text
from crews.definitions.policies import (
    THE_REQUESTER,
    ApproverSpec,
    Mistake,
    Policies,
    PolicyEntry,
    Written,
    approver_spec,
)

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


DURATION = r"^(\s*\d+\s*[dhmsDHMS])+\s*$"
Seconds = Annotated[
    int, BeforeValidator(seconds, json_schema_input_type=Annotated[str, Field(pattern=DURATION)])
]

ASK_HUMAN = "ask_human"
DELEGATION = frozenset({"delegate_work_to_coworker", "ask_question_to_coworker"})
"""Tools of CrewAI whose calls are no steps: what the other agent does is."""
FORBIDDEN_TIMEOUT_OUTCOMES = frozenset({"respond", "cancel"})
"""Outcomes that a timeout can't have besides those that approve: silence never answers or withdraws."""


def _field_type(written: object) -> FieldType:
    try:
        return FieldType(str(written))
    except ValueError:
        raise ValueError(f"must be one of {', '.join(FieldType)}, not {written!r}") from None


def _suffixes(written: object) -> object:
    """Suffixes in lower case and without a dot."""
    listed = [written] if isinstance(written, str) else written
    if not isinstance(listed, list | tuple):
        return listed
    return [each.strip().lower().removeprefix(".") if isinstance(each, str) else each for each in listed]


_SIZE = re.compile(r"(\d{1,9})\s*(kb|mb|b)?", re.ASCII | re.IGNORECASE)
_UNIT_BYTES = {"b": 1, "kb": 1024, "mb": 1024 * 1024}


def _bytes(written: object) -> int:
    """The bytes of a size such as `5mb`. Raises ValueError with the expected form."""
    found = None if isinstance(written, bool) else _SIZE.fullmatch(str(written).strip())
    if found is None:
        raise ValueError(f"must be a size such as 500kb or 5mb, not {written!r}")
    return int(found[1]) * _UNIT_BYTES[(found[2] or "b").lower()]


SIZE = r"^\s*\d{1,9}\s*([kKmM]?[bB])?\s*$"
Size = Annotated[
    int, BeforeValidator(_bytes, json_schema_input_type=int | Annotated[str, Field(pattern=SIZE)])
]


class InputEntry(Entry):
    """One of the `inputs`."""

    type: Annotated[FieldType, BeforeValidator(_field_type)] = FieldType.STRING
    """What values it takes; `string` if left out."""
    required: bool = False
    """Whether a run needs it."""
    label: str = ""
    """What people read instead of its name."""
    description: str = ""
    """What people read below it in forms."""
    choices: list[str] = []
    """What can be chosen, for `choice` and `multi_choice`."""
    default: str | int | float | bool | list[str] | None = None
    """The value of runs that don't give one."""
    min: int | float | str | None = None
    """The lowest number, or the earliest date or time in ISO 8601."""
    max: int | float | str | None = None
    """The highest number, or the latest date or time in ISO 8601."""
    min_length: Annotated[int, Field(ge=0)] | None = None
    """The least number of characters, or of choices."""
    max_length: Annotated[int, Field(ge=1)] | None = None
    """The greatest number of characters, or of choices."""
    accept: Annotated[list[str], BeforeValidator(_suffixes)] = []
    """The suffixes of files that may be given, such as `pdf`; any if left out."""
    max_size: Size | None = None
    """How large a file may be, such as `5mb`."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        validation.check_field(self._field("input"))
        return self

    def field(self, name: str) -> fields.Field:
        """What people need to know of it; its default is of its type. Raises ValueError if it is no field."""
        field = self._field(name)
        validation.check_field(field)
        default = validation.default_of(field)
        if default is None:
            return field
        return fields.Field.model_validate(field.model_dump() | {"default": validation.parse(field, default)})

    def _field(self, name: str) -> fields.Field:
        return fields.Field.model_validate(self.model_dump() | {"name": name})


class ToolEntry(Entry):
    """One of the `tools`."""

    use: Reference | None = None
    """Its class, or the tool itself: `module:Class`. Left out: whatever tool has this name, such as one of
    an MCP server."""
    on_interrupted: Literal["retry", "ask", "fail"] = "ask"
    """What is done about a call that may or may not have happened when its process died; `ask` if left
    out."""
    approval: GateEntry = None
    """The approval that each call needs: a policy's name, or keys such as `policy` and `when`; `true` takes
    the crew's approvers."""


class DeadlineEntry(Entry):
    """How long a question waits; None: what the crew says for all kinds."""

    deadline: Seconds | None = None
    """How long a question waits for an answer, such as `24h`."""
    on_deadline: Text | None = None
    """What happens then: `expire`, `reject`, or an option of the question."""
    remind_after: Seconds | None = None
    """When those who may answer are reminded, such as `4h`."""

    @field_validator("on_deadline")
    @classmethod
    def _never_an_approval(cls, outcome: str | None) -> str | None:
        if outcome is not None and (means_yes(outcome) or label_key(outcome) in FORBIDDEN_TIMEOUT_OUTCOMES):
            raise ValueError(f"silence can't {outcome}; use expire, reject, or an option of the question")
        return outcome

    def over(self, general: DeadlineEntry) -> Deadline:
        """These values, with those for all kinds as defaults."""
        return Deadline(
            after=self.deadline or general.deadline,
            outcome=self.on_deadline or general.on_deadline or "expire",
            remind_after=self.remind_after or general.remind_after,
        )


class QuestionsEntry(DeadlineEntry):
    """`questions`: what holds for all kinds, and what for some of them."""

    approval: DeadlineEntry | None = None
    choice: DeadlineEntry | None = None
    text: DeadlineEntry | None = None
    form: DeadlineEntry | None = None
    review: DeadlineEntry | None = None

    def deadlines(self) -> dict[str, Deadline]:
        """Deadlines by kind; the key "" is the default."""
        kinds = {kind.value: getattr(self, kind.value) for kind in QuestionKind}
        return {"": self.over(self)} | {name: own.over(self) for name, own in kinds.items() if own}


class Limits(Entry):
    """`limits`: beyond `time` and `model_calls` the run fails and says so; beyond `runs` it waits."""

    time: Seconds | None = None
    """Working time, such as `10m`: while people are asked, the clock stands still."""
    model_calls: Annotated[int, Field(ge=1)] | None = None
    """How many calls of models a run makes."""
    runs: Annotated[int, Field(ge=1)] | None = None
    """How many runs of the crew work at once, in all workers; those that wait for people don't count."""


class Review(Entry):
    """`review`: how often a task with `human_input` may be sent back."""

    rounds: Annotated[int, Field(ge=1, le=100)] = 5
    """How often; 5 if left out."""


def _cancellers(written: object) -> ApproverSpec:
    chose = approver_spec(written)
    if chose.policy is not None:
        raise ValueError("must be requester, anyone, or a list: a policy can't decide about cancelling")
    return chose


class CrewFile(Entry):
    """`crew.yaml`."""

    title: Text
    """What people see in lists."""
    description: str = ""
    """What the crew does, in a sentence."""
    model: Text | None = None
    """The model of its agents, such as `openai/gpt-5.4-mini`. `scripted` reads its lines from script.yaml."""
    process: Literal["sequential", "hierarchical"] = "sequential"
    """Whether tasks are done one after the other, or given out by a manager."""
    groups: dict[str, list[Text]] = {}
    """Groups of people that policies name."""
    policies: dict[str, PolicyEntry] = {}
    """Who decides, who must not, and how many people it takes; by name."""
    approvers: Annotated[ApproverSpec, BeforeValidator(approver_spec, json_schema_input_type=Written)] = (
        THE_REQUESTER
    )
    """Who answers its questions: `requester`, `anyone`, a policy's name, or a list of people and groups."""
    cancel: Annotated[ApproverSpec, BeforeValidator(_cancellers, json_schema_input_type=Written)] = (
        THE_REQUESTER
    )
    """Who may cancel its runs: `requester`, `anyone`, or a list of people and groups."""
    admit: list[Literal["guest", "external"]] = []
    """Who may start it besides members of the workspace."""
    main_input: str | None = None
    """The input that text after the crew's name is for: `/crew start demo tide mills`."""
    inputs: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], InputEntry] = {}
    """What a run is given, by the names that agents and tasks use as `{placeholders}`."""
    tools: dict[str, ToolEntry] = {}
    """Tools that agents and tasks name."""
    ask_human: bool | list[Text] = True
    """Which agents have the tool ask_human: all, none, or a list: of names in YAML, of roles in Python."""
    questions: QuestionsEntry = QuestionsEntry()
    limits: Limits = Limits()
    review: Review = Review()

    def named(self, shared: Policies) -> Policies:
        """All that this crew can name; `shared` are those of its folder."""
        return Policies(self.groups, self.policies).over(shared)

    def mistakes(self, shared: Policies) -> Iterator[Mistake]:
        """What is wrong with its policies, and with what names them or looks at its inputs."""
        right, found = Policies(self.groups, self.policies).checked(shared)
        named = right.over(shared)
        yield from found
        for key, choice in (("approvers", self.approvers), ("cancel", self.cancel)):
            if wrong := choice.mistake(named):
                yield (key, *wrong[0]), wrong[1]
        for name, entry in self.tools.items():
            yield from ((("tools", name, *at), what) for at, what in self._tool_mistakes(name, entry, named))

    def _tool_mistakes(self, name: str, entry: ToolEntry, named: Policies) -> Iterator[Mistake]:
        if name == ASK_HUMAN:
            yield (), "every agent has ask_human already; it needs no entry"
        if entry.use is None and entry.approval is None:
            yield (), "must say with `use` what it is"
        if (approval := entry.approval) is None:
            return
        if name in DELEGATION:
            yield ("approval",), "is for tools; what the other agent calls has approvals of its own"
        if approval.policy is not None and (wrong := approval.policy.mistake(named)):
            yield ("approval", "policy", *wrong[0]), wrong[1]
        if approval.when is not None and (why := invalid(approval.when, self.input_types)):
            yield ("approval", "when"), why

    @property
    def input_types(self) -> dict[str, str]:
        """The types of its inputs, as conditions know them."""
        return {name: type_of_input(entry.type) for name, entry in self.inputs.items()}

    def policies_of(self, named: Policies, *more: Approvers) -> tuple[PolicyDefinition, ...]:
        """All policies by which people may have to decide; `more`: what tasks say.

        Those of the crew itself are among them: authors of tools may name them.
        """
        gates = [entry.approval.policy for entry in self.tools.values() if entry.approval is not None]
        chosen_ones = [self.approvers, *filter(None, gates)]
        used = [each.approvers(named).policy for each in chosen_ones] + [each.policy for each in more]
        found: list[PolicyDefinition] = []
        for each in [*used, *map(named.named, self.policies)]:
            if each is not None and each not in found:
                found.append(each)
        return tuple(found)

    def card(self, name: str, shared: Policies, *reviewers: Approvers) -> Crew:
        """What people need to know of it. Its policies have no mistake (`defined_crews`, `decorator`)."""
        named = self.named(shared)
        return Crew(
            name=name,
            title=self.title,
            description=self.description,
            inputs=tuple(entry.field(each) for each, entry in self.inputs.items()),
            main_input=self.main_input,
            approvers=self.approvers.approvers(named),
            cancellers=self.cancel.approvers(named),
            policies=self.policies_of(named, *reviewers),
            allowed_memberships=(Membership.MEMBER, *map(Membership, self.admit)),
            deadlines=self.questions.deadlines(),
        )


class YamlToolEntry(ToolEntry):
    """One of the `tools` of `crew.yaml`, which says how the tool is made."""

    #: The arguments that the class is made with.
    with_: dict[str, Any] = Field(default={}, alias="with")

    @model_validator(mode="after")
    def _is_made(self) -> Self:
        if self.with_ and self.use is None:
            raise ValueError("`with` are the arguments of the class that `use` names")
        return self


class YamlCrewFile(WithCrewaiKeys, CrewFile):
    """`crew.yaml` in a folder of YAML, with keys of CrewAI's crews."""

    crewai_keys = CREW_KEYS

    tools: dict[str, YamlToolEntry] = {}  # type: ignore[assignment]  # nobody adds to it
    """Tools that agents and tasks name."""
