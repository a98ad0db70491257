"""What people write in threads: whether it is an answer, and to which question."""

from __future__ import annotations

import json

from bot.core.actor import Actor
from bot.core.errors import NotFound
from bot.core.policy import can_decide
from bot.core.ports import Store
from bot.core.question import Question, QuestionKind
from bot.core.run import Run
from bot.core.text import says_nothing
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.interactions import SILENT, IncomingMessage, Reply
from bot.surfaces.chat.inbound.ports import ActorResolver
from bot.surfaces.chat.lines import Line
from bot.surfaces.chat.message_keys import Posted, questions_at
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.chat.platform import Capabilities, Unrecognised
from bot.surfaces.chat.wording import answer_messages, private_messages, sentences

DAY_S = 24 * 3600.0
FIRST_REPLY_TTL_S = 30 * DAY_S
ROUTE_TTL_S = 7 * DAY_S
"""How long it is remembered which question a message answers, and the words that wait for a choice."""
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

    async def handle(self, message: IncomingMessage) -> Reply:
        """Take it as an answer, ask which question is meant, explain, or leave people to their talk."""
        runs = await self.runs_here(message)
        if not runs:
            return SILENT
        asked = await self._asked(runs, message)
        first = await self._is_first(message, asked)
        if message.names_others and (not first or message.speaks_to_others):
            return await self._not_taken(message, asked)
        words = message.answer_text(await self._people.names(message.mentioned - {message.app_user}))
        if says_nothing(words):
            return SILENT
        actor = await self._people.actor(message.reply_to.user, message.installation)
        if message.quoted and asked:
            asked, others = await self._quoted(asked, message), asked
            if not asked:
                return _quoted_something_else(others, actor)
        return await self._take(runs, asked, message, words, actor)

    async def _take(
        self, runs: list[Run], asked: list[Asked], message: IncomingMessage, words: str, actor: Actor
    ) -> Reply:
        match asked:
            case []:
                return await self._nothing_asked(runs, message, actor)
            case [(_, question)]:
                return await self._answer(message, words, question, actor)
            case _:
                return await self._ask_which(message, words, asked, actor)

    async def pass_on(self, target: Target, actor: Actor, channel: str) -> Reply:
        """The person said which question their message, `target.option_id`, was for."""
        key = f"{self._surface}:{actor.tenant}:message:{channel}:{target.option_id}"
        kept = await self._store.key_values.get(f"{key}:words")
        said = json.loads(kept) if kept else None
        if said is None or said["user"] != actor.user_id:
            return Reply(say=private_messages.words(sentences.REPLY_FORGOTTEN))
        try:
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return Reply(say=private_messages.words(sentences.QUESTION_GONE))
        if await self._routed(key, question) != _route(question):
            return Reply(say=private_messages.words(sentences.REPLY_USED))
        why = await self._answers.in_thread(question, said["words"], actor, key=key)
        return Reply(
            say=private_messages.explained(why) if why else private_messages.words(sentences.REPLY_PASSED_ON)
        )

    async def _asked(self, runs: list[Run], message: IncomingMessage) -> list[Asked]:
        """The open questions of the thread; if this message arrived before, the one it was taken for."""
        if routed := await self._store.key_values.get(f"{message.key}:question"):
            run_id, question_id = routed.split()
            return [
                (run, await self._store.questions.get(run_id, question_id))
                for run in runs
                if run.id == run_id
            ]
        at_ms = message.sent_at * 1000 + CLOCK_SKEW_MS
        found = [
            (run, each)
            for run in runs
            if not run.status.over
            for each in await self._store.questions.list(run.id)
        ]
        return [(run, question) for run, question in found if question.open and question.created_at <= at_ms]

    async def _quoted(self, asked: list[Asked], message: IncomingMessage) -> list[Asked]:
        """Those of them whose message is quoted."""
        quoted = [Posted(message.reply_to.channel, each) for each in message.quoted]
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

    async def _not_taken(self, message: IncomingMessage, asked: list[Asked]) -> Reply:
        """Talk between people. Who could have answered with it learns that it was not taken so."""
        try:
            actor = await self._people.actor(message.reply_to.user, message.installation)
        except Unrecognised:
            return SILENT
        theirs = [question for _, question in asked if can_decide(actor, question.policy)]
        if not theirs:
            return SILENT
        return await self._explain_once(f"{theirs[-1].id}:talk", actor, (sentences.NOT_TAKEN_AS_ANSWER,))

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
        if why == (sentences.SHOW_ALL_FIRST,):
            return Reply(say=private_messages.explained(why))  # Each time: they meant to decide.
        return await self._explain_once(question.id, actor, why) if why else SILENT

    async def _routed(self, key: str, question: Question) -> str:
        """The route of a message: to this question, unless it has gone to another one already."""
        return await self._store.key_values.set_if_absent(f"{key}:question", _route(question), ROUTE_TTL_S)

    async def _ask_which(
        self, message: IncomingMessage, words: str, asked: list[Asked], actor: Actor
    ) -> Reply:
        theirs = [(run, question) for run, question in asked if can_decide(actor, question.policy)]
        if not theirs:
            return await self._answer(message, words, asked[-1][1], actor)
        kept = json.dumps({"user": actor.user_id, "words": words})
        await self._store.key_values.set(f"{message.key}:words", kept, ROUTE_TTL_S)
        return Reply(say=answer_messages.which(theirs, words, message.id, self._limits))

    async def _nothing_asked(self, runs: list[Run], message: IncomingMessage, actor: Actor) -> Reply:
        """Late for a question, or for the run: said once, so that people can talk in the thread."""
        if await self._counted(runs, message):
            return SILENT
        active = [run for run in runs if not run.status.over]
        if not active:
            return await self._explain_once(runs[-1].id, actor, answer_messages.run_is_over(runs[-1]))
        settled = [
            each for run in active for each in await self._store.questions.list(run.id) if not each.open
        ]
        if not settled:
            return SILENT
        return await self._explain_once(settled[-1].id, actor, answer_messages.already_settled(settled[-1]))

    async def _counted(self, runs: list[Run], message: IncomingMessage) -> bool:
        """Whether this message was an answer: it arrives again, after its route was forgotten."""
        for run in runs:
            for question in await self._store.questions.list(run.id):
                said = [] if question.open else await self._store.questions.responses(run.id, question.id)
                if any(response.key == message.key for response in said):
                    return True
        return False

    async def _explain_once(self, about: str, actor: Actor, why: Line) -> Reply:
        first = await self._store.key_values.once(f"{self._surface}:explained:{about}:{actor.principal}")
        return Reply(say=private_messages.explained(why)) if first else SILENT


def _quoted_something_else(asked: list[Asked], actor: Actor) -> Reply:
    """Who may decide something here learns that words about another message decide nothing."""
    if not any(can_decide(actor, question.policy) for _, question in asked):
        return SILENT
    return Reply(say=private_messages.words(sentences.QUOTED_SOMETHING_ELSE))


def _route(question: Question) -> str:
    return f"{question.run_id} {question.id}"
