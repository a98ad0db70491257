"""The types of what `crewdeck.crew` takes: the keys of `crew.yaml`, for editors and type checkers.

`definition.py` has the same keys as models, which check the values; a test keeps both alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from crews.definitions.policies import Policy

InputType = Literal[
    "string",
    "text",
    "integer",
    "number",
    "boolean",
    "choice",
    "multi_choice",
    "date",
    "time",
    "datetime",
    "email",
    "url",
    "file",
]
Duration = str
"""Such as `90s`, `24h` or `2h30m`."""
ApproversSpec = str | Sequence[str] | Policy
"""`requester`, `anyone`, the name of a policy, a list of people, groups and keys, or a policy."""


class InputSpec(TypedDict, total=False):
    """One of the `inputs`."""

    type: InputType
    required: bool
    label: str
    description: str
    choices: Sequence[str]
    default: str | float | bool | Sequence[str] | None
    #: The bounds of a number, or of a date or time in ISO 8601; both are included.
    min: float | str | None
    max: float | str | None
    #: The number of characters of a text, or of choices of `multi_choice`.
    min_length: int | None
    max_length: int | None
    #: Files: the suffixes that may be given, and how large they may be (`5mb`).
    accept: Sequence[str]
    max_size: str | int | None


class DeadlineSpec(TypedDict, total=False):
    """How long a question waits."""

    deadline: Duration
    #: `expire`, `reject`, or an option of the question.
    on_deadline: str
    remind_after: Duration


class QuestionsSpec(DeadlineSpec, total=False):
    """`questions`: what holds for all kinds, and what for some of them."""

    approval: DeadlineSpec
    choice: DeadlineSpec
    text: DeadlineSpec
    form: DeadlineSpec
    review: DeadlineSpec


class LimitsSpec(TypedDict, total=False):
    """`limits`: beyond `time` and `model_calls` the run fails; beyond `runs` it waits."""

    #: Working time; the time in which people are asked doesn't count.
    time: Duration
    model_calls: int
    #: How many runs of the crew work at once.
    runs: int


class ReviewSpec(TypedDict, total=False):
    """`review`."""

    #: How often a task with `human_input` may be sent back.
    rounds: int


PolicySpec = TypedDict(
    "PolicySpec",
    {
        "who": Sequence[str],
        "not": Sequence[str],
        "need": int,
        "per_group": Mapping[str, int],
        "on_reject": Literal["ends", "counts"],
        "if_too_few": Literal["fail", "wait"],
    },
    total=False,
)
"""One of the `policies`."""


class ApprovalSpec(TypedDict, total=False):
    """`approval` of a tool."""

    policy: ApproversSpec
    #: CEL over args, inputs, crew and requester.
    when: str
    #: The arguments that an approval may change.
    edit: Sequence[str]
    #: What the call does, with `{argument}`.
    title: str
    #: Arguments that nobody sees.
    hide: Sequence[str]


class ToolSpec(TypedDict, total=False):
    """One of the `tools`."""

    #: `module:Class`, or `module:tool`.
    use: str
    on_interrupted: Literal["retry", "ask", "fail"]
    approval: Literal[True] | str | Sequence[str] | ApprovalSpec
