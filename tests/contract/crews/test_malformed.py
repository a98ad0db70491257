"""What models get wrong, and what they say that isn't text: they are told, and the run goes on."""

import pytest
from pydantic import JsonValue

from bot.core.runs.run import RunStatus
from tests.contract.crews.deployment import Deployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, final, react, say

HALF = "half \ud83d"
WHOLE = "half \N{REPLACEMENT CHARACTER}"


def ask(arguments: JsonValue) -> Turn:
    return Turn(calls=(("ask_human", arguments),))


def ask_written(arguments: str) -> Turn:
    return Turn(f"Thought: I should ask.\nAction: ask_human\nAction Input: {arguments}")


@pytest.mark.parametrize(
    ("mark", "arguments"),
    [
        ("list", ["Which?"]),
        ("text", "Which?"),
        ("number", 7),
        ("boolean", True),
        ("listed", [{"question": "Which?"}]),
    ],
)
async def test_arguments_that_are_no_object_are_told_to_the_model(
    deployment: Deployment, model: LoopbackModel, mark: str, arguments: JsonValue
) -> None:
    mark = f"no-object-{mark}"
    model.script(mark, [ask(arguments), call("ask_human", question="Which?"), say("{last}")])
    run = await deployment.start("solo", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    assert "call it with one JSON object" in str(model.requests[-1].body["messages"])
    await deployment.say(question, "this")
    assert await deployment.result(run) == "Ada answered: this"
    assert len(await deployment.store.questions.list(run.id)) == 1


async def test_no_arguments_at_all_are_none(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("nothing", [ask(None), call("ask_human", question="Which?"), say("{last}")])
    run = await deployment.start("solo", prompt="[[nothing]]")
    question = await deployment.question(run)
    assert "question" in str(model.requests[-1].body["messages"])
    await deployment.say(question, "this")
    assert await deployment.result(run) == "Ada answered: this"


async def test_the_same_of_any_other_tool(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("any-tool", [Turn(calls=(("lookup", ["x"]),)), call("lookup", word="x"), say("{last}")])
    assert await deployment.result(await deployment.start("solo", prompt="[[any-tool]]")) == "x is known"


@pytest.mark.parametrize("arguments", ['["Which?"]', '"Which?"', "7", "null", "[]"])
async def test_the_same_without_function_calling(
    deployment: Deployment, model: LoopbackModel, arguments: str
) -> None:
    mark = f"written-{abs(hash(arguments))}"
    model.script(
        mark, [ask_written(arguments), react("So.", "ask_human", question="Which?"), final("{last}")]
    )
    run = await deployment.start("react", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    assert question.prompt == "Which?"
    await deployment.say(question, "this")
    assert "Ada answered: this" in await deployment.result(run)


@pytest.mark.parametrize("crew", ["solo", "react"])
async def test_a_model_that_says_nothing_fails_the_run_in_words(
    deployment: Deployment, model: LoopbackModel, crew: str
) -> None:
    model.script("silent", [say("")])
    done = await deployment.over(await deployment.start(crew, prompt="[[silent]]"))
    assert done.status is RunStatus.FAILED
    assert done.error is not None
    assert done.error.code == "model_silent"
    assert "said nothing" in done.error.message


async def test_half_a_character_in_answers_arguments_results_and_questions(
    deployment: Deployment, model: LoopbackModel
) -> None:
    def said(conversation: Conversation) -> Turn:
        turns = [
            call("lookup", word=HALF),
            call("ask_human", question=HALF, context=HALF, options=[f"{HALF} 1", f"{HALF} 2"]),
            call("ask_human", question=HALF, kind="text"),
            say(f"{HALF} {len(conversation.results)}"),
        ]
        return turns[conversation.answered]

    model.script("half", said)
    run = await deployment.start("solo", prompt="[[half]]")
    question = await deployment.question(run)
    assert (question.prompt, question.context, question.options[0].label) == (WHOLE, WHOLE, f"{WHOLE} 1")
    assert f"{WHOLE} is known" in str(model.requests[-1].body["messages"])
    await deployment.say(question, f"{WHOLE} 2")
    await deployment.until(run, lambda now: now.status.over or now.seq >= 5)
    await deployment.say(await deployment.question(run), "yes")
    assert await deployment.result(run) == f"{WHOLE} 3"


async def test_half_a_character_without_function_calling(
    deployment: Deployment, model: LoopbackModel
) -> None:
    turns = [
        react(HALF, "lookup", word=HALF),
        react("So.", "ask_human", question=HALF),
        final(HALF),
    ]
    model.script("half-written", turns)
    run = await deployment.start("react", prompt="[[half-written]]")
    question = await deployment.question(run)
    assert question.prompt == WHOLE
    assert f"{WHOLE} is known" in str(model.requests[-1].body["messages"])
    await deployment.say(question, "yes")
    assert await deployment.result(run) == WHOLE


async def test_half_a_character_in_an_exception(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("half-wrong", [call("vault", password=f"{HALF} wrong"), say("done")])
    assert await deployment.result(await deployment.start("vault", prompt="[[half-wrong]]")) == "done"
    assert WHOLE in str(model.requests[-1].body["messages"][-2:])


async def test_half_a_character_in_what_a_flow_says(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("half-flow", [say(HALF)])
    run = await deployment.start("halves", prompt="[[half-flow]]")
    question = await deployment.question(run)
    assert question.prompt == f"{WHOLE}?"
    await deployment.say(question, "yes")
    assert await deployment.result(run) == f"{WHOLE} {WHOLE} yes"
