"""Carrying out commands, whether they were typed as a command or said to the app."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

from pydantic import JsonValue

from bot.core import sessions, starting, unlinking
from bot.core.errors import InvalidInputs, NotFound, NoWorker, PermissionUnknown, Refused
from bot.core.forms.fields import FieldType
from bot.core.locales import Locale
from bot.core.people.actor import Actor, Membership
from bot.core.people.identities import names_of
from bot.core.ports.lists import RunFilter
from bot.core.ports.store import Clock, KeyValueStore, Store
from bot.core.runs import inputs
from bot.core.runs.crew import Crew, problem_of
from bot.core.runs.run import Run
from bot.surfaces.chat.cards import QuestionCard, question_card
from bot.surfaces.chat.formatted_text import Untrusted
from bot.surfaces.chat.inbound.once import Once
from bot.surfaces.chat.inbound.parser import (
    VERBS,
    Cancel,
    Command,
    Console,
    Help,
    LinkIdentity,
    ListCrews,
    Start,
    Status,
    UnlinkIdentity,
    given,
    nearest,
    parse,
)
from bot.surfaces.chat.inbound.ports import SILENT, ActorResolver, Reply, ReplyTarget, text_reply
from bot.surfaces.chat.inbound.starting import Draft, RunStarter
from bot.surfaces.chat.listings import runs_of, waiting_for
from bot.surfaces.chat.message_keys import notification_failures
from bot.surfaces.chat.messages import Message, text_message
from bot.surfaces.chat.places import group
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.rendering import run_card
from bot.surfaces.chat.wording import identities, private_messages, sentences
from bot.surfaces.chat.wording.crew_list import CrewLists

MAX_LISTED_RUNS = 10


@dataclass(frozen=True)
class CommandContext:
    """A command, and by whom and where it was given."""

    words: str
    actor: Actor
    #: Names the request: however often it arrives, one run starts.
    key: str
    reply_to: ReplyTarget
    #: Opens a form for a few seconds; a message has none.
    form_handle: str = ""
    #: Whether a start is answered; to who mentioned the app, the thread itself says enough.
    says_started: bool = True
    #: Of a start that can be replayed: how it is recorded.
    once: Once | None = None


class ConsoleLinks:
    """Makes private links that open the console at `url` as the person who asked."""

    def __init__(self, key_values: KeyValueStore, clock: Clock, url: str, secret: str) -> None:
        self._key_values = key_values
        self._clock = clock
        self._url = url
        self._secret = secret

    async def open(self, person: Actor) -> Reply:
        """A link for this person alone: the same one until it was used. Raises StoreUnavailable."""
        if person.membership is not Membership.MEMBER:
            return text_reply(sentences.CONSOLE_FOR_MEMBERS)
        token, seconds = await sessions.offer_link(self._key_values, self._clock, person, self._secret)
        link = f"{self._url}{sessions.LINK_PATH}{token}"
        minutes = math.ceil(seconds / 60)
        local = self._url.startswith(("http://127.", "http://[::1]"))
        return Reply(say=private_messages.console_link(link, minutes, local=local))


class CommandHandlers:
    """What commands do."""

    def __init__(
        self,
        platform: Capabilities,
        store: Store,
        people: ActorResolver,
        starter: RunStarter,
        console: ConsoleLinks,
    ) -> None:
        self._platform = platform
        self._people = people
        self._limits = platform.limits
        self._store = store
        self._console = console
        self._starter = starter
        self._crew_lists = CrewLists(platform.limits)

    async def execute(self, context: CommandContext) -> Reply:  # noqa: PLR0911 - one for each command
        """Carry out a command. Raises StoreUnavailable; Replayed for a start that was sent before."""
        command: Command = parse(context.words)
        match command:
            case Start():
                return await self._start(context, command)
            case ListCrews():
                return await self._list(context.actor)
            case Status():
                return await self._status(context, command.run)
            case Cancel():
                return await self._cancel(context, command.run)
            case Console():
                return await self._console.open(context.actor)
            case LinkIdentity():
                return await self._link(command.code, context.actor)
            case UnlinkIdentity():
                mine = await self._store.directory.identities(context.actor)
                return Reply(say=identities.unlinking(mine, context.actor))
            case Help():
                return await self._help(command.unknown, context.actor)
            case _:
                assert_never(command)

    # ── list ────────────────────────────────────────────────────────────────────────────────────────────

    async def _list(self, actor: Actor) -> Reply:
        """The crews, and what waits for this person."""
        catalogue = self._store.catalogue
        crews, problems = await catalogue.crews(), await catalogue.problems(starting=True)
        known = self._crew_lists.shown(crews, problems, actor)
        return Reply(say=private_messages.catalogue(known, self._limits, await self._waiting(actor)))

    async def _waiting(self, actor: Actor) -> list[QuestionCard]:
        """Open questions that this person may decide."""
        asked = await waiting_for(self._store.questions, actor, MAX_LISTED_RUNS)
        runs = {run.id: run for run in await self._store.runs.read([each.run_id for each in asked])}
        return [question_card(runs[each.run_id], each) for each in asked if each.run_id in runs]

    # ── start ───────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self, context: CommandContext, command: Start) -> Reply:
        crews = await self._store.catalogue.crews()
        if not crews and not await self._store.catalogue.problems(starting=True):
            return text_reply(str(NoWorker()))
        if not command.crew:
            return await self._list(context.actor)
        crew = starting.named(crews, command.crew)
        if crew is None:
            return await self._no_crew(command.crew, context.actor)
        try:
            starting.check_can_start(crew, context.actor)
            return await self._begin(context, crew, given(crew, command.rest))
        except Refused as refused:
            return text_reply(str(refused))
        except InvalidInputs as wrong:
            return Reply(say=private_messages.problems(crew, wrong.problems, self._limits))

    async def _no_crew(self, name: str, actor: Actor) -> Reply:
        """Why there is no crew of this name, or which one may be meant."""
        problem = problem_of(name, await self._store.catalogue.problems(starting=True))
        if problem is not None and actor.membership is Membership.MEMBER:
            return text_reply(Untrusted(f"{problem.name}: {problem.sentence}"))
        return _did_you_mean(sentences.no_such_crew(name), name, await self._known_to(actor))

    async def _begin(self, context: CommandContext, crew: Crew, values: dict[str, JsonValue]) -> Reply:
        """Start the run, or ask for what is missing. Raises InvalidInputs."""
        missing = {field.name for field in inputs.missing(crew, values)}
        # Where nothing was given and nothing is asked for, nobody's way of writing matters.
        locale = await self._people.locale(context.reply_to.user) if values or missing else Locale()
        draft = Draft(
            key=context.key,
            crew=crew.name,
            given=values,
            channel=context.reply_to.channel,
            thread=context.reply_to.thread,
            by=context.actor.principal,
        )
        takes_files = self._limits.files and any(each.type is FieldType.FILE for each in crew.inputs)
        if missing or (takes_files and not values):
            _check_given(crew, values, missing, locale)
            if context.once is not None:
                await context.once.use()  # A replay would write over what was filled in since.
            return await self._starter.ask_for_inputs(draft, crew, context.form_handle, locale)
        run = await self._starter.start(draft, crew, context.actor, locale, context.once)
        started = private_messages.started(run) if context.says_started else None
        return Reply(say=started, watch=lambda: self._starter.watch(run, context.reply_to))

    # ── status ──────────────────────────────────────────────────────────────────────────────────────────

    async def _overview(self, context: CommandContext) -> Reply:
        mine = await self._own(context.actor)
        here = await self._store.runs.list(
            RunFilter(
                group=group(self._platform.surface, context.actor.tenant, context.reply_to.channel),
                limit=2 * MAX_LISTED_RUNS,
            )
        )
        known = {run.id for run in mine}
        others = [run for run in here if run.id not in known][:MAX_LISTED_RUNS]
        paused = await self._store.runs.pause_reason(context.actor.tenant)
        waits = await self._store.runs.waits([*mine, *others])
        waiting = await self._waiting(context.actor)
        return Reply(say=private_messages.runs_state(mine, others, paused, self._platform, waits, waiting))

    async def _status(self, context: CommandContext, prefix: str) -> Reply:
        if not prefix:
            return await self._overview(context)
        found = await self._find(context, prefix)
        return found if isinstance(found, Reply) else await self.describe(found)

    async def describe(self, run: Run) -> Reply:
        """How a run is."""
        paused = await self._store.runs.pause_reason(run.place.tenant) if run.place else None
        waits = await self._store.runs.waits([run])
        asked = await self._store.questions.list(run.id)
        messages = (await self._store.outbox.state(self._platform.surface, run.id)).messages
        note = "" if run.status.over else (await run_card(self._store, run)).note
        return Reply(
            say=private_messages.run_state(
                run, asked, paused, self._platform, waits.get(run.id), notification_failures(messages), note
            )
        )

    # ── cancel ──────────────────────────────────────────────────────────────────────────────────────────

    async def _cancel(self, context: CommandContext, prefix: str) -> Reply:
        if not prefix:
            return Reply(
                say=private_messages.cancellable(await self._own(context.actor, active=True), self._limits)
            )
        found = await self._find(context, prefix)
        return found if isinstance(found, Reply) else await self.cancel(found.id, context.actor)

    async def cancel(self, run_id: str, actor: Actor, *, silent: bool = False) -> Reply:
        """Cancel a run, or say why not. `silent`: its message, which was pressed on, says it."""
        try:
            run = await self._store.runs.cancel(run_id, actor)
        except NotFound:
            return text_reply(sentences.RUN_GONE)
        except Refused as refused:
            return Reply(say=await self._why_not(run_id, refused))
        return SILENT if silent else Reply(say=private_messages.cancelled(run))

    async def _why_not(self, run_id: str, refused: Refused) -> Message:
        if isinstance(refused, PermissionUnknown):
            return text_message(str(refused))
        run = await self._store.runs.get(run_id)
        return (
            private_messages.over(run)
            if refused.code == "run_over"
            else private_messages.not_yours_to_cancel(run)
        )

    # ── identities ──────────────────────────────────────────────────────────────────────────────────────

    async def _link(self, code: str, actor: Actor) -> Reply:
        """A code for elsewhere; or, with a code from elsewhere, whose it is: linking takes a press."""
        directory = self._store.directory
        try:
            if code:
                return Reply(say=identities.confirm(code, await directory.code_owner(code, actor)))
            new = await directory.new_code(actor)
        except Refused as refused:
            return text_reply(str(refused))
        return Reply(say=identities.code(new, await directory.identities(actor)))

    async def link(self, code: str, actor: Actor) -> Reply:
        """Link this person with whom the code is of."""
        try:
            return Reply(say=identities.linked(await self._store.directory.redeem(code, actor)))
        except Refused as refused:
            return text_reply(str(refused))

    async def unlink(self, principal: str, actor: Actor) -> Reply:
        """Remove one of this person's identities."""
        return Reply(say=identities.unlinked(await unlinking.unlink(self._store, actor, principal)))

    # ── finding ─────────────────────────────────────────────────────────────────────────────────────────

    async def _own(self, actor: Actor, *, active: bool | None = None) -> list[Run]:
        return await runs_of(self._store.runs, actor, MAX_LISTED_RUNS, active=active)

    async def _find(self, context: CommandContext, prefix: str) -> Run | Reply:
        """The one run whose id begins like that, of those that this person may know of."""
        found = [
            run
            for run in await self._store.runs.find(prefix)
            if can_view_from(run, context.actor, context.reply_to.channel)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            return Reply(say=private_messages.ambiguous(found, self._platform))
        return text_reply(sentences.no_such_run(prefix))

    async def _known_to(self, actor: Actor) -> dict[str, Crew]:
        """The crews that this person may start: of others, guests are not told the names."""
        crews = await self._store.catalogue.crews()
        return {name: crew for name, crew in crews.items() if starting.can_start(crew, actor)}

    async def _help(self, unknown: str, actor: Actor) -> Reply:
        if not unknown:
            return Reply(say=private_messages.usage())
        word = unknown.split(maxsplit=1)[0]
        crews = await self._known_to(actor)
        if (verb := nearest(word, VERBS)) is not None:
            return Reply(say=private_messages.unknown_word(word, verb))
        return _did_you_mean(sentences.NOT_UNDERSTOOD, word, crews)


def _check_given(crew: Crew, values: dict[str, JsonValue], missing: set[str], locale: Locale) -> None:
    """Raises InvalidInputs if a given input is wrong, before anybody is asked for the missing ones."""
    try:
        inputs.validate(crew, values, locale=locale)
    except InvalidInputs as wrong:
        if set(wrong.problems) - missing:
            raise


def _did_you_mean(problem: str, word: str, crews: dict[str, Crew]) -> Reply:
    """What somebody may have meant with a word that should have been a crew."""
    return Reply(say=private_messages.unknown_crew(problem, nearest(word, crews), crews))


def can_view_from(run: Run, actor: Actor, channel: str) -> bool:
    """May this person know of the run? Its requester, who may cancel it, and whoever is where it lives."""
    names = names_of(actor)
    if run.requester.principal in names or not names.isdisjoint(run.cancellers.deciders):
        return True
    return run.place is not None and run.place.group == group(actor.surface, actor.tenant, channel)


def can_view_questions_from(run: Run, actor: Actor, channel: str) -> bool:
    """May they read what the run asks? Whoever may know of the run, of the people whom its crew admits."""
    return actor.membership in run.approvers.allowed_memberships and can_view_from(run, actor, channel)
