"""Whatever happens in whatever order: one outcome for a question, events without a gap, one end."""

import asyncio
import time
from collections import Counter
from itertools import cycle

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.events.event import HumanInputCompleted, HumanInputRequired
from bot.core.people.actor import Actor
from bot.core.people.policy import OnReject, Policy
from bot.core.ports.queue import Fenced
from bot.core.questions import decision
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action, Deadline, Question, Source
from bot.core.questions.response import Approve, Choose, Reject, Reply, Response, Withdraw, make_response
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.run import Claim
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import ADA, BOB, LOST, approval, claimed
from tests.contract.servers import empty

HURRIED = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
QUESTIONS = ("first", "second")

people = st.sampled_from([ADA, BOB, ADA.model_copy(update={"user_id": "U3", "name": "Cy"})])
answers = st.tuples(
    st.just("answer"),
    st.sampled_from(QUESTIONS),
    st.builds(
        lambda act, by, key, comment: make_response(act[0], by, key=key, value=act[1], comment=comment),
        st.sampled_from(
            [
                (Action.APPROVE, None),
                (Action.REJECT, None),
                (Action.CHOOSE, "1"),
                (Action.RESPOND, None),
                (Action.WITHDRAW, None),
            ]
        ),
        people,
        st.sampled_from(["press 1", "press 2", "press 3"]),
        st.sampled_from(["", " ", "Make it shorter"]),
    ),
)
asks = st.tuples(st.just("ask"), st.sampled_from(QUESTIONS), st.sampled_from([None, 0, 3600]))
ends = st.sampled_from([("tick",), ("finish",), ("cancel", ADA), ("cancel", BOB), ("abandon",)])
steps = st.lists(st.one_of(answers, answers, asks, asks, ends), min_size=1, max_size=14)


async def do(store: RedisStore, claim: Claim, step: tuple[object, ...]) -> object:
    """Take one step; what it returned, or why it was refused."""
    run = claim.run.id
    result: object = None
    try:
        match step:
            case ("ask", str(name), after):
                deadline = Deadline(after=after) if isinstance(after, int) else Deadline()
                policy = Policy(deciders=(ADA.principal, BOB.principal))
                asked = approval(claim, name, deadline).model_copy(update={"policy": policy})
                result = await store.questions.ask(claim, asked)
            case ("answer", str(name), Approve() | Reject() | Choose() | Reply() | Withdraw() as said):
                result = await store.questions.respond(run, approval(claim, name).id, said)
            case ("cancel", Actor() as by):
                result = await store.runs.cancel(run, by)
            case ("finish",):
                await store.queue.finish(claim, result="done")
            case ("abandon",):
                result = await store.queue.abandon(claim.worker, LOST)
            case _:
                result = await store.clock.apply_due(LOST)
    except (Refused, Fenced) as refused:
        result = refused
    return result


async def check(store: RedisStore, run_id: str) -> None:
    """What holds for every run at any time."""
    events = await store.events.read(run_id)
    run = await store.runs.get(run_id)
    assert [event.seq for event in events] == list(range(1, run.seq + 1))
    assert [event.last for event in events[:-1]] == [False] * (len(events) - 1)
    assert events[-1].last == run.status.over
    asked = Counter(e.body.question_id for e in events if isinstance(e.body, HumanInputRequired))
    done = Counter(e.body.question_id for e in events if isinstance(e.body, HumanInputCompleted))
    questions = {question.id: question for question in await store.questions.list(run_id)}
    assert asked == Counter(dict.fromkeys(questions, 1))
    assert done == Counter({name: 1 for name, question in questions.items() if not question.open})
    assert not run.status.over or asked == done
    assert {q.id for q in await store.questions.open()} == {q.id for q in questions.values() if q.open}
    for event in events:
        if isinstance(event.body, HumanInputCompleted):
            outcome = questions[event.body.question_id].outcome
            assert outcome is not None
            assert event.body.action is outcome.action
            said = await store.questions.responses(run_id, event.body.question_id)
            assert len(said) == (outcome.by is not None)
            assert_decided(questions[event.body.question_id], said)


def assert_decided(question: Question, said: list[Response]) -> None:
    """The outcome is what the rules make of the responses in order; or of silence, or of the run's end."""
    asked = question.model_copy(update={"outcome": None})
    match decision.evaluate(asked, said):
        case decision.Settled(outcome=decided):
            assert question.outcome == decided
        case decision.Pending():
            assert question.outcome in {decision.expired_outcome(asked), decision.WITHDRAWN}


@given(steps=steps, at_once=st.booleans())
@HURRIED
def test_any_interleaving_over_two_stores_gives_one_outcome_and_one_end(
    store_url: str, steps: list[tuple[object, ...]], *, at_once: bool
) -> None:
    async def play() -> None:
        async with open_store(store_url) as store, open_store(store_url) as other:
            claim = await claimed(store)
            acts = [
                do(chosen, claim, step) for chosen, step in zip(cycle((store, other)), steps, strict=False)
            ]
            results = list(await asyncio.gather(*acts)) if at_once else [await act for act in acts]
            settled = [r for r in results if getattr(r, "verdict", None) is Verdict.SETTLED]
            questions = await store.questions.list(claim.run.id)
            assert len(settled) == sum(q.outcome is not None and q.outcome.by is not None for q in questions)
            await check(store, claim.run.id)
            await store.queue.abandon(claim.worker, LOST)
            await check(store, claim.run.id)

    empty(store_url)
    asyncio.run(play())


KEY = Actor(surface="http", user_id="key:ada", name="Ada")
"""Ada on another surface."""
CY = ADA.model_copy(update={"user_id": "U3", "name": "Cy"})
FOR_SEVERAL = Policy(
    deciders=tuple(each.principal for each in (ADA, BOB, CY)),
    excluded=(CY.principal,),
    need=2,
    on_reject=OnReject.COUNTS,
    admins=False,
)
CALL = ToolCall(tool="pay", arguments={"to": "A"}, proposed={"to": "A"}, editable=("to",))
several = st.lists(
    st.tuples(
        st.sampled_from([ADA, BOB, CY, KEY]),
        st.sampled_from(["approve", "approve", "reject", "withdraw", "edit B", "edit C", "stale"]),
        st.sampled_from(["1", "2", "3"]),
    ),
    min_size=1,
    max_size=9,
)


async def say(store: RedisStore, asked: Question, act: tuple[Actor, str, str]) -> Verdict:
    """Answer a gate as it stands, or as it stood when it was asked (`stale`)."""
    by, what, key = act
    now = await store.questions.get(asked.run_id, asked.id)
    said: Response
    match what:
        case "approve" | "stale":
            digest = asked.digest if what == "stale" else now.digest
            said = Approve(actor=by, key=key, digest=digest)
        case "reject":
            said = Reject(actor=by, key=key, digest=now.digest)
        case "withdraw":
            said = Withdraw(actor=by, key=key)
        case _:
            said = Approve(actor=by, key=key, digest=now.digest, arguments={"to": what[-1]})
    return (await store.questions.respond(asked.run_id, asked.id, said)).verdict


@given(acts=several, at_once=st.booleans())
@HURRIED
def test_several_people_on_two_stores_come_to_the_outcome_of_the_rules_in_order(
    store_url: str, acts: list[tuple[Actor, str, str]], *, at_once: bool
) -> None:
    async def play() -> None:
        async with open_store(store_url) as store, open_store(store_url) as other:
            await store.directory.redeem(await store.directory.new_code(ADA), KEY)
            claim = await claimed(store)
            gate = approval(claim).model_copy(
                update={"policy": FOR_SEVERAL, "call": CALL, "source": Source.GATE}
            )
            asked = await store.questions.ask(claim, gate)
            doing = [say(at, asked, act) for at, act in zip(cycle((store, other)), acts, strict=False)]
            verdicts = list(await asyncio.gather(*doing)) if at_once else [await each for each in doing]
            await check_decision(store, asked, verdicts)

    empty(store_url)
    asyncio.run(play())


async def check_decision(store: RedisStore, asked: Question, verdicts: list[Verdict]) -> None:
    """The outcome is what the rules make of the responses in their order, and everybody was told of each."""
    record = await store.questions.record(asked.run_id, asked.id)
    now, said = record.question, record.responses
    people = await store.directory.people(now.policy, [each.actor for each in said])
    decided = decision.evaluate(now.model_copy(update={"outcome": None}), said, people)
    assert now.progress == decided.progress
    assert now.outcome == (decided.outcome if isinstance(decided, decision.Settled) else None)
    assert verdicts.count(Verdict.SETTLED) == (now.outcome is not None)
    assert verdicts.count(Verdict.RECORDED) + verdicts.count(Verdict.SETTLED) == len(said)
    assert [each.at for each in said] == sorted(each.at for each in said)
    told = Counter(event.body.type for event in await store.events.read(asked.run_id))
    assert told["human_input_recorded"] == verdicts.count(Verdict.RECORDED)
    assert told["human_input_completed"] == (now.outcome is not None)
    shown = [*(each.digest for each in record.versions), now.digest]
    assert shown[0] == asked.digest
    assert all(each.digest in shown for each in said if isinstance(each, Approve))
    if now.outcome is not None and now.outcome.action is Action.APPROVE:
        agreed = {each.actor.name for each in said if isinstance(each, Approve) and each.digest == now.digest}
        assert agreed == {"Ada", "Bob"}
        assert now.call is not None
        assert now.outcome.arguments == now.call.arguments


def test_time_is_the_servers(store_url: str) -> None:
    async def play() -> int:
        async with open_store(store_url) as store:
            return await store.clock.now()

    assert abs(asyncio.run(play()) - time.time() * 1000) < 5000
