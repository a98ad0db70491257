"""Questions that several people decide, gates and edits: counted once, recorded as they were decided."""

import asyncio

import pytest

from bot.core.events.event import HumanInputCompleted, HumanInputRecorded, HumanInputReminded
from bot.core.people.actor import Actor, Membership
from bot.core.people.identities import names_of
from bot.core.people.policy import ANYONE, Objection, OnReject, Policy
from bot.core.ports.directory import GroupUnreadable
from bot.core.ports.queue import Fenced
from bot.core.questions import decision
from bot.core.questions.decision import Ruling, Verdict
from bot.core.questions.question import Action, Deadline, Question, QuestionKind, Source
from bot.core.questions.response import Approve, Reject, Response, Withdraw
from bot.core.questions.tool_call import ToolCall, call_digest
from bot.core.runs.run import Claim, RunStatus
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import ADA, BOB, LOST, approval, claimed, event_types

CY = ADA.model_copy(update={"user_id": "U3", "name": "Cy"})
DEE = ADA.model_copy(update={"user_id": "U4", "name": "Dee"})
FINANCE = "slack::@finance"
TWO = Policy(
    deciders=tuple(each.principal for each in (ADA, BOB, CY)), need=2, name="pay", version="1", admins=False
)
CALL = ToolCall(
    tool="send_money",
    title="Pay {amount} for {reference}",
    arguments={"amount": 1200, "reference": "R1"},
    proposed={"amount": 1200, "reference": "R1"},
    editable=("reference",),
)


class Groups:
    """A reader of live groups: what the platform says now."""

    def __init__(self, **members: frozenset[str]) -> None:
        self.members_of: dict[str, frozenset[str]] = {f"slack::@{name}": of for name, of in members.items()}
        self.reads = 0

    async def members(self, group: str) -> frozenset[str]:
        self.reads += 1
        await asyncio.sleep(0)
        if group not in self.members_of:
            raise GroupUnreadable(f"Slack knows no group {group}.")
        return self.members_of[group]


def plain(claim: Claim, policy: Policy = TWO, deadline: Deadline | None = None) -> Question:
    return approval(claim, "both", deadline).model_copy(update={"policy": policy})


def gate(claim: Claim, policy: Policy = TWO) -> Question:
    return plain(claim, policy).model_copy(update={"call": CALL, "source": Source.GATE})


async def say(store: RedisStore, question: Question, said: Response) -> Ruling:
    return await store.questions.respond(question.run_id, question.id, said)


def yes(by: Actor, key: str = "press", digest: str = "") -> Approve:
    return Approve(actor=by, key=key, digest=digest)


@pytest.mark.everywhere
async def test_two_different_people_settle_what_needs_two(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim))
    assert (asked.progress.approved, asked.progress.need) == (0, 2)
    first = await say(store, asked, yes(ADA))
    assert first.verdict is Verdict.RECORDED
    assert first.question == await store.questions.get(claim.run.id, asked.id)
    assert first.question is not None
    assert [each.by for each in first.question.progress.counted] == [ADA]
    assert (await store.runs.get(claim.run.id)).status is RunStatus.INPUT_REQUIRED
    again = [await say(store, asked, yes(ADA, key)) for key in ("press", "another")]
    assert [each.verdict for each in again] == [Verdict.REPEATED] * 2
    assert (await say(store, asked, yes(DEE))).objection is Objection.NOT_NAMED
    second = await say(store, asked, yes(BOB))
    assert second.verdict is Verdict.SETTLED
    assert second.question is not None
    assert second.question.outcome is not None
    assert [each.by for each in second.question.outcome.responses] == [ADA, BOB]
    assert (await say(store, asked, yes(CY))).code == "settled"
    assert await event_types(store, claim.run.id) == [
        "run_started",
        "human_input_required",
        "human_input_recorded",
        "human_input_completed",
    ]
    recorded, completed = [event.body for event in await store.events.read(claim.run.id)][-2:]
    assert isinstance(recorded, HumanInputRecorded)
    assert (recorded.answered_by, recorded.progress.approved, recorded.progress.need) == ("Ada", 1, 2)
    assert isinstance(completed, HumanInputCompleted)
    assert [each.answered_by for each in completed.responses] == ["Ada", "Bob"]
    assert all(each.at >= asked.created_at for each in second.question.outcome.responses)


async def test_who_comes_to_be_from_elsewhere_is_still_the_same_person(store: RedisStore) -> None:
    claim = await claimed(store)
    at_home = await store.directory.new_code(ADA)
    ada_in_teams = Actor(surface="teams", tenant="X1", user_id="ada", name="Ada")
    await store.directory.redeem(at_home, ada_in_teams)
    everybody = Policy(deciders=(ANYONE,), need=2, allowed_memberships=tuple(Membership), admins=False)
    asked = await store.questions.ask(claim, plain(claim, everybody))
    elsewhere = ADA.model_copy(update={"membership": Membership.EXTERNAL})
    for number, each in enumerate((ADA, elsewhere, ada_in_teams)):
        ruling = await say(store, asked, yes(each, f"press-{number}"))
        assert ruling.verdict is not Verdict.SETTLED
    assert (await say(store, asked, yes(BOB))).verdict is Verdict.SETTLED


async def test_who_is_excluded_by_a_linked_identity_stays_so_from_elsewhere(store: RedisStore) -> None:
    claim = await claimed(store)
    ada_in_teams = Actor(surface="teams", tenant="X1", user_id="ada", name="Ada")
    await store.directory.redeem(await store.directory.new_code(ADA), ada_in_teams)
    policy = Policy(
        deciders=(ANYONE,), excluded=("teams::ada",), allowed_memberships=tuple(Membership), admins=False
    )
    asked = await store.questions.ask(claim, plain(claim, policy))
    for membership in Membership:
        by = ADA.model_copy(update={"membership": membership})
        assert (await say(store, asked, yes(by))).objection is Objection.EXCLUDED


async def test_of_many_answers_at_once_each_person_counts_once(store: RedisStore, store_url: str) -> None:
    """Two processes, and every press comes twice."""
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim, TWO.model_copy(update={"need": 3})))
    async with open_store(store_url) as other:
        rulings = await asyncio.gather(
            *(say(where, asked, yes(by)) for by in (ADA, BOB, CY) for where in (store, other))
        )
    verdicts = [ruling.verdict for ruling in rulings]
    assert verdicts.count(Verdict.SETTLED) == 1
    assert verdicts.count(Verdict.RECORDED) == 2
    assert verdicts.count(Verdict.REPEATED) == 3
    said = await store.questions.responses(claim.run.id, asked.id)
    settled = await store.questions.get(claim.run.id, asked.id)
    assert settled.outcome is not None
    in_order = decision.Settled(outcome=settled.outcome, progress=settled.progress)
    assert decision.evaluate(asked, said) == in_order


async def test_a_response_is_changed_and_taken_back_until_it_is_settled(store: RedisStore) -> None:
    claim = await claimed(store)
    policy = TWO.model_copy(update={"on_reject": OnReject.COUNTS})
    asked = await store.questions.ask(claim, plain(claim, policy))
    nothing = await say(store, asked, Withdraw(actor=ADA, key="w"))
    assert (nothing.code, list(nothing.errors)) == ("invalid_answer", ["action"])
    steps: list[tuple[Response, Verdict, list[Action]]] = [
        (yes(ADA, "1"), Verdict.RECORDED, [Action.APPROVE]),
        (Withdraw(actor=ADA, key="2"), Verdict.RECORDED, []),
        (Withdraw(actor=ADA, key="3"), Verdict.REPEATED, []),
        (yes(ADA, "1"), Verdict.REPEATED, []),
        (yes(ADA, "4"), Verdict.RECORDED, [Action.APPROVE]),
        (Reject(actor=ADA, key="5", comment="no"), Verdict.RECORDED, [Action.REJECT]),
        (yes(BOB, "1"), Verdict.RECORDED, [Action.REJECT, Action.APPROVE]),
        (yes(CY, "1"), Verdict.SETTLED, [Action.REJECT, Action.APPROVE, Action.APPROVE]),
    ]
    for said, verdict, counted in steps:
        ruling = await say(store, asked, said)
        assert (ruling.verdict, ruling.code) == (verdict, ""), said
        assert ruling.question is not None
        assert [each.action for each in ruling.question.progress.counted] == counted
    assert (await say(store, asked, Withdraw(actor=CY, key="6"))).code == "settled"
    record = await store.questions.record(claim.run.id, asked.id)
    assert [each.key for each in record.responses] == ["1", "2", "4", "5", "1", "1"]


async def test_a_rejection_counts_until_approval_is_out_of_reach(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(
        claim, plain(claim, TWO.model_copy(update={"on_reject": OnReject.COUNTS}))
    )
    assert (await say(store, asked, Reject(actor=ADA, key="r"))).verdict is Verdict.RECORDED
    ruling = await say(store, asked, Reject(actor=BOB, key="r", comment="Not now"))
    assert ruling.question is not None
    assert ruling.question.outcome is not None
    assert ruling.question.outcome.action is Action.REJECT


# ── identities and groups ───────────────────────────────────────────────────────────────────────────────


async def test_one_person_counts_once_on_all_surfaces(store: RedisStore) -> None:
    key = Actor(surface="http", user_id="key:ada", name="Ada's key")
    await store.directory.redeem(await store.directory.new_code(ADA), key)
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim))
    assert (await say(store, asked, yes(key))).verdict is Verdict.RECORDED
    assert (await say(store, asked, yes(ADA))).verdict is Verdict.REPEATED
    rejects = Reject(actor=ADA, key="other")
    unlinked = await store.directory.unlink(ADA, key.principal)
    assert unlinked
    assert (await say(store, asked, yes(key, "more"))).code == "not_allowed", "it grants nothing any more"
    assert (await say(store, asked, yes(ADA, "more"))).verdict is not Verdict.SETTLED, (
        "nor is it a second one"
    )
    assert (await say(store, asked, rejects)).verdict is Verdict.SETTLED


async def test_whoever_is_excluded_is_excluded_on_all_surfaces(store: RedisStore) -> None:
    key = Actor(surface="http", user_id="key:ada")
    await store.directory.redeem(await store.directory.new_code(key), ADA)
    claim = await claimed(store)
    policy = Policy(deciders=("*", key.principal), excluded=(ADA.principal,), admins=False)
    asked = await store.questions.ask(claim, plain(claim, policy))
    assert (await say(store, asked, yes(key))).objection is Objection.EXCLUDED
    await store.directory.unlink(key, ADA.principal)
    assert (await say(store, asked, yes(key))).objection is Objection.EXCLUDED
    assert (await say(store, asked, yes(BOB))).verdict is Verdict.SETTLED


async def test_members_of_a_live_group_are_read_when_it_is_decided(store: RedisStore) -> None:
    groups = Groups(finance=frozenset({ADA.principal, BOB.principal}))
    store.directory.serve("slack", groups)
    claim = await claimed(store)
    policy = Policy(deciders=(FINANCE,), need=2, admins=False)
    asked = await store.questions.ask(claim, plain(claim, policy))
    assert (await say(store, asked, yes(ADA))).verdict is Verdict.RECORDED
    assert (await say(store, asked, yes(CY))).code == "not_allowed"
    groups.members_of[FINANCE] = frozenset({BOB.principal, CY.principal})
    await store.directory.refresh([FINANCE])
    pending = await say(store, asked, yes(BOB))
    assert pending.verdict is Verdict.RECORDED
    assert pending.question is not None
    assert [each.by for each in pending.question.progress.ineligible] == [ADA]
    assert (await say(store, asked, yes(CY))).verdict is Verdict.SETTLED


async def test_who_comes_back_to_a_group_approves_by_what_is_said_next_never_by_what_is_taken_back(
    store: RedisStore,
) -> None:
    groups = Groups(finance=frozenset({ADA.principal, BOB.principal, CY.principal}))
    store.directory.serve("slack", groups)
    claim = await claimed(store)
    policy = Policy(deciders=(FINANCE,), need=2, on_reject=OnReject.COUNTS, admins=False)
    asked = await store.questions.ask(claim, plain(claim, policy))
    assert (await say(store, asked, yes(ADA))).verdict is Verdict.RECORDED
    for members, by in (({BOB, CY}, BOB), ({ADA, BOB, CY}, None)):
        groups.members_of[FINANCE] = frozenset(each.principal for each in members)
        await store.directory.refresh([FINANCE])
        if by is not None:
            assert (await say(store, asked, yes(by))).verdict is Verdict.RECORDED
    against = await say(store, asked, Reject(actor=CY, key="no", comment="Not this one."))
    assert against.verdict is Verdict.RECORDED, "a rejection approves nothing"
    taken_back = await say(store, asked, Withdraw(actor=BOB, key="back"))
    assert taken_back.verdict is Verdict.RECORDED
    assert taken_back.question is not None
    assert taken_back.question.progress.approved == 1
    again = await say(store, asked, yes(BOB, "again"))
    assert again.verdict is Verdict.SETTLED
    assert again.question is not None
    assert again.question.outcome is not None
    assert again.question.outcome.by == BOB


async def test_who_comes_back_to_a_group_settles_it_by_saying_the_same_again(store: RedisStore) -> None:
    groups = Groups(finance=frozenset({ADA.principal, BOB.principal}))
    store.directory.serve("slack", groups)
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim, Policy(deciders=(FINANCE,), need=2, admins=False)))
    assert (await say(store, asked, yes(ADA))).verdict is Verdict.RECORDED
    for members in ({BOB, CY}, {ADA, BOB}):
        groups.members_of[FINANCE] = frozenset(each.principal for each in members)
        await store.directory.refresh([FINANCE])
        verdict = (await say(store, asked, yes(BOB))).verdict
        assert verdict is (Verdict.RECORDED if ADA not in members else Verdict.REPEATED), "the same delivery"
    assert (await say(store, asked, yes(ADA, "again"))).verdict is Verdict.SETTLED


async def test_a_group_that_cannot_be_read_closes_the_question_and_says_why(store: RedisStore) -> None:
    store.directory.serve("slack", Groups())
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim, Policy(deciders=(FINANCE, CY.principal))))
    ruling = await say(store, asked, yes(ADA))
    assert (ruling.code, ruling.objection) == ("not_allowed", Objection.UNREADABLE_GROUP)
    assert ruling.reason == f"Slack knows no group {FINANCE}."
    assert (await say(store, asked, yes(CY))).verdict is Verdict.SETTLED


async def test_questions_are_listed_for_the_groups_that_decide_them(store: RedisStore) -> None:
    groups = Groups(finance=frozenset({ADA.principal}))
    store.directory.serve("slack", groups)
    await store.directory.refresh([FINANCE])
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim, Policy(deciders=(FINANCE, "slack::U2"))))
    for actor, listed in ((ADA, [asked]), (BOB, [asked]), (CY, [])):
        known = await store.directory.known(actor)
        assert await store.questions.open(deciders=sorted(names_of(known))) == listed


# ── gates, edits, and the record ────────────────────────────────────────────────────────────────────────


async def test_an_edit_asks_everybody_anew_and_what_is_approved_is_what_stands(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, gate(claim))
    bare = await say(store, asked, yes(ADA))
    assert (bare.code, list(bare.errors)) == ("invalid_answer", ["digest"])
    assert (await say(store, asked, yes(ADA, digest=asked.digest))).verdict is Verdict.RECORDED
    edit = Approve(actor=BOB, key="edit", digest=asked.digest, arguments={"reference": "R2"})
    edited = await say(store, asked, edit)
    assert edited.verdict is Verdict.RECORDED
    now = await store.questions.get(claim.run.id, asked.id)
    assert edited.question == now
    assert now.call is not None
    assert now.call.summary == "Pay 1200 for R2"
    assert [each.by for each in now.progress.counted] == [BOB]
    assert (await say(store, asked, yes(CY, digest=asked.digest))).code == "stale"
    assert (await say(store, asked, edit.model_copy(update={"key": "again"}))).verdict is Verdict.REPEATED
    settled = await say(store, asked, yes(ADA, "press 2", digest=now.digest))
    assert settled.verdict is Verdict.SETTLED
    assert settled.question is not None
    assert settled.question.outcome is not None
    assert settled.question.outcome.arguments == {"amount": 1200, "reference": "R2"}
    await store.questions.record_opened(claim.run.id, asked.id, ADA, now.digest)
    await store.questions.record_opened(claim.run.id, asked.id, ADA, now.digest)
    covered = call_digest(now.call, now.policy)
    await store.questions.record_executed(claim, asked.id, covered, "sha256:result")
    await store.questions.record_executed(claim, asked.id, covered, "sha256:another")
    record = await store.questions.record(claim.run.id, asked.id)
    assert record.question == settled.question
    assert [each.digest for each in record.versions] == [asked.digest]
    assert [(each.action, each.digest) for each in record.responses] == [
        (Action.APPROVE, asked.digest),
        (Action.APPROVE, now.digest),
        (Action.APPROVE, now.digest),
    ]
    assert [(each.by, each.digest) for each in record.opened] == [(ADA, now.digest)]
    assert record.executed is not None
    assert (record.executed.call_digest, record.executed.result_digest) == (covered, "sha256:result")
    assert record.executed.at >= record.opened[0].at


async def test_an_edit_by_the_last_person_is_settled_as_edited(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, gate(claim, TWO.model_copy(update={"need": 1})))
    edit = Approve(actor=BOB, key="edit", digest=asked.digest, arguments={"reference": "R2"})
    ruling = await say(store, asked, edit)
    assert ruling.verdict is Verdict.SETTLED
    stored = await store.questions.get(claim.run.id, asked.id)
    assert stored == ruling.question
    assert stored.call is not None
    assert stored.outcome is not None
    assert stored.outcome.arguments == stored.call.arguments == {"amount": 1200, "reference": "R2"}
    late = edit.model_copy(update={"key": "late", "arguments": {"reference": "R3"}})
    assert (await say(store, asked, late)).code == "settled"
    assert await store.questions.get(claim.run.id, asked.id) == stored


async def test_an_edited_review_holds_the_edited_text(store: RedisStore) -> None:
    claim = await claimed(store)
    review = plain(claim, TWO.model_copy(update={"need": 1})).model_copy(
        update={"kind": QuestionKind.REVIEW, "context": "draft"}
    )
    asked = await store.questions.ask(claim, review)
    ruling = await say(store, asked, Approve(actor=ADA, key="k", value="better", digest=asked.digest))
    assert ruling.question is not None
    assert ruling.question.outcome is not None
    assert ruling.question.outcome.value == "better"
    assert (ruling.question.proposed, ruling.question.context) == ("draft", "better")


async def test_a_worker_that_lost_its_run_records_no_call(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, gate(claim))
    await store.queue.abandon(claim.worker, LOST)
    with pytest.raises(Fenced):
        await store.questions.record_executed(claim, asked.id, "sha256:a", "sha256:b")
    assert (await store.questions.record(claim.run.id, asked.id)).executed is None


async def test_what_was_recorded_of_a_question_goes_with_its_run(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, gate(claim))
    edit = Approve(actor=BOB, key="edit", digest=asked.digest, arguments={"reference": "R2"})
    await say(store, asked, edit)
    await store.questions.record_opened(claim.run.id, asked.id, ADA, asked.digest)
    await store.queue.finish(claim, result="done")
    await store.runs.delete(claim.run.id)
    left = await store.connection.do(store.connection.redis.keys(f"*{claim.run.id}*"))
    assert left == []


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_passed_deadline_opens_nothing_and_a_reminder_says_who_is_missing(store: RedisStore) -> None:
    claim = await claimed(store)
    asked = await store.questions.ask(claim, plain(claim, deadline=Deadline(after=3600, remind_after=0)))
    await say(store, asked, yes(ADA))
    await store.clock.apply_due(LOST)
    [reminder] = [
        event.body
        for event in await store.events.read(claim.run.id)
        if isinstance(event.body, HumanInputReminded)
    ]
    assert reminder.progress is not None
    assert (reminder.progress.approved, reminder.progress.need) == (1, 2)
    late = gate(claim).model_copy(update={"id": f"{asked.id}-late", "deadline": Deadline(after=3)})
    late = await store.questions.ask(claim, late)
    assert (await say(store, late, yes(ADA, "late", late.digest))).verdict is Verdict.RECORDED
    while (outcome := (await store.questions.get(claim.run.id, late.id)).outcome) is None:
        await asyncio.sleep(await store.clock.due(within=1))
        await store.clock.apply_due(LOST)
    assert (outcome.action, [each.by for each in outcome.responses]) == (Action.EXPIRE, [ADA])
    assert (await say(store, late, yes(BOB, "late", late.digest))).code == "settled"
