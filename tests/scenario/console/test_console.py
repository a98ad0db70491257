"""The console in a real browser: people start crews, answer what they ask, and see each other do it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Locator, Page, Response, expect

from tests.scenario.browser import Window, window
from tests.scenario.server import Server
from tests.scenario.slack_deployment import CREWS
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

NASTY = (
    "**bold** and `code`, <script>window.owned = 1</script><img src=x onerror='window.owned = 1'>, "
    "[trap](javascript:window.owned=1), ![eye](http://elsewhere.invalid/eye.png) and "
    "[friend](https://friend.invalid/page)"
)

VIEWS = {"#/": ".question", "#/runs": ".runs li", "#/start": ".crews li", "#/start/form": ".inputs"}
"""Where each view is, and what is there once it has been filled."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Server]:
    async with Server.start({"CREWDECK_CONFIG_DIR": str(CREWS)}) as started:
        await asyncio.to_thread(started.wait_for, lambda: working(started))
        yield started


def working(server: Server) -> bool:
    """Whether its worker has all it needs to run crews."""
    return any(record["message"] == "ready" and "crews" in record for record in server.log)


@pytest_asyncio.fixture(loop_scope="session")
async def ada(server: Server, browser: Browser) -> AsyncIterator[Window]:
    async with window(browser, server.url) as opened:
        yield opened


async def start(page: Page, crew: str, topic: str, **inputs: str) -> None:
    """Start a crew with its form; its run is shown then."""
    await page.get_by_role("link", name="Start", exact=True).click()
    await page.locator(f"a[href='#/start/{crew.lower()}']").click()
    await page.get_by_label("Topic").fill(topic)
    for label, value in inputs.items():
        await page.get_by_label(label.capitalize()).fill(value)
    await page.get_by_role("button", name=f"Start {crew}").click()
    await expect(page.get_by_role("heading", level=1, name=crew)).to_be_visible()


def question(page: Page, words: str) -> Locator:
    return page.get_by_role("article", name=words)


async def waiting(page: Page, words: str) -> Locator:
    """The card of a question, where all that wait are."""
    await (
        page.get_by_role("navigation", name="Console").get_by_role("link", name=re.compile("Waiting")).click()
    )
    card = question(page, words)
    await expect(card).to_be_visible()
    return card


async def result(page: Page) -> Locator:
    return page.get_by_role("region", name="Result")


async def test_the_main_job_from_form_to_result(ada: Window) -> None:
    page = ada.page
    await start(page, "Demo", "tide mills", pace="0")
    card = question(page, "Shall I publish this note about tide mills?")
    await expect(card).to_contain_text("Nendrum")
    await card.get_by_label("Add words").fill("It reads well")
    await card.get_by_role("button", name="Approve").click()
    await expect(card).to_contain_text("Approved by local")
    await expect(await result(page)).to_contain_text("It reads well")
    timeline = page.get_by_role("region", name="Timeline")
    for words in ("Started by local", "Look up", "Publish", "Completed"):
        await expect(timeline).to_contain_text(words)


async def test_a_choice_is_answered_by_its_button(ada: Window) -> None:
    await start(ada.page, "Pick", "colour")
    card = await waiting(ada.page, "Which colour?")
    await card.get_by_role("button", name="green").click()
    await expect(card).to_contain_text("Chosen by local")
    await expect(card).to_contain_text("green")
    await expect(card.get_by_role("button")).to_have_count(0)


async def test_a_text_needs_words_and_passes_them_on(ada: Window) -> None:
    await start(ada.page, "Tell", "tides")
    card = question(ada.page, "What about tides?")
    await card.get_by_role("button", name="Send").click()
    await expect(card.get_by_role("alert")).to_contain_text("write your words")
    await expect(card.get_by_label("Your answer")).to_be_focused()
    await card.get_by_label("Your answer").fill("They come and go")
    await card.get_by_label("Your answer").press("Control+Enter")
    await expect(await result(ada.page)).to_contain_text("They come and go")


async def test_a_review_goes_round_until_it_is_approved(ada: Window) -> None:
    await start(ada.page, "Review", "tides")
    card = ada.page.get_by_role("article").last
    await card.get_by_label("What should change").fill("Shorter, please")
    await card.get_by_role("button", name="Request changes").click()
    await expect(ada.page.get_by_text("Changes requested by local")).to_be_visible()
    again = ada.page.get_by_role("article").nth(1)
    await again.get_by_role("button", name="Approve", exact=True).click()
    await expect(await result(ada.page)).to_contain_text("A draft about tides")


async def test_words_to_an_approval_are_words(ada: Window) -> None:
    await start(ada.page, "Ask", "harbours")
    card = question(ada.page, "May harbours go on?")
    await card.get_by_label("Add words").fill("Ask me tomorrow")
    await card.get_by_role("button", name="Answer in words only").click()
    await expect(card).to_contain_text("Answered by local")
    await expect(await result(ada.page)).to_contain_text("Ask me tomorrow")


async def test_two_people_see_each_others_decisions_at_once(
    ada: Window, server: Server, browser: Browser
) -> None:
    async with window(browser, server.url) as bob:
        await start(ada.page, "Ask", "ferries")
        hers, his = question(ada.page, "May ferries go on?"), question(bob.page, "May ferries go on?")
        await expect(his).to_be_visible()
        await expect(bob.page).to_have_title(re.compile(r"^\(\d+\) Waiting"))
        await expect(bob.page.get_by_role("status")).to_contain_text("New question from Ask")
        await his.get_by_label("Add words").focus()
        await hers.get_by_role("button", name="Reject").click()
        await expect(his).to_contain_text("Rejected by local")
        await expect(his.locator(".outcome")).to_be_focused()


async def test_who_answers_too_late_is_told_what_was_decided(
    ada: Window, server: Server, browser: Browser
) -> None:
    await start(ada.page, "Ask", "locks")
    await expect(question(ada.page, "May locks go on?")).to_be_visible()
    async with window(browser, server.url, calm=False) as bob:
        # His window hears nothing of what happens from now on.
        await bob.page.route("**/events/**", lambda route: route.abort())
        await bob.page.reload()
        his = question(bob.page, "May locks go on?")
        await expect(his).to_be_visible()
        hers = question(ada.page, "May locks go on?")
        await hers.get_by_role("button", name="Approve").click()
        await expect(hers).to_contain_text("Approved by local")
        await his.get_by_role("button", name="Reject").click()
        await expect(his).to_contain_text("Approved by local")
        await expect(his).to_contain_text("Your answer was not counted")


async def test_what_a_crew_writes_is_shown_and_never_run(ada: Window) -> None:
    await start(ada.page, "Review", NASTY)
    context = ada.page.get_by_role("article").locator(".context")
    await expect(context.locator("strong")).to_have_text("bold")
    await expect(context.locator("code")).to_have_text("code")
    await expect(context).to_contain_text("<script>window.owned = 1</script><img src=x")
    await expect(context.locator("img, script, [onerror]")).to_have_count(0)
    links = await context.locator("a").evaluate_all("links => links.map(link => link.href)")
    assert links == ["http://elsewhere.invalid/eye.png", "https://friend.invalid/page"]
    assert await ada.page.evaluate("window.owned") is None


async def test_what_has_to_be_read_before_deciding_is_there_in_full(ada: Window) -> None:
    await start(ada.page, "Long", "all of it")
    card = question(ada.page, "May all of it go on?")
    await expect(card.get_by_role("button", name="Approve")).to_be_visible()
    shown = await card.locator(".context").inner_text()
    assert shown.count("All of this has to be read before anybody decides.") > 100


async def test_every_type_of_input_has_its_control(ada: Window) -> None:
    page = ada.page
    await page.get_by_role("link", name="Start", exact=True).click()
    await page.get_by_role("link", name=re.compile("^Form")).click()
    await page.get_by_label("Body").fill("two\nlines")
    await page.get_by_label("Count").fill("3")
    await page.get_by_label("Urgent").check()
    await page.get_by_label("Tone").select_option("playful")
    await page.get_by_label("Day").fill("2026-03-31")
    await page.get_by_role("button", name="Start Form").click()
    await expect(page.get_by_label("Topic")).to_be_focused()
    await expect(page.get_by_label("Topic")).to_have_accessible_description(re.compile("is required"))
    await until(lambda: ada.troubles)  # the browser says on its console that the first try was refused
    ada.troubles.clear()
    await page.get_by_label("Topic").fill("tides")
    await page.get_by_role("button", name="Start Form").click()
    await expect(await result(page)).to_contain_text("0.5, True, playful, 2026-03-31")


async def test_a_crew_is_started_with_a_file_and_its_own_file_is_saved(ada: Window) -> None:
    page = ada.page
    await page.get_by_role("link", name="Start", exact=True).click()
    await page.locator("a[href='#/start/reader']").click()
    await choose(page, "plan.txt", b"PLAN")
    await page.get_by_role("button", name="Start Reader").click()
    await expect(page.get_by_role("link", name="plan.txt")).to_be_visible()
    async with page.expect_download() as saving:
        await page.get_by_role("link", name="report-tides.md").click()
    path = await (await saving.value).path()
    assert path.read_text().endswith("inputs/doc/plan.txt")


async def test_a_wrong_file_is_refused_at_its_field_and_another_one_is_taken(
    server: Server, browser: Browser
) -> None:
    async with window(browser, server.url, calm=False) as here:
        page = here.page
        await here.go("#/start/reader")
        for name, content, wrong in (
            ("plan.pdf", b"x", "of type txt"),
            ("plan.txt", b"x" * 1025, "has 1025 bytes"),
        ):
            await choose(page, name, content)
            await page.get_by_role("button", name="Start Reader").click()
            await expect(page.get_by_text(wrong)).to_be_visible()
        await choose(page, "plan.txt", b"PLAN")
        await page.get_by_role("button", name="Start Reader").click()
        await expect(page.get_by_role("link", name="plan.txt")).to_be_visible()


async def choose(page: Page, name: str, content: bytes) -> None:
    file = FilePayload(name=name, mimeType="application/octet-stream", buffer=content)
    await page.get_by_label("Document").set_input_files(file)


async def test_a_run_can_be_cancelled(ada: Window) -> None:
    page = ada.page
    await start(page, "Ask", "wrecks")
    await expect(question(page, "May wrecks go on?")).to_be_visible()
    await page.get_by_role("button", name="Cancel this run").click()
    await page.get_by_role("button", name="Cancel the run").click()
    await expect(page.get_by_role("region", name="Timeline")).to_contain_text("Cancelled by local")
    await expect(question(page, "May wrecks go on?")).to_contain_text("Withdrawn")


async def test_the_keyboard_is_enough(ada: Window) -> None:
    page = ada.page
    await start(page, "Ask", "anchors")
    await expect(page.get_by_role("button", name="Approve")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.type("Mind the chain")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(question(page, "May anchors go on?").locator(".outcome")).to_be_focused()
    await expect(await result(page)).to_contain_text("Mind the chain")


async def test_runs_are_listed_and_lead_to_what_happened(ada: Window) -> None:
    page = ada.page
    await start(page, "Vote", "lists")
    await expect(question(page, "Does anybody want lists?")).to_be_visible()
    await page.get_by_role("link", name="Runs", exact=True).click()
    row = page.get_by_role("link", name=re.compile("Vote.*Waiting for an answer.*lists", re.DOTALL))
    await row.click()
    await question(page, "Does anybody want lists?").get_by_role("button", name="Approve").click()
    await expect(await result(page)).to_be_visible()
    await page.get_by_role("link", name="Runs", exact=True).click()
    await expect(
        page.get_by_role("link", name=re.compile("Vote.*Completed.*lists", re.DOTALL))
    ).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1600, "dark")])
async def test_every_view_fits_and_is_accessible(
    width: int, scheme: Literal["light", "dark"], server: Server, browser: Browser
) -> None:
    async with window(browser, server.url, width=width, scheme=scheme) as eve:
        await start(eve.page, "Ask", f"{scheme} sails")
        for where, there in VIEWS.items():
            await eve.go(where)
            await expect(eve.page.locator(there).first).to_be_visible()
            assert await eve.findings() == [], where
            assert await eve.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
        await eve.go("#/runs")
        await eve.page.get_by_role("link", name=re.compile("^Ask.*Waiting", re.DOTALL)).first.click()
        await expect(eve.page.get_by_role("button", name="Approve").first).to_be_visible()
        assert await eve.findings() == []


async def test_the_first_paint_weighs_little(server: Server, browser: Browser) -> None:
    async with window(browser, "about:blank", calm=False) as fresh:
        fresh.url = server.url
        sizes: list[int] = []

        def weigh(answer: Response) -> None:
            # The parser of Markdown is loaded after that, where there is something to render.
            if answer.url == f"{server.url}/" or re.search("/console/(?!vendor/)", answer.url):
                sizes.append(int(answer.headers["content-length"]))

        fresh.page.on("response", weigh)
        await fresh.go()
        await expect(fresh.page.get_by_role("heading", level=1)).to_be_visible()
        assert len(sizes) > 10
        assert sum(sizes) < 50_000
        fresh.elsewhere.clear()


async def test_the_page_allows_nothing_but_itself(server: Server, ada: Window) -> None:
    answer = await ada.page.request.get(server.url)
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    again = await ada.page.request.get(server.url, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304
