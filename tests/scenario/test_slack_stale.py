"""In Slack an answer is held to what its giver was shown: by button, in a modal, in words."""

import json
from collections.abc import Iterator

import pytest
import redis

from bot.core.questions.question import Question, QuestionKind, digest_of
from bot.store import redis_keys
from bot.surfaces.chat.actions import Target
from tests.loopback.slack import Message
from tests.scenario.outbox import ADA, Outbox
from tests.scenario.slack_deployment import Transport, serving

CHANGED = "has changed since you were shown it"


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def ask_otherwise(server: redis.Redis, question: Question, prompt: str = "Pay 9000?") -> None:
    """The question asks for something else from now on, and its card was not redrawn."""
    key = redis_keys.question(question.run_id, question.id)
    spec = json.loads(str(server.hget(key, "spec")))
    digest = digest_of(question.model_copy(update={"prompt": prompt}))
    server.hset(key, "spec", json.dumps(spec | {"prompt": prompt, "digest": digest}))


async def is_open(on: Outbox, question: Question) -> bool:
    return (await on.store.questions.get(question.run_id, question.id)).open


async def settled(on: Outbox, question: Question) -> bool:
    return not await is_open(on, question)


async def told(on: Outbox, times: int) -> None:
    await on.slack.wait_for(
        lambda: sum(CHANGED in each.words for each in on.slack.ephemerals(ADA.user_id)) >= times
    )


@pytest.mark.parametrize("transport", ["http", "socket"])
async def test_a_press_on_what_is_no_longer_asked_decides_nothing(
    transport: Transport, on: Outbox, web: dict[str, str], server: redis.Redis
) -> None:
    async with serving(on.slack, transport, web):
        if transport == "socket":
            await on.slack.wait_for(lambda: on.slack.sockets.open)
        ada = on.slack.person(ADA.user_id)
        question = await on.ask(await on.claimed(await on.start()), "Pay 10?")
        shown: Message = await on.sees(lambda: on.said("Pay 10?"))
        ask_otherwise(server, question)
        assert (await ada.press(shown, "Approve")).ok
        await told(on, 1)
        assert await is_open(on, question)
        ask_otherwise(server, question, "Pay 10?")
        assert (await ada.press(shown, "Approve")).ok
        await on.until(lambda: settled(on, question))


async def test_words_and_modals_are_held_to_the_card(
    on: Outbox, web: dict[str, str], server: redis.Redis
) -> None:
    async with serving(on.slack, "http", web):
        ada = on.slack.person(ADA.user_id)
        question = await on.ask(await on.claimed(await on.start()), "Pay 10?")
        shown = await on.sees(lambda: on.said("Pay 10?"))
        assert (await ada.press(shown, "open.reply")).ok
        form = await on.slack.wait_for(lambda: on.slack.view(ada.id))
        ask_otherwise(server, question)
        assert (await ada.reply(shown.channel, shown.thread_ts or "", "approve")).ok
        await told(on, 1)
        submitted = await ada.submit(form, {"words": "approve"})
        assert any(CHANGED in why for why in submitted.field_errors.values())
        assert await is_open(on, question)


async def test_what_is_shown_carries_its_digest_and_ids_alone(on: Outbox) -> None:
    async with on.web():
        claim = await on.claimed(await on.start())
        asked = [
            await on.ask(claim, "Approve it?"),
            await on.ask(claim, "Which?", kind=QuestionKind.CHOICE, options=("Tea", "Milk")),
            await on.ask(claim, "Which of these?", kind=QuestionKind.CHOICE, options=tuple("abcdefgh")),
        ]
        for question in asked:
            shown = await on.sees(lambda prompt=question.prompt: on.said(prompt))  # type: ignore[misc]
            targets = {Target.decode(value) for value in _values(shown)}
            assert targets
            assert {target.digest for target in targets} == {question.digest}

        async def noted() -> bool:
            copies = (await on.store.outbox.state("slack", claim.run.id)).messages
            return all(copies.get(f"digest:{question.id}") == question.digest for question in asked)

        await on.until(noted)


def _values(shown: Message) -> Iterator[str]:
    for _, element in shown.elements():
        if "options" in element:
            yield from (option["value"] for option in element["options"])
        else:
            yield element["value"]
