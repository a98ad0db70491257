"""A real Chromium, its windows, and what went wrong in them.

    async with chromium() as browser, window(browser, server.url) as here:
        await here.go("#/runs")
        await expect(here.page.get_by_role("heading", name="Runs")).to_be_visible()

At the end of a window nothing may have gone wrong in it (no error on its console, no request to elsewhere).
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import axe_playwright_python
import pytest
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, async_playwright, expect

from tests.waiting import WITHIN

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first is the same engine without a user interface: a window takes a third of the processor time."""
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
SERIOUS = {"serious", "critical"}


def executable() -> str:
    """The browser of this machine; the test is skipped where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.skip(f"The console is tested in Chromium, and none of these is installed: {', '.join(NAMES)}")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    path = executable()
    expect.set_options(timeout=WITHIN * 1000)
    # Containers have no user namespaces for its sandbox, and it only sees our own pages.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@dataclass
class Window:
    """One person's window."""

    page: Page
    url: str
    #: Errors on the console and in scripts.
    troubles: list[str] = field(default_factory=list)
    #: Requests to other servers.
    elsewhere: list[str] = field(default_factory=list)

    async def go(self, where: str = "") -> None:
        """Returns once the page is loaded, or the one that it sends people to: to sign in, for example."""
        try:
            await self.page.goto(f"{self.url}/{where}")
        except Error as error:
            if "interrupted by another navigation" not in error.message:
                raise
            await self.page.wait_for_load_state()

    async def findings(self) -> list[str]:
        """What axe-core finds serious on the page as it is."""
        # Through the debugger: the page's own policy lets no foreign script in.
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE.read_text())
        results = await self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{each['id']}: {[node['html'] for node in each['nodes']]}"
            for each in results["violations"]
            if each["impact"] in SERIOUS
        ]

    def note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(message.text)

    def watch(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:")):
            self.elsewhere.append(request.url)


@asynccontextmanager
async def window(
    browser: Browser,
    url: str,
    *,
    width: int = 1000,
    scheme: Literal["light", "dark"] = "light",
    calm: bool = True,
) -> AsyncIterator[Window]:
    """A new person's window, on the console. `calm`: errors on its console are errors of the test."""
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(WITHIN * 1000)
    here = Window(await context.new_page(), url)
    here.page.on("console", here.note)
    here.page.on("pageerror", lambda error: here.troubles.append(str(error)))
    here.page.on("request", here.watch)
    await here.go()
    yield here
    await context.close()
    assert not here.elsewhere
    if calm:
        assert not here.troubles
