"""What people write in threads: when it is an answer, and to which question."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.core.actor import Actor
from bot.core.errors import NotFound
from bot.core.policy import can_decide
from bot.core.ports import Store
from bot.core.question import Question
from bot.core.run import Run
from bot.surfaces.chat.inbound.actions import Target
from bot.surfaces.chat.inbound.answers import READ_FIRST, Answers
from bot.surfaces.chat.inbound.reply import SILENT, Reply
from bot.surfaces.slack.cards import private
from bot.surfaces.slack.inbound import emoji, words
from bot.surfaces.slack.inbound.payloads import Said
from bot.surfaces.slack.inbound.people import People, Unrecognised
from bot.surfaces.slack.place import SlackPlace

DAY = 24 * 3600.0
SKEW = 2000
"""Milliseconds by which Slack's clock may be behind the store's: a reply is later than its question."""

NOT_TAKEN = (
    "I left that to the people it names: it was not taken as an answer. If it is one, mention me in it, "
    "or press a button of the question."
)

Asked = tuple[Run, Question]


@dataclass(frozen=True)
class Heard:
    """A person's reply in a thread, and the app's own user there."""

    team: str
    app_user: str
    said: Said
    #: For whom Slack says that it sent this; empty where we read it ourselves.
    installation: str = ""
    #: What the people are called whom it names, by their ids.
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A message has one channel and ts, in whatever event and however often it arrives."""
        return f"slack:{self.team}:message:{self.said.channel}:{self.said.ts}"

    @property
    def names_people(self) -> bool:
        """Whether it names other people, and is not said to the app."""
        text = self.said.text
        return words.names_people(text, self.app_user) and self.app_user not in words.mentions(text)

    @property
    def words(self) -> str:
        """What was said, with the names of attached files."""
        spoken = words.plain(words.without_mention(self.said.text, self.app_user), self.names)
        text = emoji.read(spoken, self.said.blocks)
        names = [file.name or file.title for file in self.said.files if file.name or file.title]
        return "\n".join(part for part in (text, f"Attached: {', '.join(names)}" if names else "") if part)


class Replies:
    """Finds the question that a reply answers. Never guesses."""

    def __init__(self, store: Store, people: People, answers: Answers) -> None:
        self._store = store
        self._people = people
        self._answers = answers

    async def runs_here(self, heard: Heard) -> list[Run]:
        """The runs that live in the thread."""
        place = SlackPlace(heard.team, heard.said.channel, heard.said.thread_ts).encode()
        return await self._store.runs.at(place)

    async def hear(self, heard: Heard) -> Reply:
        """Take it as an answer, ask which question is meant, explain, or leave people to their talk."""
        runs = await self.runs_here(heard)
        if not runs:
            return SILENT
        asked = await self._asked(runs, heard)
        first = await self._is_first(heard, asked)
        if heard.names_people and (not first or words.speaks_to_people(heard.said.text)):
            return await self._not_taken(heard, asked)
        named = words.mentions(heard.said.text) - {heard.app_user}
        heard = replace(heard, names=await self._people.names(named))
        if not heard.words:
            return SILENT
        actor = await self._people.actor(heard.said.user, heard.installation)
        match asked:
            case []:
                return await self._nothing_asked(runs, heard, actor)
            case [(_, question)]:
                return await self._answer(heard, question, actor)
            case _:
                return await self._which(heard, asked, actor)

    async def pass_on(self, target: Target, actor: Actor, channel: str) -> Reply:
        """The person said which question their words were for. `target.option_id` is the reply's ts."""
        name = f"slack:{actor.tenant}:message:{channel}:{target.option_id}"
        kept = await self._store.memory.recall(f"{name}:words")
        said = json.loads(kept) if kept else None
        if said is None or said["user"] != actor.user_id:
            return Reply(say=private.words("I no longer have those words. Please reply in the thread again."))
        try:
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return Reply(say=private.words("This question is no longer there."))
        if await self._routed(name, question) != _way(question):
            return Reply(say=private.words("Those words were already passed on to another question."))
        why = await self._answers.words(question, said["words"], actor, key=name)
        return Reply(say=private.explained(why) if why else private.words("Thank you, passed on."))

    async def _asked(self, runs: list[Run], heard: Heard) -> list[Asked]:
        """The open questions of the thread; if this reply arrived before, the one it was taken for."""
        if routed := await self._store.memory.recall(f"{heard.key}:question"):
            run_id, question_id = routed.split()
            return [
                (run, await self._store.questions.get(run_id, question_id))
                for run in runs
                if run.id == run_id
            ]
        at = float(heard.said.ts) * 1000 + SKEW
        found = [
            (run, each)
            for run in runs
            if not run.status.over
            for each in await self._store.questions.list(run.id)
        ]
        return [(run, question) for run, question in found if question.open and question.created_at <= at]

    async def _is_first(self, heard: Heard, asked: list[Asked]) -> bool:
        """Whether this is the first that a person wrote in the thread since one of these was asked."""
        here, at = f"{heard.said.channel}:{heard.said.thread_ts}", heard.said.ts
        kept = [
            await self._store.memory.put_if_absent(f"slack:first:{question.id}:{here}", at, 30 * DAY)
            for _, question in asked
        ]
        return any(float(at) <= float(first) for first in kept)

    async def _not_taken(self, heard: Heard, asked: list[Asked]) -> Reply:
        """Talk between people. Who could have answered with it learns that it was not taken so."""
        try:
            actor = await self._people.actor(heard.said.user, heard.installation)
        except Unrecognised:
            return SILENT
        theirs = [question for _, question in asked if can_decide(actor, question.policy)]
        if not theirs:
            return SILENT
        return await self._explain_once(f"{theirs[-1].id}:talk", actor, NOT_TAKEN)

    async def _answer(self, heard: Heard, question: Question, actor: Actor) -> Reply:
        if can_decide(actor, question.policy):
            # All copies of a message, those that arrive at once too, are for the question of the first one.
            # That it counts once, the store sees to.
            run_id, question_id = (await self._routed(heard.key, question)).split()
            if question_id != question.id:
                question = await self._store.questions.get(run_id, question_id)
        why = await self._answers.words(question, heard.words, actor, key=heard.key)
        if why == READ_FIRST:
            return Reply(say=private.explained(why))  # Each time: they meant to decide.
        return await self._explain_once(question.id, actor, why) if why else SILENT

    async def _routed(self, message: str, question: Question) -> str:
        """The way of a message (a run and its question): this one, unless it has gone another way already."""
        return await self._store.memory.put_if_absent(f"{message}:question", _way(question), 7 * DAY)

    async def _which(self, heard: Heard, asked: list[Asked], actor: Actor) -> Reply:
        theirs = [(run, question) for run, question in asked if can_decide(actor, question.policy)]
        if not theirs:
            return await self._answer(heard, asked[-1][1], actor)
        kept = json.dumps({"user": actor.user_id, "words": heard.words})
        await self._store.memory.remember(f"{heard.key}:words", kept, 7 * DAY)
        return Reply(say=private.which(theirs, heard.words, heard.said.ts))

    async def _nothing_asked(self, runs: list[Run], heard: Heard, actor: Actor) -> Reply:
        """Late for a question, or for the run: said once, so that people can talk in the thread."""
        if await self._counted(runs, heard):
            return SILENT
        active = [run for run in runs if not run.status.over]
        if not active:
            return await self._explain_once(runs[-1].id, actor, private.over_text(runs[-1]))
        settled = [
            each for run in active for each in await self._store.questions.list(run.id) if not each.open
        ]
        if not settled:
            return SILENT
        return await self._explain_once(settled[-1].id, actor, private.settled_text(settled[-1]))

    async def _counted(self, runs: list[Run], heard: Heard) -> bool:
        """Whether this very reply was an answer: it is delivered again, so late that its way is forgotten."""
        for run in runs:
            for question in await self._store.questions.list(run.id):
                said = [] if question.open else await self._store.questions.responses(run.id, question.id)
                if any(response.key == heard.key for response in said):
                    return True
        return False

    async def _explain_once(self, about: str, actor: Actor, why: str) -> Reply:
        first = await self._store.memory.once(f"slack:explained:{about}:{actor.principal}")
        return Reply(say=private.explained(why)) if first else SILENT


def _way(question: Question) -> str:
    return f"{question.run_id} {question.id}"
