"""The record of a decision: what was shown, to whom, every response, and what ran."""

from __future__ import annotations

from pydantic import Field, JsonValue

from crewdeck.client.values import Option, Outcome, Progress, ToolCall, Value


class Person(Value):
    """A person or program, as records keep them."""

    name: str = ""
    surface: str = ""
    #: Unique across surfaces: `slack:T0:U0`, `http::key:ci`.
    identity: str = ""
    #: How the surface made sure who acts: slack, teams, api_key, session or local.
    authentication: str = ""
    membership: str = ""
    on_behalf_of: str | None = None


class RecordedPolicy(Value):
    """Who may decide, as it was resolved when the question was asked."""

    name: str = ""
    version: str = ""
    who: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    need: int = 1
    per_group: dict[str, int] = Field(default_factory=dict)
    on_reject: str = ""
    if_too_few: str = ""
    deciders: tuple[str, ...] = ()
    excluded_identities: tuple[str, ...] = ()
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    allowed_memberships: tuple[str, ...] = ()


class Change(Value):
    """What an edit changed: `part` is `context`, or `arguments.<name>`."""

    part: str
    before: JsonValue = None
    after: JsonValue = None


class Version(Value):
    """What was shown, from the first version to the last; edits make new ones."""

    digest: str
    prompt: str = ""
    context: str = ""
    action: ToolCall | None = None
    changes: tuple[Change, ...] = ()


class Opened(Value):
    """A person had all of a version before them."""

    by: Person
    at: str = ""
    digest: str = ""


class RecordedResponse(Value):
    """One response of one person.

    `standing`: counted, replaced, taken_back, outdated, fell_out or withdrawal.
    """

    by: Person
    at: str = ""
    action: str = ""
    comment: str = ""
    value: JsonValue = None
    values: dict[str, JsonValue] | None = None
    arguments: dict[str, JsonValue] | None = None
    digest: str = ""
    override: bool = False
    standing: str = ""


class Executed(Value):
    """The call that the approval let through was made."""

    at: str = ""
    call_digest: str = ""
    result_digest: str = ""


class Record(Value):
    """Everything that was recorded about a question."""

    question_id: str
    run_id: str
    kind: str
    source: str = ""
    state: str = ""
    asker: str = ""
    options: tuple[Option, ...] = ()
    asked_at: str = ""
    deadline: str | None = None
    settled_at: str | None = None
    policy: RecordedPolicy = RecordedPolicy()
    versions: tuple[Version, ...] = ()
    #: Who opened all of it, and when.
    opened: tuple[Opened, ...] = ()
    #: All responses, oldest first, also those that no longer count.
    responses: tuple[RecordedResponse, ...] = ()
    progress: Progress = Progress()
    outcome: Outcome | None = None
    #: None: no call was made, or it is not recorded as made.
    executed: Executed | None = None
