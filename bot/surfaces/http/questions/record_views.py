"""Models of the record of a decision: what was shown, to whom, what everybody said, and what ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Literal

from pydantic import Field, JsonValue

from bot.core.events.event import iso
from bot.core.people.actor import Actor, Membership
from bot.core.people.identities import UNKNOWN, People, person_of
from bot.core.people.policy import IfTooFew, OnReject, Policy
from bot.core.questions.question import Action, Counted, Option, Question, QuestionKind, Source
from bot.core.questions.record import Executed, Record
from bot.core.questions.response import Approve, Choose, Response, Submit, Withdraw
from bot.core.questions.tool_call import sha256_of
from bot.core.sessions import account_of
from bot.surfaces.http.questions.question_views import CallView, OutcomeView, QuestionProgress, progress_of
from bot.surfaces.http.views import View, iso_or_none


class PersonView(View):
    """A person or program, as the record keeps them."""

    name: str
    surface: str
    identity: str = Field(description="Unique across surfaces: `slack:T0:U0`, `http::key:ci`.")
    authentication: str = Field(
        description="How the surface made sure who acts: `slack`, `teams`, `api_key`, `session`, `local`."
    )
    membership: Membership
    on_behalf_of: str | None = Field(description="As claimed by the caller.")

    @classmethod
    def of(cls, actor: Actor) -> PersonView:
        return cls(
            name=actor.label,
            surface=actor.surface,
            identity=account_of(actor),
            authentication=actor.authentication,
            membership=actor.membership,
            on_behalf_of=actor.on_behalf_of or None,
        )


class RecordedPolicyView(View):
    """Who may decide, as it was resolved when the question was asked."""

    name: str = Field(description="Empty for plain approvers.")
    version: str
    who: tuple[str, ...] = Field(description="The author's words.")
    excluded: tuple[str, ...]
    need: int
    per_group: dict[str, int]
    on_reject: OnReject
    if_too_few: IfTooFew
    deciders: tuple[str, ...] = Field(description="Identities, live groups, and `*` for anyone.")
    excluded_identities: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    allowed_memberships: tuple[Membership, ...]

    @classmethod
    def of(cls, policy: Policy) -> RecordedPolicyView:
        return cls(
            name=policy.name,
            version=policy.version,
            who=policy.who,
            excluded=policy.not_,
            need=policy.seats,
            per_group=policy.per_group,
            on_reject=policy.on_reject,
            if_too_few=policy.if_too_few,
            deciders=policy.deciders,
            excluded_identities=policy.excluded,
            groups={group.name: group.members for group in policy.groups},
            allowed_memberships=policy.allowed_memberships,
        )


class ChangeView(View):
    """What an edit changed: a part of the question, before and after."""

    part: str = Field(description="`context`, or `arguments.<name>`.")
    before: JsonValue
    after: JsonValue


class VersionView(View):
    """What was shown, from the first version to the last; edits make new ones."""

    digest: str
    prompt: str
    context: str
    action: CallView | None
    changes: tuple[ChangeView, ...] = Field(description="The difference to the version before.")


class ReadReceiptView(View):
    """A person had all of a version before them."""

    by: PersonView
    at: str
    digest: str


class ResponseState(StrEnum):
    """What became of a response."""

    #: It counts for the outcome, or for the progress.
    COUNTED = "counted"
    #: The same person said something else later.
    REPLACED = "replaced"
    TAKEN_BACK = "taken_back"
    #: It approved a version that was edited later.
    OUTDATED = "outdated"
    #: Its person may no longer decide.
    INELIGIBLE = "fell_out"
    #: It took an earlier response back.
    WITHDRAWAL = "withdrawal"


class RecordedResponseView(View):
    """One response of one person."""

    by: PersonView
    at: str
    action: Action
    comment: str
    value: JsonValue = Field(description="The chosen option, or the edited text.")
    values: dict[str, JsonValue] | None = Field(description="Forms: the values by field.")
    arguments: dict[str, JsonValue] | None = Field(description="Gates: the edited arguments.")
    digest: str = Field(description="The digest of what they were shown; empty if they didn't say.")
    override: bool
    standing: ResponseState


class ExecutedView(View):
    """The call that the approval let through was made."""

    at: str
    call_digest: str = Field(description="The digest of what was called.")
    result_digest: str = Field(description="The digest of what it returned.")

    @classmethod
    def of(cls, executed: Executed) -> ExecutedView:
        return cls(
            at=iso(executed.at), call_digest=executed.call_digest, result_digest=executed.result_digest
        )


class RecordView(View):
    """Everything that was recorded about a question."""

    question_id: str
    run_id: str
    kind: QuestionKind
    source: Source
    state: Literal["open", "settled"]
    asker: str
    options: tuple[Option, ...]
    asked_at: str
    deadline: str | None
    settled_at: str | None
    policy: RecordedPolicyView
    versions: tuple[VersionView, ...]
    opened: tuple[ReadReceiptView, ...] = Field(description="Who opened all of it, and when.")
    responses: tuple[RecordedResponseView, ...] = Field(
        description="All responses, oldest first, also those that no longer count."
    )
    progress: QuestionProgress
    outcome: OutcomeView | None
    executed: ExecutedView | None = Field(description="null: no call was made, or not recorded as made.")

    @classmethod
    def of(cls, record: Record, people: People = UNKNOWN) -> RecordView:
        """`people`: which of those who answered are one person."""
        question = record.question
        return cls(
            question_id=question.id,
            run_id=question.run_id,
            kind=question.kind,
            source=question.source,
            state="open" if question.open else "settled",
            asker=question.asker,
            options=question.options,
            asked_at=iso(question.created_at),
            deadline=iso_or_none(question.deadline_at),
            settled_at=iso_or_none(question.settled_at),
            policy=RecordedPolicyView.of(question.policy),
            versions=tuple(_versions((*record.versions, question))),
            opened=tuple(
                ReadReceiptView(by=PersonView.of(each.by), at=iso(each.at), digest=each.digest)
                for each in record.opened
            ),
            responses=_responses(question, record.responses, people),
            progress=progress_of(question),
            outcome=OutcomeView.of(question.outcome, question) if question.outcome else None,
            executed=ExecutedView.of(record.executed) if record.executed else None,
        )


def _versions(versions: Sequence[Question]) -> Iterator[VersionView]:
    yield _version(versions[0], ())
    for before, after in pairwise(versions):
        yield _version(after, tuple(_changes(before, after)))


def _version(question: Question, changes: tuple[ChangeView, ...]) -> VersionView:
    return VersionView(
        digest=question.digest,
        prompt=question.prompt,
        context=question.context,
        action=CallView.of(question.call, question.digest) if question.call else None,
        changes=changes,
    )


def _changes(before: Question, after: Question) -> Iterator[ChangeView]:
    if before.context != after.context:
        yield ChangeView(part="context", before=before.context, after=after.context)
    if before.call is None or after.call is None:
        return
    former: Mapping[str, JsonValue] = before.call.arguments
    for name, value in after.call.arguments.items():
        if sha256_of(former.get(name)) != sha256_of(value):
            yield ChangeView(part=f"arguments.{name}", before=former.get(name), after=value)


def _responses(
    question: Question, responses: Sequence[Response], people: People
) -> tuple[RecordedResponseView, ...]:
    return tuple(
        RecordedResponseView(
            by=PersonView.of(each.actor),
            at=iso(each.at),
            action=each.action,
            comment=each.comment,
            value=each.value if isinstance(each, Approve | Choose) else None,
            values=each.values if isinstance(each, Submit) else None,
            arguments=each.arguments if isinstance(each, Approve) else None,
            digest=each.digest,
            override=bool(getattr(each, "override", False)),
            standing=_response_state(question, each, responses[number:], people),
        )
        for number, each in enumerate(responses, start=1)
    )


def _response_state(
    question: Question, response: Response, later: Sequence[Response], people: People
) -> ResponseState:
    if isinstance(response, Withdraw):
        return ResponseState.WITHDRAWAL
    # Where the run ended before it was settled, its outcome rests on none of them.
    if _among(response, question.progress.counted):
        return ResponseState.COUNTED
    person = person_of(response.actor, people)
    by_them = next((each for each in later if person_of(each.actor, people) == person), None)
    if by_them is not None:
        return ResponseState.TAKEN_BACK if isinstance(by_them, Withdraw) else ResponseState.REPLACED
    return ResponseState.OUTDATED if _is_outdated(question, response, later) else ResponseState.INELIGIBLE


def _is_outdated(question: Question, response: Response, later: Sequence[Response]) -> bool:
    """Whether what was approved was edited afterwards, even if another edit made it the same again."""
    if not isinstance(response, Approve):
        return False
    if not response.digest:  # A version that nobody has edited may lack it.
        return question.proposed is not None
    asked_later = {question.digest, *(each.digest for each in later if isinstance(each, Approve))}
    return not asked_later <= {"", response.digest}


def _among(response: Response, counted: Sequence[Counted]) -> bool:
    said = (response.actor.principal, response.action, response.at)
    return any((each.by.principal, each.action, each.at) == said for each in counted)
