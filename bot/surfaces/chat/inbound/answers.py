"""Answers to questions: by buttons, in words of a form or of a thread; and why one did not count."""

from __future__ import annotations

from bot.core.errors import NotFound, StoreUnavailable
from bot.core.people.actor import Actor
from bot.core.people.policy import can_decide, objection, reason_of
from bot.core.ports.store import Store
from bot.core.questions import answering
from bot.core.questions.decision import Ruling, Verdict
from bot.core.questions.question import Action, Question, QuestionKind
from bot.core.questions.response import Response, make_response
from bot.surfaces.chat.actions import REPLY_FIELD, Target
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.formatted_text import FormattedText, Untrusted, plain_words
from bot.surfaces.chat.inbound.ports import SILENT, Press, Reply, text_reply
from bot.surfaces.chat.message_keys import asked_in_words, shares_message, shown_digest
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.wording import answer_messages, batches, gates, policies, question_buttons, sentences

AMBIGUITY_UNITS = 500
"""Of a sentence that says which labels a reply could mean: it quotes them."""


class Answers:
    """Gives people's answers to the store. What counts is decided there; here it is put into words."""

    def __init__(self, platform: Capabilities, store: Store) -> None:
        self._surface = platform.surface
        self._limits = platform.limits
        self._store = store

    async def by_press(
        self,
        target: Target,
        action: Action,
        actor: Actor,
        *,
        key: str,
        value: str | None = None,
        comment: str = "",
    ) -> Reply:
        """A decision by button or select."""
        try:
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return text_reply(sentences.QUESTION_GONE)
        said = make_response(action, actor, key=key, value=value, comment=comment, digest=target.digest)
        ruling = await self._respond(question, said)
        why = refusal(ruling, question) or await self._repeated(ruling, said)
        return text_reply(*why) if why else SILENT

    async def withdraw(self, target: Target, actor: Actor, *, key: str) -> Reply:
        """Take this person's response back."""
        try:
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return text_reply(sentences.QUESTION_GONE)
        said = make_response(Action.WITHDRAW, actor, key=key)
        ruling = await self._respond(question, said)
        if ruling.verdict is Verdict.RECORDED:
            return Reply(say=answer_messages.taken_back())
        if ruling.verdict is Verdict.REPEATED or ruling.code in {"invalid_answer", "not_allowed"}:
            return Reply(say=answer_messages.nothing_to_take_back())
        return text_reply(*refusal(ruling, question))

    async def by_form(self, target: Target, words: str, actor: Actor, *, key: str) -> Reply:
        """The words of a form; why they don't count is said in it, so that they are not lost."""
        try:
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return Reply(errors={REPLY_FIELD: sentences.QUESTION_GONE})
        if Action.RESPOND not in question.actions:
            why = plain_words(await self._not_in_words(question, words, actor, key))
            return Reply(errors={REPLY_FIELD: why})
        if question.kind is not QuestionKind.REVIEW:
            if why := self._ambiguous(question, words):
                return Reply(errors={REPLY_FIELD: why})
            if await self._decides_unseen(question, actor, words):
                return Reply(errors={REPLY_FIELD: sentences.SHOW_ALL_FIRST})
        ruling = await self._respond(question, self._typed(question, actor, words, key, target.digest))
        why = answer_messages.refusal_in_form(ruling, question.policy)
        return Reply(errors={REPLY_FIELD: why}) if why else SILENT

    async def in_thread(self, question: Question, words: str, actor: Actor, *, key: str) -> FormattedText:
        """The words of a reply; why they don't count, or nothing."""
        if Action.RESPOND not in question.actions:
            return await self._not_in_words(question, words, actor, key)
        if question.open and can_decide(actor, question.policy) and (why := self._ambiguous(question, words)):
            return (Untrusted(why, AMBIGUITY_UNITS, "plain"),)
        if await self._decides_unseen(question, actor, words):
            return (sentences.SHOW_ALL_FIRST,)
        shown = await self._store.outbox.state(self._surface, question.run_id)
        digest = shown.messages.get(shown_digest(question.id), "")
        said = self._in_words(question, actor, words, key, digest)
        return refusal(await self._respond(question, said), question)

    async def ticked(self, press: Press, action: Action, actor: Actor) -> Reply:
        """Decide everything that this person has ticked, each for itself."""
        if not press.ticked:
            return text_reply(answer_messages.NOTHING_TICKED)
        counted = 0
        refused: list[tuple[str, FormattedText]] = []
        for value in dict.fromkeys(press.ticked):
            about, why = await self._one(value, action, actor, press.key)
            counted += not why
            refused += [(about, why)] if why else []
        return Reply(say=answer_messages.counted_of(action, counted, refused))

    async def _one(self, ticked: str, action: Action, actor: Actor, key: str) -> tuple[str, FormattedText]:
        """What one decision is about, and why it did not count. A failure affects no other decision."""
        about = answer_messages.TICKED
        try:
            target = Target.decode(ticked)
            question = await self._store.questions.get(target.run_id, target.question_id)
            about = gates.plain_summary(question.call) if question.call is not None else question.prompt
            said = make_response(action, actor, key=f"{key}:{question.id}", digest=target.digest)
            return about, refusal(await self._respond(question, said), question)
        except ValueError:
            return about, (sentences.TICK_UNKNOWN,)
        except NotFound:
            return about, (sentences.QUESTION_GONE,)
        except StoreUnavailable:
            return about, (sentences.NOT_SAVED,)

    async def _not_in_words(self, question: Question, words: str, actor: Actor, key: str) -> FormattedText:
        """Why words don't count here, not even a button's label. Who may decide is told what to press."""
        said = make_response(Action.RESPOND, actor, key=key, comment=words)
        ruling = await self._respond(question, said)
        if ruling.code == "invalid_answer":
            return await self._press_instead(question)
        return refusal(ruling, question)

    async def _press_instead(self, question: Question) -> FormattedText:
        run = await self._store.runs.get(question.run_id)
        return answer_messages.press_instead(question_card(run, question))

    async def _repeated(self, ruling: Ruling, said: Response) -> FormattedText:
        """What is said to somebody who repeats their answer: what has come of it.

        Empty where the same press was only delivered again.
        """
        question = ruling.question
        if ruling.verdict is not Verdict.REPEATED or question is None:
            return ()
        recorded = await self._store.questions.responses(question.run_id, question.id)
        if any(each.key == said.key for each in recorded):
            return ()
        if question.outcome is not None:
            return answer_messages.settled_since(question, question.outcome)
        run = await self._store.runs.get(question.run_id)
        return policies.already_responded(question_card(run, question), said.action)

    async def find(self, target: Target) -> Question | None:
        """The question; None if there is none any more."""
        try:
            return await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return None

    async def answerable(self, target: Target, actor: Actor) -> Question | Reply:
        """The question, if this person may answer it now; else why not."""
        try:
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return text_reply(sentences.QUESTION_GONE)
        if why := await self.why_not(question, actor):
            return text_reply(*why)
        return question

    async def why_not(self, question: Question, actor: Actor) -> FormattedText:
        """Why this person may not answer the question now, their groups read anew; empty if they may."""
        people = await self._store.directory.people(question.policy, [actor])
        why = objection(actor, question.policy, people)
        if not why and question.open:
            return ()
        code = "not_allowed" if why else "settled"
        reason = reason_of(why, actor, question.policy, people)
        ruling = Ruling(verdict=Verdict.REFUSED, code=code, objection=why, reason=reason, question=question)
        return refusal(ruling, question)

    async def _decides_unseen(self, question: Question, actor: Actor, words: str) -> bool:
        """Whether these words would decide something of which the thread shows the beginning only."""
        action, _, _ = answering.interpret(question, words, numbered=self._is_numbered(question))
        if action is Action.RESPOND or not question.open:
            return False
        run = await self._store.runs.get(question.run_id)
        names = (await self._store.outbox.state(self._surface, run.id)).messages
        if asked_in_words(question.id) in names:
            return False
        shared = shares_message(names, question.id)
        if batches.is_shown_whole(question_card(run, question), self._limits, shared=shared):
            return False
        # Whoever may not decide it is told that, by the store.
        return not await self.why_not(question, actor)

    async def _respond(self, question: Question, said: Response) -> Ruling:
        return await self._store.questions.respond(question.run_id, question.id, said)

    def _is_numbered(self, question: Question) -> bool:
        return question_buttons.numbered(question.kind, question.options, self._limits)

    def _ambiguous(self, question: Question, words: str) -> str:
        return answering.ambiguous(question, words, numbered=self._is_numbered(question))

    def _in_words(self, question: Question, actor: Actor, words: str, key: str, digest: str) -> Response:
        numbered = self._is_numbered(question)
        return answering.in_words(question, actor, words, key=key, digest=digest, numbered=numbered)

    def _typed(self, question: Question, actor: Actor, words: str, key: str, digest: str) -> Response:
        """The action for words typed into a form: for a review they always request changes."""
        if question.kind is QuestionKind.REVIEW:
            return make_response(Action.RESPOND, actor, key=key, comment=words, digest=digest)
        return self._in_words(question, actor, words, key, digest)


def refusal(ruling: Ruling, question: Question) -> FormattedText:
    """Why an answer did not count; empty if it did."""
    return answer_messages.refusal(ruling, question.policy)
