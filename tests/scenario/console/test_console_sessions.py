"""Signing in to the console, what ends a session, and what a restart does to those who look at it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bot.core import ids
from bot.core.people.actor import Actor
from bot.core.people.api_keys import ApiKey, Scope, digest
from bot.core.people.policy import Approvers
from bot.core.questions.question import Question, QuestionKind, options_for
from bot.core.runs.crew import Crew
from bot.core.starting import plan
from bot.store.embedded import Embedded
from bot.store.redis import RedisStore, open_store
from tests.ports import reserved
from tests.scenario.browser import window
from tests.scenario.server import Server
from tests.waiting import WITHIN

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPS = "an-operators-secret"
EVE = "a-secret-of-eve"
ANYONE = Crew(name="ask", title="Ask", approvers=Approvers(anyone=True))
LOCAL = Actor(surface="http", user_id="key:ops", name="ops")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Server]:
    env = {"CREWDECK_WORKERS": "0", "CREWDECK_API_KEYS": f"ops:{OPS}:admin,reader:{EVE}x:read"}
    async with Server.start(env, wait="announced") as started:
        yield started


async def asked(store: RedisStore, prompt: str) -> Question:
    """An open question of a run that no worker of the server holds."""
    run, _ = await store.runs.start(plan(ANYONE, {}, LOCAL, key=prompt))
    [claim] = await store.queue.claim("w1", ["ask"], 1, 300)
    question = Question(
        id=ids.part_id(run.id, prompt),
        run_id=run.id,
        kind=QuestionKind.APPROVAL,
        prompt=prompt,
        options=options_for(QuestionKind.APPROVAL, ()),
        policy=run.approvers,
    )
    return await store.questions.ask(claim, question)


async def sign_in(page: Page, secret: str) -> None:
    await page.get_by_label("API key").fill(secret)
    await page.get_by_role("button", name="Sign in").click()


async def test_with_keys_a_key_opens_the_console(server: Server, browser: Browser) -> None:
    async with window(browser, server.url, calm=False) as ada:
        await expect(ada.page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert await ada.findings() == []
        await sign_in(ada.page, "wrong")
        await expect(ada.page.get_by_role("alert")).to_contain_text("not valid")
        await sign_in(ada.page, OPS)
        await expect(ada.page.get_by_role("heading", name="Waiting for you")).to_be_visible()
        await expect(ada.page.get_by_text("ops", exact=True)).to_be_visible()
        [cookie] = await ada.page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert OPS not in cookie["value"]
        await ada.page.get_by_role("button", name="Sign out").click()
        await expect(ada.page.get_by_role("heading", name="Sign in")).to_be_visible()
        await expect(ada.page.get_by_text("Your session has ended")).to_have_count(0)
        stolen = {"Cookie": f"{cookie['name']}={cookie['value']}"}
        assert (await ada.page.request.get(f"{server.url}/me", headers=stolen)).status == 401


async def test_who_has_to_sign_in_first_then_sees_what_they_came_for(
    server: Server, browser: Browser
) -> None:
    """As with the link to a run that somebody got."""
    async with open_store(server.store_url) as store:
        question = await asked(store, "Whose link is this?")
    async with window(browser, server.url, calm=False) as ada:
        # The window has come to the sign-in, where nothing leads elsewhere any more.
        await ada.page.wait_for_url("**/console/sign-in")
        await ada.go(f"#/runs/{question.run_id}")
        await sign_in(ada.page, "wrong")
        await sign_in(ada.page, OPS)
        await expect(ada.page.get_by_role("article", name=question.prompt)).to_be_visible()
        assert ada.page.url == f"{server.url}/#/runs/{question.run_id}"
        await ada.page.get_by_role("button", name="Sign out").click()
        await sign_in(ada.page, OPS)
        await expect(ada.page.get_by_role("heading", name="Waiting for you")).to_be_visible()


async def test_what_waits_is_answered_in_the_keys_name(server: Server, browser: Browser) -> None:
    async with open_store(server.store_url) as store:
        question = await asked(store, "May the signed in go on?")
        async with window(browser, server.url, calm=False) as ada:
            await sign_in(ada.page, OPS)
            card = ada.page.get_by_role("article", name=question.prompt)
            await card.get_by_role("button", name="Approve").click()
            await expect(card).to_contain_text("Approved by ops")
        settled = await store.questions.get(question.run_id, question.id)
        assert settled.outcome is not None
        assert settled.outcome.by is not None
        assert (settled.outcome.by.surface, settled.outcome.by.user_id) == ("console", "key:ops")
        assert settled.outcome.by.admin


async def test_a_queued_run_says_what_it_waits_for_until_it_is_taken(
    server: Server, browser: Browser
) -> None:
    async with open_store(server.store_url) as store, window(browser, server.url, calm=False) as ada:
        run, _ = await store.runs.start(plan(ANYONE, {}, LOCAL, key="queued"))
        await sign_in(ada.page, OPS)
        await expect(ada.page.get_by_role("heading", name="Waiting for you")).to_be_visible()
        await ada.page.goto(f"{server.url}/#/runs/{run.id}")
        why = ada.page.get_by_text("No worker that can run Ask is up.")
        await expect(why).to_be_visible()
        [claim] = await store.queue.claim("w1", ["ask"], 1, 300)
        await store.queue.finish(claim, result="Done")
        await expect(why).to_be_hidden()


DESKTOP = """
() => {
  window.shown = [];
  window.Notification = class {
    static permission = "granted";
    static async requestPermission() { return "granted"; }
    constructor(title, more) { window.shown.push([title, more.body]); }
    addEventListener() {}
    close() {}
  };
  Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  Object.defineProperty(document, "hidden", { get: () => true });
  document.hasFocus = () => false;
}
"""
"""A desktop, which a headless browser has not, and a window that nobody looks at."""


async def test_whoever_wants_it_is_told_of_new_questions_on_their_desktop(
    server: Server, browser: Browser
) -> None:
    async with open_store(server.store_url) as store, window(browser, server.url, calm=False) as ada:
        # The console leads to where people sign in by itself, and loading it anew meanwhile would fail.
        await expect(ada.page.get_by_role("heading", name="Sign in")).to_be_visible()
        # A browser without a user interface refuses by itself; this one has not been asked yet.
        await ada.page.add_init_script("window.Notification = class { static permission = 'default' }")
        await ada.page.reload()
        await sign_in(ada.page, OPS)
        await expect(ada.page.get_by_text("Live")).to_be_visible()
        await ada.page.evaluate(DESKTOP)
        await asked(store, "Is it too early to be told?")
        await expect(ada.page.get_by_role("article", name="Is it too early to be told?")).to_be_visible()
        assert await ada.page.evaluate("window.shown") == []
        await ada.page.get_by_role("button", name="Notify me on this desktop").click()
        await expect(ada.page.get_by_text("Notifications are on.")).to_be_visible()
        await asked(store, "Does it reach the desktop?")
        await expect(ada.page.get_by_role("article", name="Does it reach the desktop?")).to_be_visible()
        assert [body for _, body in await ada.page.evaluate("window.shown")] == ["Does it reach the desktop?"]


FOLLOWED = """
id => new Promise(resolve => {
  const heard = [], types = ["run_started", "human_input_required", "human_input_completed", "run_cancelled"];
  const source = new EventSource(`/events/human-input/${id}`);
  for (const type of types) source.addEventListener(type, event => heard.push([type, event.lastEventId]));
  // The stream ends, the browser comes back by itself, and the 204 it gets then closes it for good.
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) resolve(heard); };
})
"""


async def test_a_browsers_own_event_source_follows_a_run_to_its_end(server: Server, browser: Browser) -> None:
    async with open_store(server.store_url) as store, window(browser, server.url, calm=False) as ada:
        question = await asked(store, "Does an EventSource come back for more?")
        await sign_in(ada.page, OPS)
        await expect(ada.page.get_by_text("Live")).to_be_visible()
        following = asyncio.ensure_future(ada.page.evaluate(FOLLOWED, question.run_id))
        await store.runs.cancel(question.run_id, LOCAL)
        heard = await asyncio.wait_for(following, WITHIN)
        events = await store.events.read(question.run_id)
        assert heard == [[event.body.type, event.id] for event in events]


async def test_who_may_only_read_is_asked_nothing(server: Server, browser: Browser) -> None:
    async with open_store(server.store_url) as store:
        question = await asked(store, "May readers go on?")
        async with window(browser, server.url, calm=False) as eve:
            await sign_in(eve.page, f"{EVE}x")
            await expect(eve.page.get_by_text("Nothing waits for you")).to_be_visible()
            await eve.go(f"#/runs/{question.run_id}")
            card = eve.page.get_by_role("article", name=question.prompt)
            await expect(card).to_contain_text("Waiting for somebody who may decide this")
            await expect(card.get_by_role("button")).to_have_count(0)


async def test_a_session_ends_when_its_key_is_revoked(server: Server, browser: Browser) -> None:
    async with open_store(server.store_url) as store:
        key = ApiKey(name="eve", scopes=(Scope.READ, Scope.ANSWER), digest=digest(EVE))
        assert await store.api_keys.add(key)
        async with window(browser, server.url, calm=False) as eve:
            await sign_in(eve.page, EVE)
            await expect(eve.page.get_by_text("Live")).to_be_visible()
            await store.api_keys.revoke("eve")
            await expect(eve.page.get_by_role("heading", name="Sign in")).to_be_visible()
            await expect(eve.page.get_by_role("alert")).to_contain_text("Your session has ended")


async def test_another_sites_page_cannot_use_a_session(server: Server) -> None:
    own = {"Origin": server.url}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        for origin in ({}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}):
            assert (
                await client.post("/console/sign-in", data={"key": OPS}, headers=origin)
            ).status_code == 403
        signed_in = await client.post("/console/sign-in", data={"key": OPS}, headers=own)
        assert (signed_in.status_code, signed_in.headers["Location"]) == (303, "/")
        assert (await client.get("/me")).json()["signed_in"]
        for origin in ({}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}):
            refused = await client.post("/crew/start", json={"crew": "ask"}, headers=origin)
            assert (refused.status_code, refused.json()["code"]) == (403, "wrong_origin")
            assert (await client.post("/console/sign-out", headers=origin)).status_code == 403
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "http://127.0.0.1:1"}
        assert (await client.get("/ws/human-input", headers=upgrade)).status_code == 403
        async with open_store(server.store_url) as store:
            await store.catalogue.announce("here", [ANYONE])
        known = await client.post("/crew/start", json={"crew": "nobody"}, headers=own)
        assert known.json()["code"] == "unknown_crew"
        assert (await client.get("/runs", headers={"Authorization": "Bearer wrong"})).status_code == 401


async def test_over_https_the_cookie_is_never_sent_without(server: Server) -> None:
    headers = {"Origin": server.url.replace("http://", "https://"), "X-Forwarded-Proto": "https"}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        answer = await client.post("/console/sign-in", data={"key": OPS}, headers=headers)
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.fixture
def port() -> Iterator[int]:
    """One at which a server can listen again."""
    with reserved(1) as [free]:
        yield free


async def test_a_restart_underneath_loses_no_word(browser: Browser, data_dir: Path, port: int) -> None:
    env = {"CREWDECK_WORKERS": "0", "PORT": str(port)}
    first = await asyncio.to_thread(Server, data_dir, env)
    try:
        await asyncio.to_thread(first.wait_until_up)
        async with open_store(first.store_url) as store:
            question = await asked(store, "Does it survive?")
        async with window(browser, first.url, calm=False) as ada:
            card = ada.page.get_by_role("article", name=question.prompt)
            await card.get_by_label("Add words").fill("I had written")
            await asyncio.to_thread(first.stop)
            await expect(ada.page.get_by_text("Reconnecting")).to_be_visible()
            await card.get_by_role("button", name="Approve").click()
            await expect(card.get_by_role("alert")).to_contain_text("does not answer just now")
            async with Server.start(env, data_dir) as second:
                await expect(ada.page.get_by_text("Live")).to_be_visible()
                async with open_store(second.store_url) as store:
                    await asked(store, "Is it live again?")
                await expect(ada.page.get_by_role("article", name="Is it live again?")).to_be_visible()
                await expect(ada.page).to_have_title(re.compile(r"^\(2\)"))
                await card.get_by_role("button", name="Approve").click()
                await expect(card).to_contain_text("I had written")
    finally:
        await asyncio.to_thread(first.sweep)


async def test_a_page_that_was_loaded_while_the_store_was_away_comes_by_itself(
    browser: Browser, data_dir: Path
) -> None:
    theirs = await asyncio.to_thread(Embedded.attach, data_dir)
    env = {"CREWDECK_WORKERS": "0", "CREWDECK_REDIS_URL": theirs.url}
    try:
        async with Server.start(env) as server:
            await asyncio.to_thread(theirs.detach)
            await asyncio.to_thread(server.wait_for, lambda: server.get("/me")[0] == 503)
            async with window(browser, server.url, calm=False) as ada:
                await expect(ada.page.get_by_role("alert")).to_contain_text("The store is away")
                theirs = await asyncio.to_thread(Embedded.attach, data_dir)
                await expect(ada.page.get_by_role("heading", name="Waiting for you")).to_be_visible()
    finally:
        await asyncio.to_thread(theirs.detach)
