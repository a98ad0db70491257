"""Gates of runs that another worker takes up, also with an edited crew: no call unapproved, none twice."""

from __future__ import annotations

import itertools
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import Field, SecretStr

from bot.core import ids
from bot.core.questions.question import Action, Question, QuestionKind, Source, options_for
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.run import Claim, Run
from bot.settings import Settings
from bot.store import redis_keys
from crews.definitions.defined_crews import read
from crews.human_input.arguments import Parameters
from crews.journal.fingerprints import fingerprint
from tests.contract.crews.local_worker import LocalWorker
from tests.contract.crews.test_gates import AGENT, TASK
from tests.contract.crews.test_gates_retried import tried_again
from tests.contract.examples import ADA, LEASE, new_run

if TYPE_CHECKING:
    from crewai.tools import BaseTool

    from crews.building.build import Blueprint, Built

GATED: dict[str, Any] = {"numbering": {"approval": {}}}
ENDLESS = {"numbering": {"approval": {"when": "args.amount > 100000.0"}}}

pytestmark = pytest.mark.usefixtures("crewai_environment")


def numbering(**fields: Any) -> BaseTool:
    """A tool whose schema has these fields besides; the first one's default is another one each time."""
    from tests.contract.crews import gated

    numbers = itertools.count(1)

    class Numbered(gated.Pay):
        number: int = Field(default_factory=lambda: next(numbers))

    class Numbering(gated.Plain):
        name: str = "numbering"

        def _run(self, to: str, amount: float, **more: Any) -> str:
            return gated.send(to, amount, **more)

    schema = type("Schema", (Numbered,), {"__annotations__": fields})
    return Numbering(args_schema=schema)


def paying(tool: BaseTool, given: dict[str, Any] | None = None) -> Callable[[], Built]:
    """A flow whose method pays, and asks something afterwards."""
    import crewdeck
    from tests.contract.crews import gated

    def work() -> str:
        said = tool.run(**(given or {"to": "Acme", "amount": 1200}))
        return f"{said}, {crewdeck.ask_human('Anything else?')}"

    return lambda: gated.code(work)


async def taken_up(local: LocalWorker, claim: Claim) -> Claim:
    await local.store.queue.release(claim)
    [again] = await local.store.queue.claim("there", ["gated"], 1, LEASE)
    assert again.run.id == claim.run.id
    return again


async def last_asked(local: LocalWorker, run: Run) -> Question:
    """The question that is asked after the call."""
    while True:
        [question] = await local.asked(run)
        if question.call is None:
            return question


async def finish(local: LocalWorker, run: Run) -> str:
    await local.say(await last_asked(local, run), Action.RESPOND, comment="no")
    return await local.result(run)


FIELDS: list[dict[str, Any]] = [{}, {"pin": SecretStr}, {"tags": set[str]}]


def given(fields: dict[str, Any]) -> dict[str, Any]:
    values = {"pin": "0815", "tags": ["zz", "a", "q", "b"]}
    return {"to": "Acme", "amount": 1200, **{name: values[name] for name in fields}}


@pytest.mark.parametrize("fields", FIELDS, ids=str)
async def test_a_default_that_is_another_one_each_time_is_asked_about_once(
    local: LocalWorker, sent: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    build = paying(numbering(**fields), given(fields))
    claim = await local.claimed(build, tools=GATED)
    async with local.executing(claim, build, tools=GATED) as run:
        asked = await local.question(run)
    again = await taken_up(local, claim)
    await local.say(asked)
    async with local.executing(again, build, tools=GATED) as run:
        assert await finish(local, run) == "sent 1200 to Acme, no"
    assert asked.call is not None
    [call] = sent
    assert call["number"] == asked.call.arguments["number"], "what was approved is what is called"
    assert len(await local.gates(run)) == 1


EDITS = {
    "as it was": (GATED, GATED),
    "gone": (GATED, {}),
    "let through": (GATED, ENDLESS),
    "let through, then gone": (ENDLESS, {}),
    "new": ({}, GATED),
    "hides": (GATED, {"numbering": {"approval": {"hide": ["to"]}}}),
    "hides no more": ({"numbering": {"approval": {"hide": ["to"]}}}, GATED),
    "hid": ({"numbering": {"approval": {"hide": ["to"]}}}, {}),
}  # fmt: skip


@pytest.mark.parametrize("fields", FIELDS, ids=str)
@pytest.mark.parametrize("edit", EDITS)
async def test_a_call_that_was_made_is_not_made_again_whatever_became_of_its_gate(
    local: LocalWorker, sent: list[dict[str, Any]], fields: dict[str, Any], edit: str
) -> None:
    before, after = EDITS[edit]
    build = paying(numbering(**fields), given(fields))
    claim = await local.claimed(build, tools=before)
    async with local.executing(claim, build, tools=before) as run:
        [first] = await local.asked(run)
        if first.call is not None:
            await local.say(first)
        await last_asked(local, run)
    gates = len(await local.gates(run))
    again = await taken_up(local, claim)
    async with local.executing(again, build, tools=after) as run:
        assert await finish(local, run) == "sent 1200 to Acme, no"
    assert len(sent) == 1
    assert len(await local.gates(run)) == gates


@pytest.mark.parametrize("said", [Action.APPROVE, Action.REJECT, None], ids=str)
@pytest.mark.parametrize("edit", ["gone", "let through", "hid"])
async def test_what_people_were_asked_about_is_theirs_to_decide_whatever_became_of_its_gate(
    local: LocalWorker, sent: list[dict[str, Any]], edit: str, said: Action | None
) -> None:
    from tests.contract.crews import gated

    before, after = EDITS[edit]
    tool = numbering()
    build = lambda: gated.code(lambda: tool.run(to="Acme", amount=1200))  # noqa: E731
    claim = await local.claimed(build, tools=before)
    async with local.executing(claim, build, tools=before) as run:
        asked = await local.question(run)
    again = await taken_up(local, claim)
    if said is not None:
        await local.say(asked, said)
    async with local.executing(again, build, tools=after) as run:
        if said is None:
            [open_still] = await local.asked(run)
            assert open_still.id == asked.id
            assert sent == []
            await local.say(asked, Action.REJECT)
        result = await local.result(run)
    assert ("rejected this call" in result) is (said is not Action.APPROVE)
    assert len(sent) == (said is Action.APPROVE)
    assert len(await local.gates(run)) == 1


async def test_a_gate_that_is_gone_asks_about_no_other_call(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import gated

    tool = numbering()
    build = lambda: gated.code(  # noqa: E731
        lambda: [tool.run(to="Acme", amount=1200), tool.run(to="Acme", amount=1200)]
    )
    claim = await local.claimed(build, tools=GATED)
    async with local.executing(claim, build, tools=GATED) as run:
        asked = await local.question(run)
    again = await taken_up(local, claim)
    await local.say(asked)
    async with local.executing(again, build, tools={}) as run:
        await local.result(run)
    assert len(sent) == 2
    assert len(await local.gates(run)) == 1


YAML = """title: Pays
model: scripted
tools:
  send_from:
    use: "tests.contract.crews.gated:From"
    with: {{account: {account}}}
    approval: {{}}
"""


def written(folder: Path, account: str) -> Blueprint:
    """A crew in YAML whose tool sends from this account."""
    from crews.building import loading

    home = folder / "gated"
    home.mkdir(exist_ok=True)
    (home / "crew.yaml").write_text(YAML.format(account=account))
    (home / "agents.yaml").write_text(AGENT.replace("tools: [pay]", "tools: [send_from]"))
    (home / "tasks.yaml").write_text(TASK)
    (home / "script.yaml").write_text(SCRIPT)
    return loading.load(read([folder]), Settings(data_dir=folder)).crews["gated"]


SCRIPT = "work:\n  - call: {send_from: {to: Acme, amount: 1200}}\n  - say: '{send_from}'\n"


@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "of something else"])
async def test_an_approval_is_for_the_tool_as_the_crew_makes_it(
    local: LocalWorker, sent: list[dict[str, Any]], tmp_path: Path, *, edited: bool
) -> None:
    crew = written(tmp_path, "sandbox")
    run, _ = await local.store.runs.start(new_run(crew=crew.card()))
    [claim] = await local.store.queue.claim("here", ["gated"], 1, LEASE)
    async with local.executing_crew(claim, crew):
        asked = await local.question(run)
    again = await taken_up(local, claim)
    await local.say(asked)
    account = "production" if edited else "sandbox"
    async with local.executing_crew(again, written(tmp_path, account)):
        if edited:
            anew = await local.question(run)
            assert anew.id != asked.id
            assert "makes the tool from something else now than when this was approved" in anew.context
            assert sent == []
            await local.say(anew)
        assert await local.result(run) == "sent 1200 to Acme"
    assert sent == [{"to": "Acme", "amount": 1200.0, "account": account}]
    assert len(await local.gates(run)) == 1 + edited


# ── crews whose code is another one than when people were asked, as in a deploy ─────────────────────────────

CODE = """
from typing import Any
from tests.contract.crews import gated

ACCOUNT = "sandbox"

def dispatch(to: str, amount: float, account: str) -> str:
    return gated.send(to, amount, account=account)

def unused() -> str:
    return "old"

class Sends(gated.Plain):
    name: str = "send_by_code"
    bank: str = "first"

    def account(self) -> str:
        return ACCOUNT

    def _run(self, to: str, amount: float) -> str:
        # Sends it.
        return dispatch(to, amount, f"{self.account()} {self.bank} {self.rate()}")

    def rate(self) -> str:
        return "slow"

def build() -> Any:
    tool = Sends(description="Sends.")
    return gated.code(lambda: tool.run(to="Acme", amount=1200))
"""
OTHER_CODE = {
    "its method": ('return "slow"', 'return "fast"'),
    "a function that it calls": ("account=account)", "account=account.upper())"),
    "a constant": ('ACCOUNT = "sandbox"', 'ACCOUNT = "production"'),
    "the default of a field": ('bank: str = "first"', 'bank: str = "second"'),
    "how the crew makes it": ('Sends(description="Sends.")', 'Sends(description="Sends.", bank="second")'),
}
SAME_CODE = {
    "as it was": ("", ""),
    "a comment": ("# Sends it.", "# It is sent.\n"),
    "what it doesn't use": ('return "old"', 'return "new"'),
}
BY_CODE: dict[str, Any] = {"send_by_code": {"approval": {}}}


def imported(edit: tuple[str, str], code: str = CODE) -> Callable[[], Built]:
    """The crew of a module, as a worker has it that has imported this version of it."""
    module = types.ModuleType("deployed")
    exec(code.replace(*edit) if edit[0] else code, vars(module))  # noqa: S102 - as an import does
    build: Callable[[], Built] = module.build
    return build


@pytest.mark.parametrize("edit", [*SAME_CODE, *OTHER_CODE])
async def test_an_approval_is_for_the_code_of_when_it_was_asked(
    local: LocalWorker, sent: list[dict[str, Any]], edit: str
) -> None:
    before, after = imported(("", "")), imported((SAME_CODE | OTHER_CODE)[edit])
    claim = await local.claimed(before, tools=BY_CODE)
    async with local.executing(claim, before, tools=BY_CODE) as run:
        asked = await local.question(run)
    again = await taken_up(local, claim)
    await local.say(asked)
    async with local.executing(again, after, tools=BY_CODE) as run:
        if edit in OTHER_CODE:
            anew = await local.question(run)
            assert anew.id != asked.id
            assert "code is another one than when this was approved" in anew.context
            assert sent == []
            await local.say(anew)
        assert await local.result(run) == "sent 1200 to Acme"
    assert len(sent) == 1
    assert len(await local.gates(run)) == 1 + (edit in OTHER_CODE)


async def test_what_was_approved_runs_where_its_code_is(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    """In a deploy the run may go back to a worker that has the former code: that was approved."""
    old, new = imported(("", "")), imported(OTHER_CODE["a constant"])
    claim = await local.claimed(old, tools=BY_CODE)
    async with local.executing(claim, old, tools=BY_CODE) as run:
        asked = await local.question(run)
    again = await taken_up(local, claim)
    await local.say(asked)
    async with local.executing(again, new, tools=BY_CODE) as run:
        anew = await local.question(run)
    last = await taken_up(local, again)
    await local.say(anew, Action.REJECT)
    async with local.executing(last, old, tools=BY_CODE) as run:
        await local.result(run)
    assert [each["account"] for each in sent] == ["sandbox first slow"]


APPROVES = """
import asyncio
import crewdeck
from typing import Any
from tests.contract.crews import gated

ACCOUNT = "sandbox"

def work() -> str:
    if not crewdeck.approve("Send it?", context="1200 to Acme"):
        return "not sent"
    said = gated.send("Acme", 1200, account=ACCOUNT)
    return f"{said}, {crewdeck.ask_human('Anything else?')}"

def build() -> Any:
    return gated.code(work)
"""


APPROVED = 'crewdeck.approve("Send it?", context="1200 to Acme")'
WAYS = {"called": APPROVED, "awaited": f"asyncio.run({APPROVED.replace('approve', 'approve_async')})"}


IN_A_FLOW = f"""
import asyncio
import crewdeck
from crewai.flow.flow import Flow, start
from typing import Any
from tests.contract.crews import gated

class Sends(Flow[Any]):
    @start()
    def work(self) -> str:
        if not {APPROVED}:
            return "not sent"
        said = gated.send("Acme", 1200, account="sandbox")
        return f"{{said}}, {{crewdeck.ask_human('Anything else?')}}"

def build() -> Any:
    return Sends()
"""


def approving(account: str, way: str = "called") -> Callable[[], Built]:
    if way == "in a flow":
        return imported(("sandbox", account), IN_A_FLOW)
    return imported((APPROVED, WAYS[way]), APPROVES.replace("sandbox", account))


@pytest.mark.parametrize("way", [*WAYS, "in a flow"])
@pytest.mark.parametrize("account", ["sandbox", "production"])
async def test_an_approval_that_code_asks_for_is_for_this_code(
    local: LocalWorker, sent: list[dict[str, Any]], account: str, way: str
) -> None:
    claim = await local.claimed(approving("sandbox", way))
    async with local.executing(claim, approving("sandbox", way)) as run:
        [asked] = await local.asked(run)
    again = await taken_up(local, claim)
    await local.say(asked)
    async with local.executing(again, approving(account, way)) as run:
        if account == "production":
            [anew] = await local.asked(run)
            assert anew.id != asked.id
            assert "was approved, but the code of the crew" in anew.context
            assert anew.context.endswith("1200 to Acme")
            assert sent == []
            await local.say(anew)
        assert await finish(local, run) == "sent 1200 to Acme, no"
    assert [each["account"] for each in sent] == [account]


def deployed() -> str:
    """What a crew names; a test puts other code in its place."""
    return "nothing"


@pytest.mark.parametrize("account", ["sandbox", "production"])
async def test_an_approval_that_a_tool_asks_for_is_for_the_code_of_what_the_crew_names(
    local: LocalWorker, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    """As in crew.yaml, where no code makes the crew."""
    from tests.contract.crews import gated

    def build() -> Any:  # noqa: ANN401 - a flow
        return gated.code(vars(sys.modules[__name__])["deployed"])

    def deploy(account: str) -> None:
        module = types.ModuleType("deployed")
        exec(APPROVES.replace("sandbox", account), vars(module))  # noqa: S102 - as an import does
        monkeypatch.setattr(sys.modules[__name__], "deployed", module.work)

    deploy("sandbox")
    named = {"working": {"use": f"{__name__}:deployed"}}
    claim = await local.claimed(build, tools=named)
    async with local.executing(claim, build, tools=named) as run:
        [asked] = await local.asked(run)
    again = await taken_up(local, claim)
    await local.say(asked)
    deploy(account)
    async with local.executing(again, build, tools=named) as run:
        if account == "production":
            [anew] = await local.asked(run)
            assert "was approved, but the code of the crew" in anew.context
            assert sent == []
            await local.say(anew)
        assert await finish(local, run) == "sent 1200 to Acme, no"
    assert [each["account"] for each in sent] == [account]


async def test_code_that_has_gone_on_with_an_approval_is_not_asked_about_again(local: LocalWorker) -> None:
    claim = await local.claimed(approving("sandbox"))
    async with local.executing(claim, approving("sandbox")) as run:
        [asked] = await local.asked(run)
        await local.say(asked)
        [other] = await local.asked(run)
        assert other.prompt == "Anything else?"
    again = await taken_up(local, claim)
    async with local.executing(again, approving("production")) as run:
        assert (await local.asked(run))[0].id == other.id
        await finish(local, run)
    assert len(await local.store.questions.list(run.id)) == 2


FEEDBACK = """
from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import human_feedback
from typing import Any
from tests.contract.crews import gated

class Sends(Flow[Any]):
    @start()
    @human_feedback(message="Send it?", emit=["yes", "no"])
    def ask(self) -> str:
        return "1200 to Acme"

    @listen("yes")
    def send(self) -> str:
        return gated.send("Acme", 1200, account="sandbox")

    @listen("no")
    def keep(self) -> str:
        return "kept"

def build() -> Any:
    return Sends()
"""
LABELS = {
    "approval": ("approved", "rejected"),
    "choice": ("yes", "no"),
    "other choice": ("Accepted", "later"),
}


@pytest.mark.parametrize("emit", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("account", ["sandbox", "production"])
@pytest.mark.parametrize("yes", [True, False])
async def test_what_people_approve_in_a_flow_is_for_this_code(
    local: LocalWorker, sent: list[dict[str, Any]], emit: tuple[str, str], account: str, *, yes: bool
) -> None:
    def build(of: str) -> Callable[[], Built]:
        named = FEEDBACK.replace('"yes"', f'"{emit[0]}"').replace('"no"', f'"{emit[1]}"')
        return imported(("sandbox", of), named)

    async def decide(question: Question) -> None:
        if question.kind is QuestionKind.APPROVAL:
            await local.say(question, Action.APPROVE if yes else Action.REJECT)
        else:
            wanted = next(each.id for each in question.options if each.label == emit[not yes])
            await local.say(question, Action.CHOOSE, value=wanted)

    claim = await local.claimed(build("sandbox"))
    async with local.executing(claim, build("sandbox")) as run:
        [asked] = await local.asked(run)
    again = await taken_up(local, claim)
    await decide(asked)
    async with local.executing(again, build(account)) as run:
        if yes and account == "production":
            [anew] = await local.asked(run)
            assert "was approved, but the code of the crew" in anew.context
            assert anew.context.endswith("1200 to Acme")
            assert sent == []
            await decide(anew)
        assert await local.result(run) == ("sent 1200 to Acme" if yes else "kept")
    assert [each["account"] for each in sent] == ([account] if yes else [])


@pytest.mark.parametrize("account", ["sandbox", "production"])
@pytest.mark.parametrize("gone_on", [False, True])
async def test_a_retry_with_other_code_takes_over_what_code_has_gone_on_with(
    local: LocalWorker, sent: list[dict[str, Any]], account: str, *, gone_on: bool
) -> None:
    claim = await local.claimed(approving("sandbox"))
    async with local.executing(claim, approving("sandbox")) as run:
        [asked] = await local.asked(run)
        if gone_on:
            await local.say(asked)
            await local.asked(run)
    if not gone_on:
        await local.say(asked)
    await local.store.runs.cancel(run.id, ADA)
    sent.clear()
    again = await tried_again(local, await local.store.runs.get(run.id))
    async with local.executing(again, approving(account)) as retried:
        [question] = await local.asked(retried)
        if account == "production" and not gone_on:
            assert "was approved, but the code of the crew" in question.context
            assert sent == []
            await local.say(question)
        else:
            assert question.prompt == "Anything else?"
        assert await finish(local, retried) == "sent 1200 to Acme, no"
    assert [each["account"] for each in sent] == [account]


# ── runs that earlier releases left: there a call behind a gate was named by what its schema made of it ─────


def named_before(name: str, shown: dict[str, Any]) -> str:
    """The name that earlier releases gave to the step that is called so now."""
    scope, kind = name.split("/")[:2]
    return f"{scope}/{kind}/{fingerprint('plain_send', {'args': (), **shown})}/0"


async def left_by_an_earlier_release(local: LocalWorker, claim: Claim, entries: dict[str, str]) -> None:
    journal = redis_keys.journal(claim.run.id)
    await local.store.connection.redis.delete(journal)
    for name, value in {"format": "2", **entries}.items():
        await local.store.connection.redis.hset(journal, name, value)


async def made_by_this_one(local: LocalWorker, build: Callable[[], Built]) -> dict[str, str]:
    """What a run like it records."""
    claim = await local.claimed(build, tools=PLAIN)
    async with local.executing(claim, build, tools=PLAIN) as run:
        await local.say(await local.question(run))
        await last_asked(local, run)
        return dict(await local.store.journal.read(run.id))


PLAIN: dict[str, Any] = {"plain_send": {"approval": {}}}
SHOWN: dict[str, Any] = {"to": "Acme", "amount": 1200.0}


async def test_a_call_that_an_earlier_release_recorded_is_not_made_again(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import gated

    build = paying(gated.Plain())
    made = await made_by_this_one(local, build)
    assert len(sent) == 1
    claim = await local.claimed(build, tools=PLAIN)
    names = {name: named_before(name, SHOWN) for name in made if "/tool/" in name and not name.endswith("?")}
    assert len(names) == 1
    assert names.keys().isdisjoint(names.values()), "or nothing is tried here"
    await left_by_an_earlier_release(local, claim, {before: made[now] for now, before in names.items()})
    async with local.executing(await taken_up(local, claim), build, tools=PLAIN) as run:
        assert await finish(local, run) == "sent 1200 to Acme, no"
    assert len(sent) == 1
    assert await local.gates(run) == []


async def test_a_question_that_an_earlier_release_asked_is_not_asked_again(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import gated

    build = paying(gated.Plain())
    [now] = [each for each in await made_by_this_one(local, build) if "/tool/" in each and each[-1] != "?"]
    sent.clear()
    claim = await local.claimed(build, tools=PLAIN)
    await left_by_an_earlier_release(local, claim, {})
    asked = await local.store.questions.ask(
        claim,
        Question(
            id=ids.part_id(claim.run.id, "question", f"gate/{named_before(now, SHOWN)}/0/0"),
            run_id=claim.run.id,
            kind=QuestionKind.APPROVAL,
            prompt="May plain_send be called with these arguments?",
            options=options_for(QuestionKind.APPROVAL, ()),
            source=Source.GATE,
            policy=claim.run.approvers,
            call=ToolCall(
                tool="plain_send",
                on_behalf="as the app",
                arguments=SHOWN,
                proposed=SHOWN,
                parameters=Parameters("plain_send", gated.Pay).json_schema,
            ),
        ),
    )
    again = await taken_up(local, claim)
    await local.say(asked)
    async with local.executing(again, build, tools=PLAIN) as run:
        assert await finish(local, run) == "sent 1200 to Acme, no"
    assert sent == [SHOWN]
    assert len(await local.gates(run)) == 1
