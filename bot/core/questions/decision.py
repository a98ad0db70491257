"""The decision rules: how responses settle a question. Pure: no clock and no store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Literal, assert_never

from pydantic import Field

from bot.core.errors import InvalidValues
from bot.core.forms.validation import validate
from bot.core.labels import means_yes
from bot.core.people.identities import UNKNOWN, People, person_of
from bot.core.people.policy import Objection, exclusion, for_gate, for_one_person, objection, reason_of
from bot.core.questions.counting import outcome_from, overrides, progress_from, rejected_by_now
from bot.core.questions.question import (
    Action,
    Deadline,
    Outcome,
    Progress,
    Question,
    QuestionKind,
    Source,
    digest_of,
)
from bot.core.questions.response import Approve, Choose, Reject, Reply, Response, Submit, Withdraw
from bot.core.questions.tool_call import edit_errors, sha256_of
from bot.core.text import says_nothing, visible
from bot.core.value import Strict, Value


class Verdict(StrEnum):
    """What became of a response: whether it counts, settles the question, or is refused."""

    SETTLED = "settled"
    #: It counts, but more responses are needed.
    RECORDED = "recorded"
    #: The same response was recorded before; its effect stands.
    REPEATED = "repeated"
    REFUSED = "refused"


class Refusal(Value):
    """Why a response doesn't count."""

    #: not_allowed, settled, stale or invalid_answer.
    code: str
    #: With `not_allowed`.
    objection: Objection = Objection.NONE
    #: With `unreadable_group` and `unverified`: why that can't be found out now, as people read it.
    reason: str = ""
    #: With `invalid_answer`: what is wrong, by the name of the field or of the response's part.
    errors: dict[str, str] = Field(default_factory=dict)


class Ruling(Value):
    """The verdict on a response, and the question's state after it."""

    verdict: Verdict
    #: The reason of a refusal: unknown_question, or a code of `Refusal`.
    code: str = ""
    objection: Objection = Objection.NONE
    reason: str = ""
    errors: dict[str, str] = Field(default_factory=dict)
    #: None if there is no such question, or if the actor may not see its state.
    question: Question | None = None


class Pending(Strict):
    """Nothing is decided yet."""

    state: Literal["pending"] = "pending"
    progress: Progress = Progress()


class Settled(Strict):
    """The question has an outcome."""

    state: Literal["settled"] = "settled"
    outcome: Outcome
    progress: Progress = Progress()


def prepare(question: Question) -> Question:
    """The question as it is asked: with the policy that fits its kind, its digest, and nothing counted yet.

    Forms and answers in words aren't counted, so one person gives them. At gates administrators who aren't
    named can only override.
    """
    policy = question.policy
    if question.kind in {QuestionKind.TEXT, QuestionKind.FORM}:
        policy = for_one_person(policy)
    if question.source is Source.GATE:
        policy = for_gate(policy)
    question = question.model_copy(update={"policy": policy})
    digest, progress = digest_of(question), evaluate(question, ()).progress
    return question.model_copy(update={"digest": digest, "progress": progress})


def evaluate(
    question: Question,
    responses: Iterable[Response],
    people: People = UNKNOWN,
    *,
    earlier: Iterable[Response] = (),
) -> Pending | Settled:
    """Apply the question's policy to its responses, oldest first.

    The last response of each person counts, unless they took it back or may no longer decide. `earlier` ones
    were recorded while the question stayed open: they count, but none of them approves it now, when who may
    decide is different. Total: every sequence of responses has a result.
    """
    current: dict[str, Response] = {}
    ineligible: dict[str, Response] = {}
    stayed_open = tuple(earlier)
    for at, response in enumerate((*stayed_open, *responses)):
        person = person_of(response.actor, people)
        current.pop(person, None)
        ineligible.pop(person, None)
        for each in _of_other_versions(response, current):
            ineligible[each] = current.pop(each)
        if isinstance(response, Withdraw) or not admissible(question, response):
            continue
        if not _counts(question, response, people):
            ineligible[person] = response
            continue
        current[person] = response
        if at < len(stayed_open):
            continue
        if outcome := outcome_from(question, tuple(current.values()), people):
            return Settled(outcome=outcome, progress=_progress(question, current, ineligible, people))
    progress = _progress(question, current, ineligible, people)
    if outcome := rejected_by_now(question, tuple(current.values()), people):
        return Settled(outcome=outcome, progress=progress)
    return Pending(progress=progress)


def _of_other_versions(response: Response, current: Mapping[str, Response]) -> list[str]:
    """Whose approvals are void, as something else was asked when this one was given.

    They stay so if an edit makes what is asked the same again: everybody was told to decide anew.
    """
    if not isinstance(response, Approve) or not response.digest:
        return []
    return [
        person
        for person, said in current.items()
        if isinstance(said, Approve) and said.digest not in {"", response.digest}
    ]


def _progress(
    question: Question, current: Mapping[str, Response], ineligible: Mapping[str, Response], people: People
) -> Progress:
    return progress_from(question, tuple(current.values()), tuple(ineligible.values()), people)


def admissible(question: Question, response: Response) -> bool:
    """Whether the response fits the question's kind, its options and its form."""
    return not invalid(question, response)


def invalid(question: Question, response: Response) -> dict[str, str]:
    """What is wrong with a response to this question, by the response's part or the form's field."""
    if isinstance(response, Withdraw):
        return {}
    if response.action not in question.actions:
        return {"action": f"can't be `{response.action}` here, but {_either(question.actions)}"}
    errors: dict[str, str] = {}
    match response:
        case Choose():
            if response.value not in {option.id for option in question.options}:
                labels = ", ".join(visible(option.label) for option in question.options)
                errors = {"value": f"must stand for one option: {labels}"}
        case Reply():
            if says_nothing(response.comment):
                errors = {"value": "must say something"}
        case Submit():
            errors = _invalid_values(question, response)
        case Approve():
            errors = _invalid_edit(question, response)
        case Reject():
            pass
        case _:
            assert_never(response)
    return errors


def refusal(
    question: Question, response: Response, people: People = UNKNOWN, earlier: Sequence[Response] = ()
) -> Refusal | None:
    """Why a response does not count; None if it counts. `earlier` are the recorded ones, oldest first.

    Permission is checked first, so that an actor without permission learns nothing about the question.
    Whoever has responded may take it back, even if they may no longer decide.
    """
    taken_back = isinstance(response, Withdraw) and current_response(response, earlier, people) is not None
    if not taken_back and (why := _objection(question, response, people)):
        reason = reason_of(why, response.actor, question.policy, people)
        return Refusal(code="not_allowed", objection=why, reason=reason)
    if not question.open:
        return Refusal(code="settled")
    if isinstance(response, Withdraw):
        nothing = {"action": "can't be `withdraw`: you have no response to take back"}
        return None if taken_back else Refusal(code="invalid_answer", errors=nothing)
    if response.digest and response.digest != question.digest:
        return Refusal(code="stale")
    errors = invalid(question, response)
    if not response.digest and needs_digest(question):
        errors |= {"digest": "is needed: it says what exactly is decided"}
    return Refusal(code="invalid_answer", errors=errors) if errors else None


def needs_digest(question: Question) -> bool:
    """Whether a response must say which version it is about: of a gate, and of a text that was edited."""
    return question.call is not None or question.proposed is not None


def repeats(
    question: Question, response: Response, people: People = UNKNOWN, earlier: Sequence[Response] = ()
) -> bool:
    """Whether this person has given the same response before, and it still stands."""
    last = _last_response(response, earlier, people)
    if last is None:
        return False
    if isinstance(response, Withdraw) or isinstance(last, Withdraw):
        return response.action is last.action
    said = (response, amend(question, response)[1])
    if not any(map(last.same_as, said)) or not _stands(question, last, people, earlier):
        return False
    # Who may decide can be different since then: what did not settle it does so now.
    return not question.open or isinstance(evaluate(question, (response,), people, earlier=earlier), Pending)


def current_response(of: Response, earlier: Iterable[Response], people: People = UNKNOWN) -> Response | None:
    """The last of these responses by the person who gave `of`, unless they took it back."""
    last = _last_response(of, earlier, people)
    return None if isinstance(last, Withdraw) else last


def _last_response(of: Response, earlier: Iterable[Response], people: People) -> Response | None:
    person, last = person_of(of.actor, people), None
    for each in earlier:
        if person_of(each.actor, people) == person:
            last = each
    return last


def _stands(question: Question, response: Response, people: People, earlier: Sequence[Response]) -> bool:
    """Whether a recorded response counts, or has counted for the outcome."""
    if question.outcome is None:
        counted = evaluate(question, (), people, earlier=earlier).progress.counted
    else:
        counted = question.outcome.responses
    by = question.outcome.by if question.outcome is not None else None
    people_counted = {person_of(each.by, people) for each in counted}
    return person_of(response.actor, people) in people_counted | ({person_of(by, people)} if by else set())


def amend(question: Question, response: Response) -> tuple[Question, Response]:
    """The question with the changes of an editing approval, and that approval for what it made.

    The new digest makes earlier approvals void. An edit that changes nothing is an approval without one.
    """
    if not isinstance(response, Approve) or not response.edits or invalid(question, response):
        return question, response
    changed = _edited(question, response)
    if changed is question:
        return question, response.model_copy(update={"value": None, "arguments": None})
    changed = changed.model_copy(update={"digest": digest_of(changed)})
    return changed, response.model_copy(update={"digest": changed.digest})


def expired_outcome(question: Question) -> Outcome:
    """The outcome when the deadline passes. Responses that were too few are shown, and decide nothing."""
    outcome = timeout_outcome(question.deadline, question)
    return outcome.model_copy(update={"responses": question.progress.counted})


def timeout_outcome(deadline: Deadline, question: Question) -> Outcome:
    """The outcome of a passed deadline. Never an approval.

    `expire` means that nothing was decided, also where an option is called so; labels come before ids.
    """
    if deadline.outcome == Action.REJECT and Action.REJECT in question.actions:
        return Outcome(action=Action.REJECT, comment="No answer before the deadline.")
    if question.kind is QuestionKind.CHOICE and deadline.outcome != Action.EXPIRE:
        named = [each for each in question.options if each.label == deadline.outcome]
        for option in named or (each for each in question.options if each.id == deadline.outcome):
            if not means_yes(option.label):
                return Outcome(
                    action=Action.CHOOSE, value=option.id, comment="No answer before the deadline."
                )
    return Outcome(action=Action.EXPIRE)


WITHDRAWN = Outcome(action=Action.CANCEL)
"""The outcome of a question whose run ended before it was answered."""


# ── one response ────────────────────────────────────────────────────────────────────────────────────────


def _objection(question: Question, response: Response, people: People) -> Objection:
    if overrides(response):
        return (
            exclusion(response.actor, question.policy, people)
            if response.actor.admin
            else Objection.NOT_NAMED
        )
    return objection(response.actor, question.policy, people)


def _counts(question: Question, response: Response, people: People) -> bool:
    """Whether the person may still decide, and approved what is asked now."""
    if _objection(question, response, people):
        return False
    if not isinstance(response, Approve):
        return True
    return response.digest == question.digest or (not response.digest and not needs_digest(question))


def _invalid_values(question: Question, response: Submit) -> dict[str, str]:
    try:
        validate(question.form, response.values, strict=True)
    except InvalidValues as error:
        return dict(error.problems)
    return {}


def _invalid_edit(question: Question, response: Approve) -> dict[str, str]:
    errors: dict[str, str] = {}
    if response.value is not None and question.kind is not QuestionKind.REVIEW:
        errors["value"] = "must be left out: only a review's text can be edited"
    elif response.value is not None and says_nothing(response.value):
        errors["value"] = "must not be empty"
    if response.arguments is not None:
        if question.call is None:
            errors["arguments"] = "must be left out: no tool call waits for this approval"
        else:
            errors |= edit_errors(question.call, response.arguments)
    return errors


def _edited(question: Question, response: Approve) -> Question:
    """The question with the edits; the same object if they change nothing."""
    if question.call is not None and response.arguments is not None:
        call = question.call.edited(response.arguments)
        same = sha256_of(call.arguments) == sha256_of(question.call.arguments)
        return question if same else question.model_copy(update={"call": call})
    if response.value is None or response.value == question.context:
        return question
    first = question.context if question.proposed is None else question.proposed
    return question.model_copy(update={"context": response.value, "proposed": first})


def _either(actions: Sequence[Action]) -> str:
    return " or ".join(f"`{each}`" for each in actions)
