"""What several people decide, gates in front of tools, edits, and batches: on any platform."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.core.errors import CrewdeckError
from bot.core.people.actor import Actor, Membership
from bot.core.people.policy import Group, Policy
from bot.core.ports.directory import GroupUnreadable
from bot.core.ports.outbox import redrawn
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action, Question, QuestionKind, Source, options_for
from bot.core.questions.response import make_response
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.run import Claim
from bot.store.redis_keys import shard_of
from bot.surfaces.chat import actions
from bot.surfaces.chat.inbound.ports import Press, ReplyTarget
from bot.surfaces.chat.wording.decision_forms import TEXT_FIELD, argument_field
from tests.contract.chat.memory_inbound import (
    SURFACE,
    TENANT,
    MemoryChat,
    memory_chat,
    person,
    target_of,
    text_of,
)
from tests.contract.chat.played_crew import ADA, AT_LENGTH, BOB
from tests.contract.examples import LEASE, PLACE, approval, new_run

EVE = "eve"
TWO = Policy(
    deciders=tuple(person(each).principal for each in (ADA, BOB)),
    name="pay",
    version="v1",
    who=("finance",),
    need=2,
    admins=False,
    not_=("requester",),
    excluded=(person(EVE).principal,),
)
CALL = ToolCall(
    tool="send_money",
    title="Send € 1,200 to Acme",
    arguments={"recipient": "Acme", "amount": 1200, "reference": "Invoice 7", "urgent": False},
    proposed={"recipient": "Acme", "amount": 1200, "reference": "Invoice 7", "urgent": False},
    editable=("amount", "reference", "urgent"),
    parameters={
        "properties": {
            "amount": {"type": "integer"},
            "reference": {"type": "string"},
            "urgent": {"type": "boolean"},
        }
    },
)
GATE: dict[str, Any] = {"source": Source.GATE, "call": CALL, "prompt": CALL.title}


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[MemoryChat]:
    async with memory_chat(redis_url) as made:
        yield made


async def asked(chat: MemoryChat, claim: Claim, name: str = "ok", **more: Any) -> Question:
    question = approval(claim, name).model_copy(update={"policy": TWO, **more})
    return await chat.store.questions.ask(claim, question)


async def now(chat: MemoryChat, question: Question) -> Question:
    return await chat.store.questions.get(question.run_id, question.id)


# ── several people ──────────────────────────────────────────────────────────────────────────────────────


async def test_two_people_approve_and_each_counts_once(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed())
    about = target_of(question)
    assert await chat.press(ADA, actions.ANSWER_APPROVE, about) == ""
    again = await chat.press(ADA, actions.ANSWER_APPROVE, about)
    assert "already approved" in again
    assert "1 of 2" in again
    assert await chat.outcome(question) == ""
    assert await chat.press(BOB, actions.ANSWER_APPROVE, about) == ""
    assert await chat.outcome(question) == Action.APPROVE


async def test_who_had_approved_what_others_rejected_then_reads_that_when_they_press_again(
    chat: MemoryChat,
) -> None:
    question = await asked(chat, await chat.claimed())
    about = target_of(question)
    assert await chat.press(ADA, actions.ANSWER_APPROVE, about) == ""
    said = make_response(Action.REJECT, person(BOB), key="r", digest=question.digest, comment="Too much")
    ruling = await chat.store.questions.respond(question.run_id, question.id, said)
    assert ruling.verdict is Verdict.SETTLED
    again = await chat.press(ADA, actions.ANSWER_APPROVE, about)
    assert "already settled" in again
    assert "Reject" in again
    assert "Too much" in again


async def test_a_press_that_is_delivered_again_is_not_explained(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed())
    for _ in range(2):
        assert await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question), key="once") == ""


async def test_who_took_their_answer_back_no_longer_counts(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed())
    about = target_of(question)
    assert "no answer" in await chat.press(ADA, actions.WITHDRAW, about)
    await chat.press(ADA, actions.ANSWER_APPROVE, about)
    assert "taken back" in await chat.press(ADA, actions.WITHDRAW, about)
    await chat.press(BOB, actions.ANSWER_APPROVE, about)
    assert await chat.outcome(question) == ""
    await chat.press(ADA, actions.ANSWER_APPROVE, about)
    assert await chat.outcome(question) == Action.APPROVE
    assert "already settled" in await chat.press(BOB, actions.WITHDRAW, about)


async def test_another_answer_replaces_the_former(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed())
    await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question))
    await chat.press(ADA, actions.ANSWER_REJECT, target_of(question))
    assert await chat.outcome(question) == Action.REJECT


@pytest.mark.parametrize(
    ("user", "policy", "why"),
    [
        (EVE, TWO, "excludes the requester"),
        ("mallory", TWO, "isn't yours to decide. Ask finance"),
    ],
)
async def test_who_may_not_decide_is_told_why_and_who_may(
    chat: MemoryChat, user: str, policy: Policy, why: str
) -> None:
    question = await asked(chat, await chat.claimed(), policy=policy)
    for action in (actions.ANSWER_APPROVE, actions.OPEN_REJECT, actions.OPEN_EDIT):
        told = await chat.press(user, action, target_of(question), form_handle="h")
        assert why in " ".join(told.split())
    assert (await now(chat, question)).progress.approved == 0


async def test_a_group_that_cannot_be_read_closes_the_question_with_the_reason(chat: MemoryChat) -> None:
    class Unreadable:
        async def members(self, group: str) -> frozenset[str]:
            raise GroupUnreadable(f"{group} needs the scope usergroups:read.")

    chat.store.directory.serve("slack", Unreadable())
    policy = Policy(
        deciders=("slack::@finance",),
        name="pay",
        who=("finance",),
        admins=False,
        groups=(Group(name="finance", members=("slack::@finance",)),),
    )
    question = await asked(chat, await chat.claimed(), policy=policy)
    told = await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question))
    assert "usergroups:read" in told
    assert await chat.outcome(question) == ""


@pytest.mark.parametrize("words", ["Approve", "Yes, please"])
@pytest.mark.parametrize("more", [{}, GATE], ids=["two people", "gate"])
async def test_words_do_not_decide_and_what_to_press_is_said(
    chat: MemoryChat, words: str, more: dict[str, Any]
) -> None:
    question = await asked(chat, await chat.claimed(), **more)
    await chat.show(question)
    assert "Press one of the buttons" in await chat.says(ADA, words)
    refused = await chat.submit(ADA, actions.REPLY, target_of(question).encode(), words=words)
    assert "Press one of the buttons" in refused[actions.REPLY_FIELD]
    assert (await now(chat, question)).progress.approved == 0


class Finance:
    """A group of Ada alone, whom nobody has read yet."""

    async def members(self, group: str) -> frozenset[str]:
        del group
        return frozenset({person(ADA).principal})


async def test_words_of_a_groups_member_do_not_open_a_gate_either(chat: MemoryChat) -> None:
    chat.store.directory.serve("slack", Finance())
    policy = Policy(deciders=("slack::S0FIN",), name="pay", who=("S0FIN",), admins=False)
    question = await asked(chat, await chat.claimed(), policy=policy, **GATE)
    await chat.show(question)
    assert "Press one of the buttons" in await chat.says(ADA, "Approve")
    assert "isn't yours" in await chat.says(BOB, "Approve")
    assert await chat.outcome(question) == ""
    await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question))
    assert await chat.outcome(question) == Action.APPROVE


async def test_who_joined_a_group_just_now_is_asked_which_question_they_mean(chat: MemoryChat) -> None:
    chat.store.directory.serve("slack", Finance())
    theirs = Policy(deciders=("slack::S0FIN",))
    both = [await chat.asking(name, policy=theirs) for name in ("first", "second")]
    assert "Which question is that for?" in await chat.says(ADA, "Approve")
    assert "isn't yours" in await chat.says(BOB, "Approve")
    assert [await chat.outcome(each) for each in both] == ["", ""]


async def test_who_joined_a_group_just_now_decides_nothing_half_seen_either(chat: MemoryChat) -> None:
    chat.store.directory.serve("slack", Finance())
    question = await chat.asking(policy=Policy(deciders=("slack::S0FIN",)), context=AT_LENGTH)
    assert "Show all" in await chat.says(ADA, "Approve")
    assert "isn't yours" in await chat.says(BOB, "Approve")
    assert await chat.outcome(question) == ""


# ── gates ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_gate_is_rejected_with_a_reason(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed(), **GATE)
    await chat.press(ADA, actions.OPEN_REJECT, target_of(question), form_handle="h")
    form = chat.platform.opened["h"]
    assert "Send € 1,200 to Acme" in text_of(form)
    assert await chat.submit(ADA, form.callback, form.metadata, words="Too much.") == {}
    outcome = (await now(chat, question)).outcome
    assert outcome is not None
    assert (outcome.action, outcome.comment) == (Action.REJECT, "Too much.")


async def test_an_edit_makes_a_new_question_of_which_the_editors_approval_is_the_first(
    chat: MemoryChat,
) -> None:
    question = await asked(chat, await chat.claimed(), **GATE)
    await chat.press(BOB, actions.ANSWER_APPROVE, target_of(question))
    await chat.press(ADA, actions.OPEN_EDIT, target_of(question), form_handle="h")
    form = chat.platform.opened["h"]
    fields = {argument_field(name) for name in CALL.editable}
    assert {each.name for each in form.blocks if hasattr(each, "name")} == fields
    filled = {argument_field("amount"): "900", argument_field("reference"): "Invoice 7"}
    assert await chat.submit(ADA, form.callback, form.metadata, **filled) == {}
    edited = await now(chat, question)
    assert edited.call is not None
    assert edited.call.arguments == {**CALL.arguments, "amount": 900}
    assert [each.by.user_id for each in edited.progress.counted] == [ADA]
    assert [each.by.user_id for each in edited.progress.ineligible] == [BOB]
    stale = await chat.press(BOB, actions.ANSWER_APPROVE, target_of(question))
    assert "has changed" in stale
    assert "has changed" in await chat.press(BOB, actions.OPEN_EDIT, target_of(question), form_handle="x")
    await chat.press(BOB, actions.ANSWER_APPROVE, target_of(edited))
    outcome = (await now(chat, question)).outcome
    assert outcome is not None
    assert outcome.arguments == {**CALL.arguments, "amount": 900}


async def test_an_edit_without_changes_is_an_approval_of_what_was_shown(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed(), **GATE)
    same = {argument_field("amount"): "1200", argument_field("urgent"): "no"}
    assert await chat.submit(ADA, actions.EDIT, target_of(question).encode(), **same) == {}
    after = await now(chat, question)
    assert (after.digest, after.progress.approved) == (question.digest, 1)


@pytest.mark.parametrize(
    ("name", "value"), [("amount", "many"), ("amount", "1.5"), ("amount", ""), ("urgent", "maybe")]
)
async def test_what_is_wrong_with_an_edit_is_said_at_its_field(
    chat: MemoryChat, name: str, value: str
) -> None:
    question = await asked(chat, await chat.claimed(), **GATE)
    filled = {argument_field(name): value}
    wrong = await chat.submit(ADA, actions.EDIT, target_of(question).encode(), **filled)
    assert list(wrong) == [argument_field(name)]
    assert (await now(chat, question)).digest == question.digest


async def test_only_what_may_be_edited_is_read_from_a_form(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed(), **GATE)
    filled = {argument_field("recipient"): "Mallory", argument_field("reference"): "x"}
    assert await chat.submit(ADA, actions.EDIT, target_of(question).encode(), **filled) == {}
    edited = (await now(chat, question)).call
    assert edited is not None
    assert edited.arguments == {**CALL.arguments, "reference": "x"}


async def test_an_edit_of_what_changed_meanwhile_is_refused_in_the_form(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed(), **GATE)
    about = target_of(question).encode()
    await chat.submit(ADA, actions.EDIT, about, **{argument_field("amount"): "900"})
    late = await chat.submit(BOB, actions.EDIT, about, **{argument_field("amount"): "800"})
    assert "has changed" in " ".join(late.values())


async def test_a_review_is_edited_and_approved(chat: MemoryChat) -> None:
    claim = await chat.claimed()
    more: dict[str, Any] = {
        "kind": QuestionKind.REVIEW,
        "options": options_for(QuestionKind.REVIEW, ()),
        "context": "A draft",
    }
    question = await asked(chat, claim, policy=claim.run.approvers, **more)
    await chat.press(ADA, actions.OPEN_EDIT, target_of(question), form_handle="h")
    form = chat.platform.opened["h"]
    assert "A draft" in text_of(form)
    assert await chat.submit(ADA, form.callback, form.metadata, **{TEXT_FIELD: "The text"}) == {}
    outcome = (await now(chat, question)).outcome
    assert outcome is not None
    assert (outcome.action, outcome.value) == (Action.APPROVE, "The text")


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_of_a_batch_exactly_what_is_ticked_is_decided(chat: MemoryChat) -> None:
    claim = await chat.claimed()
    one = claim.run.approvers
    questions = [await asked(chat, claim, f"q{n}", policy=one, **GATE) for n in range(4)]
    await chat.press(ADA, actions.ANSWER_REJECT, target_of(questions[1]))
    stale = target_of(questions[2], digest=f"sha256:{'0' * 64}")
    ticked = (target_of(questions[0]), target_of(questions[1]), stale)
    about = target_of(questions[0])
    told = await chat.press(ADA, actions.APPROVE_TICKED, about, ticked=ticked)
    assert "Approved 1 of 3" in told
    assert "already settled" in told
    assert "has changed" in told
    assert [await chat.outcome(each) for each in questions] == [Action.APPROVE, Action.REJECT, "", ""]
    assert "Tick" in await chat.press(ADA, actions.APPROVE_TICKED, about)
    assert await chat.press(ADA, actions.TICK, about) == ""


@pytest.mark.parametrize("strange", ["", "another release's value of five parts", "r q o !"])
async def test_a_tick_that_is_not_understood_is_said_and_stops_no_other(
    chat: MemoryChat, strange: str
) -> None:
    claim = await chat.claimed()
    questions = [await asked(chat, claim, f"q{n}", policy=claim.run.approvers, **GATE) for n in range(2)]
    ticked = (target_of(questions[0]).encode(), strange, target_of(questions[1]).encode())
    press = Press(
        "strange", actions.APPROVE_TICKED, ticked[0], ReplyTarget("T1", ADA, "C1", "th1"), ticked=ticked
    )
    reply = await chat.engine.presses.handle(press)
    assert "Approved 2 of 3" in text_of(reply.say)
    assert "can't tell what this is about" in text_of(reply.say)
    assert [await chat.outcome(each) for each in questions] == [Action.APPROVE, Action.APPROVE]


async def test_ticks_of_somebody_who_may_not_decide_nothing(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed(), **GATE)
    told = await chat.press(EVE, actions.APPROVE_TICKED, target_of(question), ticked=(target_of(question),))
    assert "Approved 0 of 1" in told
    assert (await now(chat, question)).progress.approved == 0


# ── one person in two places ────────────────────────────────────────────────────────────────────────────


async def test_identities_are_linked_by_a_code_and_a_press(chat: MemoryChat) -> None:
    elsewhere = person("9d41").model_copy(
        update={"surface": "teams", "tenant": "3f2c", "name": "Ada of Teams"}
    )
    code = await chat.store.directory.new_code(elsewhere)
    asked_first = await chat.command(ADA, f"link {code}")
    assert "Ada of Teams" in asked_first
    assert len(await chat.store.directory.identities(person(ADA))) == 1
    assert "Linked" in await chat.press(ADA, actions.LINK_CONFIRM, actions.Target(code))
    assert {each.principal for each in await chat.store.directory.identities(person(ADA))} == {
        elsewhere.principal,
        f"{SURFACE}:{TENANT}:{ADA}",
    }
    assert "Ada of Teams" in await chat.command(ADA, "unlink")
    assert "Unlinked" in await chat.press(ADA, actions.UNLINK, actions.Target(elsewhere.principal))
    assert "isn't linked" in await chat.press(ADA, actions.UNLINK, actions.Target(elsewhere.principal))


async def test_who_unlinks_has_what_they_were_asked_redrawn(chat: MemoryChat) -> None:
    elsewhere = Actor(surface="slack", tenant="T1", user_id="U1")
    await chat.store.directory.redeem(await chat.store.directory.new_code(elsewhere), person(ADA))
    run, _ = await chat.store.runs.start(new_run(place=PLACE))
    await chat.store.outbox.lease_shard(SURFACE, shard_of(run.id), "web", LEASE, relay=True)
    [claim] = await chat.store.queue.claim("worker", [run.crew.name], 1, LEASE)
    question = await asked(chat, claim, policy=Policy(deciders=(elsewhere.principal,)))
    assert "Unlinked" in await chat.press(ADA, actions.UNLINK, actions.Target(elsewhere.principal))
    [name] = (await chat.store.outbox.state(SURFACE, run.id)).outdated
    assert name.startswith(redrawn(question.id, ""))


async def test_a_code_is_given_once_asked_for_and_a_wrong_one_is_refused(chat: MemoryChat) -> None:
    told = await chat.command(ADA, "link")
    code = next(word for word in told.split() if len(word) == 11 and word[5] == "-")
    assert (
        await chat.store.directory.code_owner(code, person("9d41").model_copy(update={"surface": "teams"}))
    ).name
    assert "not valid" in await chat.command(ADA, "link AAAAA-AAAAA")


async def test_linked_identities_count_as_one_person(chat: MemoryChat) -> None:
    elsewhere = person("9d41").model_copy(update={"surface": "teams", "tenant": "3f2c"})
    await chat.store.directory.redeem(await chat.store.directory.new_code(elsewhere), person(ADA))
    policy = TWO.model_copy(update={"deciders": (elsewhere.principal, person(BOB).principal)})
    question = await asked(chat, await chat.claimed(), policy=policy)
    assert await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question)) == ""
    assert "Waiting for you" in await chat.command(ADA, "list")
    assert (await now(chat, question)).progress.approved == 1


async def test_who_can_not_be_looked_up_now_reads_that_and_not_that_it_is_not_theirs(
    chat: MemoryChat,
) -> None:
    """An account elsewhere that the policy names, linked to the one that presses."""
    elsewhere = Actor(surface="elsewhere", tenant="E1", user_id="ada", name="Ada")
    await chat.store.directory.redeem(await chat.store.directory.new_code(elsewhere), person(ADA))
    reasons = iter([CrewdeckError("Elsewhere can't tell now."), TimeoutError(), None])

    async def membership(_actor: Actor) -> Membership | None:
        if (reason := next(reasons)) is None:
            return None
        raise reason

    policy = TWO.model_copy(update={"deciders": (elsewhere.principal,), "need": 1})
    question = await asked(chat, await chat.claimed(), policy=policy)
    chat.store.directory.vouch("elsewhere", membership)
    told = [
        await chat.press(ADA, actions.OPEN_REJECT, target_of(question), form_handle="h") for _ in range(3)
    ]
    assert ["can't be found out now" in each for each in told] == [True, True, False]
    assert "Elsewhere can't tell now." in told[0]
    assert "try again in a moment" in told[1]
    assert "isn't yours to decide" in told[2]
