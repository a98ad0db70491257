"""Decisions at a terminal: tool calls, policies of several people, edits, records and links."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, TypeVar

import pytest

from bot.core.forms.fields import Field, FieldType
from bot.core.people.actor import Actor
from bot.core.questions.question import Action, QuestionKind
from bot.core.questions.response import make_response
from bot.store.redis import RedisStore, open_store
from tests.scenario import asked
from tests.scenario.asked import SECRETS, SERVED, TWO, call, gate, settled
from tests.scenario.server import Server
from tests.scenario.terminal.person import DOWN, ENTER, person, piped

T = TypeVar("T")
CLEAR = "\x01\x0b"
"""To the start of the line, and away with the rest."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server.started(SERVED, wait="announced") as started:
        yield started


class Worker:
    """Asks on the server's store, between the steps of people at terminals."""

    def __init__(self, runner: asyncio.Runner, store: RedisStore) -> None:
        self._runner = runner
        self.store = store

    def does(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


@pytest.fixture(scope="module")
def worker(server: Server) -> Iterator[Worker]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        store = runner.run(stack.enter_async_context(open_store(server.store_url)))
        yield Worker(runner, store)
        runner.run(stack.aclose())


def at(server: Server, name: str) -> dict[str, str]:
    return {"CREWDECK_URL": server.url, "CREWDECK_API_KEY": SECRETS[name]}


class Said(NamedTuple):
    """What a command in a pipe came to."""

    returncode: int
    stdout: str
    stderr: str


def crewdeck(server: Server, name: str, *words: str) -> Said:
    """One command in a pipe."""
    done = piped(server.url, *words, env=at(server, name))
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_call_is_shown_in_full_and_approved_by_two(server: Server, worker: Worker) -> None:
    question = worker.does(gate(worker.store, "May it be paid?", call=call("R-100"), policy=TWO))
    with (
        person(server.url, "answer", question.id, env=at(server, "ada")) as ada,
        person(server.url, "answer", question.id, env=at(server, "bob")) as bob,
    ):
        ada.sees(
            "Pay € 1200 to Acme",
            "with the tool send_money · as the app",
            "reference: R-100",
            "token: secret: not shown to anybody",
            "Takes 2 of finance · policy pay, version 3fa9c1d2e4b5",
            "digest ",
            "Edit and approve",
        )
        assert "Answer in words" not in ada.screen
        bob.sees("Edit and approve")
        ada.types("1")
        ada.sees(
            "You approved: 1 of 2 · needs one more of finance", f"crewdeck answer {question.id} withdraw"
        )
        assert ada.leaves() == 0
        bob.types("1")
        bob.sees("You decided: Approve")
        assert bob.leaves() == 0


def test_an_edit_is_shown_as_a_difference_to_who_approves_next(server: Server, worker: Worker) -> None:
    question = worker.does(gate(worker.store, "?", call=call("R-200"), policy=TWO))
    with (
        person(server.url, "answer", question.id, env=at(server, "ada")) as ada,
        person(server.url, "answer", question.id, env=at(server, "bob")) as bob,
    ):
        bob.sees("Edit and approve")
        ada.sees("Edit and approve")
        ada.types("2")
        ada.sees("Which argument?", "reference: R-200", "Approve with these changes")
        ada.types("1")
        ada.sees("reference", "Enter sends")
        ada.types(CLEAR + "R-201" + ENTER)
        ada.sees("- R-200", "+ R-201", "reference: R-201 (changed)")
        ada.types(DOWN + ENTER)
        ada.sees("You approved: 1 of 2")
        assert ada.leaves() == 0
        bob.sees("What is asked was edited", "reference: R-201", "edited, it was:", "R-200")
        bob.types("1")
        bob.sees("You decided: Approve")
        assert bob.leaves() == 0
    outcome = worker.does(settled(worker.store, question)).outcome
    assert outcome is not None
    assert outcome.arguments is not None
    assert outcome.arguments["reference"] == "R-201"


def test_a_rejection_has_a_reason(server: Server, worker: Worker) -> None:
    question = worker.does(gate(worker.store, "?", call=call("R-300")))
    with person(server.url, "answer", question.id, env=at(server, "ada")) as ada:
        ada.sees("Reject")
        ada.types("3")
        ada.sees("reason")
        ada.types(ENTER)  # without a reason it leads back
        ada.sees("Edit and approve")
        ada.types("3")
        ada.sees("reason")
        ada.types("Wrong account" + ENTER)
        ada.sees("You decided: Reject: Wrong account")
        assert ada.leaves() == 0


def test_a_reviews_text_is_edited(server: Server, worker: Worker) -> None:
    question = worker.does(
        asked.ask(worker.store, "Publish?", QuestionKind.REVIEW, context="The old mill turns.")
    )
    with person(server.url, "answer", question.id, env=at(server, "ada")) as ada:
        ada.sees("Edit and approve")
        ada.types("2")
        ada.sees("The old mill turns.", "Enter sends")
        ada.types(CLEAR + "The new mill turns." + ENTER)
        ada.sees("- The old mill turns.", "+ The new mill turns.", "Approve with these changes")
        ada.types("1")
        ada.sees("You decided: Approve")
        assert ada.leaves() == 0
    outcome = worker.does(settled(worker.store, question)).outcome
    assert outcome is not None
    assert outcome.value == "The new mill turns."


def test_a_form_is_filled_in_field_by_field(server: Server, worker: Worker) -> None:
    fields = (
        Field(name="city", type=FieldType.STRING, required=True),
        Field(name="nights", type=FieldType.INTEGER, required=True, min=1, max=30),
        Field(name="extras", type=FieldType.MULTI_CHOICE, choices=("breakfast", "parking")),
    )
    question = worker.does(asked.ask(worker.store, "Where to?", QuestionKind.FORM, form=fields))
    with person(server.url, "answer", question.id, env=at(server, "ada")) as ada:
        ada.sees("Where to?", "City")
        ada.types(ENTER)
        ada.sees("A value is needed")
        ada.types("Cork" + ENTER)
        ada.sees("Nights", "from 1 to 30")
        ada.types("31" + ENTER)
        ada.sees("It must be")
        ada.types(CLEAR + "3" + ENTER)
        ada.sees("Extras (optional)", "[ ] parking")
        ada.types("2")
        ada.sees("[x] parking")
        ada.types("3")
        ada.sees("As it will be sent", "City: Cork", "Nights: 3", "Extras: parking", "Decline")
        ada.types(ENTER)
        ada.sees("You decided:")
        assert ada.leaves() == 0
    outcome = worker.does(settled(worker.store, question)).outcome
    assert outcome is not None
    assert outcome.values == {"city": "Cork", "nights": 3, "extras": ["parking"]}


def test_one_line_approves_only_the_call_that_was_looked_at(server: Server, worker: Worker) -> None:
    question = worker.does(gate(worker.store, "?", call=call("R-400"), policy=TWO))
    blind = crewdeck(server, "ada", "answer", question.id, "approve")
    assert (blind.returncode, blind.stdout) == (2, "")
    assert "says which call you approve" in blind.stderr
    other = crewdeck(server, "ada", "answer", question.id, "approve", "--digest", "0" * 12)
    assert other.returncode == 2
    assert "another call" in other.stderr
    digest = question.digest.removeprefix("sha256:")[:12]
    words = ("answer", question.id, "approve", "--digest", digest, "--set", "reference=R-401")
    done = crewdeck(server, "ada", *words)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["progress"]["approved"]) == ("recorded", 1)
    back = json.loads(crewdeck(server, "ada", "answer", question.id, "withdraw").stdout)
    assert back["progress"]["approved"] == 0
    fixed = crewdeck(server, "ada", "answer", question.id, "approve", "--set", "amount=1", "--digest", digest)
    assert fixed.returncode == 2
    no_admin = crewdeck(server, "ada", "answer", question.id, "reject", "--override", "--comment", "No")
    assert no_admin.returncode == 1
    override = crewdeck(server, "ops", "answer", question.id, "reject", "--override", "--comment", "No")
    assert json.loads(override.stdout)["override"] is True


def test_who_may_not_decide_is_told_who_may(server: Server, worker: Worker) -> None:
    question = worker.does(gate(worker.store, "?", call=call("R-500"), policy=asked.policy(asked.BOB)))
    with person(server.url, "answer", question.id, env=at(server, "ada")) as ada:
        ada.sees("Waiting for others. Its policy doesn't name you. Takes 1 of finance.")
        assert ada.leaves() == 1
    with person(server.url, "answer", question.id, env=at(server, "ops")) as ops:
        ops.sees("As an administrator you may override it", "approve --override")
        assert ops.leaves() == 1


def test_the_record_tells_who_was_not_there(server: Server, worker: Worker) -> None:
    question = worker.does(gate(worker.store, "?", call=call("R-600"), policy=TWO))
    for name in ("ada", "bob"):
        said = make_response(
            Action.APPROVE, asked.person(name), key=name, comment=f"Fine, says {name}", digest=question.digest
        )
        worker.does(worker.store.questions.respond(question.run_id, question.id, said))
    told = crewdeck(server, "ada", "record", question.id)
    assert told.returncode == 0, told.stderr
    for words in (
        "Record of the decision: Pay € 1200 to Acme",
        "Approved by bob",
        "reference: R-600",
        "token: secret, not shown",
        f"Digest {question.digest}",
        "Takes 2 of finance",
        "ada approved",
        "| Fine, says ada",
        "by API key · http::key:ada · counts",
        "It is not recorded that the call was made",
    ):
        assert words in told.stdout
    as_json = json.loads(crewdeck(server, "ada", "record", question.id, "--json").stdout)
    assert [each["by"]["name"] for each in as_json["responses"]] == ["ada", "bob"]


def test_identities_are_linked_by_a_code(server: Server, worker: Worker) -> None:
    slack = Actor(surface="slack", tenant="T1", user_id="UBOB", name="Bob in Slack")
    code = worker.does(worker.store.directory.new_code(slack))
    with person(server.url, "link", code, env=at(server, "bob")) as bob:
        bob.sees("This code is of Bob in Slack (slack:T1:UBOB). Is that you?")
        bob.types("1")
        bob.sees("http::key:bob", "slack:T1:UBOB")
        assert bob.leaves() == 0
    listed = crewdeck(server, "bob", "identities", "--unlink", "slack:T1:UBOB")
    assert "UBOB" not in listed.stdout
    made = crewdeck(server, "bob", "link")
    assert "Give it to nobody" in made.stdout
    wrong = crewdeck(server, "bob", "link", "00000-00000")
    assert (wrong.returncode, wrong.stdout) == (2, "")
