"""What each activity of Teams means: handed to the inbound engine, and answered within Teams' time.

Where the app is added people are welcomed; where it is removed, requesters learn what becomes of their runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError

from bot.core.errors import CrewdeckError, StoreUnavailable
from bot.core.ports.lists import RunFilter
from bot.core.ports.store import Store
from bot.core.runs.run import Run
from bot.metrics import Metrics
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.inbound.ack_handler import Work
from bot.surfaces.chat.inbound.engine import InboundEngine
from bot.surfaces.chat.inbound.ports import (
    SILENT,
    ActorResolver,
    InboundRequest,
    Payload,
    Press,
    PrivateMessenger,
    Reply,
    ReplyTarget,
    Unacceptable,
)
from bot.surfaces.chat.listings import waiting_for
from bot.surfaces.chat.places import group
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.wording import private_messages, sentences
from bot.surfaces.teams import SURFACE, TITLE, card_data
from bot.surfaces.teams.card_data import Pressed, Submitted
from bot.surfaces.teams.connector.platform import TeamsPlatform
from bot.surfaces.teams.conversations import is_personal
from bot.surfaces.teams.inbound import invokes
from bot.surfaces.teams.inbound.invokes import DialogAnswer, Json, PersonalCards, PressAnswer
from bot.surfaces.teams.inbound.payloads import Activity, CardAction, Task
from bot.surfaces.teams.inbound.people import TeamsActors
from bot.surfaces.teams.inbound.request_url import ActivityResponse, read

log = structlog.get_logger(__name__)

ACK_TIMEOUT_S = 8.0
"""How long an activity may be handled before it is answered all the same. Teams waits about 15 s."""
DIALOG = "dialog"
"""Stands for the dialog in which somebody acts: Teams has one for each person, and no ids of them."""

Read = TypeVar("Read", bound=Payload)


class Activities:
    """Handles verified activities, and measures how long their answer takes."""

    def __init__(
        self,
        engine: InboundEngine,
        people: TeamsActors,
        cards: PersonalCards,
        installation_updates: InstallationUpdates,
        platform: TeamsPlatform,
        metrics: Metrics,
        ack_priority: AckPriority,
    ) -> None:
        self._engine = engine
        self._people = people
        self._cards = cards
        self._installation_updates = installation_updates
        self._platform = platform
        self._metrics = metrics
        self._ack_priority = ack_priority

    async def dispatch(self, payload: Mapping[str, Any], activity: Activity) -> ActivityResponse:
        """The answer to one activity; 503 while the store is away: Teams sends it again."""
        started = perf_counter()
        with self._ack_priority.acknowledging():
            try:
                await self._platform.service_urls.record(
                    activity.where.channel, activity.service_url, activity.data.team.id
                )
                if activity.from_person:
                    await self._people.record_locale(activity.user, activity.client_locale)
                return await self._handled(payload, activity)
            except Unacceptable as wrong:
                log.warning("an activity doesn't have Teams' format", kind=activity.type, name=activity.name)
                return ActivityResponse(wrong.status)
            except StoreUnavailable:
                return ActivityResponse(503)
            finally:
                self._metrics.acks.observe(_kind(activity), perf_counter() - started)

    async def replay(self, payload: Mapping[str, Any]) -> int:
        """Handle a saved activity; the status of its answer, which reaches nobody."""
        try:
            return (await self.dispatch(payload, read(payload))).status
        except Unacceptable as wrong:
            return wrong.status

    async def _handled(self, payload: Mapping[str, Any], activity: Activity) -> ActivityResponse:
        match activity.type:
            case "message" if card_data.is_ours(activity.value):
                return await self._pressed_message(payload, activity)
            case "message":
                work = self._engine.router.message_or_mention(activity.incoming())
                return await self._event(payload, activity, work)
            case "messageDelete":
                work = self._engine.router.deleted(activity.deleted)
                return await self._event(payload, activity, work)
            case "invoke":
                return await self._invoke(payload, activity)
            case "installationUpdate":
                return await self._event(payload, activity, self._installation_updates.updated(activity))
            case _:
                return ActivityResponse()  # Edits and reactions decide nothing.

    async def _invoke(self, payload: Mapping[str, Any], activity: Activity) -> ActivityResponse:
        match activity.name:
            case "adaptiveCard/action":
                return await self._card_action(payload, activity)
            case "task/fetch" | "task/submit":
                return await self._dialog(payload, activity)
            case "fileConsent/invoke":
                await self._event(payload, activity, self._file(activity))
                return ActivityResponse(body=invokes.ACCEPTED)
            case _:
                log.info("an unknown invoke was received", name=activity.name)
                return ActivityResponse(501, {})

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def _event(self, payload: Mapping[str, Any], activity: Activity, work: Work) -> ActivityResponse:
        """Handle the event and tell what became of it. 503, so that Teams sends it again, if that failed."""
        request = InboundRequest(activity.key, activity.to_sender, payload)
        handled = await self._engine.ack_handler.handle_event(request, work, _nothing, ACK_TIMEOUT_S)
        return ActivityResponse(200 if handled else 503)

    async def _pressed_message(self, payload: Mapping[str, Any], activity: Activity) -> ActivityResponse:
        """A press in a client without Action.Execute; the outcome is sent as a message."""
        data = _data(activity.value)
        if isinstance(data, Pressed):
            work = self._engine.presses.handle(activity.press(data))
        else:
            work = self._engine.forms.handle(activity.submission(data))
        return await self._event(payload, activity, work)

    async def _file(self, activity: Activity) -> Reply:
        """Somebody wants a file that they were offered, or doesn't. Raises CrewdeckError."""
        value = activity.value if isinstance(activity.value, dict) else {}
        if (shown := await self._platform.files.accept(value)) is not None:
            await self._platform.send(activity.where, shown)
        return SILENT

    # ── cards ───────────────────────────────────────────────────────────────────────────────────────────

    async def _card_action(self, payload: Mapping[str, Any], activity: Activity) -> ActivityResponse:
        data = _data(_read(CardAction, activity.value).action.data)
        if not isinstance(data, Pressed):
            raise Unacceptable(400, "a card that is no dialog submits nothing")
        if data.action == card_data.REFRESH:
            return await self._refreshed(activity, data)
        press = activity.press(data)
        answer = PressAnswer(lambda: self._current(press))
        return await self._answered(payload, activity, self._engine.presses.handle(press), answer)

    async def _refreshed(self, activity: Activity, data: Pressed) -> ActivityResponse:
        """The card as this person sees it. Nobody pressed anything, so nothing changes."""
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                shown = await self._current(activity.press(data))
        except CrewdeckError as error:
            return ActivityResponse(body=invokes.text_response(str(error)))
        except TimeoutError:
            return ActivityResponse(body=invokes.text_response(sentences.profile_unavailable(TITLE)))
        return ActivityResponse(
            body=invokes.card(shown) if shown else invokes.text_response(sentences.QUESTION_HIDDEN)
        )

    async def _current(self, press: Press) -> Json | None:
        """The question that was pressed on, as its presser sees it now. Raises CrewdeckError."""
        try:
            target = Target.decode(press.value)
        except ValueError:
            return None
        if not target.question_id:
            return None
        actor = await self._engine.people.actor(press.reply_to.user, press.installation)
        return await self._cards.of(target, actor, press.reply_to.channel, press.message)

    # ── dialogs ─────────────────────────────────────────────────────────────────────────────────────────

    async def _dialog(self, payload: Mapping[str, Any], activity: Activity) -> ActivityResponse:
        data = _data(_read(Task, activity.value).data)
        if isinstance(data, Submitted):
            sent = activity.submission(data)
            answer = DialogAnswer(lambda errors: self._engine.forms.filled(sent, errors))
            return await self._answered(payload, activity, self._engine.forms.handle(sent), answer)
        press = activity.press(data, form_id="" if activity.name == "task/fetch" else DIALOG)
        work = self._engine.presses.handle(press)
        return await self._answered(payload, activity, work, DialogAnswer(), press.form_id)

    async def _answered(
        self,
        payload: Mapping[str, Any],
        activity: Activity,
        work: Work,
        answer: PressAnswer | DialogAnswer,
        form_id: str = "",
    ) -> ActivityResponse:
        request = InboundRequest(activity.key, activity.to_sender, payload, DIALOG, form_id)
        await self._engine.ack_handler.handle_interaction(request, work, answer, ACK_TIMEOUT_S)
        return ActivityResponse(body=answer.body)


def _kind(activity: Activity) -> str:
    """A label of the metrics."""
    match activity.type, activity.name:
        case "message", _:
            return "event"
        case "invoke", "task/submit":
            return "modal"
        case "invoke", _:
            return "press"
        case _:
            return "event"


def _read(kind: type[Read], value: object) -> Read:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise Unacceptable(400, "not something that Teams sends") from error


def _data(data: object) -> Pressed | Submitted:
    try:
        return card_data.read(data)
    except ValueError as error:
        raise Unacceptable(400, str(error)) from error


async def _nothing() -> None:
    return


ADDED, REMOVED = "add", "remove"
MAX_RUNS = 100


class InstallationUpdates:
    """Welcomes people, and tells requesters that their runs have lost their conversation."""

    def __init__(
        self, platform: Capabilities, store: Store, people: ActorResolver, messenger: PrivateMessenger
    ) -> None:
        self._platform = platform
        self._store = store
        self._people = people
        self._messenger = messenger

    async def updated(self, activity: Activity) -> Reply:
        """`installationUpdate`. An upgrade of the app is neither. Raises StoreUnavailable."""
        channel = activity.where.channel
        if activity.action == ADDED and is_personal(channel):
            return Reply(say=private_messages.usage(), then=lambda: self._ask_again(activity))
        if activity.action != REMOVED:
            return SILENT
        here = RunFilter(group=group(SURFACE, activity.tenant, channel), active=True, limit=MAX_RUNS)
        runs = await self._store.runs.list(here)
        return Reply(then=lambda: self._removed(activity, runs)) if runs else SILENT

    async def _removed(self, activity: Activity, runs: list[Run]) -> None:
        """What these runs ask is asked in direct messages, once their delivery finds that it is shut out."""
        for run in runs:
            for question in await self._store.questions.list(run.id):
                if question.open:
                    await self._store.outbox.redraw(SURFACE, run.id, question.id, activity.id)
        await self._tell(activity.tenant, runs)

    async def _ask_again(self, activity: Activity) -> None:
        """Have the person asked what they could not be asked before, as the app was not there."""
        try:
            person = await self._people.actor(activity.user, activity.where.channel)
        except CrewdeckError as error:
            log.info("it can't be found out who added the app", user=activity.user, why=str(error))
            return
        for question in await waiting_for(self._store.questions, person, MAX_RUNS):
            await self._store.outbox.redraw(SURFACE, question.run_id, question.id, activity.id)

    async def _tell(self, tenant: str, runs: list[Run]) -> None:
        """Each requester, of all of their runs. Where that can't be done it is logged, and the runs go on."""
        for requester in dict.fromkeys(run.requester for run in runs if run.requester.surface == SURFACE):
            theirs = [run for run in runs if run.requester == requester]
            to = ReplyTarget(tenant, requester.user_id)
            await self._messenger.tell(to, private_messages.app_removed(theirs, self._platform))
