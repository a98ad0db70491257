"""Models of requests. They validate, and `/openapi.json` is generated from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    model_validator,
)

from bot.core.runs.run import RunStatus

Uuid = Annotated[
    str, Field(json_schema_extra={"format": "uuid"}), StringConstraints(pattern="^[0-9a-fA-F-]{36}$")
]
OnBehalfOf = Annotated[
    str | None,
    Field(
        max_length=200,
        description="The person for whom the caller says that it acts. Recorded, never trusted.",
    ),
]
DIGEST_PATTERN = "^sha256:[0-9a-f]{64}$"
Digest = Annotated[
    str | None,
    Field(
        pattern=DIGEST_PATTERN,
        description="The question's `digest` as it was shown. If the question has changed: 409 `stale`. "
        "Needed to approve a tool call.",
    ),
]
ActionWord = Literal["approve", "reject", "choose", "respond", "submit", "withdraw"]


class Request(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class StartBody(Request):
    """Start a run of a crew."""

    crew: Annotated[str, Field(min_length=1, max_length=200, description="Its name, as in `GET /crews`.")]
    inputs: dict[str, JsonValue] = Field(
        default_factory=dict, description="Values by name; see the crew's inputs."
    )
    webhook_url: Annotated[
        str | None,
        Field(
            max_length=2000,
            description="The address for webhooks with this run's events, if this server allows it.",
            json_schema_extra={"format": "uri"},
        ),
    ] = None
    on_behalf_of: OnBehalfOf = None


class DeleteQuery(Request):
    """Options for deleting a run."""

    cancel: bool = Field(
        default=False, description="Also delete a run that is not over, which is cancelled first."
    )


class AnswerParts(Request):
    """What an answer says besides its action."""

    value: Annotated[
        str | None,
        Field(
            description="With `choose`: the option's id or label. With `respond`: the answer. "
            "With `approve` of a review: the edited text."
        ),
    ] = None
    values: Annotated[
        dict[str, JsonValue] | None,
        Field(description="With `submit`: the form's values by field, each of its field's JSON type."),
    ] = None
    arguments: Annotated[
        dict[str, JsonValue] | None,
        Field(description="With `approve` of a gate: the edited arguments; all, or those that were changed."),
    ] = None
    override: Annotated[
        StrictBool,
        Field(
            description="With `approve` and `reject`: decide as an administrator whom the policy doesn't "
            "name. Recorded, and shown as such."
        ),
    ] = False
    comment: Annotated[str, Field(description="A comment on the answer; with `reject`, the reason.")] = ""
    digest: Digest = None
    on_behalf_of: OnBehalfOf = None


class AnswerBody(AnswerParts):
    """An answer to a question."""

    action: ActionWord


class InputBody(AnswerParts):
    """An answer to a run's open question, as text or complete."""

    response: Annotated[
        str | None,
        Field(
            description="Exactly a label or an action (case aside) is that choice; "
            "anything else is an answer in words."
        ),
    ] = None
    question_id: Annotated[Uuid | None, Field(description="Needed when several questions are open.")] = None
    action: ActionWord | None = None

    @model_validator(mode="after")
    def _one_way(self) -> InputBody:
        if (self.response is None) == (self.action is None):
            raise ValueError("Give either `response` or `action`")
        parts = self.model_fields_set & {"value", "values", "arguments", "override", "comment"}
        if self.response is not None and any(getattr(self, name) for name in parts):
            named = " and ".join(f"`{name}`" for name in sorted(parts))
            raise ValueError(f"Give {named} with `action`, not with `response`")
        return self


class ReadReceiptBody(Request):
    """A person has had all of a question before them."""

    digest: Annotated[
        str, Field(pattern=DIGEST_PATTERN, description="The question's `digest` as it was shown.")
    ]


class LinkBody(Request):
    """Link the caller with the person who got a code elsewhere."""

    code: Annotated[str, Field(min_length=1, max_length=100, description="The code, as it was shown.")]


class UnlinkQuery(Request):
    """Which identity to unlink."""

    identity: Annotated[str, Field(min_length=1, max_length=500, description="Its `id` in the list.")]


class CancelBody(Request):
    """Cancel a run."""

    on_behalf_of: OnBehalfOf = None


class AnswerMessage(AnswerParts):
    """An answer over a WebSocket."""

    type: Literal["answer"]
    request_id: Annotated[
        StrictStr | StrictInt | None, Field(description="Returned with `accepted` or `error`.")
    ] = None
    question_id: Uuid
    action: ActionWord
    idempotency_key: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=255,
            description="Messages with the same key and the same answer are one response.",
        ),
    ] = None


class NoParameters(Request):
    """What an operation takes that has no parameters, or no body."""


LastEventId = Annotated[
    str, Field(max_length=500, description="Continue after the event with this id, as the stream sent it.")
]


class StreamQuery(Request):
    """Where a stream begins."""

    last_event_id: LastEventId = ""


class PollQuery(Request):
    """Where a poll begins, and how long it waits."""

    last_event_id: LastEventId = ""
    wait: Annotated[float, Field(ge=0, le=60, description="Seconds to wait for the first event.")] = 0


class EventsQuery(Request):
    """Which events of a run to return."""

    last_event_id: LastEventId = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 500


class RunsQuery(Request):
    """Which runs to list."""

    crew: Annotated[str | None, Field(max_length=200)] = None
    status: RunStatus | None = None
    active: Annotated[
        bool | None, Field(description="true: only unfinished runs; false: only finished ones.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    cursor: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,15}:[0-9a-f-]{36}$", description="`next` of the page before.")
    ] = None


class QuestionsQuery(Request):
    """Which questions to list."""

    state: Annotated[Literal["open"], Field(description="Settled questions are in their runs.")] = "open"
    mine: Annotated[bool, Field(description="Only those that the caller may answer.")] = False
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    cursor: Annotated[
        str | None,
        Field(pattern=r"^[0-9]{1,15}:[0-9a-f-]{36}/[0-9a-f-]{36}$", description="`next` of the page before."),
    ] = None
