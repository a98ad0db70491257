"""Puts a run's questions to people: recorded in the store, announced on CrewAI's bus, and awaited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import uuid4

import structlog

from bot.core import ids
from bot.core.forms.fields import Field
from bot.core.forms.validation import check_form
from bot.core.people.policy import IfTooFew, Policy, too_few
from bot.core.ports.journal import ANNOUNCER_PREFIX
from bot.core.questions.decision import prepare
from bot.core.questions.question import (
    Action,
    Deadline,
    Option,
    Question,
    QuestionKind,
    ReasonFlags,
    Source,
    options_for,
)
from bot.core.questions.tool_call import ToolCall
from bot.core.text import valid
from crews.run.activity import Step, branch_waits
from crews.run.exits import Released
from crews.run.failures import unsatisfiable
from crews.run.identity import TaskIdentity
from crews.run.session import RunSession
from crews.run.store_proxy import StoreProxy

log = structlog.get_logger(__name__)


CODE_PREFIX = "code_of/"
"""Prefix of the journal's entries that say which code the crew had when a question was asked."""
HANDED_OVER_PREFIX = "handed_over/"
"""Prefix of those that say that code has gone on with an approval. Both end in the question's content hash,
which is the same in a retry."""

OTHER_CODE = "This was approved, but the code of the crew that would go on with it is another one now."


@dataclass(frozen=True)
class Asking:
    """A question to ask; HumanQuestions adds the run, who may answer, and the deadline."""

    kind: QuestionKind
    prompt: str
    context: str = ""
    labels: tuple[str, ...] = ()
    #: Kind `form`: what is to be filled in.
    form: tuple[Field, ...] = ()
    reason: ReasonFlags = field(default_factory=ReasonFlags)
    source: Source = Source.TOOL
    task: TaskIdentity | None = None
    agent_id: str | None = None
    asker: str = ""
    round: int | None = None
    rounds: int | None = None
    #: Who may answer; None: whom the crew's approvers name.
    policy: Policy | None = None
    #: How long it waits; None: as long as the crew says for its kind.
    deadline: Deadline | None = None
    #: The tool call that waits for the approval.
    call: ToolCall | None = None
    #: What the question is known by, where its words are not enough: the same key is the same question.
    key: str = ""
    #: The code that goes on with an approval, as a fingerprint.
    code: str = ""

    def __post_init__(self) -> None:
        for name in ("prompt", "context", "asker"):
            object.__setattr__(self, name, valid(getattr(self, name)))
        object.__setattr__(self, "labels", tuple(map(valid, self.labels)))
        if self.kind is QuestionKind.FORM:
            check_form(self.form)

    @property
    def options(self) -> tuple[Option, ...]:
        return options_for(self.kind, self.labels)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what makes it this question and no other."""
        shown: list[object] = [self.kind, self.prompt, self.context]
        shown += [[o.model_dump() for o in self.options], self.round]
        if self.form:
            shown.append([field.model_dump(mode="json") for field in self.form])
        return hashlib.sha256(json.dumps(shown, ensure_ascii=False).encode()).hexdigest()


def anew(asking: Asking) -> Asking:
    """What is asked once more, because other code would go on with its approval."""
    context = asking.context.removeprefix(OTHER_CODE).lstrip()
    return replace(asking, context=f"{OTHER_CODE}\n\n{context}" if context else OTHER_CODE)


def _content_hash(content: tuple[object, ...]) -> str:
    """The same for the same question in a retry of its run."""
    return hashlib.sha256("/".join(map(str, content)).encode()).hexdigest()[:32]


class Announcer(Protocol):
    """Announces questions to CrewAI's listeners; progress before a question is recorded first."""

    async def before(self, task: TaskIdentity | None) -> None: ...

    def asked(self, question: Question) -> None: ...

    def answered(self, question: Question) -> None: ...


class HumanQuestions:
    """Puts one run's questions to people."""

    def __init__(self, run: RunSession, store: StoreProxy, announcer: Announcer) -> None:
        #: Whose questions are put here.
        self.run = run
        self._store = store
        self._announcer = announcer
        #: The questions that were put to people, by whichever worker, as they were last seen.
        self._asked = dict(run.history.asked)

    def was_asked(self, key: str) -> bool:
        """Whether the question with this key was put to people, by whichever worker."""
        return self.id_of(key) in self._asked

    def is_known(self, asking: Asking) -> bool:
        """Whether asking this now is no new question.

        It was put to people then, by whichever worker, or answered in the run that this one retries.
        """
        content = self._content(asking, self.run.history.journal.occurrences.next)
        answered = self.run.history.journal.answer(_content_hash(content)) is not None
        return answered or self._id(content) in self._asked

    def id_of(self, key: str) -> str:
        """The id of the question with this key."""
        return self._id((key,))

    async def ask(self, asking: Asking) -> Question:
        """Ask, and wait for the outcome, however long it takes. Raises RunExit if the run leaves before."""
        with self.run.activity.step() as under_way:
            return await self.run.pending.wait(self._ask(asking, self.question(asking), under_way))

    def ask_in_thread(self, asking: Asking, *, for_model: bool = False) -> Question:
        """As `ask`, for code that can't await. Blocks its thread.

        `for_model`: the outcome is only told to a model, so the run needs no slot before it asks that model.
        """
        with self.run.activity.step() as under_way:
            return self.run.pending.wait_in_thread(
                self._ask(asking, self.question(asking), under_way, for_model=for_model)
            )

    def is_for_other_code(self, approved: Question, code: str) -> bool:
        """Whether other code was to go on with this approval; if not, this code does so now.

        What code has gone on with before counts for whatever became of it since: nobody is asked twice.
        """
        journal, handed_over = self.run.history.journal, f"{HANDED_OVER_PREFIX}{approved.content_hash}"
        if journal.found(handed_over) is not None:
            return False
        if journal.found(f"{CODE_PREFIX}{approved.content_hash}") not in {None, code}:
            return True
        self.run.writer.write(handed_over, json.dumps(code))
        return False

    def question(self, asking: Asking) -> Question:
        """The question as it is recorded. Its id is the same when a resumed run asks it again."""
        run, task = self.run.claim.run, asking.task
        content = self._content(asking, self.run.history.journal.occurrences.assign)
        return Question(
            id=self._id(content),
            run_id=run.id,
            kind=asking.kind,
            prompt=asking.prompt,
            context=asking.context,
            options=asking.options,
            form=asking.form,
            reason=asking.reason,
            source=asking.source,
            crew_id=self.run.crew_id,
            task_id=task.id if task else None,
            agent_id=asking.agent_id,
            asker=asking.asker,
            round=asking.round,
            rounds=asking.rounds,
            call=asking.call,
            policy=asking.policy or run.approvers,
            content_hash=_content_hash(content),
            deadline=asking.deadline or run.crew.deadline(asking.kind),
        )

    def _id(self, content: tuple[object, ...]) -> str:
        return ids.part_id(self.run.run_id, "question", *content)

    def _content(self, asking: Asking, number: Callable[[Hashable], int]) -> tuple[object, ...]:
        """What identifies a question in its run. `number`: which occurrence of its content it is."""
        if asking.key:
            return (asking.key,)
        normalize = self.run.folder.normalize
        words = replace(asking, prompt=normalize(asking.prompt), context=normalize(asking.context))
        content = (asking.task.key if asking.task else 0, asking.kind, words.fingerprint)
        return (*content, number(content))

    async def _ask(
        self, asking: Asking, question: Question, under_way: Step, *, for_model: bool = False
    ) -> Question:
        """`under_way` ends once the question is put: until then the run doesn't leave for another one."""
        answered = self.run.history.journal.answer(question.content_hash)
        if answered is not None and question.call is None:  # An approval of a call counts once.
            # It was answered in the run that this one retries; here it is not asked, and has no events.
            self.run.mark_started()
            return question.model_copy(update={"outcome": answered})
        known = self._asked.get(question.id)
        if known is not None and not known.open:  # Its outcome doesn't change any more.
            self.run.mark_started()
            settled = known
        else:
            with self.run.stopwatch.paused():
                # One question is kept while the run waits, as it is in the store.
                question = await self._ask_people(asking, question)
                under_way.end()
                settled = await self._settled(question, slot_later=for_model and self.run.limits.runs is None)
        self._asked[settled.id] = settled
        if settled.outcome is None or settled.outcome.action is Action.CANCEL:
            raise self.run.stop()
        # The crew goes on with the answer at once: who listens to its bus needs nothing of that.
        self.run.pending.start_background(self._announce_answer(settled))
        return settled

    async def _ask_people(self, asking: Asking, question: Question) -> Question:
        """Put the question to people, unless an earlier worker or attempt did; it may be settled already."""
        known = question.id in self._asked
        if not known:
            if asking.code:
                self.run.writer.write(f"{CODE_PREFIX}{question.content_hash}", json.dumps(asking.code))
            await self._announcer.before(asking.task)
            question = await self._satisfiable(question)
        await self.run.writer.flushed()
        asked = await self._store.ask(self.run.claim, question)
        if not known:
            self._asked[asked.id] = asked
            log.info("asked", run_id=asked.run_id, question_id=asked.id, kind=asked.kind.value)
            self._announcer.asked(asked)
        self.run.mark_started()
        return asked

    async def _satisfiable(self, question: Question) -> Question:
        """The question, if enough people may decide, or if it waits for more and says so. Raises RunExit."""
        policy = prepare(question).policy
        if policy.seats == 1 and not policy.excluded and not policy.live_groups:
            return question
        why = too_few(policy, await self._store.people(policy))
        if not why:
            return question
        if policy.if_too_few is IfTooFew.FAIL:
            raise self.run.stop(unsatisfiable(policy, why))
        waits = f"{question.prompt} (This waits, since too few people may decide now: {why}.)"
        return question.model_copy(update={"prompt": waits})

    async def _settled(self, asked: Question, *, slot_later: bool) -> Question:
        if not asked.open:
            return asked
        settled: Question | None
        # The branch is active again before the question counts as settled here.
        with self.run.parking.waiting(asked.id), branch_waits():
            if slot_later:
                settled = await self._store.outcome(asked)
                self.run.resume()
            else:
                settled = await self._store.settled(asked, self.run.claim)
        if settled is None:
            raise self.run.leave(Released())
        return settled

    async def _announce_answer(self, settled: Question) -> None:
        """Announce the answer to CrewAI's listeners, in one worker only, and not before the run can go on."""
        await self.run.slot_decided()
        mark = uuid4().hex
        if (
            await self._store.put_if_absent(self.run.claim, f"{ANNOUNCER_PREFIX}{settled.id}", mark) != mark
            or not settled.outcome
        ):
            return
        action = settled.outcome.action.value
        log.info("answered", run_id=settled.run_id, question_id=settled.id, action=action)
        self._announcer.answered(settled)
