"""What people write in threads: whether it is an answer, and to which question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

from bot.core.errors import NotFound
from bot.core.people.actor import Actor
from bot.core.people.policy import can_decide
from bot.core.ports.store import Store
from bot.core.questions.question import Question, QuestionKind
from bot.core.runs.run import Run
from bot.core.text import says_nothing
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.formatted_text import FormattedText
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.ports import SILENT, ActorResolver, IncomingMessage, Reply, text_reply
from bot.surfaces.chat.message_keys import ShownBefore, questions_at, questions_shown
from bot.surfaces.chat.places import ChatPlace, MessageRef
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.recipients import ProfileUnavailable
from bot.surfaces.chat.wording import answer_messages, sentences

DAY_S = 24 * 3600.0
FIRST_REPLY_TTL_S = 30 * DAY_S
ROUTE_TTL_S = 7 * DAY_S
"""How long it is remembered which question a message answers, and the words that wait for a choice."""
REFUSED_TTL_S = 90 * DAY_S
"""How long it is remembered that a message did not count: threads are read again after each gap."""
LOOKS_FOR_POSTED, LOOK_INTERVAL_S = 20, 0.1
"""How often it is looked whether a question's message is recorded by now: whoever posts it does that next."""
CLOCK_SKEW_MS = 2000
"""The platform's clock may be this far behind the store's: a reply is later than its question."""

Asked = tuple[Run, Question]


class Replies:
    """Finds the question that a reply answers. Never guesses."""

    def __init__(self, platform: Capabilities, store: Store, people: ActorResolver, answers: Answers) -> None:
        self._surface = platform.surface
        self._limits = platform.limits
        self._store = store
        self._people = people
        self._answers = answers

    async def runs_here(self, message: IncomingMessage) -> list[Run]:
        """The runs that live in the message's thread."""
        where = message.reply_to
        return await self._store.runs.at(
            ChatPlace(self._surface, where.tenant, where.channel, where.thread).encode()
        )

    async def wait_until_known(self, message: IncomingMessage) -> None:
        """Return once it is known which runs live in the message's thread, or none will be.

        The message that it replies to may have been posted a moment ago.
        """
        for _ in range(LOOKS_FOR_POSTED):
            if await self.runs_here(message):
                return
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def handle(self, message: IncomingMessage) -> Reply:
        """Take it as an answer, ask which question is meant, explain, or leave people to their talk."""
        runs = await self.runs_here(message)
        if not runs or await self._store.key_values.get(_refusal(message)):
            return SILENT
        asked = await self._asked(runs, message)
        first = await self._is_first(message, asked)
        if message.names_others and (not first or message.speaks_to_others):
            return await self._not_taken(message, asked, "talk", sentences.NOT_TAKEN_AS_ANSWER)
        words = message.answer_text(await self._people.names(message.mentioned - {message.app_user}))
        if says_nothing(words):
            if not message.attached:
                return SILENT
            return await self._not_taken(message, asked, "file", sentences.FILE_IS_NO_ANSWER)
        words = _with_names(words, message.attached)
        actor = await self._people.actor(message.reply_to.user, message.installation)
        if message.quoted and asked:
            asked, others = await self._quoted(asked, message), asked
            if not asked:
                return await self._refused(message, _quoted_something_else(others, actor))
        return await self._take_as_answer(runs, asked, message, words, actor)

    async def _take_as_answer(
        self, runs: list[Run], asked: list[Asked], message: IncomingMessage, words: str, actor: Actor
    ) -> Reply:
        match asked:
            case []:
                return await self._nothing_asked(runs, message, actor)
            case [(_, question)]:
                return await self._answer(message, words, question, actor)
            case _:
                return await self._ask_which(message, words, asked, actor)

    async def pass_on(self, target: Target, actor: Actor) -> Reply:
        """The person said which question their message, `target.option_id`, was for."""
        kept = await self._store.key_values.get(self._words_of(actor, target.option_id))
        if kept is None:
            return text_reply(sentences.REPLY_FORGOTTEN)
        said = json.loads(kept)
        key = said["key"]
        try:
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return text_reply(sentences.QUESTION_GONE)
        if await self._routed(key, question) != _route(question):
            return text_reply(sentences.REPLY_USED)
        why = await self._answers.in_thread(question, said["words"], actor, key=key)
        return text_reply(*why) if why else text_reply(sentences.REPLY_PASSED_ON)

    async def _asked(self, runs: list[Run], message: IncomingMessage) -> list[Asked]:
        """The questions that the thread had shown and that were open when this was written.

        If the message arrived before, the one it was taken for. None if all of them are settled by now. If
        only some are, those are among them: the words may have been meant for these.
        """
        if routed := await self._store.key_values.get(f"{message.key}:question"):
            run_id, question_id = routed.split()
            return [
                (run, await self._store.questions.get(run_id, question_id))
                for run in runs
                if run.id == run_id
            ]
        asked = [
            (run, question)
            for run in runs
            if not _ended_before(run.finished_at, message)
            for question in await self._seen(run, message)
        ]
        return asked if any(question.open for _, question in asked) else []

    async def _seen(self, run: Run, message: IncomingMessage) -> list[Question]:
        """A run's questions that were open when its writer may have seen them.

        Words don't answer what nobody was shown.
        """
        asked = [
            each
            for each in await self._store.questions.list(run.id)
            if not _ended_before(each.settled_at, message)
        ]
        if not asked:
            return []
        before, pending = await self._shown_before(run, message)
        # Where ids tell which message was first, no clock has to.
        at_ms = message.sent_at * 1000 + CLOCK_SKEW_MS
        found = [each for each in asked if each.id in before.certain or each.created_at <= at_ms]
        shown, looks = before.possible, LOOKS_FOR_POSTED
        while looks and pending and not before.recorded.issuperset(each.id for each in found):
            # One may be posted, and recorded in a moment: the words may be meant for it. Where ids don't tell
            # that it was before, it may not have been.
            looks -= 1
            await asyncio.sleep(LOOK_INTERVAL_S)
            before, pending = await self._shown_before(run, message)
            shown |= before.certain
        return [each for each in found if each.id in shown]

    async def _shown_before(self, run: Run, message: IncomingMessage) -> tuple[ShownBefore, bool]:
        """What the thread showed; and whether something of the run is yet to be shown, or to be recorded."""
        state = await self._store.outbox.state(self._surface, run.id)
        shown = questions_shown(state.messages, message.reply_to.channel, message.follows)
        return shown, state.cursor < run.seq

    async def _quoted(self, asked: list[Asked], message: IncomingMessage) -> list[Asked]:
        """The questions whose message is quoted."""
        quoted = [MessageRef(message.reply_to.channel, each) for each in message.quoted]
        meant: set[str] = set()
        for run_id in {run.id for run, _ in asked}:
            names = (await self._store.outbox.state(self._surface, run_id)).messages
            meant = meant.union(*(questions_at(names, each) for each in quoted))
        return [(run, question) for run, question in asked if question.id in meant]

    async def _is_first(self, message: IncomingMessage, asked: list[Asked]) -> bool:
        """Whether this is the first that a person wrote in the thread since one of these was asked."""
        here, at = f"{message.reply_to.channel}:{message.reply_to.thread}", f"{message.sent_at:.6f}"
        kept = [
            await self._store.key_values.set_if_absent(
                f"{self._surface}:first:{question.id}:{here}", at, FIRST_REPLY_TTL_S
            )
            for _, question in asked
        ]
        return any(message.sent_at <= float(first) for first in kept)

    async def _not_taken(self, message: IncomingMessage, asked: list[Asked], what: str, why: str) -> Reply:
        """Talk between people, a file. Who could have answered with it learns that it was not taken so."""
        try:
            actor = await self._people.actor(message.reply_to.user, message.installation)
        except ProfileUnavailable:
            return SILENT
        theirs = [each for _, each in asked if each.open and can_decide(actor, each.policy)]
        if not theirs:
            return SILENT
        return await self._refuse(message, f"{theirs[-1].id}:{what}", actor, (why,))

    async def _answer(self, message: IncomingMessage, words: str, question: Question, actor: Actor) -> Reply:
        if can_decide(actor, question.policy):
            # All copies of a message, also those that arrive at once, answer the question of the first one.
            # The store sees to it that it counts once.
            run_id, question_id = (await self._routed(message.key, question)).split()
            if question_id != question.id:
                question = await self._store.questions.get(run_id, question_id)
            if question.kind is QuestionKind.FORM and question.open:
                return Reply(say=answer_messages.fill_in_form(question))
        why = await self._answers.in_thread(question, words, actor, key=message.key)
        if why == (sentences.SHOW_ALL_FIRST,):  # Said each time: they meant to decide.
            return await self._refused(message, text_reply(*why))
        return await self._refuse(message, question.id, actor, why) if why else SILENT

    async def _routed(self, key: str, question: Question) -> str:
        """The route of a message: to this question, unless it has gone to another one already."""
        return await self._store.key_values.set_if_absent(f"{key}:question", _route(question), ROUTE_TTL_S)

    async def _ask_which(
        self, message: IncomingMessage, words: str, asked: list[Asked], actor: Actor
    ) -> Reply:
        # Their groups are read anew: who joined one just now is asked, too, and nothing is guessed.
        why_not = [await self._answers.why_not(question, actor) for _, question in asked]
        theirs = [each for each, why in zip(asked, why_not, strict=True) if not why]
        if not theirs:
            return await self._refuse(message, asked[-1][1].id, actor, why_not[-1])
        kept = json.dumps({"key": message.key, "words": words})
        await self._store.key_values.set(self._words_of(actor, message.id), kept, ROUTE_TTL_S)
        return Reply(say=answer_messages.ask_which_question(theirs, words, message.id, self._limits))

    def _words_of(self, actor: Actor, message_id: str) -> str:
        """The key of the words that wait for a choice, which may be made in another conversation."""
        return f"{self._surface}:which:{actor.principal}:{message_id}"

    async def _nothing_asked(self, runs: list[Run], message: IncomingMessage, actor: Actor) -> Reply:
        """Late for a question, or for the run: said once, so that people can talk in the thread."""
        if await self._counted(runs, message):
            return SILENT
        active = [run for run in runs if not run.status.over]
        if not active:
            return await self._refuse(message, runs[-1].id, actor, answer_messages.run_is_over(runs[-1]))
        asked = [each for run in active for each in await self._store.questions.list(run.id)]
        if theirs := [each for each in asked if each.open and can_decide(actor, each.policy)]:
            return await self._refuse(message, f"{theirs[-1].id}:early", actor, (sentences.WRITTEN_BEFORE,))
        settled = [each for each in asked if not each.open]
        if not settled:
            return SILENT
        why = answer_messages.already_settled(settled[-1])
        return await self._refuse(message, settled[-1].id, actor, why)

    async def _counted(self, runs: list[Run], message: IncomingMessage) -> bool:
        """Whether this message was an answer: it arrives again, after its route was forgotten."""
        for run in runs:
            for question in await self._store.questions.list(run.id):
                said = [] if question.open else await self._store.questions.responses(run.id, question.id)
                if any(response.key == message.key for response in said):
                    return True
        return False

    async def _refuse(self, message: IncomingMessage, about: str, actor: Actor, why: FormattedText) -> Reply:
        """Refuse these words for good; each person reads only once why."""
        first = await self._store.key_values.add(f"{self._surface}:explained:{about}:{actor.principal}")
        return await self._refused(message, text_reply(*why) if first else SILENT)

    async def _refused(self, message: IncomingMessage, reply: Reply) -> Reply:
        """Remember that these words did not count, once their writer was told.

        They are read again after a gap, or arrive again, when somebody else may decide or less is asked.
        """
        if reply == SILENT:
            await self._remember_refusal(message)
            return reply
        return replace(reply, then=lambda: self._remember_refusal(message))

    async def _remember_refusal(self, message: IncomingMessage) -> None:
        await self._store.key_values.set(_refusal(message), "1", REFUSED_TTL_S)


def _with_names(words: str, attached: Sequence[str]) -> str:
    """What was said, with the names of attached files."""
    files = ", ".join(filter(None, attached))
    return f"{words}\nAttached: {files}" if files else words


def _quoted_something_else(asked: list[Asked], actor: Actor) -> Reply:
    """Tell whoever may decide something here that words about another message decide nothing."""
    if not any(can_decide(actor, question.policy) for _, question in asked):
        return SILENT
    return text_reply(sentences.QUOTED_SOMETHING_ELSE)


def _ended_before(at_ms: int | None, message: IncomingMessage) -> bool:
    """Whether something that ended in this millisecond (None: it has not) had ended before it was written."""
    return at_ms is not None and at_ms + 1 <= message.sent_at * 1000


def _refusal(message: IncomingMessage) -> str:
    """The key under which it is remembered that a message did not count."""
    return f"{message.key}:refused"


def _route(question: Question) -> str:
    return f"{question.run_id} {question.id}"
