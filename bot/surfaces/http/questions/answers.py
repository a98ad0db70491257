"""Answers to questions, over HTTP and WebSocket; refused ones as problems: why, and what would count."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic import JsonValue

from bot.core.errors import TRY_AGAIN, NotFound
from bot.core.events.event import encode
from bot.core.events.question_events import policy_view
from bot.core.labels import label_key
from bot.core.people.actor import Actor
from bot.core.people.policy import Objection, Policy
from bot.core.ports.store import Prefetched, Store
from bot.core.questions import answering
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Action, Question
from bot.core.questions.response import Approve, Response, Submit, UnexpectedParts, make_response
from bot.core.runs.run import Run
from bot.surfaces.http.callers import Caller, Visibility
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.questions.question_views import AnswerView, outcome_of


class FullAnswer(Protocol):
    """A complete answer, as request bodies and messages contain it."""

    @property
    def action(self) -> str | None: ...
    @property
    def value(self) -> str | None: ...
    @property
    def values(self) -> Mapping[str, JsonValue] | None: ...
    @property
    def arguments(self) -> Mapping[str, JsonValue] | None: ...
    @property
    def override(self) -> bool: ...
    @property
    def comment(self) -> str: ...
    @property
    def digest(self) -> str | None: ...


class AnswerContent(NamedTuple):
    """What an answer says, in the parts of `make_response`."""

    action: Action
    value: str | None = None
    comment: str = ""
    values: Mapping[str, JsonValue] | None = None
    arguments: Mapping[str, JsonValue] | None = None
    override: bool = False

    @property
    def parts(self) -> dict[str, Any]:
        return {name: part for name, part in self._asdict().items() if name != "action"}


class Answers:
    """Records answers and returns their results. Callers without access to a question get NotFound."""

    def __init__(self, store: Store, visibility: Visibility) -> None:
        self._store = store
        self._visibility = visibility

    async def find(self, caller: Caller, question_id: str) -> Question:
        """Find a question by id, in any run. Raises NotFound."""
        run_id = await self._store.questions.run_of(question_id)
        question, run = await asyncio.gather(
            self._store.questions.get(run_id, question_id), self._store.runs.get(run_id)
        )
        return await self._seen(caller, run, question)

    async def prefetch(self, caller: Caller, question_id: str, actor: Actor) -> Prefetched:
        """Find a question by id with all that an answer of this actor needs. Raises NotFound."""
        prefetched = await self._store.questions.prefetch(question_id, actor)
        if not self._visibility.of_all(caller):
            run = await self._store.runs.get(prefetched.question.run_id)
            await self._seen(caller, run, prefetched.question)
        return prefetched

    async def find_in(self, caller: Caller, run_id: str, question_id: str | None) -> Question:
        """Find a question of this run: the named one, or the only open one.

        Raises NotFound, and Problem (no_open_question, several_open_questions).
        """
        run = await self._store.runs.get(run_id)
        if question_id is not None:
            question = await self._store.questions.get(run_id, question_id.lower())
            return await self._seen(caller, run, question)
        asked = await self._store.questions.list(run_id)
        caller = await self._visibility.recognised(caller)
        seen = [question for question in asked if self._visibility.of_question(caller, run, question)]
        if not seen and not self._visibility.of_run(caller, run):
            raise NotFound("run", run_id)
        waiting = [question for question in seen if question.open]
        if len(waiting) == 1:
            return waiting[0]
        raise _not_one_question(waiting)

    async def in_words(
        self, question: Question, actor: Actor, words: str, digest: str | None = None, key: str | None = None
    ) -> AnswerView:
        """Record a typed reply, which may equal a label or an action."""
        if problem := needs_action(question):
            raise problem
        if why := answering.ambiguous(question, words):
            raise _several(why)
        action, value, comment = answering.interpret(question, words)
        return await self._record(
            Prefetched(question), AnswerContent(action, value, comment), actor, digest, key
        )

    async def record(
        self, prefetched: Prefetched, actor: Actor, said: FullAnswer, key: str | None = None
    ) -> AnswerView:
        """Record a complete answer. `key`: an `Idempotency-Key`, if the caller sent one.

        Raises Problem (not_allowed, settled, stale, invalid_answer).
        """
        question = prefetched.question
        content = AnswerContent(
            Action(said.action or ""), said.value, said.comment, said.values, said.arguments, said.override
        )
        if content.action is Action.CHOOSE:
            content = content._replace(value=_option(question, said.value))
        elif content.action is Action.RESPOND and said.value is not None:
            content = content._replace(
                value=None, comment="\n".join(filter(None, (said.value, said.comment)))
            )
        return await self._record(prefetched, content, actor, said.digest, key)

    async def _seen(self, caller: Caller, run: Run, question: Question) -> Question:
        if self._visibility.of_question(caller, run, question):
            return question
        if self._visibility.of_question(await self._visibility.recognised(caller), run, question):
            return question
        raise NotFound("question", question.id)

    async def _record(
        self,
        prefetched: Prefetched,
        content: AnswerContent,
        actor: Actor,
        digest: str | None,
        key: str | None,
    ) -> AnswerView:
        question = prefetched.question
        # Without an `Idempotency-Key` each request is a delivery of its own: an answer counts once all the
        # same, since the rules know the same answer of the same person, and again after it was taken back.
        of_request = f"http:{uuid.uuid4()}"
        try:
            given = make_response(content.action, actor, key=of_request, digest=digest or "", **content.parts)
        except UnexpectedParts as error:
            raise invalid_answer([(part, "must be left out") for part in error.parts]) from None
        if key is not None:
            given = given.model_copy(update={"key": _response_key(question, given, key)})
        ruling = await self._store.questions.respond(question.run_id, question.id, given, prefetched)
        if not answering.counted(ruling):
            raise refused(ruling, question, given)
        return AnswerView.after(ruling, ruling.question or question, given)


def _response_key(question: Question, given: Response, key: str) -> str:
    """The response's key in each delivery of the same answer with this `Idempotency-Key`."""
    said = given.model_dump(mode="json", exclude={"actor", "key", "at"})
    sent = encode([key, question.id, given.actor.principal, given.actor.on_behalf_of, said])
    return f"http:{hashlib.sha256(sent).hexdigest()}"


def _option(question: Question, value: str | None) -> str | None:
    """The id of an option that is given by id or label. Raises Problem if it is ambiguous."""
    if value is None:
        return None
    wanted = label_key(value)
    by_label = {option.id for option in question.options if label_key(option.label) == wanted}
    found = by_label | {option.id for option in question.options if option.id == value}
    if len(found) > 1:
        raise _several(
            f"`{value}` is the id of one option and the label of another: send the id of the other one."
        )
    return found.pop() if found else value


def _several(why: str) -> Problem:
    return Problem("invalid_answer", why, errors=[("value", "must stand for one option")])


def _not_one_question(waiting: Sequence[Question]) -> Problem:
    if not waiting:
        return Problem("no_open_question", "This run has no open question.")
    named = [{"question_id": question.id, "prompt": question.prompt} for question in waiting]
    return Problem(
        "several_open_questions",
        f"{len(waiting)} questions are open: say with `question_id` which one is meant.",
        questions=named,
    )


DECIDERS = "somebody whom its crew names"


def refused(ruling: Ruling, question: Question, given: Response) -> Problem:
    """The problem for a response that doesn't count. `question` is the one that was answered."""
    match ruling.code:
        case "not_allowed":
            return _not_allowed(ruling, question.policy)
        case "invalid_answer":
            return invalid_answer(
                [(_part(name, given, question), why) for name, why in ruling.errors.items()]
            )
        case "settled" if ruling.question is not None and (outcome := outcome_of(ruling.question)):
            detail = answering.explain(ruling, DECIDERS)
            return Problem("settled", detail, outcome=outcome.model_dump(mode="json"))
        case code:
            return Problem(code, answering.explain(ruling, DECIDERS))


def invalid_answer(errors: list[tuple[str, str]]) -> Problem:
    """The problem of an answer that doesn't fit its question, with an entry for each wrong part."""
    detail = "; ".join(f"`{part}` {why}" for part, why in errors)
    return Problem("invalid_answer", f"This answer doesn't fit the question: {detail}.", errors=errors)


def _not_allowed(ruling: Ruling, policy: Policy) -> Problem:
    view = policy_view(policy)
    return Problem(
        "not_allowed",
        f"{_because(ruling)} {takes(policy)}",
        objection=ruling.objection.value,
        policy=None if view is None else view.model_dump(mode="json"),
    )


def _because(ruling: Ruling) -> str:
    match ruling.objection:
        case Objection.EXCLUDED:
            return "This isn't yours to decide: its policy excludes you, in all of your identities."
        case Objection.MEMBERSHIP:
            return "This isn't yours to decide: its crew doesn't admit guests and external people."
        case Objection.UNREADABLE_GROUP:
            return (
                "Whether this is yours to decide can't be checked: a group that its policy names can't be "
                f"read just now. {ruling.reason}".strip()
            )
        case Objection.UNVERIFIED:
            return f"Whether this is yours to decide can't be found out now. {ruling.reason or TRY_AGAIN}"
        case _:
            return "This isn't yours to decide."


def takes(policy: Policy) -> str:
    """Who may decide, in a sentence."""
    if policy_view(policy) is None:
        return f"Ask {DECIDERS}."
    if policy.per_group:
        people = " and ".join(f"{seats} of {group}" for group, seats in policy.per_group.items())
    elif policy.who == ("anyone",):
        people = f"{'one person' if policy.need == 1 else f'{policy.need} people'}, anyone"
    else:
        people = f"{policy.need} of {', '.join(policy.who) or DECIDERS}"
    excluded = f", but not {', '.join(policy.not_)}" if policy.not_ else ""
    named = f"The policy {policy.name}" if policy.name else "It"
    return f"{named} takes {people}{excluded}."


def _part(name: str, given: Response, question: Question) -> str:
    """Where a wrong part stands in the request: fields in `values`, arguments in `arguments`."""
    if isinstance(given, Submit) and given.action in question.actions:
        return f"values.{name}"
    if isinstance(given, Approve) and name in (given.arguments or {}):
        return f"arguments.{name}"
    return name


def needs_action(question: Question) -> Problem | None:
    """The problem if words can't decide this question; None if they can."""
    if Action.RESPOND in question.actions:
        return None
    actions = " or ".join(f"`{action}`" for action in question.actions)
    return invalid_answer([("response", f"can't be words here: send `action`, {actions}")])
