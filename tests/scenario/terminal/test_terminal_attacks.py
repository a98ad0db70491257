"""Texts of others on a real terminal: each command shows them, and the terminal obeys none of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.core import ids
from bot.core.forms.fields import Field
from bot.core.people.api_keys import LOCAL
from bot.core.people.policy import Approvers
from bot.core.questions.question import Question, QuestionKind, options_for
from bot.core.questions.response import Reject
from bot.core.runs.crew import Crew
from bot.core.starting import plan
from bot.store.redis import RedisStore, open_store
from tests.scenario.server import Server, environment
from tests.scenario.terminal.person import CTRL_C, person
from tests.waiting import WITHIN

ATTACKS = {
    "clipboard": ("\x1b]52;c;b3duZWQ=\x07", "[U+001B]]52;c;b3duZWQ=[U+0007]"),
    "clear screen": ("\x1b[2J\x1b[1;1Howned", "[U+001B][2J[U+001B][1;1Howned"),
    "title": ("\x1b]0;owned\x1b\\", "[U+001B]]0;owned[U+001B]\\"),
    "answer back": ("\x1b[5n\x05", "[U+001B][5n[U+0005]"),
    "one byte controls": ("\x9b2J\x9d0;owned\x9c", "[U+009B]2J[U+009D]0;owned[U+009C]"),
    "carriage return": ("refused\rowned", "refused[U+000D]owned"),
    "backspaces": ("1\x08\x089", "1[U+0008 \N{MULTIPLICATION SIGN}2]9"),
    "direction": ("\u202e001\u202c", "[U+202E]001[U+202C]"),
    "line separator": ("a\u2028b", "a[U+2028]b"),
    "hidden": ("ok\U000e0041\u200b", "ok[U+E0041][U+200B]"),
}
HARM = "".join(stored for stored, _ in ATTACKS.values())
SHOWN = tuple(shown for _, shown in ATTACKS.values())
OBEYED = (
    *("\x1b]52", "\x1b]0;", "\x1b[1;1Howned", "\x1b[5n", "\x05", "\x9b", "\x9d", "\x9c", "\rowned"),
    *("\x08\x089", "\u202e", "\u2028", "\U000e0041", "\u200b"),
)
FIELD = Field(name="topic")
CREW = Crew(
    name="attack",
    title=f"Crew {HARM}",
    description=HARM,
    inputs=(FIELD,),
    approvers=Approvers(anyone=True),
)


@pytest.fixture(scope="module")
def question(server: Server) -> Question:
    return asyncio.run(_ask(server))


async def _ask(server: Server) -> Question:
    """An open question, in a run whose every text was written by somebody who means harm."""
    async with open_store(server.store_url) as store:
        return await _ask_in(store, f"Is it so? {HARM}")


async def _ask_in(store: RedisStore, prompt: str) -> Question:
    by = LOCAL.model_copy(update={"name": f"Eve {HARM}"})
    run, _ = await store.runs.start(plan(CREW, {"topic": HARM}, by, key=prompt))
    [claim] = await store.queue.claim("w1", [CREW.name], 1, 300)
    question = Question(
        id=ids.part_id(run.id, prompt),
        run_id=run.id,
        kind=QuestionKind.APPROVAL,
        prompt=prompt,
        context=f"Because {HARM}\nand more {HARM}",
        options=options_for(QuestionKind.APPROVAL, ()),
        policy=run.approvers,
    )
    return await store.questions.ask(claim, question)


def assert_shown(said: str, *, all_of: tuple[str, ...] = SHOWN) -> None:
    found = [sequence for sequence in OBEYED if sequence in said]
    assert not found, said
    for shown in all_of:
        assert shown in said, shown


@pytest.mark.parametrize("words", [("runs", "show"), ("runs", "list")], ids=" ".join)
def test_operators_commands(words: tuple[str, ...], server: Server, question: Question) -> None:
    named = (question.run_id,) if words[-1] == "show" else ()
    env = {"CREWDECK_DATA_DIR": str(server.data_dir)}
    with person(server.url, *words, *named, env=env) as ada:
        assert ada.leaves() == 0
        assert_shown(ada.raw)


def test_following_a_run(server: Server, question: Question) -> None:
    with person(server.url, "follow", question.run_id) as ada:
        ada.sees("Because", "Answer in words")
        ada.types(CTRL_C)
        ada.sees("Leave this run?")
        ada.types("\r")
        assert ada.leaves() == 130
        assert_shown(ada.raw)


def test_the_inbox(server: Server, question: Question) -> None:
    with person(server.url, "inbox") as ada:
        ada.sees("What waits for an answer")
        ada.types("\r")
        ada.sees("Because", "Answer in words")
        ada.types(CTRL_C)
        assert ada.leaves() == 0
        assert_shown(ada.raw)
    assert question.open


def test_answering_and_what_others_answered(server: Server, question: Question) -> None:
    asyncio.run(_reject(server, question))
    with person(server.url, "answer", question.id) as ada:
        ada.sees("decided")
        assert ada.leaves() == 1
        assert_shown(ada.raw)
    with person(server.url, "answer", question.id, "approve") as ada:
        assert ada.leaves() == 1
        assert_shown(ada.raw)


async def _reject(server: Server, question: Question) -> None:
    async with open_store(server.store_url) as store:
        eve = LOCAL.model_copy(update={"name": f"Eve {HARM}"})
        said = Reject(comment=f"No {HARM}", actor=eve, key="eve")
        await store.questions.respond(question.run_id, question.id, said)


def test_a_mistake_in_others_words(server: Server) -> None:
    with person(server.url, "start", f"no{HARM}") as ada:
        assert ada.leaves() == 2
        assert_shown(ada.raw, all_of=())
        assert ada.raw.count("\n") == 1


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_log(log_format: str, data_dir: Path) -> None:
    program = (
        "import sys, logging, structlog\n"
        "from bot import logging as logs\n"
        "from bot.settings import load\n"
        "harm = sys.argv[1].encode().decode('unicode_escape')\n"
        "logs.configure(load())\n"
        "log = structlog.get_logger('bot.test')\n"
        "log.warning('It said ' + harm, why=harm, all=[harm, {harm: harm}], error=ValueError(harm))\n"
        "logging.getLogger('another.library').warning('It said %s', harm)\n"
        "try:\n    raise ValueError(harm)\n"
        "except ValueError:\n    log.exception('It failed')\n"
    )
    env = environment(data_dir) | {"CREWDECK_LOG_FORMAT": log_format, "TERM": "xterm"}
    escaped = HARM.encode("unicode_escape").decode()
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            [sys.executable, "-c", program, escaped], env=env, cwd=data_dir, stderr=theirs, stdout=theirs
        )
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # the last process on the terminal has gone
            while chunk := os.read(ours, 65536):
                said += chunk
        assert process.wait(WITHIN) == 0
    text = said.decode()
    assert_shown(text, all_of=tuple(shown for name, (_, shown) in ATTACKS.items() if name != "title"))
    assert text.count("[U+202E]") >= 6
