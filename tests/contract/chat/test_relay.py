"""Questions of runs that live on another surface: who of this one is asked, and what they see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import JsonValue

from bot.core.forms.fields import Field
from bot.core.people.policy import Policy
from bot.core.questions.question import Action, Deadline, QuestionKind, Source, options_for
from bot.core.questions.response import make_response
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.place import Place
from bot.store.redis_keys import shard_of
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.inbound.catchup import HistoryStart
from bot.surfaces.chat.inbound.ports import IncomingMessage, ReplyTarget
from bot.surfaces.chat.message_keys import direct_question, shown_digest
from bot.surfaces.chat.places import ChatPlace, MessageRef
from bot.surfaces.chat.wording import question_messages
from tests.contract.chat.deployment import TENANT, Deployment
from tests.contract.chat.memory_inbound import SURFACE as MEMORY
from tests.contract.chat.memory_inbound import memory_chat, person
from tests.contract.chat.relaying import (
    ADA,
    BOB,
    DECIDING,
    HOME,
    asked,
    caught_up,
    claimed,
    direct,
    is_asked,
    linked,
    settled,
)
from tests.contract.examples import LEASE, LOST, approval, new_run
from tests.waiting import WITHIN


async def test_a_linked_decider_is_asked_here_and_told_the_outcome(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        question = await asked(deployment, claim)
        copy = await is_asked(deployment, "U0ADA")
        assert copy.buttons[:2] == DECIDING
        assert "Asked in Elsewhere" in copy.words
        assert "U0ADA" in copy.words
        await settled(deployment, question, ADA)
        now = await is_asked(deployment, "U0ADA", "Approved")
        assert now.posted == copy.posted
        assert now.buttons == ()
        assert "Ada, in Elsewhere" in now.words or deployment.surface == "memory"
    assert not direct(deployment, "U0BOB")


KINDS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "form": (
        {"kind": QuestionKind.FORM, "options": (), "form": (Field(name="town", required=True),)},
        ("Fill in...", "Decline..."),
    ),
    "choice": (
        {"kind": QuestionKind.CHOICE, "options": options_for(QuestionKind.CHOICE, ("Tea", "Coffee"))},
        ("Tea", "Coffee"),
    ),
    "words": ({"kind": QuestionKind.TEXT, "options": ()}, ("Answer...",)),
    "review": (
        {
            "kind": QuestionKind.REVIEW,
            "options": options_for(QuestionKind.REVIEW, ()),
            "context": "All of the text.",
        },
        ("Approve", "Edit and approve...", "Reject", "Request changes..."),
    ),
    "in a window": ({"context": "All of this is to be read. " * 600}, ("Show all",)),
    "in a file": ({"context": "All of this is to be read. " * 6000}, ("Show all",)),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_question_of_any_kind_is_asked_here_with_all_that_decides_it(
    deployment: Deployment, kind: str
) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    more, buttons = KINDS[kind]
    async with deployment.delivering():
        question = await asked(deployment, claim, **more)
        copy = await is_asked(deployment, "U0ADA")
        await caught_up(deployment, question)
    assert set(buttons) <= set(copy.buttons)
    if kind.startswith("in a"):
        assert not set(DECIDING) & set(copy.buttons), "what is not seen in full is not decided"
    assert ("in the file above" in copy.words) == (kind == "in a file")


async def test_approvals_of_different_turns_have_copies_of_their_own(deployment: Deployment) -> None:
    here = await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        questions = [
            await asked(deployment, claim, prompt=f"Pay {number}?", task_id=f"task {number}")
            for number in (1, 2)
        ]
        for number in (1, 2):
            assert (await is_asked(deployment, "U0ADA", f"Pay {number}?")).buttons[:2] == DECIDING
        await settled(deployment, questions[0], here)
        assert (await is_asked(deployment, "U0ADA", "Approved")).words.count("Pay 1?")
        assert direct(deployment, "U0ADA", "Pay 2?")[0].buttons[:2] == DECIDING


async def test_who_decides_here_settles_it_for_everybody(deployment: Deployment) -> None:
    here = await linked(deployment, ADA, "U0ADA")
    await linked(deployment, BOB, "U0BOB")
    claim = await claimed(deployment)
    async with deployment.delivering():
        question = await asked(deployment, claim, ADA.principal, BOB.principal)
        for user_id in ("U0ADA", "U0BOB"):
            await is_asked(deployment, user_id)
        await settled(deployment, question, here)
        for user_id in ("U0ADA", "U0BOB"):
            assert (await is_asked(deployment, user_id, "Approved")).buttons == ()
    outcome = (await deployment.store.questions.get(question.run_id, question.id)).outcome
    assert outcome is not None
    assert outcome.by is not None
    assert outcome.by.principal == here.principal


async def test_what_is_settled_before_its_delivery_is_asked_of_nobody(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    question = await asked(deployment, claim)
    await settled(deployment, question, ADA)
    async with deployment.delivering():
        await caught_up(deployment, question)
    assert not direct(deployment, "U0ADA")


async def test_the_progress_of_a_decision_of_two_is_shown(deployment: Deployment) -> None:
    here = await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    policy = Policy(deciders=(ADA.principal, BOB.principal), need=2, who=("ada", "bob"))
    async with deployment.delivering():
        question = await asked(deployment, claim, policy=policy)
        await is_asked(deployment, "U0ADA")
        await settled(deployment, question, BOB)
        assert (await is_asked(deployment, "U0ADA", "1 of 2")).buttons[:2] == DECIDING
        await settled(deployment, question, here)
        await is_asked(deployment, "U0ADA", "Approved")


async def test_an_edit_is_told_to_those_who_were_asked(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    await linked(deployment, BOB, "U0BOB")
    claim = await claimed(deployment)
    arguments: dict[str, JsonValue] = {"amount": 12}
    call = ToolCall(
        tool="pay", title="Pay 12", arguments=arguments, proposed=arguments, editable=("amount",),
        parameters={"properties": {"amount": {"type": "integer"}}},
    )  # fmt: skip
    policy = Policy(deciders=(ADA.principal, BOB.principal), need=2, admins=False)
    async with deployment.delivering():
        question = await asked(deployment, claim, policy=policy, source=Source.GATE, call=call)
        await is_asked(deployment, "U0ADA")
        edit: dict[str, Any] = {"digest": question.digest, "arguments": {"amount": 13}}
        said = make_response(Action.APPROVE, BOB, key="edit", **edit)
        ruling = await deployment.store.questions.respond(question.run_id, question.id, said)
        assert ruling.code == ""
        await is_asked(deployment, "U0ADA", "Earlier approvals don't count any more")
        copy = await is_asked(deployment, "U0ADA", "1 of 2")
        assert "13" in copy.words
        await settled(deployment, question, deployment.person("U0ADA"))
        await is_asked(deployment, "U0ADA", "Edited and approved")


async def test_what_is_rate_limited_is_asked_later_and_once(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    deployment.peer.rate_limit_once()
    async with deployment.delivering():
        question = await asked(deployment, claim)
        await is_asked(deployment, "U0ADA")
        await caught_up(deployment, question)
    assert len(direct(deployment, "U0ADA")) == 1


async def test_a_copy_whose_blocks_are_refused_is_text_and_says_where_it_is_from(
    deployment: Deployment,
) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    deployment.peer.refuse_blocks_once()
    async with deployment.delivering():
        await asked(deployment, claim)
        copy = await is_asked(deployment, "U0ADA")
    assert copy.buttons == ()
    assert "Asked in Elsewhere" in copy.words


async def test_a_copy_that_was_posted_twice_loses_its_buttons_with_the_other(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    deployment.peer.lose_answer_once()
    async with deployment.delivering():
        question = await asked(deployment, claim)

        async def posted_twice() -> bool:
            return len(direct(deployment, "U0ADA")) == 2

        await deployment.until(posted_twice)
        for each in direct(deployment, "U0ADA"):
            await deployment.orphans.adopt(
                question.run_id, question.id, each.posted, tenant=TENANT, thread=each.thread or ""
            )
        await settled(deployment, question, ADA)

        async def without_buttons() -> bool:
            return all(not each.buttons for each in direct(deployment, "U0ADA"))

        await deployment.until(without_buttons)
    assert len(direct(deployment, "U0ADA")) == 2


async def test_a_copy_whose_poster_died_shows_the_outcome(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    question = await asked(deployment, claim)
    message = question_messages.ask(
        question_card(claim.run, question), deployment.platform.capabilities.limits
    )
    posted = await deployment.platform.post(await deployment.platform.open_direct("U0ADA"), message)
    await deployment.orphans.adopt(question.run_id, question.id, posted, tenant=TENANT, thread="")
    await settled(deployment, question, ADA)
    async with deployment.delivering():
        assert (await is_asked(deployment, "U0ADA", "Approved")).buttons == ()
    assert len(direct(deployment, "U0ADA")) == 1


async def test_who_could_not_be_asked_is_asked_once_that_is_possible(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim, chat = await claimed(deployment), deployment.peer.direct_channel("U0ADA")
    await deployment.peer.close(chat)
    async with deployment.delivering():
        question = await asked(deployment, claim)
        await caught_up(deployment, question)
        assert not direct(deployment, "U0ADA")
        deployment.peer.reopen(chat)
        for _ in range(2):
            await deployment.store.outbox.redraw(
                deployment.surface, question.run_id, question.id, "the app was added"
            )
        assert (await is_asked(deployment, "U0ADA")).buttons[:2] == DECIDING
        await settled(deployment, question, ADA)
        await is_asked(deployment, "U0ADA", "Approved")
    assert len(direct(deployment, "U0ADA")) == 1


@pytest.mark.parametrize("told", [True, False])
async def test_a_copy_that_somebody_deletes_is_sent_again(deployment: Deployment, *, told: bool) -> None:
    """At once if the platform tells of it, else with what happens next."""
    here = await linked(deployment, ADA, "U0ADA")
    await linked(deployment, BOB, "U0BOB")
    claim = await claimed(deployment)
    both = Policy(deciders=(ADA.principal, BOB.principal), need=2)
    async with deployment.delivering():
        question = await asked(deployment, claim, policy=both)
        first, other = await is_asked(deployment, "U0ADA"), await is_asked(deployment, "U0BOB")
        await caught_up(deployment, question)
        deployment.peer.delete(first.posted)
        if told:
            thread = deployment.platform.thread_of(first.posted).thread or ""
            await deployment.orphans.show_anew(TENANT, first.posted, thread)
        else:
            await settled(deployment, question, BOB)
        again = await is_asked(deployment, "U0ADA")
        assert (again.posted != first.posted, again.buttons[:2]) == (True, DECIDING)
        for actor in (BOB, here):
            await settled(deployment, question, actor, key=f"{actor.user_id} again")
        await is_asked(deployment, "U0ADA", "Approved")
        await is_asked(deployment, "U0BOB", "Approved")
        await caught_up(deployment, question)
    assert len(direct(deployment, "U0ADA")) == 1
    assert [each.posted for each in direct(deployment, "U0BOB")] == [other.posted]


async def test_a_reminder_leads_to_a_copy_that_is_there(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        question = await asked(deployment, claim, deadline=Deadline(after=3600, remind_after=1))
        first = await is_asked(deployment, "U0ADA")
        await caught_up(deployment, question)
        deployment.peer.delete(first.posted)

        async def reminded() -> bool:
            await deployment.store.clock.apply_due(LOST)
            return bool(direct(deployment, "U0ADA", "is still open"))

        await deployment.until(reminded)
        [again] = [each for each in direct(deployment, "U0ADA") if each.buttons]
        assert again.buttons[:2] == DECIDING


async def test_a_reply_to_a_copy_is_a_reply_to_the_run(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        question = await asked(deployment, claim, kind=QuestionKind.TEXT, options=())
        copy = await is_asked(deployment, "U0ADA")
        await caught_up(deployment, question)
    there = deployment.platform.thread_of(copy.posted)
    place = Place(surface=deployment.surface, tenant="T0CREW", ref=f"{there.channel}/{there.thread or ''}")
    assert [run.id for run in await deployment.store.runs.at(place)] == [claim.run.id]


async def test_a_run_that_is_cancelled_is_withdrawn_from_every_copy(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        await asked(deployment, claim)
        await is_asked(deployment, "U0ADA")
        await deployment.store.runs.cancel(claim.run.id, ADA)
        assert (await is_asked(deployment, "U0ADA", "Withdrawn")).buttons == ()


async def test_a_deleted_run_leaves_no_trace_on_any_surface(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        question = await asked(deployment, claim)
        await is_asked(deployment, "U0ADA")
        await deployment.store.runs.cancel(claim.run.id, ADA)
        await is_asked(deployment, "U0ADA", "Withdrawn")
        await caught_up(deployment, question)
    await deployment.store.runs.delete(claim.run.id)
    assert (await deployment.store.outbox.state(deployment.surface, claim.run.id)).messages == {}
    assert claim.run.id not in await deployment.store.outbox.pending(
        deployment.surface, shard_of(claim.run.id)
    )


async def test_a_reply_to_a_copy_that_was_missed_is_read_afterwards(redis_url: str) -> None:
    async with memory_chat(redis_url) as chat:
        here = person("ada")
        await chat.store.directory.redeem(await chat.store.directory.new_code(ADA), here)
        run, _ = await chat.store.runs.start(new_run(by=ADA, place=HOME))
        await chat.store.outbox.lease_shard(MEMORY, shard_of(run.id), "web-1", LEASE, relay=True)
        [claim] = await chat.store.queue.claim("worker", [run.crew.name], 1, 60)
        words = {"kind": QuestionKind.TEXT, "options": ()}
        question = await chat.store.questions.ask(claim, approval(claim).model_copy(update=words))
        copy = MessageRef("direct-ada", "m1")
        names = {
            direct_question(question.id, "ada"): copy.encode(),
            shown_digest(question.id): question.digest,
        }
        await chat.store.outbox.mark_delivered(MEMORY, "web-1", run.id, run.seq, names)
        place = ChatPlace(MEMORY, here.tenant, copy.channel, copy.message_id)
        await chat.store.runs.add_place(run.id, place.encode())
        said = replace(
            chat.message("ada", "They go out", thread="m1"),
            reply_to=ReplyTarget(here.tenant, "ada", copy.channel, copy.message_id),
        )
        catching_up = asyncio.create_task(chat.engine.catch_up(History({place: [said]})).run(here.tenant))
        async with asyncio.timeout(WITHIN):
            while await chat.outcome(question) == "":  # noqa: ASYNC110 - the store is asked, nothing tells
                await asyncio.sleep(0.02)
        catching_up.cancel()
        assert await chat.outcome(question) == Action.RESPOND


@dataclass(frozen=True)
class History:
    """What was written in each thread."""

    said: Mapping[ChatPlace, Sequence[IncomingMessage]]

    async def replies(self, place: ChatPlace, since: HistoryStart) -> Sequence[IncomingMessage]:
        del since
        return self.said.get(place, ())
