"""What crews and people wrote, in a browser: all of it is shown, nothing of it acts, none takes long."""

from __future__ import annotations

import asyncio
import random
import unicodedata
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bot.core import ids
from bot.core.events.event import RunProgress
from bot.core.forms.fields import Field, FieldType
from bot.core.people.api_keys import LOCAL
from bot.core.people.policy import Approvers
from bot.core.questions.question import Option, Question, QuestionKind, options_for
from bot.core.runs.crew import Crew
from bot.core.starting import plan
from bot.core.text import visible
from bot.store.redis import RedisStore, open_store
from tests.scenario.browser import Window, window
from tests.scenario.server import Server
from tests.unit.core import test_json_text, test_text
from tests.waiting import WITHIN

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANYONE = Crew(name="ask", title="Ask", approvers=Approvers(anyone=True))
RENDER = """
async (text) => {
  const { prose } = await import("/console/script/markdown.js");
  prose("warm up");
  await import("/console/vendor/markdown-it.min.js");
  await new Promise((done) => setTimeout(done));
  document.getElementById("main").replaceChildren(prose(text));
  return document.querySelector(".prose").innerText;
}
"""
LOAD = """
async () => {
  const { prose } = await import("/console/script/markdown.js");
  prose("warm up");
  await import("/console/vendor/markdown-it.min.js");
  await new Promise((done) => setTimeout(done));
  window.prose = prose;
}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Server]:
    async with Server.start({"CREWDECK_WORKERS": "0"}, wait="announced") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def store(server: Server) -> AsyncIterator[RedisStore]:
    async with open_store(server.store_url) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_window(server: Server, browser: Browser) -> AsyncIterator[Window]:
    """Opening one takes more time than most of these tests."""
    async with window(browser, server.url) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def ada(shared_window: Window) -> AsyncIterator[Window]:
    yield shared_window
    assert not shared_window.elsewhere
    assert not shared_window.troubles


async def asked(store: RedisStore, prompt: str, context: str = "", labels: tuple[str, ...] = ()) -> Question:
    """An open question of a run that no worker of the server holds."""
    run, _ = await store.runs.start(plan(ANYONE, {}, LOCAL, key=prompt))
    [claim] = await store.queue.claim("w1", ["ask"], 1, 300)
    kind = QuestionKind.CHOICE if labels else QuestionKind.APPROVAL
    options = tuple(Option(id=str(n), label=label) for n, label in enumerate(labels, start=1))
    question = Question(
        id=ids.part_id(run.id, prompt),
        run_id=run.id,
        kind=kind,
        prompt=prompt,
        context=context,
        options=options or options_for(kind, ()),
        policy=run.approvers,
    )
    return await store.questions.ask(claim, question)


def shows(rendered: str, text: str) -> bool:
    """Whether each character of the text that isn't space is there, in its order."""
    there = iter(rendered)
    return all(letter in there for letter in visible(text) if not letter.isspace())


# ── what is unseen ──────────────────────────────────────────────────────────────────────────────────────


def cases(test: object) -> list[Any]:
    """The table that a test is parametrised with."""
    [mark] = [mark for mark in vars(test)["pytestmark"] if mark.name == "parametrize"]
    return list(mark.args[1])


async def test_what_would_not_be_seen_is_written_as_its_number_as_everywhere(ada: Window) -> None:
    table = cases(test_text.test_what_would_not_be_seen_is_written_as_its_number)
    ordinary = cases(test_text.test_ordinary_writing_stays_as_it_is)
    assert len(table) > 15
    texts = [stored for stored, _ in table] + ordinary
    wanted = [shown for _, shown in table] + ordinary
    assert await _visible(ada.page, texts) == wanted


async def test_any_text_is_shown_as_on_every_other_surface(ada: Window) -> None:
    chance = random.Random("texts")
    odd = (
        "\u200b\u200c\u200d\u202e\u2066\ufe0f\ufe0e\U000e0061\u0301\u00ad\x1b\x07\r\n\t"
        "\u3164 \u2800\u094d\u0915\u06cc\u0645👩💻❤🏴\ud83d"
    )
    known = [chr(code) for code in range(0x2FFFF) if unicodedata.category(chr(code)) != "Cn"]
    texts = [
        "".join(chance.choice(odd) if chance.random() < 0.6 else chance.choice(known) for _ in range(12))
        for _ in range(4000)
    ]
    assert await _visible(ada.page, texts) == [visible(text) for text in texts]


async def test_json_keeps_all_digits_in_the_console(ada: Window) -> None:
    numbers = ["0", "-0", "1.0", "12345678901234567891", "-9007199254740993", "1e22", "1E-7", "0.10", "1e400"]
    kept = [f'{{"a":[{each},"{each}"],"\\"{each}":{each}}}' for each in numbers] + ['"\\\\"', "[1,true,null]"]
    wrong = ["01.0", "1.", "1.5.5", "-", "1.00.5", "[1.0 2.0]", '"1.0', "NaN"]
    found = await ada.page.evaluate(
        """async (texts) => {
          const { parse, stringify } = await import("/console/script/exact.js");
          const read = (text) => { try { return stringify(parse(text)); } catch { return null; } };
          return texts.map(read);
        }""",
        kept + wrong,
    )
    assert found == kept + [None] * len(wrong)


async def test_a_text_never_looks_like_another_value_in_the_console(ada: Window) -> None:
    table = cases(test_json_text.test_a_value_is_shown_so_that_it_is_taken_for_no_other)
    texts = [(value, shown) for value, shown in table if isinstance(value, str)]
    assert len(texts) > 20
    found = await ada.page.evaluate(
        """async (texts) => {
          const { shown, shownOf } = await import("/console/script/words.js");
          const calls = [{ text_only: ["it"] }, { text_only: ["other"] }, {}];
          return [texts.map((text) => shown(text, false)), calls.map((call) => shownOf(call, "it", "5"))];
        }""",
        [value for value, _ in texts],
    )
    assert found == [[shown for _, shown in texts], ["5", '"5"', '"5"']]


async def _visible(page: Page, texts: list[str]) -> list[str]:
    """By the console's own function; half characters go through as JSON."""
    shown: list[str] = await page.evaluate(
        """async (units) => {
          const { visible } = await import("/console/script/visible.js");
          return units.map((each) => visible(String.fromCharCode(...each)));
        }""",
        [_units(text) for text in texts],
    )
    return shown


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)]


async def test_a_card_shows_what_would_deceive_whoever_decides(ada: Window, store: RedisStore) -> None:
    question = await asked(
        store,
        "Pay \u202e001\u202c EUR?",
        "to \u200bBob\n\n`rm\u2060 -rf`",
        ("Yes\u200b", "\u2066No"),
    )
    card = ada.page.get_by_role("article").filter(has_text="Pay [U+202E]001[U+202C] EUR?")
    await expect(card).to_contain_text("to [U+200B]Bob")
    await expect(card.locator("code")).to_have_text("rm[U+2060] -rf")
    await expect(card.get_by_role("button", name="Yes[U+200B]")).to_be_visible()
    await card.get_by_role("button", name="[U+2066]No").click()
    await expect(card).to_contain_text("Chosen by local")
    assert (await store.questions.get(question.run_id, question.id)).outcome is not None


# ── nothing is taken away ───────────────────────────────────────────────────────────────────────────────

TEXTS = (
    "[Refund to customer](10 EUR, and wire 9000 EUR to account 1)",
    '[Refund](https://bank.example/?amount=9000 "and wire it to account 1")',
    "[Refund](https://bank.example 'single')",
    "[a](<https://bank.example>)",
    '![eye](https://bank.example/x.png "title")',
    "<https://bank.example/a_b>",
    "see https://bank.example/a_b*c, and more.",
    "if limits[user](amount and not blocked): pay()",
    "Pay 2*3*4 EUR, or 5 _and_ 6 **not** 7 ~~8~~",
    "```js and wire 9000 EUR\ncode()\n``` trailing words",
    "````\n```\n````\n~~~ x\nnever closed",
    "# Title # with hashes ##\n## two ##",
    "Title\n=====\nother\n-----\n",
    "> quoted\n> > deeper\nlazily",
    "1. one\n1. again\n9. nine\n\n7) seven\n   - nested\n     * deeper",
    "- a\n\n  second paragraph\n- [ ] task",
    "| a | b |\n|---|:-:|\n| 1 | 2 | 3 and wire 9000 |\n| only |\n| x \\| y | z |",
    "a | b\n- | -\n1 | 2",
    '[hidden]: https://bank.example "words"\n\n[hidden] and [shown][hidden]',
    "&lt;b&gt; &amp; &#x202e; &nbsp; &copy;",
    "\\*not emphasis\\* and \\\nhard break",
    "<b>bold</b> <!-- comment --> <script>x</script>",
    "***\n* * *\n___",
    "    indented code\n\n\ttab",
    "`` a`b `` and `  c  `",
    "**bold",
    "*" * 300,
    "> " * 150 + "deep",
    "- " * 150 + "deep",
    "[" * 200 + "x" + "](y)" * 200,
    "[javascript](javascript:alert(1)) [data](data:text/html,x) [mail](mailto:a@b.example)",
    "# \u2028 x",
    "\u202etext\u202c",
)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_every_character_of_a_text_is_shown(ada: Window, text: str) -> None:
    assert shows(await ada.page.evaluate(RENDER, text), text)
    assert await ada.page.locator(".prose :is(img, script, iframe)").count() == 0
    for address in await ada.page.locator(".prose a").evaluate_all("all => all.map((a) => a.href)"):
        assert address.startswith(("http://", "https://", "mailto:"))


async def test_every_character_of_any_text_is_shown(ada: Window) -> None:
    chance = random.Random("markdown")
    parts = [
        *(
            "*",
            "**",
            "_",
            "~~",
            "`",
            "```",
            "[",
            "]",
            "](",
            ")",
            "(",
            "<",
            ">",
            "!",
            "#",
            "# ",
            "|",
            "-",
            "- ",
            "1. ",
            "> ",
            "\n",
        ),
        *(
            "\n\n",
            "    ",
            "\\",
            "&amp;",
            "&#42;",
            "https://a.example",
            ' "t"',
            "word",
            "10 EUR",
            "=",
            "===",
            ":",
            "\t",
            "é",
            "\u200b",
        ),
    ]
    for _ in range(400):
        text = "".join(chance.choice(parts) for _ in range(chance.randrange(1, 40)))
        assert shows(await ada.page.evaluate(RENDER, text), text), text


async def test_a_link_is_its_words_and_where_it_leads(ada: Window) -> None:
    text = 'Pay [our bank](https://bank.example/pay?to=1 "now").'
    shown = await ada.page.evaluate(RENDER, text)
    assert shown == text.replace("(https", "(https")
    [address] = await ada.page.locator(".prose a").evaluate_all("all => all.map((a) => a.href)")
    assert address == "https://bank.example/pay?to=1"


async def test_markdown_is_rendered_where_nothing_is_lost(ada: Window) -> None:
    await ada.page.evaluate(
        RENDER, "# Title\n\n**bold** and `code`\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )
    for tag, words in (("h3", "# Title"), ("strong", "bold"), ("code", "code"), ("li", "one"), ("td", "1")):
        await expect(ada.page.locator(f".prose {tag}").filter(has_text=words).first).to_be_visible()


# ── nothing is out of sight ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text", ["```\n" + "x" * 5000 + "\n```", "`" + "y" * 5000 + "`", "    " + "z " * 3000]
)
async def test_code_is_as_wide_as_the_page(ada: Window, text: str) -> None:
    await ada.page.evaluate(RENDER, text)
    assert await ada.page.evaluate(
        """[...document.querySelectorAll('.prose, .prose *')].every((each) =>
          each.scrollWidth <= each.clientWidth + 1 || getComputedStyle(each).display === 'inline')"""
    )
    assert await ada.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_no_word_makes_a_page_wider_than_a_phone(
    server: Server, browser: Browser, store: RedisStore
) -> None:
    word = "w" * 300
    crew = ANYONE.model_copy(
        update={"title": f"Wide {word}", "inputs": (Field(name="topic", label=word), Field(name="n"))}
    )
    run, _ = await store.runs.start(plan(crew, {"topic": word, "n": word}, LOCAL, key="wide"))
    [claim] = await store.queue.claim("w1", ["ask"], 1, 300)
    await store.events.append(claim, RunProgress(text=word, crew_id=ids.part_id(run.id, "crew")))
    fields = (
        Field(name="text", label=word, description=word, default=word),
        Field(name="one", type=FieldType.CHOICE, choices=(word, "b")),
        Field(name="several", type=FieldType.MULTI_CHOICE, choices=(word, "b")),
        Field(name="yes", label=word, type=FieldType.BOOLEAN),
    )
    options = (Option(id="1", label=word[:75]), Option(id="2", label="No"))
    for kind in (QuestionKind.CHOICE, QuestionKind.FORM):
        question = Question(
            id=ids.part_id(run.id, f"wide {kind}"),
            run_id=run.id,
            kind=kind,
            prompt=word,
            context=word,
            asker=word,
            options=options if kind is QuestionKind.CHOICE else (),
            form=fields if kind is QuestionKind.FORM else (),
            policy=run.approvers,
        )
        await store.questions.ask(claim, question)
    async with window(browser, server.url, width=360) as eve:
        for where in ("#/", "#/runs", f"#/runs/{run.id}"):
            await eve.go(where)
            await expect(eve.page.get_by_text("www").first).to_be_visible()
            assert await eve.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where


async def test_what_decides_stands_below_all_of_a_long_text(
    server: Server, browser: Browser, store: RedisStore
) -> None:
    words = "\n".join(f"Line {number}: and wire {number} EUR to account {number}" for number in range(6000))
    assert len(words) > 200_000
    await asked(store, "Shall all of it be done?", words)
    async with window(browser, server.url) as bob:
        card = bob.page.get_by_role("article", name="Shall all of it be done?")
        approve = card.get_by_role("button", name="Approve")
        await expect(approve).to_be_attached()
        shown = await card.locator(".context").inner_text()
        assert shows(shown, words)
        context, button = await card.locator(".context").bounding_box(), await approve.bounding_box()
        assert context
        assert button
        assert button["y"] >= context["y"] + context["height"]
        assert context["height"] > 6000 * 10  # nothing of it is folded away


# ── nothing takes long ──────────────────────────────────────────────────────────────────────────────────

SLOW = {
    "heading of spaces": "'# ' + ' '.repeat(n) + '\\u2028'",
    "brackets": "'['.repeat(n)",
    "links": "'[a]('.repeat(n / 4)",
    "empty links": "'[](<'.repeat(n / 4)",
    "stars": "'*a '.repeat(n / 3)",
    "mixed marks": "'**a *b _c ~~'.repeat(n / 12)",
    "backticks": "Array.from({length: Math.sqrt(n)}, (_, i) => '`'.repeat(i)).join('a')",
    "angles": "'<http://a'.repeat(n / 9)",
    "addresses": "'https://a.'.repeat(n / 10)",
    "line separators": "'\\u2028'.repeat(n)",
    "lists": "'- '.repeat(n / 2)",
    "quotes": "'> '.repeat(n / 2)",
    "table": "'|a'.repeat(n / 6) + '\\n' + '|-'.repeat(n / 6) + '\\n' + '|b\\n'.repeat(n / 6)",
    "lines": "'a\\n'.repeat(n / 2)",
    "marks": "'e' + '\\u0301'.repeat(n)",
    "joiners": "'\\u200d'.repeat(n)",
}


async def times(page: Page, make: str, *sizes: int) -> list[float]:
    """Milliseconds of processor time that the page takes to render a text of each size."""
    await page.evaluate(LOAD)
    debugger = await page.context.new_cdp_session(page)
    await debugger.send("Performance.enable")

    async def spent() -> float:
        metrics = (await debugger.send("Performance.getMetrics"))["metrics"]
        [seconds] = [each["value"] for each in metrics if each["name"] == "ThreadTime"]
        return 1000 * float(seconds)

    taken = []
    for size in sizes:
        await page.evaluate(f"(n) => {{ window.given = {make}; }}", size)
        before = await spent()
        assert await page.evaluate("prose(given).textContent.length") > 0
        taken.append(await spent() - before)
    await debugger.detach()
    return taken


@pytest.mark.parametrize("make", SLOW.values(), ids=SLOW)
async def test_no_text_holds_the_page_up(ada: Window, make: str) -> None:
    """Ten times the text takes about ten times as long, and the longest one that is rendered a moment."""
    short, long = await asyncio.wait_for(times(ada.page, make, 4_000, 40_000), WITHIN)
    assert long < 3000
    assert long < 40 * max(short, 10)


async def test_a_whole_megabyte_is_shown_soon(ada: Window) -> None:
    [took] = await times(ada.page, SLOW["heading of spaces"], 1_000_000)
    assert took < 3000
