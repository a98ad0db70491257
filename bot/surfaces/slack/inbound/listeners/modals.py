"""Modals that are submitted."""

from __future__ import annotations

import re
from typing import Any

from pydantic import JsonValue
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from bot.core.crew import Crew
from bot.core.errors import CrewdeckError, InvalidInputs, Refused, StoreUnavailable
from bot.core.ports import Store
from bot.surfaces.chat.inbound import actions
from bot.surfaces.chat.inbound.actions import Target
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.commands import CommandHandlers
from bot.surfaces.chat.inbound.forms import NOT_YOUR_FORM, Draft, Forms
from bot.surfaces.chat.inbound.pending_requests import Delivery
from bot.surfaces.chat.inbound.placing import Placing
from bot.surfaces.chat.inbound.reply import SILENT, Reply, ReplyTarget
from bot.surfaces.slack.cards import views
from bot.surfaces.slack.inbound.ack_handler import NOT_SAVED, AckHandler, in_the_modal, shaped
from bot.surfaces.slack.inbound.payloads import Submission
from bot.surfaces.slack.inbound.people import People

TOO_OLD = "This form has been open for too long. Please start the crew again."


class Modals:
    """What submitting each modal does."""

    def __init__(
        self,
        store: Store,
        people: People,
        answers: Answers,
        orders: CommandHandlers,
        forms: Forms,
        placing: Placing,
    ) -> None:
        self._store = store
        self._people = people
        self._answers = answers
        self._orders = orders
        self._forms = forms
        self._placing = placing

    async def reply(self, sent: Submission) -> Reply:
        """An answer in words. Who may answer is checked again, by the store."""
        words = views.reply_words(sent.view.state.values)
        if not words:
            return Reply(errors={actions.WORDS_BLOCK: "Please say something."})
        target = Target.decode(sent.view.private_metadata)
        actor = await self._people.actor(sent.user.id, sent.view.installation)
        return await self._answers.modal(target, words, actor, key=sent.key)

    async def start(self, sent: Submission) -> Reply:
        """Start a crew with what the form has; what is wrong is said at its field."""
        draft = await self._forms.draft(sent.view.private_metadata)
        crew = (await self._store.catalogue.crews()).get(draft.crew) if draft else None
        if draft is None or crew is None:
            return Reply(errors={sent.view.first_input: TOO_OLD})
        actor = await self._people.actor(sent.user.id, sent.view.installation)
        if not draft.is_of(actor):
            return Reply(errors={sent.view.first_input: NOT_YOUR_FORM})
        filled = draft.model_copy(update={"given": _given(crew, draft, sent)})
        try:
            run = await self._orders.start(filled, crew, actor)
        except InvalidInputs as invalid:
            return Reply(errors=_at_fields(crew, invalid, sent))
        except Refused as refused:
            return Reply(errors={sent.view.first_input: str(refused)})
        return Reply(then=lambda: self._placing.watch(run, line_for(sent, draft)))


def _given(crew: Crew, draft: Draft, sent: Submission) -> dict[str, JsonValue]:
    """What the form says; of an input that it has no field for, what the draft says."""
    state = sent.view.state.values
    unasked = {name: value for name, value in draft.given.items() if actions.input_block(name) not in state}
    return {**unasked, **views.start_values(crew, state)}


def _at_fields(crew: Crew, invalid: InvalidInputs, sent: Submission) -> dict[str, str]:
    at_fields = views.start_errors(crew, invalid.problems)
    return at_fields or {sent.view.first_input: str(invalid)[:150]}


def line_for(sent: Submission, draft: Draft | None = None) -> ReplyTarget:
    """The private line to who sent the modal: where the run was asked for."""
    if draft is None:
        return ReplyTarget(sent.team.id, sent.user.id)
    return ReplyTarget(sent.team.id, sent.user.id, draft.channel, draft.thread)


def listen(app: AsyncApp, desk: AckHandler, modals: Modals) -> None:
    """Take modals."""
    effects = {actions.REPLY: modals.reply, actions.START: modals.start}

    @app.view(re.compile(r".*"))
    @shaped
    async def submitted(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        sent = Submission.model_validate(body)
        await desk.take(Delivery(sent.key, line_for(sent), body), work(sent), ack, in_the_modal)
        return None

    async def work(sent: Submission) -> Reply:
        """What can't be done now is said in the modal, where the words are kept for another try."""
        effect = effects.get(sent.view.callback_id)
        if effect is None:
            return SILENT
        try:
            return await effect(sent)
        except StoreUnavailable:
            return Reply(errors={sent.view.first_input: NOT_SAVED})
        except CrewdeckError as refused:
            return Reply(errors={sent.view.first_input: str(refused)})
