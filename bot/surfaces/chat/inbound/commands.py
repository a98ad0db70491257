"""Carrying out commands: what `/crew ...` and a mention of the app do, whichever way they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from pydantic import JsonValue

from bot.core import inputs, starting
from bot.core.actor import Actor
from bot.core.crew import Crew
from bot.core.errors import InvalidInputs, NotFound, NoWorker, Refused
from bot.core.lists import RunFilter
from bot.core.ports import Store
from bot.core.run import Run
from bot.surfaces.chat.inbound.console_link import ConsoleLinks
from bot.surfaces.chat.inbound.forms import Draft, Forms
from bot.surfaces.chat.inbound.parser import (
    VERBS,
    Cancel,
    Command,
    Console,
    Help,
    ListCrews,
    Start,
    Status,
    given,
    nearest,
    parse,
)
from bot.surfaces.chat.inbound.placing import Placing
from bot.surfaces.chat.inbound.reply import SILENT, Reply, ReplyTarget
from bot.surfaces.chat.message_keys import untold_in
from bot.surfaces.slack.cards import private
from bot.surfaces.slack.cards.mrkdwn import escape
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.place import SURFACE, SlackPlace, group

MOST_RUNS = 10


@dataclass(frozen=True)
class CommandContext:
    """A command, and where and by whom it was given."""

    words: str
    actor: Actor
    key: str
    line: ReplyTarget
    #: Opens a modal within three seconds; a mention has none.
    trigger_id: str = ""
    #: What is answered when a run starts; the thread itself says enough to who mentioned the app.
    says_started: bool = True


class CommandHandlers:
    """What commands do."""

    def __init__(self, store: Store, forms: Forms, placing: Placing, console: ConsoleLinks) -> None:
        self._store = store
        self._console = console
        self._forms = forms
        self._placing = placing

    async def carry_out(self, order: CommandContext) -> Reply:
        """Do it. Raises StoreUnavailable."""
        command: Command = parse(order.words)
        match command:
            case Start():
                return await self._start(order, command)
            case ListCrews():
                return Reply(say=private.catalogue((await self._known_to(order.actor)).values()))
            case Status():
                return await self._status(order, command.run)
            case Cancel():
                return await self._cancel(order, command.run)
            case Console():
                return await self._console.open(order.actor)
            case Help():
                return await self._help(command.unknown, order.actor)
            case _:
                assert_never(command)

    # ── start ───────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self, order: CommandContext, command: Start) -> Reply:
        crews = await self._store.catalogue.crews()
        if not crews:
            return Reply(say=private.words(str(NoWorker())))
        if not command.crew:
            return Reply(say=private.catalogue((await self._known_to(order.actor)).values()))
        crew = next(
            (each for each in crews.values() if each.name.casefold() == command.crew.casefold()), None
        )
        if crew is None:
            known = await self._known_to(order.actor)
            return _meant(f"There is no crew {command.crew!r}.", command.crew, known)
        try:
            starting.check_can_start(crew, order.actor)
            return await self._begin(order, crew, given(crew, command.rest))
        except Refused as refused:
            return Reply(say=private.words(str(refused)))
        except InvalidInputs as wrong:
            return Reply(say=private.problems(crew, wrong.problems))

    async def _begin(self, order: CommandContext, crew: Crew, values: dict[str, JsonValue]) -> Reply:
        """Start the run, or ask for what is missing. Raises InvalidInputs."""
        wanted = {field.name for field in inputs.missing(crew, values)}
        try:
            inputs.validate(crew, values)
        except InvalidInputs as wrong:
            if set(wrong.problems) - wanted:
                raise
        draft = Draft(
            key=order.key,
            crew=crew.name,
            given=values,
            channel=order.line.channel,
            thread=order.line.thread,
            by=order.actor.principal,
        )
        if wanted:
            return await self._forms.ask(draft, crew, order.trigger_id, order.line)
        run = await self.start(draft, crew, order.actor)
        started = private.started(run) if order.says_started else None
        return Reply(say=started, then=lambda: self._placing.watch(run, order.line))

    async def start(self, draft: Draft, crew: Crew, actor: Actor) -> Run:
        """Start what a draft says. Raises InvalidInputs, Refused."""
        place = SlackPlace(actor.tenant, draft.channel, draft.thread or None).encode()
        new = starting.plan(crew, draft.given, actor, key=draft.key, place=place, held=True)
        run, _ = await self._store.runs.start(new)
        return run

    # ── status ──────────────────────────────────────────────────────────────────────────────────────────

    async def _overview(self, order: CommandContext) -> Reply:
        mine = await self._own(order.actor)
        here = await self._store.runs.list(
            RunFilter(group=group(order.actor.tenant, order.line.channel), limit=2 * MOST_RUNS)
        )
        known = {run.id for run in mine}
        others = [run for run in here if run.id not in known][:MOST_RUNS]
        paused = await self._store.runs.pause_reason(order.actor.tenant)
        waits = await self._store.runs.waits([*mine, *others])
        return Reply(say=private.runs_state(mine, others, paused, waits))

    async def _status(self, order: CommandContext, prefix: str) -> Reply:
        if not prefix:
            return await self._overview(order)
        found = await self._find(order, prefix)
        return found if isinstance(found, Reply) else await self.state(found)

    async def state(self, run: Run) -> Reply:
        """How a run is."""
        paused = await self._store.runs.pause_reason(run.place.tenant) if run.place else None
        waits = await self._store.runs.waits([run])
        asked = await self._store.questions.list(run.id)
        copies = (await self._store.outbox.state(SURFACE, run.id)).copies
        return Reply(say=private.run_state(run, asked, paused, waits.get(run.id), untold_in(copies)))

    # ── cancel ──────────────────────────────────────────────────────────────────────────────────────────

    async def _cancel(self, order: CommandContext, prefix: str) -> Reply:
        if not prefix:
            return Reply(say=private.cancellable(await self._own(order.actor, active=True)))
        found = await self._find(order, prefix)
        return found if isinstance(found, Reply) else await self.cancel(found.id, order.actor)

    async def cancel(self, run_id: str, actor: Actor, *, silent: bool = False) -> Reply:
        """Cancel a run, or say why not. `silent`: its message, which was pressed on, says it."""
        try:
            run = await self._store.runs.cancel(run_id, actor)
        except NotFound:
            return Reply(say=private.words("This run is no longer there: it ended some time ago."))
        except Refused as refused:
            return Reply(say=await self._why_not(run_id, refused))
        return SILENT if silent else Reply(say=private.cancelled(run))

    async def _why_not(self, run_id: str, refused: Refused) -> Message:
        run = await self._store.runs.get(run_id)
        return private.over(run) if refused.code == "run_over" else private.not_yours_to_cancel(run)

    # ── finding ─────────────────────────────────────────────────────────────────────────────────────────

    async def _own(self, actor: Actor, *, active: bool | None = None) -> list[Run]:
        return await self._store.runs.list(
            RunFilter(requester=actor.principal, active=active, limit=MOST_RUNS)
        )

    async def _find(self, order: CommandContext, prefix: str) -> Run | Reply:
        """The one run whose id begins like that, of those that this person may know of."""
        found = [
            run
            for run in await self._store.runs.find(prefix)
            if visible(run, order.actor, order.line.channel)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            return Reply(say=private.ambiguous(found))
        return Reply(say=private.words(f"There is no run {prefix!r} of yours or in this channel."))

    async def _known_to(self, actor: Actor) -> dict[str, Crew]:
        """The crews that this person may start: of others, guests are not told the names."""
        crews = await self._store.catalogue.crews()
        return {name: crew for name, crew in crews.items() if starting.can_start(crew, actor)}

    async def _help(self, unknown: str, actor: Actor) -> Reply:
        if not unknown:
            return Reply(say=private.usage())
        word = unknown.split(maxsplit=1)[0]
        crews = await self._known_to(actor)
        if (verb := nearest(word, VERBS)) is not None:
            return Reply(say=private.usage(f"I don't know `{escape(word)}`. Did you mean `{verb}`?"))
        return _meant("I don't know that.", word, crews)


def _meant(problem: str, word: str, crews: dict[str, Crew]) -> Reply:
    """What somebody may have meant with a word that should have been a crew."""
    crew = nearest(word, crews)
    hint = f"Did you mean `start {escape(crew)}`?" if crew else f"There is: {private.names(crews)}."
    return Reply(say=private.usage(f"{escape(problem)} {hint}"))


def visible(run: Run, actor: Actor, channel: str) -> bool:
    """May this person know of the run? Its requester, who may cancel it, and whoever is where it lives."""
    if run.requester.principal in actor.principals or actor.principal in run.cancellers.deciders:
        return True
    return run.place is not None and run.place.group == group(actor.tenant, channel)
