"""The loopback model provider, as the real OpenAI client uses it."""

from __future__ import annotations

import json
import os
import re
import sys
from asyncio import create_subprocess_exec, subprocess, timeout
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.loopback.models import Conversation, LoopbackModel, Turn, call, final, react, say
from tests.waiting import WITHIN

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def model() -> AsyncIterator[LoopbackModel]:
    async with LoopbackModel() as model:
        yield model


def client(base_url: str, **options: int) -> openai.AsyncOpenAI:
    import openai

    return openai.AsyncOpenAI(base_url=base_url, api_key="sk-loopback", max_retries=options.get("retries", 0))


async def ask(base_url: str, *messages: ChatCompletionMessageParam, retries: int = 0) -> ChatCompletion:
    async with client(base_url, retries=retries) as openai_client:
        return await openai_client.chat.completions.create(model="gpt-loopback", messages=messages)


def prompt(text: str) -> ChatCompletionMessageParam:
    return {"role": "user", "content": text}


def words(completion: ChatCompletion) -> str | None:
    return completion.choices[0].message.content


async def test_a_prompt_is_answered_by_the_script_that_its_marker_names(model: LoopbackModel) -> None:
    model.script("tides", [say("about tides")])
    model.script("mills", [say("about mills")])
    assert words(await ask(model.base_url, prompt("[[mills]] go"))) == "about mills"
    assert words(await ask(model.base_url, prompt("[[tides]] go"))) == "about tides"
    assert (model.count(), model.count("tides")) == (2, 1)
    assert model.requests[0].authorization == "Bearer sk-loopback"


async def test_tool_calls_come_as_the_client_parses_them_several_in_one_turn(model: LoopbackModel) -> None:
    from openai.types.chat import ChatCompletionMessageToolCall

    model.script("ask", [call("ask_human", question="A?") & call("lookup", q="b"), say("Done: {last}")])
    first = (await ask(model.base_url, prompt("[[ask]]"))).choices[0]
    assert first.finish_reason == "tool_calls"
    calls = [c for c in first.message.tool_calls or [] if isinstance(c, ChatCompletionMessageToolCall)]
    made = [(c.function.name, json.loads(c.function.arguments)) for c in calls]
    assert made == [("ask_human", {"question": "A?"}), ("lookup", {"q": "b"})]
    conversation: list[ChatCompletionMessageParam] = [
        prompt("[[ask]]"),
        {
            "role": "assistant",
            "tool_calls": [
                {"id": c.id, "type": "function", "function": {"name": "x", "arguments": "{}"}} for c in calls
            ],
        },
        {"role": "tool", "tool_call_id": calls[0].id, "content": "Ada said yes"},
    ]
    assert words(await ask(model.base_url, *conversation)) == "Done: Ada said yes"
    assert words(await ask(model.base_url, *conversation)) == "Done: Ada said yes", (
        "a replay gets the same turn"
    )


async def test_react_words_name_the_tool_and_the_observation_is_quoted(model: LoopbackModel) -> None:
    model.script("react", [react("I must ask", "ask_human", question="A?"), final("Heard: {last}")])
    asked = words(await ask(model.base_url, prompt("[[react]]"))) or ""
    assert 'Action: ask_human\nAction Input: {"question": "A?"}' in asked
    so_far: ChatCompletionMessageParam = {"role": "assistant", "content": f"{asked}\nObservation: yes"}
    answer = words(await ask(model.base_url, prompt("[[react]]"), so_far))
    assert answer == "Thought: I now know the final answer\nFinal Answer: Heard: yes"


async def test_a_function_can_be_the_script(model: LoopbackModel) -> None:
    def echo(conversation: Conversation) -> Turn:
        return say(f"{conversation.answered} turns, {len(conversation.messages)} messages")

    model.script("default", echo)
    assert words(await ask(model.base_url, prompt("anything"))) == "0 turns, 1 messages"


async def test_streams_carry_the_same_words_calls_and_usage(model: LoopbackModel) -> None:
    model.script("s", [say("one two  three") & call("lookup", q="b")])
    text, arguments, reason, total = "", "", None, 0
    async with client(model.base_url) as openai_client:
        stream = await openai_client.chat.completions.create(
            model="m", messages=[prompt("[[s]]")], stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            total += chunk.usage.total_tokens if chunk.usage else 0
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reason = choice.finish_reason or reason
                for each in choice.delta.tool_calls or []:
                    arguments += (each.function and each.function.arguments) or ""
    assert (text, json.loads(arguments), reason) == ("one two  three", {"q": "b"}, "tool_calls")
    assert total > 0


async def test_failures_are_the_clients_errors_and_its_retries_get_through(model: LoopbackModel) -> None:
    import openai

    model.script("default", [say("fine")])
    model.fail(500)
    with pytest.raises(openai.InternalServerError):
        await ask(model.base_url, prompt("x"))
    model.fail(429, times=1, retry_after=0.01)
    assert words(await ask(model.base_url, prompt("x"), retries=1)) == "fine"
    assert [asked.status for asked in model.requests] == [500, 429, 200]


async def test_a_delay_holds_the_answer_back(model: LoopbackModel) -> None:
    model.script("default", [say("late")])
    model.delay(5)
    with pytest.raises(TimeoutError):
        async with timeout(0.2):
            await ask(model.base_url, prompt("x"))


async def test_models_are_listed(model: LoopbackModel) -> None:
    async with client(model.base_url) as openai_client:
        assert [listed.id for listed in (await openai_client.models.list()).data] == ["loopback"]


async def test_it_runs_as_a_process_of_its_own_from_a_script_file(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    turns = [{"calls": [["ask_human", {"question": "A?"}]]}, {"say": "Done."}]
    script.write_text(json.dumps({"tides": turns}))
    process = await create_subprocess_exec(
        sys.executable, "-m", "tests.loopback.models", "0", str(script),
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with timeout(WITHIN):
            base_url = (await process.stdout.readline()).decode().strip()
        answer = (await ask(base_url, prompt("[[tides]]"))).choices[0].message
        assert [c.function.name for c in answer.tool_calls or [] if c.type == "function"] == ["ask_human"]
        after: ChatCompletionMessageParam = {"role": "assistant", "content": "asked"}
        assert words(await ask(base_url, prompt("[[tides]]"), after)) == "Done."
    finally:
        process.terminate()
        await process.wait()


def test_a_marker_whose_calls_are_counted_is_scripted_in_one_module() -> None:
    """Which modules share the model of a process depends on which process they are given to."""
    scripted, counted = defaultdict[str, set[str]](set), set[str]()
    for module in (ROOT / "tests" / "contract" / "crews").glob("test_*.py"):
        text = module.read_text()
        counted.update(re.findall(r'count\("([^"]+)"\) ==', text))
        for marker in re.findall(r'\.script\(\s*"([^"]+)"', text):
            scripted[marker].add(module.name)
    assert counted
    assert {marker: scripted[marker] for marker in counted if len(scripted[marker]) > 1} == {}
