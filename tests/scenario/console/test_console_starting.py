"""The console while the workers of projects are starting, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from bot.core.runs.crew import Crew, CrewProblem
from bot.store.redis import open_store
from tests.scenario.browser import window
from tests.scenario.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

HERE = Crew(name="ask", title="Ask")
LATER = Crew(name="news-report", title="News report")
STARTING = CrewProblem(
    name="news", problem="its worker is starting", remedy="Try again in a moment.", starting=True
)


async def test_crews_that_are_starting_are_announced_and_then_listed(browser: Browser) -> None:
    async with (
        Server.start({"CREWDECK_WORKERS": "0"}, wait="announced") as server,
        open_store(server.store_url) as store,
        window(browser, server.url) as here,
    ):
        page = here.page
        await store.catalogue.announce("project", [], complete=False, problems=[STARTING])
        await here.go("#/start")
        status = page.get_by_role("status").filter(has_text="news is starting")
        await expect(status).to_contain_text("More crews appear here in a moment.")
        await expect(page.get_by_text("No worker is up yet")).to_have_count(0)
        await store.catalogue.announce("elsewhere", [HERE])
        await page.get_by_role("link", name="Ask").focus()
        assert await here.findings() == []
        await store.catalogue.announce("project", [LATER])
        await expect(page.get_by_role("link", name="News report")).to_be_visible()
        await expect(page.get_by_role("link", name="Ask")).to_be_focused()
        await expect(status).to_be_hidden()
        problems = page.get_by_role("heading", name="Problems")
        await expect(problems).to_be_hidden()
        # Nothing is starting any more: what comes later is shown all the same.
        await store.catalogue.announce("machine:1", [Crew(name="ask", title="Ask finance")])
        await expect(problems).to_be_visible()
        await expect(
            page.get_by_text("ask: workers of elsewhere and machine announce different")
        ).to_be_visible()
        await expect(page.get_by_role("link", name="Ask")).to_be_focused()


async def test_a_crew_that_comes_later_gets_its_form_and_a_server_that_is_away_takes_no_list(
    browser: Browser,
) -> None:
    async with (
        Server.start({"CREWDECK_WORKERS": "0"}, wait="announced") as server,
        open_store(server.store_url) as store,
        window(browser, server.url, calm=False) as here,
    ):
        page = here.page
        await here.go("#/start/%E0%A4%A")
        await expect(page.get_by_text("No worker is up yet")).to_be_visible()
        await here.go("#/start/ask")
        await expect(page.get_by_text("No worker is up yet")).to_be_visible()
        await store.catalogue.announce("elsewhere", [HERE])
        await expect(page.get_by_role("button", name="Start Ask")).to_be_visible()
        await here.go("#/start")
        await expect(page.get_by_role("link", name="Ask")).to_be_visible()
        await page.route("**/crews", lambda route: route.abort())
        for _ in range(2):  # once the second one fails, the first one has been shown
            async with page.expect_event("requestfailed", lambda request: request.url.endswith("/crews")):
                pass
        await expect(page.get_by_role("link", name="Ask")).to_be_visible()
        await expect(page.get_by_role("alert")).to_have_count(0)
        await page.unroute("**/crews")
        await store.catalogue.announce("elsewhere", [HERE, LATER])
        await expect(page.get_by_role("link", name="News report")).to_be_visible()


async def test_of_a_run_that_is_not_there_nothing_else_is_shown(browser: Browser) -> None:
    async with (
        Server.start({"CREWDECK_WORKERS": "0"}, wait="announced") as server,
        window(browser, server.url, calm=False) as here,
    ):
        await here.go("#/runs/00000000-0000-4000-8000-000000000000")
        await expect(here.page.get_by_role("alert")).to_contain_text("There is no run")
        await expect(here.page.get_by_role("heading", name="About this run")).to_be_hidden()
        await expect(here.page.locator(".state")).to_be_hidden()


async def test_the_form_of_a_crew_that_is_starting_comes_by_itself(browser: Browser) -> None:
    async with (
        Server.start({"CREWDECK_WORKERS": "0"}, wait="announced") as server,
        open_store(server.store_url) as store,
        window(browser, server.url) as here,
    ):
        await store.catalogue.announce("elsewhere", [HERE])
        await store.catalogue.announce("project", [], complete=False, problems=[STARTING])
        await here.go("#/start/news-report")
        await expect(here.page.get_by_text("There is no crew news-report.")).to_be_visible()
        await expect(here.page.get_by_text("news is starting")).to_be_visible()
        await store.catalogue.announce("project", [LATER])
        await expect(here.page.get_by_role("button", name="Start News report")).to_be_visible()
