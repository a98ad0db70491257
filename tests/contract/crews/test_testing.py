"""`crewdeck.testing`: crews with scripted models and people, held to the rules that hold in production."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

import crewdeck
from bot.commands.new import new
from bot.core.errors import InvalidInputs
from crewdeck import Policy, register, requires_approval
from crewdeck.testing import (
    CrewResult,
    ModelScript,
    ScriptedAnswer,
    approve,
    call,
    choose,
    expire,
    reject,
    reply,
    run_crew,
    run_crew_async,
    submit,
    withdraw,
)
from tests.new_interpreter import output_of
from tests.waiting import WITHIN

if TYPE_CHECKING:
    from crewai import Crew

REPOSITORY = Path(__file__).parents[3]
CONFIG = REPOSITORY / "config"
NEWSROOM = REPOSITORY / "tests" / "projects" / "newsroom"


def crew_of(*tools: object, human_input: bool = False, llm: object = None) -> Crew:
    from crewai import Agent, Crew, Task

    from crewdeck import AskHuman

    who: dict[str, Any] = {"role": "Writer", "goal": "Write", "backstory": "You write.", "llm": llm}
    who["tools"] = [AskHuman(), *tools]
    writer = Agent(**who)
    task = Task(
        name="write",
        description="Write about {topic}",
        expected_output="A text",
        agent=writer,
        human_input=human_input,
    )
    return Crew(agents=[writer], tasks=[task])


@register(
    title="Asks",
    inputs={"topic": {"required": True}},
    main_input="topic",
    questions={"approval": {"deadline": "2h"}},
)
def asks(_inputs: dict[str, Any]) -> Crew:
    return crew_of()


@register(title="Reviewed", inputs={"topic": {"default": "tides"}}, review={"rounds": 3})
def reviewed(_inputs: dict[str, Any]) -> Crew:
    return crew_of(human_input=True)


@register(
    title="Pays",
    inputs={"topic": {"default": "an invoice"}},
    policies={"pay": {"who": ["@finance", "requester"], "not": ["requester"], "need": 2}},
)
def pays(_inputs: dict[str, Any]) -> Crew:
    from crewai.tools import tool

    @tool
    @requires_approval(policy="pay", when="args.amount > 10", edit=["note"], title="Pay {amount}")
    def pay(amount: int, note: str = "") -> str:
        """Pays."""
        return f"paid {amount} {note}"

    return crew_of(pay)


def test_a_crew_is_run_and_everything_of_it_can_be_looked_at() -> None:
    result = run_crew(
        asks,
        {"topic": "tides"},
        model=[
            call("ask_human", question="Go on?", context="Some text", kind="approval"),
            "Tides come and go.",
        ],
        people=[approve(comment="fine")],
    )
    assert (result.status, result.output, result.error) == ("completed", "Tides come and go.", None)
    [question] = result.questions
    assert (question.kind, question.prompt, question.context) == ("approval", "Go on?", "Some text")
    assert (question.options, question.asker) == (("Approve", "Reject"), "Writer")
    assert (question.outcome, question.answer) == ("approve", "Approve: fine")
    assert [each["type"] for each in result.events] == [
        "run_started",
        "task_started",
        "human_input_required",
        "human_input_completed",
        "task_completed",
        "run_completed",
    ]
    assert [each["seq"] for each in result.events] == [1, 2, 3, 4, 5, 6]
    first, second = result.model_calls
    assert "Write about tides" in first.prompt
    assert "ask_human" in first.tools
    assert "Ada approved. Their words: fine" in second.prompt
    assert (first.task, first.agent) == ("write", "Writer")


@pytest.mark.parametrize(
    ("arguments", "person", "told"),
    [
        ({"question": "Q", "options": ["Plain", "Playful"]}, choose("playful"), "Ada chose 'Playful'."),
        ({"question": "Q", "options": ["Plain", "Playful"]}, choose("1"), "Ada chose 'Plain'."),
        ({"question": "Q", "options": ["Plain", "Playful"]}, reply("Playful"), "Ada chose 'Playful'."),
        ({"question": "Q", "options": ["Plain", "Playful"]}, reply("neither"), "answered in words"),
        ({"question": "Q"}, reply("forty-two"), "forty-two"),
        ({"question": "Q", "kind": "approval"}, reject("too long"), "Ada rejected. Their words: too long"),
        ({"question": "Q", "kind": "approval"}, reply("approve"), "Ada approved"),
        ({"question": "Q", "kind": "approval"}, expire(), "Nobody answered"),
        ({"question": "Q", "kind": "approval"}, approve(as_="key:ci", refused="not_allowed"), "Ada approved"),
        (
            {"question": "Q", "fields": [{"name": "n", "type": "integer"}]},
            submit({"n": 3}),
            'filled in the form: {"n": 3}',
        ),
    ],
)
def test_people_answer_in_every_way(arguments: dict[str, Any], person: ScriptedAnswer, told: str) -> None:
    people = [person, approve()] if person.refused else [person]
    result = run_crew(
        asks, {"topic": "tides"}, model=[call("ask_human", **arguments), "Done."], people=people
    )
    assert told in result.model_calls[1].prompt
    assert result.output == "Done."


def test_a_review_is_edited_or_sent_back() -> None:
    result = run_crew(
        reviewed, model=["First draft", "Second draft"], people=[reply("shorter"), approve(text="Mine")]
    )
    assert [each.context for each in result.questions] == ["First draft", "Second draft"]
    assert result.output == "Mine"
    assert "shorter" in result.model_calls[1].prompt


class Note(BaseModel):
    words: str
    number: int


@pytest.mark.parametrize(
    ("text", "code", "output"),
    [
        ('{"words": "b", "number": 2}', None, '{"words": "b", "number": 2}'),
        ("no JSON", "edited_result", None),
    ],
)
def test_an_edited_result_is_what_the_task_comes_to_in_its_structure(
    text: str, code: str | None, output: str | None
) -> None:
    def structured() -> Crew:
        crew = crew_of(human_input=True)
        crew.tasks[0].output_pydantic = Note
        return crew

    answers: ModelScript = [{"words": "a", "number": 1}]
    result = run_crew(structured, {"topic": "x"}, model=answers, people=[approve(text=text)])
    assert (result.error.code if result.error else None) == code
    assert result.output == output


GROUPS = {"@finance": ["U0123ABCD", "U0456EFGH", "ada"]}


def test_a_gate_holds_as_in_production() -> None:
    pay = call("pay", amount=50, note="a")
    result = run_crew(
        pays,
        model=[pay, "Paid."],
        people=[
            approve(refused="not_allowed"),  # Ada is in the group, and the policy excludes who has asked.
            approve(as_="U0999ZZZZ", refused="not_allowed"),
            reply("approve it", as_="U0123ABCD", refused="invalid_answer"),
            approve(as_="U0123ABCD"),
            approve(as_="U0456EFGH", edit={"note": "b"}),  # The first approval was for another call.
            approve(as_="U0456EFGH", edit={"amount": 1}, refused="invalid_answer"),
            approve(as_="U0123ABCD"),
        ],
        groups=GROUPS,
    )
    assert [(each.tool, each.arguments, each.result) for each in result.tool_calls] == [
        ("pay", {"amount": 50, "note": "b"}, "paid 50 b")
    ]
    [question] = result.questions
    assert question.action.summary == "Pay 50"
    assert [each["type"] for each in result.events].count("human_input_recorded") == 2


def test_a_rejected_call_is_not_made_and_one_below_the_limit_asks_nobody() -> None:
    model: ModelScript = [call("pay", amount=50), call("pay", amount=5), "Done."]
    people = [reject("too much", as_="U0123ABCD")]
    result = run_crew(pays, model=model, people=people, groups=GROUPS)
    assert [each.arguments["amount"] for each in result.calls_of("pay")] == [5]
    assert "too much" in result.model_calls[1].prompt


def test_an_answer_can_be_withdrawn_while_more_people_are_needed() -> None:
    result = run_crew(
        pays,
        model=[call("pay", amount=50), "Done."],
        people=[
            approve(as_="U0123ABCD"),
            withdraw(as_="U0123ABCD"),
            approve(as_="U0456EFGH"),
            approve(as_="U0123ABCD"),
        ],
        groups=GROUPS,
    )
    assert len(result.tool_calls) == 1


def test_a_policy_that_nobody_can_satisfy_fails_the_run() -> None:
    result = run_crew(pays, model=[call("pay", amount=50)], groups={"@finance": ["U0123ABCD"]})
    assert (result.status, result.error.code if result.error else "") == ("failed", "policy_unsatisfiable")


def broken(_inputs: dict[str, Any]) -> Crew:
    raise ValueError("no crew today")


APPROVAL = call("ask_human", question="Go on?", kind="approval")


@pytest.mark.parametrize(
    ("model", "people", "told"),
    [
        ([APPROVAL, "Done."], [], r"nobody answers: approval 'Go on\?' \(options: Approve, Reject\)"),
        ([APPROVAL, "Done."], [approve(to="Pay")], r"It has approve\(to='Pay'\), meant for other questions"),
        (
            [APPROVAL, "Done."],
            [choose("1")],
            r"choose\(value='1'\) is refused \(invalid_answer\): action can't be",
        ),
        ([APPROVAL, "Done."], [submit({})], r"submit\(values=\{\}\) is refused \(invalid_answer\)"),
        ([APPROVAL, "Done."], [approve(as_="eve")], r"approve\(as_='eve'\) is refused \(not_allowed\)"),
        ([APPROVAL, "Done."], [approve(refused="stale")], r"counts, and the test says that it is refused"),
        ([APPROVAL, "Done."], [approve(), approve()], r"nobody was asked for the answer approve\(\)"),
        ([call("ask_human", question="Q"), "Done."], [expire()], r"gives no deadline to text 'Q'"),
        (["Done.", "Again."], [], r"the model wasn't called for its answer Again\."),
        (
            [APPROVAL],
            [approve()],
            r"the model is called in the task 'write' \(call 2\), and `model` has no answer",
        ),
        ({"wirte": ["Done."]}, [], r"in the task 'write', and `model` has answers for wirte only"),
    ],
)
def test_a_script_that_does_not_fit_says_why(
    model: ModelScript, people: Sequence[ScriptedAnswer], told: str
) -> None:
    with pytest.raises(AssertionError, match=told):
        run_crew(asks, {"topic": "tides"}, model=model, people=people)


def test_a_run_that_fails_is_a_result_and_says_so_where_answers_are_left_over() -> None:
    failed = run_crew(broken, model=[])
    assert (failed.status, failed.output) == ("failed", None)
    assert failed.error is not None
    assert failed.error.code == "crew_broken"
    assert "no crew today" in str(failed.exception)
    with pytest.raises(AssertionError, match=r"answer approve\(\)\nthe run failed: crew_broken"):
        run_crew(broken, model=[], people=[approve()])


def test_inputs_are_checked_as_when_people_start_it() -> None:
    with pytest.raises(InvalidInputs, match="topic"):
        run_crew(asks, {}, model=["Done."])
    with pytest.raises(InvalidInputs, match="topics"):
        run_crew(asks, {"topic": "tides", "topics": "x"}, model=["Done."])


def test_a_model_that_fails_and_answers_by_tasks() -> None:
    result = run_crew(asks, {"topic": "tides"}, model={"write": [ConnectionError("away"), "Done."]})
    assert result.output == "Done."  # CrewAI tries a task again


def test_whatever_model_the_crew_names_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    from crewai import LLM

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    for llm in (None, "openai/gpt-5.4-mini", "anthropic/claude-sonnet-4-5", "nobody/knows-this"):
        assert run_crew(lambda llm=llm: crew_of(llm=llm), {"topic": "x"}, model=["Done."]).output == "Done."
    made = LLM(model="openai/gpt-5.4-mini", api_key="sk-test-12345678")
    result = run_crew(lambda: crew_of(llm=made), {"topic": "x"}, model=["Done."])
    assert result.output == "Done."


def test_what_is_run_may_be_a_crew_a_class_a_function_or_a_folder() -> None:
    from crewai.flow.flow import Flow, start

    class Steps(Flow[Any]):
        @start()
        def begin(self) -> str:
            return crewdeck.ask_human("Which?", options=["a", "b"])

        def close(self) -> None: ...

    for what in (crew_of(), crew_of):
        assert run_crew(what, {"topic": "tides"}, model=["Done."]).output == "Done."
    for flow in (Steps, Steps()):
        assert run_crew(flow, people=[choose("b")]).output == "b"
    demo = run_crew(CONFIG / "demo", {"topic": "tide mills", "pace": 0}, people=[approve()])
    assert "Ada approved" in str(demo.output)
    with pytest.raises(Exception, match="is no crew"):
        run_crew(7, model=[])  # type: ignore[arg-type]


def test_a_project_is_run_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAPER", raising=False)
    project = tmp_path / "newsroom"
    shutil.copytree(NEWSROOM, project)
    (project / ".env").write_text("PAPER=The Daily Moss\n")
    result = run_crew(
        project,
        {"subject": "tides", "year": "1987"},
        model={
            "research": [call("archive", words="tides"), "A page in 1987"],
            "piece": ["Printed."],
        },
    )
    assert result.output == "Printed."
    assert result.calls_of("archive")[0].result.startswith("The Daily Moss on tides: one page in 1987.")
    monkeypatch.delenv("PAPER")
    assert result.model_calls[0].agent == "Reporter for tides"


def test_code_that_asks_people_is_answered() -> None:
    def payment() -> Crew:
        from crewai.tools import tool

        @tool
        def settle(amount: int) -> str:
            """Settles."""
            return "settled" if crewdeck.approve(f"Settle {amount}?") else "left"

        return crew_of(settle)

    result = run_crew(payment, {"topic": "x"}, model=[call("settle", amount=3), "Done."], people=[reject()])
    assert result.calls_of("settle")[0].result == "left"


def test_a_new_crew_of_crewdeck_new_runs_at_once(tmp_path: Path) -> None:
    new("hello", str(tmp_path))
    result = run_crew(tmp_path / "hello", {"topic": "tide mills"}, people=[approve()])
    assert "The decision on the text about tide mills: Ada approved." in str(result.output)


def test_a_folder_with_mistakes_says_where(tmp_path: Path) -> None:
    new("hello", str(tmp_path))
    (tmp_path / "hello" / "tasks.yaml").write_text("draft: {description: D}\n")
    with pytest.raises(Exception, match=r"tasks.yaml:1: draft.expected_output: is missing"):
        run_crew(tmp_path / "hello", {"topic": "x"})


def test_a_run_that_hangs_is_ended() -> None:
    def hangs() -> Crew:
        time.sleep(5)
        raise AssertionError

    with pytest.raises(AssertionError, match=r"isn't over after 0\.2 s"):
        run_crew(hangs, model=[], timeout=0.2)


async def test_runs_can_be_awaited_side_by_side() -> None:
    def run(topic: str) -> Coroutine[Any, Any, CrewResult]:
        return run_crew_async(asks, {"topic": topic}, model=[APPROVAL, f"About {topic}"], people=[approve()])

    results = await asyncio.gather(*(run(str(number)) for number in range(4)))
    assert [each.output for each in results] == [f"About {number}" for number in range(4)]


def test_runs_side_by_side_are_quiet_until_the_last_one_is_over() -> None:
    program = """
import structlog
from crews.testing.run import _OnlyErrorsLogged
quiet = _OnlyErrorsLogged()
states = []
quiet.__enter__(), quiet.__enter__()
states.append(structlog.is_configured())
quiet.__exit__()
states.append(structlog.is_configured())
quiet.__exit__()
states.append(structlog.is_configured())
print(states)
"""
    assert output_of(program) == "[True, True, False]\n"


def test_of_a_run_that_fails_the_error_is_printed_and_no_variables_of_it(python: str) -> None:
    program = """
from crewai import LLM
from crewdeck.testing import run_crew
def fails():
    key = "a-key-in-a-variable-%d" % 7
    model = LLM("openai/gpt-5.4-mini", api_key=key)
    raise ValueError("It broke, with the-password-of-this-author")
print(run_crew(fails).error.code)
"""
    environment = {**os.environ, "OUR_PASSWORD": "the-password-of-this-author", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [python, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=WITHIN
    )
    assert "ValueError: It broke, with [redacted]" in done.stdout
    assert "a-key-in-a-variable-7" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) < 50
    assert done.stdout.splitlines()[-1] == "crew_broken"


def test_the_fixture_is_there(crewdeck_run: Callable[..., CrewResult]) -> None:
    assert crewdeck_run(asks, {"topic": "tides"}, model=["Done."]).output == "Done."


def test_it_takes_a_fraction_of_a_second() -> None:
    run_crew(asks, {"topic": "tides"}, model=["Done."])  # imports crewai, unless another test has
    assert any(_seconds(lambda: run_crew(asks, {"topic": "t"}, model=["Done."])) < 1 for _ in range(20))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def test_policies_in_python_hold_too() -> None:
    @register(title="Two", inputs={"topic": {}}, approvers=Policy(who=["U0123ABCD", "key:erp"], need=2))
    def two(_inputs: dict[str, Any]) -> Crew:
        return crew_of()

    people = [approve(as_="U0123ABCD"), approve(as_="key:erp")]
    assert run_crew(two, {"topic": "x"}, model=[APPROVAL, "Done."], people=people).output == "Done."


def test_the_documented_tests_pass(
    crewdeck_run: Callable[..., CrewResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    page = (REPOSITORY / "docs" / "testing.md").read_text()
    names: dict[str, Any] = {}
    for text in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        exec(compile(text, "docs/testing.md", "exec"), names)  # noqa: S102 - our own documentation
    tests = [each for name, each in names.items() if name.startswith("test_")]
    assert len(tests) == 3
    for each in tests:
        each(crewdeck_run) if "crewdeck_run" in inspect.signature(each).parameters else each()


OF_AN_AUTHOR = """
from crewdeck.testing import approve

def test_demo(crewdeck_run):
    result = crewdeck_run({demo!r}, {{"topic": "tide mills", "pace": 0}}, people=[approve()])
    assert result.status == "completed"
"""


@pytest.mark.slow
def test_an_authors_test_needs_no_store_and_no_network(tmp_path: Path) -> None:
    (tmp_path / "test_demo.py").write_text(OF_AN_AUTHOR.format(demo=str(CONFIG / "demo")))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "crewdeck.testing.plugin",
            "--disable-socket",
            "--allow-unix-socket",
        ],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN * 2,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"1 passed", done.stdout)
    assert [each.name for each in tmp_path.iterdir() if not each.name.startswith((".", "__"))] == [
        "test_demo.py"
    ]


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_files_go_in_as_paths_and_come_out_with_their_contents(tmp_path: Path) -> None:
    @register(
        title="Reader",
        inputs={
            "doc": {"type": "file", "accept": ["txt"], "required": True},
            "topic": {"default": "tides"},
        },
    )
    def reader(inputs: dict[str, Any]) -> Crew:
        crew = crew_of(topic_tool(inputs["doc"]))
        crew.tasks[0].output_file = "out/report.md"
        return crew

    def topic_tool(path: str) -> object:
        from crewai.tools import tool

        import crewdeck

        @tool
        def read() -> str:
            """Reads the document."""
            crewdeck.attach(path, name="copy.txt", description="As it was")
            return Path(path).read_text()

        return read

    document = tmp_path / "plan.txt"
    document.write_text("PLAN")
    result = run_crew(reader, {"doc": str(document)}, model=[call("read"), "# Done"])
    assert result.status == "completed", result.error
    assert [(file.name, file.content) for file in result.files] == [
        ("copy.txt", b"PLAN"),
        ("report.md", b"# Done"),
    ]
    assert [each["type"] for each in result.events].count("file_attached") == 2
    with pytest.raises(InvalidInputs, match="of type txt"):
        run_crew(reader, {"doc": __file__}, model=[])
    with pytest.raises(InvalidInputs, match="can't be read"):
        run_crew(reader, {"doc": str(tmp_path / "missing.txt")}, model=[])
