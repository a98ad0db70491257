"""Whatever happens in whatever order: one outcome for a question, events without a gap, one end."""

import asyncio
import time
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from bot.core import rules
from bot.core.errors import Refused
from bot.core.events import HumanInputCompleted, HumanInputRequired
from bot.core.model import (
    Action,
    Actor,
    Claim,
    Deadline,
    Option,
    Policy,
    QuestionKind,
    Response,
    Standing,
    Verdict,
)
from bot.core.ports import Fenced
from bot.store.redis import RedisStore, open_store
from tests.contract.servers import empty
from tests.contract.world import ADA, BOB, LOST, approval, claimed

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
        Response,
        action=st.sampled_from(Action),
        value=st.sampled_from([None, "1", "approve"]),
        comment=st.sampled_from(["", " ", "Make it shorter"]),
        actor=people,
        key=st.sampled_from(["press 1", "press 2", "press 3"]),
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
                result = await store.ask(claim, asked)
            case ("answer", str(name), Response() as said):
                result = await store.respond(run, approval(claim, name).id, said)
            case ("cancel", Actor() as by):
                result = await store.cancel(run, by)
            case ("finish",):
                await store.finish(claim, result="done")
            case ("abandon",):
                result = await store.abandon(claim.worker, LOST)
            case _:
                result = await store.tick(LOST)
    except (Refused, Fenced) as refused:
        result = refused
    return result


async def check(store: RedisStore, run_id: str) -> None:
    """What holds for every run at any time."""
    events = await store.events(run_id)
    run = await store.run(run_id)
    assert [event.seq for event in events] == list(range(1, run.seq + 1))
    assert [event.last for event in events[:-1]] == [False] * (len(events) - 1)
    assert events[-1].last == run.status.over
    asked = Counter(e.body.question_id for e in events if isinstance(e.body, HumanInputRequired))
    done = Counter(e.body.question_id for e in events if isinstance(e.body, HumanInputCompleted))
    questions = {question.id: question for question in await store.questions(run_id)}
    assert asked == Counter(dict.fromkeys(questions, 1))
    assert done == Counter({name: 1 for name, question in questions.items() if not question.open})
    assert not run.status.over or asked == done
    assert {q.id for q in await store.open_questions()} == {q.id for q in questions.values() if q.open}
    for event in events:
        if isinstance(event.body, HumanInputCompleted):
            outcome = questions[event.body.question_id].outcome
            assert outcome is not None
            assert event.body.action is outcome.action
            said = await store.responses(run_id, event.body.question_id)
            assert len(said) == (outcome.by is not None)


@given(steps=steps, at_once=st.booleans())
@HURRIED
def test_any_interleaving_gives_one_outcome_and_one_end(
    store_url: str, steps: list[tuple[object, ...]], *, at_once: bool
) -> None:
    async def play() -> None:
        async with open_store(store_url) as store:
            claim = await claimed(store)
            if at_once:
                results = list(await asyncio.gather(*(do(store, claim, step) for step in steps)))
            else:
                results = [await do(store, claim, step) for step in steps]
            settled = [r for r in results if getattr(r, "verdict", None) is Verdict.SETTLED]
            questions = await store.questions(claim.run.id)
            assert len(settled) == sum(q.outcome is not None and q.outcome.by is not None for q in questions)
            await check(store, claim.run.id)
            await store.abandon(claim.worker, LOST)
            await check(store, claim.run.id)

    empty(store_url)
    asyncio.run(play())


principals = st.sampled_from(["slack:T1:U1", "slack:T1:U2", "http::key:ci", "*", ""])
actors = st.builds(
    Actor,
    surface=st.sampled_from(["slack", "http"]),
    tenant=st.sampled_from(["T1", ""]),
    user_id=st.sampled_from(["U1", "key:ci", "ä \"'\\"]),
    standing=st.sampled_from(Standing),
    admin=st.booleans(),
    identities=st.lists(principals, max_size=2).map(tuple),
)
policies = st.builds(
    Policy,
    deciders=st.lists(principals, max_size=3).map(tuple),
    admits=st.lists(st.sampled_from(Standing), max_size=3).map(tuple),
)
words = st.one_of(
    st.sampled_from(["", " ", "\u00a0", "\u2003\n", "\x1f", "x"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
values: st.SearchStrategy[JsonValue] = st.one_of(
    st.none(), st.sampled_from(["1", "2", "", "approve"]), st.integers(1, 2), st.just([])
)
responses = st.builds(
    Response, action=st.sampled_from(Action), value=values, comment=words, actor=actors, key=st.just("k")
)
option_ids = st.lists(st.sampled_from(["1", "2", "", "approve"]), max_size=3)


@given(
    kind=st.sampled_from(QuestionKind),
    options=option_ids,
    policy=policies,
    said=st.lists(responses, min_size=5, max_size=10),
)
@HURRIED
def test_the_script_rules_as_the_core_does(
    store_url: str, kind: QuestionKind, options: list[str], policy: Policy, said: list[Response]
) -> None:
    async def play() -> None:
        async with open_store(store_url) as store:
            claim = await claimed(store)
            for number, response in enumerate(said):
                question = approval(claim, str(number)).model_copy(
                    update={
                        "kind": kind,
                        "options": tuple(Option(id=each, label=each) for each in options),
                        "policy": policy,
                    }
                )
                await store.ask(claim, question)
                ruling = await store.respond(claim.run.id, question.id, response)
                if not rules.may(response.actor, policy):
                    expected = "not_allowed"
                else:
                    expected = "" if rules.admissible(question, response) else "invalid_answer"
                assert (ruling.verdict is Verdict.SETTLED, ruling.code) == (not expected, expected)

    empty(store_url)
    asyncio.run(play())


def test_time_is_the_servers(store_url: str) -> None:
    async def play() -> int:
        async with open_store(store_url) as store:
            return await store.now()

    assert abs(asyncio.run(play()) - time.time() * 1000) < 5000
