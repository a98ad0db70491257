"""Who had all of a question before them, as its record says."""

from collections.abc import AsyncIterator

import pytest

from bot.surfaces.chat import actions
from tests.contract.chat.memory_inbound import MemoryChat, memory_chat, target_of
from tests.contract.chat.played_crew import ADA
from tests.contract.chat.test_decisions import EVE, GATE, asked


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[MemoryChat]:
    async with memory_chat(redis_url) as made:
        yield made


async def test_who_opens_a_gate_in_full_is_recorded(chat: MemoryChat) -> None:
    question = await asked(chat, await chat.claimed(), **GATE)
    chat.platform.opens_nothing = True
    await chat.press(ADA, actions.OPEN_FULL, target_of(question), form_handle="h")
    await chat.press(ADA, actions.OPEN_FULL, target_of(question), form_id="f")
    assert (await chat.store.questions.record(question.run_id, question.id)).opened == ()
    chat.platform.opens_nothing = False
    await chat.press(ADA, actions.OPEN_FULL, target_of(question), form_handle="h")
    record = await chat.store.questions.record(question.run_id, question.id)
    assert [(each.by.user_id, each.digest) for each in record.opened] == [(ADA, question.digest)]


async def test_who_decides_where_all_of_a_gate_is_shown_has_opened_it_before(chat: MemoryChat) -> None:
    """Also if the platform showed it and we never heard so."""
    question = await asked(chat, await chat.claimed(), **GATE)
    chat.platform.opens_nothing = True
    await chat.press(ADA, actions.OPEN_FULL, target_of(question), form_handle="h")
    await chat.press(EVE, actions.ANSWER_APPROVE, target_of(question), form_id="f")
    await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question), form_id="f")
    record = await chat.store.questions.record(question.run_id, question.id)
    [opened], [response] = record.opened, record.responses
    assert (opened.by.user_id, opened.digest) == (ADA, question.digest)
    assert opened.at <= response.at
