"""Decisions in the console: tool calls, policies of several people, edits, forms, batches and records."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from bot.core.forms.fields import Field, FieldType
from bot.core.people.actor import Actor
from bot.core.questions.question import Action, QuestionKind
from bot.core.questions.response import make_response
from bot.core.questions.tool_call import call_digest
from bot.store.redis import RedisStore, open_store
from tests.scenario.asked import ADA, SECRETS, SERVED, TWO, ask, call, claimed, gate, person, policy, settled
from tests.scenario.browser import Window, window
from tests.scenario.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Server]:
    async with Server.start(SERVED, wait="announced") as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def store(server: Server) -> AsyncIterator[RedisStore]:
    async with open_store(server.store_url) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(server: Server, browser: Browser) -> AsyncIterator[Window]:
    async with signed_in(server, browser, "ada") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bob(server: Server, browser: Browser) -> AsyncIterator[Window]:
    async with signed_in(server, browser, "bob") as opened:
        yield opened


@asynccontextmanager
async def signed_in(server: Server, browser: Browser, name: str, width: int = 1000) -> AsyncIterator[Window]:
    async with window(browser, server.url, width=width, calm=False) as opened:
        await opened.page.get_by_label("API key").fill(SECRETS[name])
        await opened.page.get_by_role("button", name="Sign in").click()
        await expect(opened.page.get_by_role("heading", name="Waiting for you")).to_be_visible()
        yield opened


def card(page: Page, words: str) -> Locator:
    return page.get_by_role("article", name=words)


async def test_a_call_says_what_on_what_as_whom_and_all_arguments(ada: Window, store: RedisStore) -> None:
    question = await gate(store, "May it be paid?", call=call("R-100"), policy=TWO)
    shown = card(ada.page, "Pay € 1200 to Acme").filter(has_text="R-100")
    await expect(shown).to_contain_text("with the tool send_money · as the app")
    for words in ("amount", "1200", "recipient", "Acme", "reference", "Secret: not shown to anybody"):
        await expect(shown).to_contain_text(words)
    await expect(shown).to_contain_text("Takes 2 of finance · policy pay, version 3fa9c1d2e4b5")
    await expect(shown.get_by_role("button", name="Answer in words only")).to_have_count(0)
    assert await ada.findings() == []
    await shown.get_by_role("button", name="Reject").click()
    await expect(shown.get_by_role("alert")).to_contain_text("say why")
    await shown.get_by_label("to reject, the reason").fill("Wrong account")
    await shown.get_by_role("button", name="Reject").click()
    await expect(shown).to_contain_text("Rejected by ada")
    outcome = (await settled(store, question)).outcome
    assert outcome is not None
    assert outcome.comment == "Wrong account"


async def test_two_people_decide_and_everybody_sees_how_far_it_is(
    ada: Window, bob: Window, store: RedisStore
) -> None:
    question = await gate(store, "?", call=call("R-200"), policy=TWO)
    mine, theirs = [card(each.page, "Pay").filter(has_text="R-200") for each in (ada, bob)]
    await mine.get_by_role("button", name="Approve", exact=True).click()
    progress = re.compile(r"1 of 2 · ada, \d.* · needs one more of finance")
    await expect(mine).to_contain_text(progress)
    await expect(theirs).to_contain_text(progress)
    await expect(mine).to_contain_text("You approved this at")
    await mine.get_by_role("button", name="Take back").click()
    await expect(mine.get_by_role("button", name="Approve", exact=True)).to_be_visible()
    await expect(theirs).not_to_contain_text(progress)
    await mine.get_by_role("button", name="Approve", exact=True).click()
    await expect(theirs).to_contain_text(progress)
    await theirs.get_by_role("button", name="Approve", exact=True).click()
    for shown in (mine, theirs):
        await expect(shown).to_contain_text("Approved by ada and bob")
    assert len((await settled(store, question)).outcome.responses) == 2  # type: ignore[union-attr]


async def test_who_decided_in_chat_is_named_with_where_they_did(ada: Window, store: RedisStore) -> None:
    people = [
        Actor(surface=surface, tenant="T1", user_id=f"{name}1", name=name)
        for surface, name in (("slack", "Cleo"), ("teams", "Dan"))
    ]
    both = policy(ADA, *(each.principal for each in people), need=2)
    question = await gate(store, "?", call=call("R-250"), policy=both)
    shown = card(ada.page, "Pay").filter(has_text="R-250")
    await expect(shown).to_be_visible()
    for by in people:
        said = make_response(Action.APPROVE, by, key=by.name, digest=question.digest)
        await store.questions.respond(question.run_id, question.id, said)
    words = "Approved by Cleo, in Slack and Dan, in Teams"
    await expect(shown).to_contain_text(words)
    await ada.go(f"#/runs/{question.run_id}")
    await expect(ada.page.get_by_role("main")).to_contain_text(words)
    await ada.go()


async def test_an_edit_is_shown_as_a_difference_and_voids_earlier_approvals(
    ada: Window, bob: Window, store: RedisStore
) -> None:
    question = await gate(store, "?", call=call("R-300"), policy=TWO)
    mine, theirs = [card(each.page, "Pay").filter(has_text="R-300") for each in (ada, bob)]
    await mine.get_by_role("button", name="Approve", exact=True).click()
    await expect(mine).to_contain_text("You approved this at")
    await theirs.get_by_role("button", name="Edit and approve").click()
    await expect(theirs.get_by_label("amount")).to_have_count(0)
    await theirs.get_by_role("button", name="Approve with these changes").click()
    await expect(theirs.get_by_role("alert")).to_contain_text("Nothing is changed")
    await theirs.get_by_label("reference").fill("R-300 corrected")
    await expect(theirs.locator(".preview ins")).to_contain_text("corrected")
    await theirs.get_by_role("button", name="Approve with these changes").click()
    await expect(theirs).to_contain_text("You approved this at")
    await expect(mine).to_contain_text("edited: earlier approvals no longer count")
    await expect(mine.locator(".changed ins")).to_contain_text("corrected")
    await mine.get_by_role("button", name="Approve", exact=True).click()
    await expect(mine).to_contain_text("Approved by")
    outcome = (await settled(store, question)).outcome
    assert outcome is not None
    assert outcome.arguments is not None
    assert outcome.arguments["reference"] == "R-300 corrected"


async def test_approve_waits_until_all_that_is_folded_was_opened(ada: Window, store: RedisStore) -> None:
    long = "All of it. " * 200 + "THE END"
    question = await gate(store, "?", call=call("R-400", message=long))
    shown = card(ada.page, "Pay").filter(has_text="R-400")
    approve = shown.get_by_role("button", name="Approve", exact=True)
    await expect(approve).to_have_attribute("aria-disabled", "true")
    await expect(shown.get_by_text("THE END")).to_be_hidden()
    await approve.click(force=True)
    await expect(shown.get_by_role("alert")).to_contain_text("Open the folded value")
    record = await store.questions.record(question.run_id, question.id)
    assert record.opened == ()
    await shown.get_by_role("button", name="Show all of it").click()
    await expect(shown.get_by_text("THE END")).to_be_visible()
    await approve.click()
    await expect(shown).to_contain_text("Approved by ada")
    [opened] = (await store.questions.record(question.run_id, question.id)).opened
    assert (opened.by.user_id, opened.by.authentication) == ("key:ada", "session")


async def test_the_receipt_of_what_was_opened_is_recorded_before_the_answer(
    ada: Window, store: RedisStore
) -> None:
    """However long it is under way."""

    async def delayed(route: Route) -> None:
        await asyncio.sleep(1)
        await route.continue_()

    await ada.page.route("**/opened", delayed)
    question = await gate(store, "?", call=call("R-401", message="All of it. " * 200))
    shown = card(ada.page, "Pay").filter(has_text="R-401")
    await shown.get_by_role("button", name="Show all of it").click()
    await shown.get_by_role("button", name="Approve", exact=True).click()
    await expect(shown).to_contain_text("Approved by ada")
    record = await store.questions.record(question.run_id, question.id)
    assert record.question.settled_at is not None
    [opened] = record.opened
    assert opened.at < record.question.settled_at


async def test_an_edit_that_somebody_else_was_faster_than_stays_to_be_copied(
    ada: Window, store: RedisStore
) -> None:
    question = await gate(store, "?", call=call("R-310"))
    shown = card(ada.page, "Pay").filter(has_text="R-310")
    await shown.get_by_role("button", name="Edit and approve").click()
    await shown.get_by_label("reference").fill("R-310 as Ada would have it")
    faster = make_response(Action.REJECT, person("bob"), key="bob", comment="No", digest=question.digest)
    await store.questions.respond(question.run_id, question.id, faster)
    await expect(shown).to_contain_text("Rejected by bob")
    await expect(shown).to_contain_text("R-310 as Ada would have it")


EXACT: dict[str, Any] = {
    "account": 12345678901234567891,
    "memo": "Two\r\nlines ",
    "blank": "  ",
    "nested": {"to": "Acme", "ids": [9007199254740993], "factor": 2.0},
}
"""What a browser doesn't keep by itself: great numbers, decimals that are whole, spaces and line ends."""


async def test_an_edit_changes_what_was_edited_and_nothing_that_a_browser_would_round_or_trim(
    ada: Window, store: RedisStore
) -> None:
    types = {name: {"type": kind} for name, kind in (("account", "integer"), ("nested", "object"))}
    made = call("R-320", **EXACT, note="nothing", nobody=None).model_copy(
        update={"editable": ("reference", *EXACT), "parameters": {"properties": types}}
    )
    question = await gate(store, "?", call=made, policy=TWO)
    shown = card(ada.page, "Pay").filter(has_text="R-320")
    for words in ("12345678901234567891", "9007199254740993", '"factor": 2.0', '"nothing"', '"  "'):
        await expect(shown.locator(".arguments")).to_contain_text(words)
    await shown.get_by_role("button", name="Edit and approve").click()
    nested = await shown.get_by_label("nested").input_value()
    await shown.get_by_label("nested").fill(nested.replace("Acme", "Acme 2"))
    await shown.get_by_label("account").fill("12345678901234567892")
    meanwhile = make_response(
        Action.APPROVE, person("bob"), key="bob", digest=question.digest, arguments={"reference": "R-320 b"}
    )
    await store.questions.respond(question.run_id, question.id, meanwhile)
    await expect(shown).to_contain_text("edited: earlier approvals no longer count")
    await expect(shown.locator(".preview dt")).to_have_text(["account", "nested"])
    await shown.get_by_role("button", name="Approve with these changes").click()
    await expect(shown).to_contain_text("You approved this at")
    now = await store.questions.get(question.run_id, question.id)
    assert now.call is not None
    nested_now = {**EXACT["nested"], "to": "Acme 2"}
    changed = {"reference": "R-320 b", "account": 12345678901234567892, "nested": nested_now}
    assert repr(now.call.arguments) == repr(made.arguments | changed)


async def test_a_reviews_text_is_edited_and_its_difference_shown(ada: Window, store: RedisStore) -> None:
    question = await ask(
        store, "Shall this be published?", QuestionKind.REVIEW, context="The old mill turns."
    )
    shown = card(ada.page, question.prompt)
    await shown.get_by_role("button", name="Edit and approve").click()
    await shown.get_by_label("The text as it shall be").fill("The new mill turns.")
    await expect(shown.locator(".preview del")).to_have_text("old")
    await expect(shown.locator(".preview ins")).to_have_text("new")
    await shown.get_by_role("button", name="Approve with these changes").click()
    await expect(shown).to_contain_text("Approved by ada")
    assert (await settled(store, question)).outcome.value == "The new mill turns."  # type: ignore[union-attr]


FORM = (
    Field(name="city", type=FieldType.STRING, required=True, description="Where it goes"),
    Field(name="nights", type=FieldType.INTEGER, required=True, min=1, max=30),
    Field(name="extras", type=FieldType.MULTI_CHOICE, choices=("breakfast", "parking")),
    Field(name="mail", type=FieldType.EMAIL),
    Field(name="arrival", type=FieldType.DATE, label="First day"),
)


async def test_a_form_names_every_wrong_field_and_keeps_its_draft(ada: Window, store: RedisStore) -> None:
    question = await ask(store, "Where to?", QuestionKind.FORM, form=FORM)
    shown = card(ada.page, question.prompt)
    await shown.get_by_label("Nights").fill("many")
    await shown.get_by_label("Mail").fill("nobody")
    await shown.get_by_role("button", name="Send").click()
    await expect(shown.get_by_text("This is required.")).to_be_visible()
    await expect(shown.get_by_text("This must be a whole number")).to_be_visible()
    await expect(shown.get_by_text("This must be an email address")).to_be_visible()
    await expect(shown.get_by_label("City")).to_be_focused()
    assert await ada.findings() == []
    await ada.page.reload()
    await expect(shown.get_by_label("Nights")).to_have_value("many")
    await shown.get_by_label("City").fill("Cork")
    await shown.get_by_label("Nights").fill("3")
    await shown.get_by_label("Mail").fill("")
    await shown.get_by_label("parking").check()
    await shown.get_by_label("First day").fill("2027-01-05")
    await shown.get_by_role("button", name="Send").click()
    await expect(shown).to_contain_text("Filled in by ada")
    await expect(shown.get_by_text("First day")).to_be_visible()
    await expect(shown).to_contain_text("2027-01-05")
    values = (await settled(store, question)).outcome.values  # type: ignore[union-attr]
    assert values == {"city": "Cork", "nights": 3, "extras": ["parking"], "arrival": "2027-01-05"}


async def test_who_was_first_is_said_and_the_other_keeps_their_text(
    ada: Window, bob: Window, store: RedisStore
) -> None:
    question = await ask(store, "Which town?", QuestionKind.FORM, form=FORM[:2])
    mine, theirs = card(ada.page, question.prompt), card(bob.page, question.prompt)
    await mine.get_by_label("City").fill("My long considered town")
    await theirs.get_by_label("City").fill("Cork")
    await theirs.get_by_label("Nights").fill("2")
    await theirs.get_by_role("button", name="Send").click()
    await expect(mine).to_contain_text("Filled in by bob")
    await expect(mine).to_contain_text("My long considered town")


async def test_several_approvals_of_a_run_are_decided_together(ada: Window, store: RedisStore) -> None:
    claim = await claimed(store)
    asked = [await gate(store, "?", call=call(f"R-50{n}"), claim=claim) for n in range(3)]
    batch = ada.page.get_by_role("region", name=re.compile("approvals"))
    await expect(batch.get_by_role("checkbox")).to_have_count(4)
    await expect(batch.get_by_role("button", name="Approve 0 of 3")).to_have_attribute(
        "aria-disabled", "true"
    )
    await batch.get_by_label("All that can be approved now").check()
    await expect(batch.get_by_role("button", name="Approve 3 of 3")).to_be_visible()
    added = await gate(store, "?", call=call("R-503"), claim=claim)
    await expect(batch.get_by_role("checkbox")).to_have_count(5)
    await expect(batch.get_by_role("button", name="Approve 3 of 4")).to_be_visible()
    await batch.get_by_role("checkbox").nth(1).uncheck()
    elsewhere = make_response(Action.REJECT, person("bob"), key="bob", comment="No", digest=asked[2].digest)
    await store.questions.respond(claim.run.id, asked[2].id, elsewhere)
    await expect(batch).to_contain_text("Rejected by bob")
    assert await ada.findings() == []
    await batch.get_by_role("button", name="Approve 1 of 3").click()
    await expect(batch.get_by_role("button", name="Approve 0 of 2")).to_be_visible()
    outcome = (await settled(store, asked[1])).outcome
    assert outcome is not None
    assert outcome.action is Action.APPROVE
    for each in (asked[0], added):
        assert (await store.questions.get(claim.run.id, each.id)).open


async def test_an_override_is_a_deliberate_act_and_shown_as_one(
    server: Server, browser: Browser, store: RedisStore
) -> None:
    question = await gate(store, "?", call=call("R-600"), policy=policy(ADA))
    async with signed_in(server, browser, "ops") as ops:
        await ops.page.get_by_text(re.compile("waits? for others")).click()
        shown = card(ops.page, "Pay").filter(has_text="R-600")
        await expect(shown).to_contain_text("Its policy doesn't name you. Takes 1 of finance.")
        await shown.get_by_text("Decide as an administrator").click()
        await shown.get_by_role("button", name="Override: approve").click()
        await expect(shown.get_by_role("alert")).to_contain_text("say why")
        await shown.get_by_label("Why you decide this").fill("Ada is away")
        await shown.get_by_role("button", name="Override: approve").click()
        await expect(shown).to_contain_text("Approved as an administrator by ops")
        assert await ops.findings() == []
    assert (await settled(store, question)).outcome.override  # type: ignore[union-attr]


async def test_the_record_tells_who_was_not_there(ada: Window, store: RedisStore) -> None:
    claim = await claimed(store)
    question = await gate(store, "?", call=call("R-700"), policy=TWO, claim=claim)
    for name, changes in (("ada", None), ("bob", {"reference": "R-700 corrected"}), ("ada", None)):
        now = await store.questions.get(question.run_id, question.id)
        said = make_response(
            Action.APPROVE,
            person(name),
            key=f"{name} {now.digest}",
            comment="Fine" if name == "ada" else "",
            digest=now.digest,
            arguments=changes,
        )
        await store.questions.respond(question.run_id, question.id, said)
    made = await settled(store, question)
    assert made.call is not None
    result = f"sha256:{'1' * 64}"
    await store.questions.record_executed(claim, question.id, call_digest(made.call, made.policy), result)
    await ada.go(f"#/record/{question.id}")
    page = ada.page
    await expect(page.get_by_role("heading", level=1, name="Record of a decision")).to_be_visible()
    record = page.locator(".record")
    for words in (
        "Pay € 1200 to Acme",
        "Approved by bob and ada",
        "Version 2",
        "After an edit by bob",
        made.digest,
        "Takes 2 of finance",
        "pay, version 3fa9c1d2e4b5",
        "replaced by a later answer",
        "by API key",
        "http::key:bob",
        "The call was made",
        result,
    ):
        await expect(record).to_contain_text(words)
    await expect(record.locator(".changed ins")).to_contain_text("corrected")
    await expect(record).not_to_contain_text("hmac:1234")
    assert await ada.findings() == []


async def test_identities_are_listed_and_linked_by_a_code(ada: Window, store: RedisStore) -> None:
    await ada.page.get_by_role("link", name="ada").click()
    page = ada.page
    await expect(page.get_by_role("heading", name="Your identities")).to_be_visible()
    await expect(page.get_by_text(ADA)).to_be_visible()
    slack = Actor(surface="slack", tenant="T1", user_id="UADA", name="Ada in Slack")
    code = await store.directory.new_code(slack)
    await page.get_by_label("Code from elsewhere").fill(code)
    await page.get_by_role("button", name="Link", exact=True).click()
    await expect(page.get_by_text("This code is of Ada in Slack")).to_be_visible()
    await page.get_by_role("button", name="Yes, that is me").click()
    await expect(page.get_by_text("slack:T1:UADA")).to_be_visible()
    assert await ada.findings() == []
    await page.get_by_role("button", name="Unlink Ada in Slack").click()
    await expect(page.get_by_text("slack:T1:UADA")).to_have_count(0)
    await page.get_by_role("button", name="Get a code").click()
    await expect(page.locator(".code code")).to_have_text(re.compile(r"^\w{5}-\w{5}$"))
