"""What the client's methods do, against the API itself."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from types import MappingProxyType

import pytest

from bot.core.forms.fields import Field, FieldType
from bot.core.questions.question import Question, QuestionKind
from bot.core.runs.crew import CrewProblem
from bot.core.runs.run import RunError
from bot.store.redis import RedisStore
from crewdeck.client import Actor, ApiError, Client, HumanInputCompleted, StreamReset, SyncClient, Unreachable
from tests.contract.client.conftest import HttpProxy
from tests.contract.examples import DEMO
from tests.contract.http.served import KEYS, SECRETS, Served, demo, serve
from tests.new_interpreter import output_of
from tests.ports import HOST, reserved
from tests.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[3]
NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_a_run_is_started_listed_and_cancelled(client: Client) -> None:
    started = await client.start("demo")
    assert (started.crew, started.status) == ("demo", "queued")
    [listed] = (await client.runs(active=True)).runs
    assert listed.run_id == started.run_id
    cancelled = await client.cancel(started.run_id, on_behalf_of="Ada")
    assert cancelled.status == "cancelled"
    assert cancelled.cancelled_by == Actor(surface="http", name="local", on_behalf_of="Ada")
    assert (await client.run(started.run_id)).status == "cancelled"
    assert (await client.runs(active=True)).runs == ()
    with pytest.raises(ApiError) as refused:
        await client.cancel(started.run_id)
    assert (refused.value.code, refused.value.status) == ("run_over", 409)


async def test_a_run_is_tried_again_and_deleted(served: Served, client: Client) -> None:
    claim = await served.started()
    await served.store.queue.finish(claim, error=RunError(code="internal", message="It broke."))
    again = await client.retry(claim.run.id, idempotency_key="a")
    assert (await client.retry(claim.run.id, idempotency_key="a")).run_id == again.run_id
    assert (await client.run(again.run_id)).retry_of == claim.run.id
    with pytest.raises(ApiError) as refused:
        await client.delete(again.run_id)
    assert refused.value.code == "run_live"
    await client.delete(again.run_id, cancel=True)
    await client.delete(claim.run.id)
    assert (await client.runs()).runs == ()


async def test_lists_of_runs_have_pages(client: Client) -> None:
    ids = [(await client.start("demo")).run_id for _ in range(3)]
    first = await client.runs(limit=2)
    second = await client.runs(limit=2, cursor=first.next)
    assert sorted(run.run_id for run in (*first.runs, *second.runs)) == sorted(ids)
    assert second.next is None


async def test_the_same_idempotency_key_is_the_same_run(client: Client) -> None:
    first = await client.start("demo", idempotency_key="monday")
    assert (await client.start("demo", idempotency_key="monday")).run_id == first.run_id
    assert (await client.start("demo")).run_id != first.run_id


async def test_crews_come_with_their_inputs(store: RedisStore, client: Client) -> None:
    field = Field(name="topic", type=FieldType.TEXT, required=True)
    await store.catalogue.announce("here", [demo(inputs=(field,), main_input="topic")])
    [crew] = await client.crews()
    assert (crew.name, crew.main_input) == ("demo", "topic")
    assert (crew.inputs[0].name, crew.inputs[0].type, crew.inputs[0].required) == ("topic", "text", True)


async def test_why_other_crews_can_not_be_started(store: RedisStore, client: Client) -> None:
    problem = {
        "name": "news",
        "problem": "its worker is starting",
        "remedy": "Try again in a moment.",
        "starting": True,
    }
    problems = [CrewProblem.model_validate(problem)]
    await store.catalogue.announce("there", [], complete=False, problems=problems)
    assert [each.model_dump() for each in await client.crew_problems()] == [problem]


async def test_a_wrong_input_is_named(client: Client) -> None:
    with pytest.raises(ApiError) as refused:
        await client.start("demo", {"colour": "red"})
    assert refused.value.code == "invalid_inputs"
    assert [error.field for error in refused.value.errors] == ["inputs.colour"]


async def test_an_answer_counts_once_and_says_so(served: Served, client: Client) -> None:
    question = await served.ask(await served.started())
    [waiting] = await client.questions()
    assert (waiting.question_id, waiting.open, waiting.options[0].label) == (question.id, True, "Approve")
    answer = await client.answer(question.id, "approve", comment="Well said.")
    assert answer.human_feedback == "Approve: Well said."
    again = await client.answer(question.id, "approve", comment="Well said.")
    assert again == answer.model_copy(update={"repeated": True})
    assert await client.questions() == ()
    assert (await client.question(question.id)).outcome is not None
    with pytest.raises(ApiError) as refused:
        await client.answer(question.id, "reject")
    assert refused.value.code == "settled"
    assert refused.value.outcome is not None
    assert refused.value.outcome.action == "approve"


async def test_words_may_be_a_label_or_an_answer_of_their_own(served: Served, client: Client) -> None:
    claim = await served.started()
    choice = await served.ask(claim, "Which?", QuestionKind.CHOICE, ("Ebb", "Flood"))
    assert (await client.respond(claim.run.id, "flood")).human_feedback == "Flood"
    text = await served.ask(claim, "Why?", QuestionKind.TEXT)
    other = await served.ask(claim, "Why not?", QuestionKind.TEXT)
    with pytest.raises(ApiError, match="2 questions are open") as refused:
        await client.respond(claim.run.id, "Because.")
    assert refused.value.code == "several_open_questions"
    said = await client.respond(claim.run.id, "Because.", question_id=other.id)
    assert (said.question_id, said.human_feedback) == (other.id, "Because.")
    assert [question.question_id for question in await client.questions()] == [text.id]
    assert (await client.run(claim.run.id)).questions[0].question_id == choice.id


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda client: client.run(NOBODY), "unknown_run"),
        (lambda client: client.run("no/such run?"), "not_found"),
        (lambda client: client.question(NOBODY), "unknown_question"),
        (lambda client: client.start("nothing"), "unknown_crew"),
        (lambda client: client.runs(limit=0), "invalid_request"),
    ],
)
async def test_what_the_server_refuses_has_its_code(
    client: Client, call: Callable[[Client], Awaitable[object]], code: str
) -> None:
    with pytest.raises(ApiError) as refused:
        await call(client)
    assert refused.value.code == code
    assert refused.value.detail == str(refused.value)


async def test_keys_are_sent(store: RedisStore) -> None:
    await store.catalogue.announce("here", [DEMO])
    async with serve(store, KEYS) as locked:
        async with Client(locked.url, SECRETS["ci"]) as client:
            assert (await client.start("demo")).status == "queued"
        async with Client(locked.url, SECRETS["reader"]) as client:
            with pytest.raises(ApiError) as refused:
                await client.start("demo")
            assert refused.value.code == "missing_scope"
        async with Client(locked.url) as client:
            with pytest.raises(ApiError) as refused:
                await client.crews()
            assert refused.value.code == "unauthenticated"


async def test_too_many_calls_are_made_a_little_later(store: RedisStore) -> None:
    await store.catalogue.announce("here", [DEMO])
    async with (
        serve(store, {**KEYS, "CREWDECK_RATE_LIMIT": "4"}) as slow,
        Client(slow.url, SECRETS["ci"]) as client,
    ):
        found = await asyncio.gather(*(client.crews() for _ in range(10)))
    assert len(found) == 10


async def test_a_lost_answer_starts_no_second_run(proxy: HttpProxy) -> None:
    proxy.cuts = [20, 150]
    async with Client(proxy.url) as client:
        started = await client.start("demo")
        assert [run.run_id for run in (await client.runs()).runs] == [started.run_id]
    assert proxy.connections >= 3


async def test_lost_words_are_never_said_to_the_next_question(served: Served, proxy: HttpProxy) -> None:
    claim = await served.started()
    first = await served.ask(claim, "Publish it?")
    at_once, asked_anew = asyncio.Event(), asyncio.Event()
    at_once.set()
    proxy.cuts, proxy.waits = [20], [at_once, asked_anew]
    async with Client(proxy.url) as client:
        saying = asyncio.create_task(client.respond(claim.run.id, "Approve"))
        await eventually(lambda: _settled(served, first))
        following = await served.ask(claim, "Pay for it?")
        asked_anew.set()
        said = await saying
    assert (said.question_id, said.repeated) == (first.id, True)
    assert (await served.store.questions.get(claim.run.id, following.id)).open


async def _settled(served: Served, question: Question) -> bool:
    return not (await served.store.questions.get(question.run_id, question.id)).open


async def test_a_key_from_a_file_is_taken_without_its_newline(store: RedisStore) -> None:
    async with serve(store, KEYS) as served, Client(served.url, f" {SECRETS['ci']}\n") as client:
        assert (await client.runs()).runs == ()
        with SyncClient(served.url, f"{SECRETS['ci']}\r\n") as waiting:
            assert (await asyncio.to_thread(waiting.runs)).runs == ()


@pytest.mark.parametrize("kind", [Client, SyncClient])
@pytest.mark.parametrize("key", ["hidden\x00key", "hidden\nkey", "hidden-ké", "hidden\ud800"])
def test_what_is_no_key_is_refused_and_not_repeated(kind: type[Client] | type[SyncClient], key: str) -> None:
    with pytest.raises(ValueError, match="no API key") as refused:
        kind("http://127.0.0.1:9", key)
    assert "hidden" not in repr(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://ada:hidden@127.0.0.1:9", "http://127.0.0.1:9 gives no answer: connection refused."),
        ("http://ada:hidden@[::1", "http://[::1 gives no answer: "),
        ("ftp://ada:hid@den@example", "ftp://example gives no answer: "),
        ("http://nobody.invalid", "http://nobody.invalid gives no answer: name or service not known."),
        (
            "localhost",
            "localhost gives no answer: Request URL is missing an 'http://' or 'https://' protocol.",
        ),
    ],
)
async def test_an_address_is_told_without_its_password(url: str, shown: str) -> None:
    async with Client(url) as client:
        with pytest.raises(Unreachable) as refused:
            await client.crews()
    assert str(refused.value).startswith(shown)
    assert "hid" not in str(refused.value)
    assert not str(refused.value).endswith("..")


@pytest.mark.parametrize("text", ["two\nlines", "é", "\x00"])
async def test_what_no_header_can_carry_is_answered_as_by_the_server(text: str, client: Client) -> None:
    run_id = (await client.start("demo")).run_id
    calls = (
        client.start("demo", idempotency_key=text),
        client.retry(run_id, idempotency_key=text),
        client.respond(run_id, "x", idempotency_key=text),
        client.answer(NOBODY, "approve", idempotency_key=text),
    )
    for call in calls:
        with pytest.raises(ApiError) as refused:
            await call
        assert (refused.value.code, refused.value.status) == ("invalid_idempotency_key", 400)
    async with aclosing(client.follow(run_id, after=text)) as events:
        assert isinstance(await anext(events), StreamReset)


async def test_parts_of_an_answer_may_be_any_mapping(served: Served, client: Client) -> None:
    question = await served.ask(
        await served.started(), "Where?", QuestionKind.FORM, form=(Field(name="city"),)
    )
    said = await client.answer(question.id, "submit", values=MappingProxyType({"city": "Brno"}))
    assert said.values == {"city": "Brno"}


async def test_an_address_that_speaks_no_tls_is_told_as_that(served: Served) -> None:
    async with Client(served.url.replace("http:", "https:")) as client:
        with pytest.raises(Unreachable, match="doesn't speak TLS, as https needs it"):
            await client.crews()


async def test_nobody_there_is_one_readable_error() -> None:
    with reserved(1) as [port]:
        url = f"http://{HOST}:{port}"
        async with Client(url) as client:
            with pytest.raises(Unreachable, match=f"^{re.escape(url)} gives no answer: "):
                await client.crews()
            with pytest.raises(Unreachable):
                await anext(client.follow(NOBODY))


def test_the_client_stands_alone() -> None:
    code = "import sys, crewdeck.client; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = output_of(code).split()
    assert {"crewdeck", "httpx", "httpx_sse", "pydantic"} <= set(loaded)
    assert {"aiohttp", "bot", "crewai", "crews", "pydantic_settings", "redis"}.isdisjoint(loaded)


async def test_the_example_of_the_documentation_works(store: RedisStore, served: Served) -> None:
    fields = (Field(name="topic"), Field(name="pace", type=FieldType.NUMBER))
    await store.catalogue.announce("here", [demo(inputs=fields)])
    [example] = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "client.md").read_text(), re.DOTALL)
    names: dict[str, Callable[[str], Awaitable[str]]] = {}
    exec(compile(example, "docs/client.md", "exec"), names)  # noqa: S102 - our own documentation

    async def play() -> None:
        async with Client(served.url) as watching, aclosing(watching.inbox()) as inbox:
            await anext(inbox)
            while not (claims := await store.queue.claim("w1", ["demo"], 1, 60)):  # noqa: ASYNC110 - played
                await asyncio.sleep(0.01)
            await served.ask(claims[0])
            while not isinstance(await anext(inbox), HumanInputCompleted):
                pass
        await store.queue.finish(claims[0], result="Published.")

    async with asyncio.TaskGroup() as group:
        group.create_task(play())
        result = await names["publish"](served.url)
    assert result == "Published."
