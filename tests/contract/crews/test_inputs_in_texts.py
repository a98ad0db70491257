"""What people give reaches the model as they gave it, and names are shown with it."""

from hypothesis import given
from hypothesis import strategies as st

from bot.core.events.event import TaskCompleted, TaskStarted
from crews.definitions.placeholders import filled
from tests.contract.crews.deployment import Deployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, final, say

NAMES = "{tone} {topic} {tools} {tool_names} {input} {role} {goal} {backstory} {more}"
TOPIC = f"[[literal]] Explain {NAMES} \ufdd0\ufdd2 }}{{"

SECOND = 6
"""The event that is the newspaper's second question: two starts, an end and the first one come before."""


def _said(model: LoopbackModel, marker: str) -> list[str]:
    """Everything that the model was told for this marker, once each."""
    texts = [
        message["content"]
        for asked in model.requests
        if asked.marker == marker
        for message in asked.body["messages"]
    ]
    return list(dict.fromkeys(text for text in texts if isinstance(text, str)))


def _answered(conversation: Conversation) -> Turn:
    told = str(conversation.messages)
    if "Guardrail:" in told:
        return say('{"valid": true, "feedback": null}')
    return final("written") if "Write " in told else say("found")


async def test_inputs_are_inserted_once_and_literally_in_every_text(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script("literal", _answered)
    run = await deployment.start("literal", topic=TOPIC, tone="dry {more}")
    assert await deployment.result(run) == "written"
    told = "\n".join(_said(model, "literal"))
    for words in (
        f"You are {TOPIC} Senior Data Researcher",
        f"The goal is {TOPIC} in a dry {{more}} tone",
        f"You know {TOPIC}",
        f'Find {TOPIC}. JSON such as {{"a": 1}} stays.',
        f"A text of {TOPIC}",
        f'It is dry {{more}}, about {TOPIC}, and unlike {{"valid": true}} or {{this}}.',
        f"You are {TOPIC} Writer",
        f"The goal is {TOPIC}",
        f"You write {TOPIC}",
        f"Write {TOPIC}",
    ):
        assert words in told, words
    assert "in a plain tone" not in told


async def test_names_are_shown_with_their_inputs(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("literal", _answered)
    run = await deployment.start("literal", topic="[[literal]] {tone}", tone="dry")
    await deployment.result(run)
    events = [
        each.body
        for each in await deployment.events(run)
        if isinstance(each.body, TaskStarted | TaskCompleted)
    ]
    assert [(each.task, each.agent) for each in events] == [
        ("find", "[[literal]] {tone} Senior Data Researcher"),
        ("find", "[[literal]] {tone} Senior Data Researcher"),
        ("write", "[[literal]] {tone} Writer"),
        ("write", "[[literal]] {tone} Writer"),
    ]


async def test_names_are_those_of_a_before_kickoff_too(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("paper", [call("ask_human", question="Print it?"), say("printed")])
    run = await deployment.start("newspaper", topic="[[paper]] {edition}")
    role = "[[paper]] {edition} evening {topic} editor"
    first = await deployment.question(run)
    await deployment.say(first, "yes")
    await deployment.until(run, lambda now: now.seq >= SECOND)
    second = await deployment.question(run)
    await deployment.say(second, "yes")
    assert (first.asker, second.asker) == (role, role)
    await deployment.result(run)
    started = [each.body for each in await deployment.events(run) if isinstance(each.body, TaskStarted)]
    assert [each.task for each in started] == ["Edit [[paper]] {edition}", "Check [[paper]] {edition}"]
    assert {each.agent for each in started} == {role}


@given(
    st.dictionaries(st.sampled_from("abc"), st.text("{}abc\ufdd0\ufdd1\ufdd2")),
    st.lists(st.sampled_from(["a", "b", "c", "x y", "{", "}"])),
)
def test_whatever_is_in_a_value_it_stands_where_its_placeholder_was(
    values: dict[str, str], parts: list[str]
) -> None:
    text = "|".join(f"{{{each}}}" for each in parts)
    assert filled(text, values) == "|".join(values.get(each, f"{{{each}}}") for each in parts)
