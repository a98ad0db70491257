"""Starting runs: drafts that lack inputs, their form, and who hears why a run's thread can't be opened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field, JsonValue

from bot.core import ids, input_files, starting
from bot.core.events.event import PublishedEvent
from bot.core.locales import Locale
from bot.core.people.actor import Actor
from bot.core.ports.store import Store
from bot.core.runs import inputs
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.core.value import Value
from bot.core.wakeups import RECHECK_INTERVAL_S, Signal, Wakeups, placed_topic, run_topic
from bot.surfaces.chat.inbound.once import Once
from bot.surfaces.chat.inbound.ports import PrivateMessenger, Reply, ReplyTarget
from bot.surfaces.chat.message_keys import unplaced_notice
from bot.surfaces.chat.messages import Form, text_message
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.wording import field_forms, private_messages
from bot.surfaces.chat.wording.field_forms import FormState

DRAFT_TTL_S = 24 * 3600.0
PLACE_TIMEOUT_S = 15 * 60.0
"""Twice as long as platforms let us answer a command in private."""
FIRST_CHECK_DELAY_S = RECHECK_INTERVAL_S
"""Seconds until it is looked whether a thread was opened before anybody listened for that."""
CHECK_INTERVAL_S = 30.0
"""Seconds between two further looks: hundreds may wait for channels that take one thread a second."""


class Draft(Value):
    """A run that lacks inputs."""

    #: Names the request that wanted it: however often the form is sent, one run starts.
    key: str
    crew: str
    given: dict[str, JsonValue] = Field(default_factory=dict)
    #: The inputs in the order in which they are asked; empty: in the crew's own.
    order: tuple[str, ...] = ()
    channel: str
    thread: str = ""
    #: The principal of who wanted it.
    by: str = ""

    def is_of(self, actor: Actor) -> bool:
        """Whether this person wanted it: nobody completes another's."""
        return self.by == actor.principal

    @property
    def id(self) -> str:
        """The id that its run will have."""
        return ids.run_id(self.key)


def form_state(draft: Draft, crew: Crew, locale: Locale, step: int = 0) -> FormState:
    """How far a draft is, at a step of its form."""
    place = {name: at for at, name in enumerate(draft.order)}
    ordered = sorted(crew.inputs, key=lambda each: place.get(each.name, len(place)))
    return FormState(tuple(ordered), draft.given, locale, step, early=True)


def asking_order(crew: Crew, given: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """What is missing first, and what was given last."""
    missing = {field.name for field in inputs.missing(crew, dict(given))}
    names = [field.name for field in crew.inputs]
    return tuple(sorted(names, key=lambda name: (name in given, name not in missing)))


class _NewEventsSignal(Signal):
    """Not set by events that the run has had already: its own start is heard of after it is known."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def set(self, topics: Iterable[str], events: Sequence[PublishedEvent] = ()) -> None:
        numbers = [event.seq for event in events if event.run_id == self._run.id]
        if not numbers or max(numbers) > self._run.seq:
            super().set(topics)


class RunStarter:
    """Starts runs from what people ask for."""

    def __init__(
        self, platform: Capabilities, store: Store, wakeups: Wakeups, messenger: PrivateMessenger
    ) -> None:
        self._surface = platform.surface
        self._limits = platform.limits
        self._store = store
        self._wakeups = wakeups
        self._messenger = messenger

    async def start(
        self, draft: Draft, crew: Crew, actor: Actor, locale: Locale, once: Once | None = None
    ) -> Run:
        """Start what a draft says, as its writer writes it. Raises InvalidInputs, Refused, Replayed."""
        place = ChatPlace(self._surface, actor.tenant, draft.channel, draft.thread or None).encode()
        given = inputs.read(crew, draft.given, locale)
        new = starting.plan(crew, given, actor, key=draft.key, place=place, awaiting_thread=True)
        if once is None:
            return await starting.start(self._store, new)
        if input_files.file_inputs(new):
            await once.use()  # They are stored before the run is started.
        run = await starting.start(self._store, new, once.nonce)
        once.used()
        return run

    # ── missing inputs ──────────────────────────────────────────────────────────────────────────────────

    async def ask_for_inputs(self, draft: Draft, crew: Crew, form_handle: str, locale: Locale) -> Reply:
        """Save the draft, and ask for the rest: in a form at once, or by a button that opens it."""
        draft = draft.model_copy(update={"order": asking_order(crew, draft.given)})
        await self.save(draft)
        if not form_handle:
            return Reply(say=private_messages.fill_in(crew, draft.id))
        return Reply(form=self.form(draft, crew, form_state(draft, crew, locale)))

    def form(self, draft: Draft, crew: Crew, filled: FormState) -> Form:
        """A step of the form for a draft's inputs."""
        return field_forms.start_form(crew, draft.id, filled, self._limits)

    async def save(self, draft: Draft) -> None:
        """Keep a draft for a day from now."""
        await self._store.key_values.set(self._key(draft.id), draft.model_dump_json(), DRAFT_TTL_S)

    async def draft(self, draft_id: str) -> tuple[Draft, Crew] | None:
        """A saved draft and its crew; None once it is too old, or the crew is gone."""
        stored = await self._store.key_values.get(self._key(draft_id))
        draft = Draft.model_validate_json(stored) if stored else None
        crew = (await self._store.catalogue.crews()).get(draft.crew) if draft else None
        return (draft, crew) if draft and crew else None

    def _key(self, draft_id: str) -> str:
        return f"{self._surface}:draft:{draft_id}"

    # ── the thread ──────────────────────────────────────────────────────────────────────────────────────

    async def watch(self, run: Run, reply_to: ReplyTarget) -> None:
        """Return when the run's thread is open, or once the person knows why it isn't."""
        try:
            async with asyncio.timeout(PLACE_TIMEOUT_S):
                run = await self._placed(run)
        except TimeoutError:
            return  # It is still being tried, and whoever delivers it tells its requester.
        if (
            run.status is RunStatus.FAILED
            and run.error is not None
            and await self._store.key_values.add(unplaced_notice(self._surface, run.id))
        ):
            await self._messenger.tell(reply_to, text_message(run.error.message))

    async def _placed(self, run: Run) -> Run:
        """The run, once its thread is open or it is over; as it was before if we heard that it is open."""
        placed = placed_topic(run.id)
        with self._wakeups.watch(run_topic(run.id), placed, signal=_NewEventsSignal(run)) as signal:
            seconds = FIRST_CHECK_DELAY_S
            while run.awaiting_thread and not run.status.over:
                await signal.wait(seconds)
                if placed in signal.clear():
                    break
                run, seconds = await self._store.runs.get(run.id), CHECK_INTERVAL_S
        return run
