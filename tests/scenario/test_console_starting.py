"""The console while the workers of projects are starting, in a real browser."""

from __future__ import annotations

import asyncio
import json

from playwright.async_api import expect

from bot.core.crew import Crew, CrewProblem
from bot.store.redis import open_store
from tests.scenario.browser import chromium, window
from tests.scenario.server import Server
from tests.waiting import WITHIN

HERE = Crew(name="ask", title="Ask")
LATER = Crew(name="news-report", title="News report")
STARTING = CrewProblem(
    name="news", problem="its worker is starting", remedy="Try again in a moment.", starting=True
)


async def test_crews_that_are_starting_are_announced_and_then_listed() -> None:
    async with (
        Server.start({"CREWDECK_WORKERS": "0"}, wait="announced") as server,
        open_store(server.store_url) as store,
        chromium() as browser,
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
        await store.catalogue.announce("machine:1", [Crew(name="ask", title="Ask finance")])
        # A page that is opened before the server has heard of it doesn't show it.
        await asyncio.to_thread(
            server.wait_for, lambda: "Ask finance" in json.dumps(server.get("/crews")[1]), WITHIN
        )
        await here.go("#/runs")
        await here.go("#/start")
        await expect(problems).to_be_visible()
        await expect(
            page.get_by_text("ask: workers of elsewhere and machine announce different")
        ).to_be_visible()


async def test_of_a_run_that_is_not_there_nothing_else_is_shown() -> None:
    async with (
        Server.start({"CREWDECK_WORKERS": "0"}, wait="announced") as server,
        chromium() as browser,
        window(browser, server.url, calm=False) as here,
    ):
        await here.go("#/runs/00000000-0000-4000-8000-000000000000")
        await expect(here.page.get_by_role("alert")).to_contain_text("There is no run")
        await expect(here.page.get_by_role("heading", name="About this run")).to_be_hidden()
        await expect(here.page.locator(".state")).to_be_hidden()


async def test_the_form_of_a_crew_that_is_starting_comes_by_itself() -> None:
    async with (
        Server.start({"CREWDECK_WORKERS": "0"}, wait="announced") as server,
        open_store(server.store_url) as store,
        chromium() as browser,
        window(browser, server.url) as here,
    ):
        await store.catalogue.announce("elsewhere", [HERE])
        await store.catalogue.announce("project", [], complete=False, problems=[STARTING])
        await here.go("#/start/news-report")
        await expect(here.page.get_by_text("There is no crew news-report.")).to_be_visible()
        await expect(here.page.get_by_text("news is starting")).to_be_visible()
        await store.catalogue.announce("project", [LATER])
        await expect(here.page.get_by_role("button", name="Start News report")).to_be_visible()
