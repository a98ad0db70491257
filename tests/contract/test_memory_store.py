"""The store in memory of `crewdeck.testing` decides as the real one does: verdicts, events, outcomes."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.people.policy import OnReject, Policy
from bot.core.ports.journal import Removal
from bot.core.ports.queue import Fenced
from bot.core.ports.store import Store
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Action, Question, QuestionKind
from bot.core.questions.response import Response, make_response
from bot.core.runs.run import Claim
from bot.core.wakeups import Wakeups
from bot.store.redis import RedisStore, open_store
from crews.testing.store import MemoryQuestions, MemoryStore
from tests.contract.examples import ADA, BOB, DEMO, LEASE, approval, choice, new_run
from tests.examples import examples

EVE = BOB.model_copy(update={"user_id": "U3", "name": "Eve"})
PEOPLE = (ADA, BOB, EVE)
DECIDERS = tuple(each.principal for each in (ADA, BOB))
POLICIES = (
    Policy(deciders=DECIDERS),
    Policy(deciders=DECIDERS, need=2),
    Policy(deciders=DECIDERS, need=2, on_reject=OnReject.COUNTS),
    Policy(deciders=(*DECIDERS, EVE.principal), excluded=(ADA.principal,)),
)
ACTIONS = (Action.APPROVE, Action.REJECT, Action.CHOOSE, Action.RESPOND, Action.WITHDRAW)
numbers = itertools.count()


@st.composite
def responses(draw: st.DrawFn) -> tuple[Response, ...]:
    many = draw(st.integers(1, 6))
    found = []
    for number in range(many):
        action, person = draw(st.sampled_from(ACTIONS)), draw(st.sampled_from(PEOPLE))
        value = draw(st.sampled_from(["1", "2", "3"])) if action is Action.CHOOSE else None
        said = draw(st.sampled_from(["", "Because"]))
        key = f"press {draw(st.integers(0, number))}"
        found.append(make_response(action, person, key=key, value=value, comment=said))
    return tuple(found)


def question(claim: Claim, kind: QuestionKind, policy: Policy) -> Question:
    asked = choice(claim) if kind is QuestionKind.CHOICE else approval(claim)
    return asked.model_copy(update={"policy": policy})


async def told(store: Store, run_id: str) -> list[object]:
    """The events as the store has them, but for times."""
    return [_timeless(event.body.model_dump(mode="json")) for event in await store.events.read(run_id)]


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: _timeless(each)
            for key, each in value.items()
            if key not in {"at", "created_at", "settled_at"}
        }
    return [_timeless(each) for each in value] if isinstance(value, list | tuple) else value


def seen(ruling: Ruling) -> object:
    return _timeless(ruling.model_dump(mode="json", exclude={"question": {"digest"}}))


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from([QuestionKind.APPROVAL, QuestionKind.CHOICE]),
    policy=st.sampled_from(POLICIES),
    said=responses(),
)
async def test_it_decides_as_the_real_store_does(
    store_url: str, kind: QuestionKind, policy: Policy, said: tuple[Response, ...]
) -> None:
    new = new_run(f"both {next(numbers)}")
    memory = MemoryStore(Wakeups(), {})
    here = memory.start(new)
    ours = MemoryQuestions(memory)
    async with open_store(store_url) as real:
        await real.runs.start(new)
        [there] = await real.queue.claim("w", [DEMO.name], 1, LEASE)
        asked = await ours.ask(here, question(here, kind, policy))
        await real.questions.ask(there, question(there, kind, policy))
        for each in said:
            verdict = await ours.respond(new.id, asked.id, each)
            other = await real.questions.respond(new.id, asked.id, each)
            assert seen(verdict) == seen(other)
        await memory.ports.queue.finish(here, result="Done")
        await real.queue.finish(there, result="Done")
        assert [_timeless(each.body.model_dump(mode="json")) for each in memory.log] == await told(
            real, new.id
        )


async def test_what_comes_after_the_end_is_fenced() -> None:
    memory = MemoryStore(Wakeups(), {})
    claim = memory.start(new_run())
    await memory.ports.queue.finish(claim, result="Done")
    for late in (
        memory.ports.queue.finish(claim, result="Again"),
        memory.ports.questions.ask(claim, approval(claim)),
        memory.ports.journal.put_if_absent(claim, "a", "b"),
    ):
        try:
            await late
        except Fenced:
            continue
        raise AssertionError


async def test_the_journal_keeps_first_values_as_the_real_one_does(store: RedisStore) -> None:
    new, memory = new_run(), MemoryStore(Wakeups(), {})
    here = memory.start(new)
    await store.runs.start(new)
    [there] = await store.queue.claim("w", [DEMO.name], 1, LEASE)
    for ports, claim in ((memory.ports, here), (store, there)):
        await ports.journal.write(claim, [("a/1?", "1"), ("a/2?", "1"), ("b", "x")])
        await ports.journal.write(claim, [("a/1", "result"), ("b", "y"), Removal(("c",))])
        await ports.journal.write(claim, [("d", "1"), Removal(("a/2", "d")), ("d", "2")])
        assert await ports.journal.put_if_absent(claim, "b", "z") == "x"
    assert await memory.ports.journal.read(new.id) == await store.journal.read(new.id)
