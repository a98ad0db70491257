"""Agents ask people through CrewAI's real loop, against a provider that speaks OpenAI's protocol."""

from bot.core import ids
from bot.core.forms.fields import FieldType
from bot.core.questions.question import QuestionKind
from bot.core.runs.run import RunStatus
from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, final, react, say


async def test_a_tool_call_then_a_question_then_the_answer_in_the_result(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script(
        "tides",
        [
            call("lookup", word="tide"),
            call(
                "ask_human",
                question="Which tone?",
                context="It is for customers.",
                options=["Plain", "Playful"],
            ),
            say("Result: {last}"),
        ],
    )
    run = await deployment.start("solo", prompt="[[tides]] write")
    question = await deployment.question(run)
    assert (question.kind, question.prompt) == (QuestionKind.CHOICE, "Which tone?")
    assert question.context == "It is for customers."
    assert [option.label for option in question.options] == ["Plain", "Playful"]
    assert (question.asker, question.task_id) == ("Worker", ids.part_id(run.id, "task", 1))
    assert (await deployment.store.runs.get(run.id)).status is RunStatus.INPUT_REQUIRED
    await deployment.say(question, "playful")
    assert await deployment.result(run) == "Result: Ada chose 'Playful'."
    assert model.count("tides") == 3


async def test_words_are_never_an_approval(deployment: Deployment, model: LoopbackModel) -> None:
    asking = call("ask_human", question="Publish?", kind="approval", reason="ambiguity")
    model.script("publish", [asking, say("{last}")])
    run = await deployment.start("solo", prompt="[[publish]]")
    question = await deployment.question(run)
    assert question.kind is QuestionKind.APPROVAL
    assert question.reason.ambiguity
    await deployment.say(question, "yes, go ahead")
    assert await deployment.result(run) == "Ada answered in words, this is not an approval: yes, go ahead"


async def test_a_model_without_function_calling_asks_as_well(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script(
        "plain",
        [
            react("I should know more.", "lookup", word="tide"),
            react("I should ask.", "ask_human", question="Go on?", kind="approval"),
            final("Done. {last}"),
        ],
    )
    run = await deployment.start("react", prompt="[[plain]]")
    await deployment.say(await deployment.question(run), "Approve")
    assert "Ada approved." in await deployment.result(run)
    assert "tools" not in model.requests[-1].body


async def test_two_questions_of_one_turn_are_open_together_and_keep_their_answers(
    deployment: Deployment, model: LoopbackModel
) -> None:
    def results(conversation: Conversation) -> Turn:
        if conversation.answered == 0:
            return call("ask_human", question="First?") & call("ask_human", question="Second?")
        return say(" / ".join(conversation.results))

    model.script("both", results)
    run = await deployment.start("solo", prompt="[[both]]")
    for question in reversed(await deployment.asked(run, many=2)):
        await deployment.say(question, f"to {question.prompt}")
    assert await deployment.result(run) == "Ada answered: to First? / Ada answered: to Second?"


async def test_the_same_question_asked_twice_is_two_questions(
    deployment: Deployment, model: LoopbackModel
) -> None:
    asking = call("ask_human", question="Sure?", kind="approval")
    model.script("twice", [asking, asking, say("{last}")])
    run = await deployment.start("solo", prompt="[[twice]]")
    first = await deployment.question(run)
    await deployment.say(first, "approve")
    await deployment.until(run, lambda now: now.seq >= 5)
    second = await deployment.question(run)
    assert second.id != first.id
    await deployment.say(second, "reject")
    assert await deployment.result(run) == "Ada rejected."


async def test_wrong_arguments_are_explained_to_the_model_and_ask_nobody(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script(
        "wrong", [call("ask_human", question="Which?", kind="choice", options=["Only"]), say("{last}")]
    )
    run = await deployment.start("solo", prompt="[[wrong]]")
    assert "kind 'choice' needs at least 2 options" in await deployment.result(run)
    assert await deployment.store.questions.list(run.id) == []


FIELDS = [
    {"name": "amount", "type": "number", "required": True, "min": 0, "label": "How much?"},
    {"name": "tone", "type": "choice", "choices": ["plain", "playful"], "default": "plain"},
    {"name": "due", "type": "date"},
]


async def test_a_form_is_filled_in_and_its_values_come_back_with_their_types(
    deployment: Deployment, model: LoopbackModel
) -> None:
    asking = call("ask_human", question="What do you order?", kind="form", fields=FIELDS)
    model.script("form", [asking, say("{last}")])
    run = await deployment.start("solo", prompt="[[form]]")
    question = await deployment.question(run)
    assert question.kind is QuestionKind.FORM
    assert [(each.name, each.title, each.type) for each in question.form] == [
        ("amount", "How much?", FieldType.NUMBER),
        ("tone", "Tone", FieldType.CHOICE),
        ("due", "Due", FieldType.DATE),
    ]
    refused = await deployment.submit(question, {"amount": "12.5", "tone": "loud"})
    assert refused.errors == {
        "amount": "must be a number, not '12.5'",
        "tone": "must be one of plain, playful, not 'loud'",
    }
    await deployment.submit(question, {"amount": 12.5, "due": None})
    filled = 'Ada filled in the form: {"amount": 12.5, "tone": "plain"}'
    assert await deployment.result(run) == filled


async def test_a_form_can_be_declined(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("declined", [call("ask_human", question="What?", fields=FIELDS), say("{last}")])
    run = await deployment.start("solo", prompt="[[declined]]")
    await deployment.reject(await deployment.question(run), "Ask Bob")
    assert await deployment.result(run) == "Ada declined to fill in the form. Their words: Ask Bob"


async def test_a_form_that_asks_for_a_secret_asks_nobody(
    deployment: Deployment, model: LoopbackModel
) -> None:
    asking = call("ask_human", question="What is it?", fields=[{"name": "api_key"}])
    model.script("secret", [asking, say("{last}")])
    run = await deployment.start("solo", prompt="[[secret]]")
    assert "send people a link" in await deployment.result(run)
    assert await deployment.store.questions.list(run.id) == []


async def test_delegated_agents_ask_in_their_own_name(deployment: Deployment, model: LoopbackModel) -> None:
    """The manager delegates to two agents in one turn; each asks."""

    def played(conversation: Conversation) -> Turn:
        tools = {tool["function"]["name"] for tool in conversation.body.get("tools", [])}
        if "delegate_work_to_coworker" not in tools:
            asking = call(
                "ask_human", question=f"Is this right for {conversation.messages[0]['content'][8:14]}?"
            )
            return asking if not conversation.results else say(conversation.results[-1])
        if conversation.answered:
            return say(" + ".join(conversation.results))
        return _delegate("Reader") & _delegate("Writer")

    model.script("team", played)
    run = await deployment.start("team", prompt="[[team]]")
    asked = await deployment.asked(run, many=2)
    assert {question.asker for question in asked} == {"Reader", "Writer"}
    assert {question.task_id for question in asked} == {ids.part_id(run.id, "task", 1)}
    assert {question.agent_id for question in asked} == {ids.part_id(run.id, "agent", n) for n in (1, 2)}
    for question in asked:
        await deployment.say(question, f"for the {question.asker}")
    assert await deployment.result(run) == "Ada answered: for the Reader + Ada answered: for the Writer"


def _delegate(coworker: str) -> Turn:
    return call("delegate_work_to_coworker", task="[[team]] do it", context="all of it", coworker=coworker)


async def test_a_crew_in_python_is_announced_and_asks(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("author", [call("ask_human", question="About what?"), say("{last}")])
    run = await deployment.start("python", prompt="[[author]]")
    assert run.crew.title == "In Python"
    await deployment.say(await deployment.question(run), "tides")
    assert await deployment.result(run) == "Ada answered: tides"


async def test_events_come_in_order_and_carry_the_same_ids(deployment: Deployment) -> None:
    run = await deployment.start("demo", topic="tide mills", pace=0)
    await deployment.say(await deployment.question(run), "Approve")
    assert (await deployment.result(run)).startswith(
        "The decision on the note about tide mills: Ada approved."
    )
    events = await deployment.events(run)
    assert [event.body.type for event in events] == [
        "run_started",
        "task_started",
        "task_completed",
        "task_started",
        "human_input_required",
        "human_input_completed",
        "task_completed",
        "run_completed",
    ]
    public = [event.public() for event in events]
    assert [each["task_id"] for each in public[1:7]] == [
        ids.part_id(run.id, "task", number) for number in (1, 1, 2, 2, 2, 2)
    ]
    assert {each["crew_id"] for each in public[:7]} == {ids.part_id(run.id, "crew")}
    assert public[3]["agent_id"] == public[4]["agent_id"] == ids.part_id(run.id, "agent", 2)


async def test_listeners_on_crewais_own_bus_hear_questions_and_answers(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("heard", [call("ask_human", question="Heard?", kind="approval"), say("{last}")])
    run = await deployment.start("solo", prompt="[[heard]]")
    question = await deployment.question(run)
    await deployment.say(question, "approve")
    await deployment.result(run)
    required, completed = (each for each in worker.heard() if each["execution_id"] == run.id)
    assert (required["type"], required["prompt"]) == ("human_input_required", "Heard?")
    assert required["reason_flags"] == {"ambiguity": False, "missing_field": False}
    assert (completed["type"], completed["human_feedback"]) == ("human_input_completed", "Approve")
    for event in (required, completed):
        assert event["question_id"] == question.id
        assert event["crew_id"] == question.crew_id
        assert event["task_id"] == question.task_id
        assert event["agent_id"] == question.agent_id
        assert event["event_id"]
        assert event["timestamp"]
