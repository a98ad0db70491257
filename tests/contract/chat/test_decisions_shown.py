"""What every chat platform shows while several people decide: on every copy, at once."""

from __future__ import annotations

import re
from typing import Any

from pydantic import JsonValue

from bot.core.people.policy import Policy
from bot.core.questions.question import Action, Question, Source
from bot.core.questions.response import make_response
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.run import Claim
from tests.contract.chat.deployment import Deployment
from tests.contract.chat.peers import Seen
from tests.contract.examples import approval

ARGUMENTS: dict[str, JsonValue] = {"recipient": "Acme", "amount": 1200}


def gate(title: str = "", **more: Any) -> dict[str, Any]:
    call = ToolCall(
        tool="send_money", title=title, arguments=ARGUMENTS, proposed=ARGUMENTS, editable=("amount",),
        parameters={"properties": {"amount": {"type": "integer"}}},
    )  # fmt: skip
    return {"source": Source.GATE, "call": call, "prompt": title or "Pay?", **more}


async def asked(deployment: Deployment, claim: Claim, name: str, need: int = 2, **more: Any) -> Question:
    people = tuple(deployment.person(each).principal for each in ("U0ADA", "U0BOB"))
    policy = Policy(deciders=people, name="pay", version="v1", who=("finance",), need=need, admins=False)
    question = approval(claim, name).model_copy(update={"policy": policy, **more})
    return await deployment.store.questions.ask(claim, question)


async def approves(deployment: Deployment, question: Question, user: str, **more: Any) -> None:
    said = make_response(
        Action.APPROVE, deployment.person(user), key=f"{user} {question.id}", digest=question.digest, **more
    )
    ruling = await deployment.store.questions.respond(question.run_id, question.id, said)
    assert ruling.code == ""


async def shows(deployment: Deployment, posted: Seen, words: str) -> Seen:
    """The message as soon as it says so."""

    def found() -> list[Seen]:
        messages = deployment.peer.messages(posted.posted.channel)
        return [each for each in messages if each.posted == posted.posted and words in each.words]

    async def there() -> bool:
        return bool(found())

    await deployment.until(there)
    return found()[0]


async def test_every_copy_shows_how_many_have_approved_and_who_is_needed(deployment: Deployment) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        question = await asked(deployment, claim, "first", prompt="Publish it?")
        copies = [await deployment.sees("Publish it?")]
        await deployment.peer.close(deployment.peer.channel)
        second = await asked(deployment, claim, "second", prompt="Really?", task_id="the next task")
        direct = deployment.peer.direct_channel("U0BOB")
        copies = [await deployment.sees("Publish it?", direct), await deployment.sees("Really?", direct)]
        for each in (question, second):
            await approves(deployment, each, "U0ADA")
        for copy in copies:
            shown = await shows(deployment, copy, "1 of 2")
            assert "needs one more of" in shown.words
            assert "finance" in shown.words
            assert "Take back" in shown.buttons
        for each in (question, second):
            await approves(deployment, each, "U0BOB")
        for copy in copies:
            assert not (await shows(deployment, copy, "Approved")).buttons


async def test_a_gate_says_what_is_done_with_all_arguments_and_what_an_edit_changed(
    deployment: Deployment,
) -> None:
    run = await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        question = await asked(deployment, claim, "gate", **gate("Send € 1,200 to Acme"))
        card = await deployment.sees("Send € 1,200 to Acme")
        for words in ("with the tool", "send_money", "as the app", "recipient", "Acme", "1200", "finance"):
            assert words in card.words
        assert card.buttons[:3] == ("Approve", "Edit and approve...", "Reject...")
        await approves(deployment, question, "U0BOB")
        await shows(deployment, card, "1 of 2")
        await approves(deployment, question, "U0ADA", arguments={"amount": 900})
        # Digits alone may be a part of an id.
        shown = await shows(deployment, card, "No longer counted")
        assert re.search(r"\b1200\D*→ \D*900", shown.words)
        told = await deployment.sees("edited what is to be approved")
        assert "900" in told.words
        await deployment.until(lambda: deployment.all_shown(run))
    assert len(deployment.all_saying("edited what is to be approved")) == 1


async def test_approvals_of_one_turn_share_a_message_with_a_line_each(deployment: Deployment) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        first = await asked(deployment, claim, "1", need=1, **gate("Pay Acme"))
        card = await deployment.sees("Pay Acme")
        await asked(deployment, claim, "2", need=1, **gate("Pay Bolt"))
        shared = await shows(deployment, card, "Pay Bolt")
        assert "2 approvals are asked for" in shared.words
        assert {"Approve ticked", "Open 1", "Open 2"} <= set(shared.buttons)
        await approves(deployment, first, "U0ADA")
        after = await shows(deployment, card, "Approved")
        assert "1 of 2 is settled" in after.words
        assert "Open 2" in after.buttons
        assert "Open 1" not in after.buttons
        await asked(deployment, claim, "3", need=1, **gate("Pay Cato"))
        assert "Open 3" in (await shows(deployment, card, "Pay Cato")).buttons
    assert len(deployment.all_saying("Pay ")) == 1


async def test_an_approval_that_others_must_be_told_of_gets_a_message_of_its_own(
    deployment: Deployment,
) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        await asked(deployment, claim, "1", **gate("Pay Acme"))
        await deployment.sees("Pay Acme")
        people = (deployment.person("U0EVE").principal,)
        other = gate("Pay Bolt") | {
            "policy": Policy(deciders=people, name="board", who=("board",), admins=False)
        }
        question = approval(claim, "2").model_copy(update=other)
        await deployment.store.questions.ask(claim, question)
        await deployment.sees("Pay Bolt")
    assert len(deployment.all_saying("Pay ")) == 2
