"""Questions in the store: asked once, answered once, by whom they are for."""

import asyncio

import pytest

from bot.core.errors import NotFound
from bot.core.people.actor import Membership
from bot.core.people.policy import Policy
from bot.core.ports.queue import Fenced
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action, Deadline, Question, digest_of
from bot.core.questions.response import Choose
from bot.core.runs.run import Claim, RunStatus
from bot.store import redis_keys
from bot.store.connection import connect
from bot.store.redis import RedisStore
from tests.contract.examples import ADA, BOB, LOST, approval, choice, claimed, event_types, response

pytestmark = pytest.mark.everywhere


async def test_a_question_is_recorded_and_announced_once(store: RedisStore) -> None:
    claim = await claimed(store)
    first = await store.questions.ask(claim, approval(claim))
    again = await store.questions.ask(claim, approval(claim))
    assert first == again
    assert first.open
    assert (await store.runs.get(claim.run.id)).status is RunStatus.INPUT_REQUIRED
    assert await event_types(store, claim.run.id) == ["run_started", "human_input_required"]


async def test_an_answer_settles_the_question(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    said = response(Action.REJECT, comment="Too long")
    ruling = await store.questions.respond(claim.run.id, question.id, said)
    assert ruling.verdict is Verdict.SETTLED
    assert ruling.question is not None
    assert ruling.question.outcome is not None
    assert ruling.question.outcome.text(question.options) == "Reject: Too long"
    assert ruling.question.outcome.by == ADA
    [recorded] = await store.questions.responses(claim.run.id, question.id)
    assert recorded.model_copy(update={"at": 0}) == said
    assert question.created_at <= recorded.at <= (ruling.question.settled_at or 0)
    assert (await store.runs.get(claim.run.id)).status is RunStatus.RUNNING
    assert await store.questions.ask(claim, approval(claim)) == ruling.question


async def test_of_conflicting_answers_at_once_one_counts(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    said = [
        response(action, key=f"press {number}")
        for number in range(5)
        for action in (Action.APPROVE, Action.REJECT)
    ]
    said = [each.model_copy(update={"key": f"{each.key} {each.action}"}) for each in said]
    rulings = await asyncio.gather(
        *(store.questions.respond(claim.run.id, question.id, each) for each in said)
    )
    assert [ruling.verdict for ruling in rulings].count(Verdict.SETTLED) == 1
    assert {ruling.code for ruling in rulings if ruling.verdict is Verdict.REFUSED} == {"settled"}
    outcomes = {ruling.question.outcome for ruling in rulings if ruling.question and ruling.question.outcome}
    assert len(outcomes) == 1
    assert (await event_types(store, claim.run.id)).count("human_input_completed") == 1


async def test_the_same_delivery_again_counts_once_and_is_no_conflict(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    rulings = [await store.questions.respond(claim.run.id, question.id, response()) for _ in range(3)]
    assert [ruling.verdict for ruling in rulings] == [Verdict.SETTLED, Verdict.REPEATED, Verdict.REPEATED]
    assert len(await store.questions.responses(claim.run.id, question.id)) == 1


async def test_one_delivery_answers_one_question_of_a_run(store: RedisStore) -> None:
    """Whatever question its copies are taken for, and however many arrive at once."""
    claim = await claimed(store)
    asked = [await store.questions.ask(claim, approval(claim, name)) for name in ("a", "b", "c")]
    copies = [response(Action.RESPOND, key="message", comment="blue") for _ in range(3)]
    rulings = await asyncio.gather(
        *(store.questions.respond(claim.run.id, each.id, copy) for each in asked for copy in copies)
    )
    assert [ruling.verdict for ruling in rulings].count(Verdict.SETTLED) == 1
    assert {ruling.verdict for ruling in rulings} == {Verdict.SETTLED, Verdict.REPEATED}
    settled = [question for question in await store.questions.list(claim.run.id) if not question.open]
    assert [ruling.question for ruling in rulings] == settled * 9


async def test_an_answer_may_rest_on_what_was_looked_at(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    prefetched = await store.questions.prefetch(question.id, ADA)
    assert prefetched.question == question
    said = response()
    rulings = [await store.questions.respond(claim.run.id, question.id, said, prefetched) for _ in range(2)]
    assert [ruling.verdict for ruling in rulings] == [Verdict.SETTLED, Verdict.REPEATED]
    other = response(Action.REJECT, key="changed my mind")
    assert (await store.questions.respond(claim.run.id, question.id, other, prefetched)).code == "settled"
    [recorded] = await store.questions.responses(claim.run.id, question.id)
    assert recorded.key == said.key


async def test_a_question_is_found_by_its_id_wherever_its_run_lives(store: RedisStore) -> None:
    asked: dict[int, tuple[Claim, Question]] = {}
    while len(asked) < redis_keys.SHARDS:  # the id of a run decides where it lives
        claim = await claimed(store)
        question = await store.questions.ask(claim, approval(claim))
        assert (await store.questions.prefetch(question.id, ADA)).question == question
        asked[redis_keys.shard_of(claim.run.id)] = claim, question
    claim, question = asked[0]
    with pytest.raises(NotFound):
        await store.questions.prefetch(claim.run.id, ADA)
    await store.queue.finish(claim, result="done")
    assert not (await store.questions.prefetch(question.id, ADA)).question.open
    await store.runs.delete(claim.run.id)
    with pytest.raises(NotFound):
        await store.questions.prefetch(question.id, ADA)


async def test_what_has_changed_since_it_was_looked_at_is_read_again(store: RedisStore) -> None:
    claim = await claimed(store)
    two = approval(claim).model_copy(
        update={"policy": Policy(deciders=(ADA.principal, BOB.principal), need=2)}
    )
    question = await store.questions.ask(claim, two)
    prefetched = await store.questions.prefetch(question.id, ADA)
    by_bob = response(by=BOB)
    assert (await store.questions.respond(claim.run.id, question.id, by_bob)).verdict is Verdict.RECORDED
    ruling = await store.questions.respond(claim.run.id, question.id, response(), prefetched)
    assert ruling.verdict is Verdict.SETTLED
    assert ruling.question is not None
    assert ruling.question.outcome is not None
    assert {each.by for each in ruling.question.outcome.responses} == {ADA, BOB}


async def test_what_was_looked_at_for_somebody_else_or_elsewhere_lets_nobody_decide(
    store: RedisStore,
) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    prefetched = await store.questions.prefetch(question.id, ADA)
    ruling = await store.questions.respond(claim.run.id, question.id, response(by=BOB), prefetched)
    assert ruling.code == "not_allowed"
    other = await store.questions.ask(claim, approval(claim, "another"))
    assert (await store.questions.respond(claim.run.id, other.id, response(), prefetched)).verdict is (
        Verdict.SETTLED
    )
    assert (await store.questions.get(claim.run.id, question.id)).open


async def test_who_answers_again_under_another_key_is_no_conflict(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    for key, verdict in (("press", Verdict.SETTLED), ("press again", Verdict.REPEATED)):
        assert (
            await store.questions.respond(claim.run.id, question.id, response(key=key))
        ).verdict is verdict
    other = response(Action.REJECT, key="changed my mind")
    assert (await store.questions.respond(claim.run.id, question.id, other)).code == "settled"


async def test_whom_a_settled_question_is_not_for_hears_no_outcome(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    await store.questions.respond(claim.run.id, question.id, response())
    for said in (response(by=BOB), response(Action.REJECT, by=BOB), response(by=BOB, key="another")):
        ruling = await store.questions.respond(claim.run.id, question.id, said)
        assert (ruling.code, ruling.question) == ("not_allowed", None)


async def test_an_answer_to_what_was_asked_before_is_stale(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    before = question.model_copy(update={"prompt": "Publish the draft?"})
    shown = response().model_copy(update={"digest": digest_of(before)})
    ruling = await store.questions.respond(claim.run.id, question.id, shown)
    assert (ruling.verdict, ruling.code) == (Verdict.REFUSED, "stale")
    assert await store.questions.responses(claim.run.id, question.id) == []
    again = response().model_copy(update={"digest": question.digest})
    assert (await store.questions.respond(claim.run.id, question.id, again)).verdict is Verdict.SETTLED


async def test_a_response_is_appended_only_to_what_was_judged(store: RedisStore, store_url: str) -> None:
    """One that counts without settling: the next one, judged before it came, has to be judged again."""
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    run_id, connection = claim.run.id, await connect(store_url)
    try:
        for key, revision, done in (
            ("a", 0, "done"),
            ("b", 0, "conflict"),
            ("a", 1, "repeated"),
            ("b", 1, "done"),
        ):
            words = (
                run_id,
                question.id,
                revision,
                key,
                response(key=key).model_dump_json(),
                "approve",
                "",
                '{"type":"human_input_recorded"}',
                "{}",
                "",
            )
            assert (await connection.run("respond", redis_keys.shard_of(run_id), *words))[0] == done
    finally:
        await connection.close()
    assert [said.key for said in await store.questions.responses(run_id, question.id)] == ["a", "b"]
    assert (await store.questions.get(run_id, question.id)).open


async def test_two_people_with_the_same_key_are_told_apart(store: RedisStore) -> None:
    claim = await claimed(store)
    everybody = Policy(deciders=("*",))
    question = await store.questions.ask(claim, approval(claim).model_copy(update={"policy": everybody}))
    assert (
        await store.questions.respond(claim.run.id, question.id, response(by=ADA))
    ).verdict is Verdict.SETTLED
    assert (await store.questions.respond(claim.run.id, question.id, response(by=BOB))).code == "settled"


async def test_whom_the_question_is_not_for_changes_nothing(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim))
    guest = ADA.model_copy(update={"membership": Membership.GUEST})
    for stranger in (BOB, guest):
        ruling = await store.questions.respond(claim.run.id, question.id, response(by=stranger))
        assert (ruling.verdict, ruling.code) == (Verdict.REFUSED, "not_allowed")
    assert (await store.questions.get(claim.run.id, question.id)).open
    assert await store.questions.responses(claim.run.id, question.id) == []


async def test_a_question_for_nobody_can_be_settled_by_an_admin_alone(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, choice(claim, Policy(deciders=(), allowed_memberships=())))
    said = Choose(value="2", actor=ADA, key="press")
    assert (await store.questions.respond(claim.run.id, question.id, said)).code == "not_allowed"
    admin = said.model_copy(update={"actor": BOB.model_copy(update={"admin": True})})
    assert (await store.questions.respond(claim.run.id, question.id, admin)).verdict is Verdict.SETTLED


async def test_an_answer_that_does_not_fit_is_refused(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, choice(claim))
    for said in (
        Choose(value="3", actor=ADA, key="press"),
        response(Action.APPROVE),
        response(Action.REJECT),
    ):
        assert (await store.questions.respond(claim.run.id, question.id, said)).code == "invalid_answer"
    blank = response(Action.RESPOND, comment=" \u00a0\n")
    assert (await store.questions.respond(claim.run.id, question.id, blank)).code == "invalid_answer"


async def test_answers_to_what_is_not_there_are_refused(store: RedisStore) -> None:
    claim = await claimed(store)
    assert (
        await store.questions.respond(claim.run.id, "no such question", response())
    ).code == "unknown_question"


async def test_a_deadline_settles_what_nobody_answered(store: RedisStore) -> None:
    claim = await claimed(store)
    late = await store.questions.ask(claim, approval(claim, "late", Deadline(after=0, outcome="reject")))
    patient = await store.questions.ask(claim, approval(claim, "patient", Deadline(after=3600)))
    assert await store.clock.apply_due(LOST) == 1
    settled = await store.questions.get(claim.run.id, late.id)
    assert settled.outcome is not None
    assert settled.outcome.text(late.options) == "Reject: No answer before the deadline."
    assert (await store.questions.get(claim.run.id, patient.id)).open
    assert (await store.questions.respond(claim.run.id, late.id, response())).code == "settled"
    assert await store.clock.apply_due(LOST) == 0


@pytest.mark.parametrize("look", ["as it is answered", "before"])
async def test_an_answer_after_the_deadline_never_counts_though_nobody_has_applied_it(
    store: RedisStore, look: str
) -> None:
    """As when no process ran while the deadline passed: the answer is the first that looks."""
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim, deadline=Deadline(after=0, outcome="reject")))
    late = response()
    found = await store.questions.prefetch(question.id, late.actor) if look == "before" else None
    ruling = await store.questions.respond(claim.run.id, question.id, late, found)
    assert (ruling.verdict, ruling.code) == (Verdict.REFUSED, "settled")
    settled = await store.questions.get(claim.run.id, question.id)
    assert settled.outcome is not None
    assert settled.outcome.text(question.options) == "Reject: No answer before the deadline."
    assert await store.questions.responses(claim.run.id, question.id) == []
    assert await store.clock.apply_due(LOST) == 0
    assert (await event_types(store, claim.run.id)).count("human_input_completed") == 1


async def test_of_answers_and_the_clock_at_a_deadline_one_settles_the_question(store: RedisStore) -> None:
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim, deadline=Deadline(after=0)))
    applying = asyncio.create_task(store.clock.apply_due(LOST))
    answers = (store.questions.respond(claim.run.id, question.id, response(key=f"key {n}")) for n in range(4))
    rulings = await asyncio.gather(*answers)
    await applying
    assert {ruling.code for ruling in rulings} == {"settled"}
    assert (await event_types(store, claim.run.id)).count("human_input_completed") == 1


async def test_a_deadline_that_passes_while_an_answer_is_evaluated_settles_the_question(
    store: RedisStore,
) -> None:
    """What was found before it passed is evaluated for that time; the store has the last word."""
    claim = await claimed(store)
    question = await store.questions.ask(claim, approval(claim, deadline=Deadline(after=1)))
    said = response()
    found = await store.questions.prefetch(question.id, said.actor)
    await asyncio.sleep(1.1)
    ruling = await store.questions.respond(claim.run.id, question.id, said, found)
    assert (ruling.verdict, ruling.code) == (Verdict.REFUSED, "settled")


async def test_a_reminder_comes_once_and_not_after_the_answer(store: RedisStore) -> None:
    claim = await claimed(store)
    waiting = await store.questions.ask(
        claim, approval(claim, 'a "quoted" name', Deadline(after=60, remind_after=0))
    )
    answered = await store.questions.ask(claim, approval(claim, "answered", Deadline(remind_after=0)))
    await store.questions.respond(claim.run.id, answered.id, response())
    await store.clock.apply_due(LOST)
    await store.clock.apply_due(LOST)
    reminded = [
        e.body for e in await store.events.read(claim.run.id) if e.body.type == "human_input_reminded"
    ]
    assert [body.model_dump()["question_id"] for body in reminded] == [waiting.id]


async def test_with_several_open_questions_the_run_waits_for_the_last(store: RedisStore) -> None:
    claim = await claimed(store)
    questions = [await store.questions.ask(claim, approval(claim, name)) for name in ("a", "b")]
    await store.questions.respond(claim.run.id, questions[0].id, response(key="first"))
    assert (await store.runs.get(claim.run.id)).status is RunStatus.INPUT_REQUIRED
    await store.questions.respond(claim.run.id, questions[1].id, response(key="second"))
    assert (await store.runs.get(claim.run.id)).status is RunStatus.RUNNING


async def test_open_questions_are_listed_for_all_and_for_their_deciders(store: RedisStore) -> None:
    first, second = await claimed(store), await claimed(store)
    for_ada = await store.questions.ask(first, approval(first))
    bobs = Policy(deciders=(BOB.principal,))
    for_bob = await store.questions.ask(second, approval(second).model_copy(update={"policy": bobs}))
    assert {q.id for q in await store.questions.open()} == {for_ada.id, for_bob.id}
    assert await store.questions.open(deciders=[BOB.principal]) == [for_bob]
    await store.questions.respond(second.run.id, for_bob.id, response(by=BOB))
    assert await store.questions.open(deciders=[BOB.principal]) == []
    assert await store.questions.open() == [for_ada]


async def test_finishing_withdraws_open_questions(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.questions.ask(claim, approval(claim))
    await store.queue.finish(claim, result="done")
    assert await event_types(store, claim.run.id) == [
        "run_started",
        "human_input_required",
        "human_input_completed",
        "run_completed",
    ]
    with pytest.raises(Fenced):
        await store.questions.ask(claim, approval(claim, "another"))


async def test_figures_say_what_was_answered_and_what_waits(store: RedisStore) -> None:
    claim = await claimed(store)
    answered = await store.questions.ask(claim, approval(claim, "a"))
    open_still = await store.questions.ask(claim, approval(claim, "b"))
    await store.questions.ask(claim, approval(claim, "c", Deadline(after=0)))
    await store.questions.respond(claim.run.id, answered.id, response())
    await store.clock.apply_due(LOST)
    totals = await store.health.totals()
    assert totals.answers == {"approve": 1, "expire": 1}
    assert totals.answer_seconds["10"] == totals.answer_seconds["86400"] == 1
    assert (totals.questions_open, totals.oldest_question_at) == (1, open_still.created_at)
    assert {name: count for name, count in totals.runs.items() if count} == {"input_required": 1}
