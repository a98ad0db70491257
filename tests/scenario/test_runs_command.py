"""`crewdeck runs`, as an operator runs it beside a running server."""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bot.commands.main import main
from bot.core.files import stored_file
from bot.core.ports.lists import RunFilter
from bot.core.questions.question import Action
from bot.core.runs.run import Claim, RunError, RunStatus
from bot.store.clock import ClockSettings
from bot.store.redis import RedisStore, compose, open_store
from tests.contract.examples import ADA, PLACE, RETRY_AFTER, approval, claimed, response, started
from tests.scenario.server import environment

Crewdeck = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    """The embedded Valkey only: the store's own tests see to the others."""
    async with open_store(redis_url, ClockSettings(retry_after=RETRY_AFTER)) as opened:
        yield opened


@pytest.fixture
def crewdeck(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Crewdeck:
    """Runs a command as the command line does; its exit status and what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CREWDECK_REDIS_URL", redis_url)

    async def run(*words: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(main, ["runs", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


async def failed(store: RedisStore, code: str = "quarantined") -> Claim:
    claim = await claimed(store, place=PLACE)
    await store.queue.finish(claim, error=RunError(code=code, message="Three workers died."))
    return claim


async def test_it_lists_runs(store: RedisStore, crewdeck: Crewdeck) -> None:
    assert (await crewdeck())[0] == 0
    waiting = await claimed(store)
    await store.questions.ask(waiting, approval(waiting))
    await asyncio.sleep(0.002)  # the next one begins in another millisecond
    broken = await failed(store)
    status, out, _ = await crewdeck()
    assert status == 0
    newest, oldest = out.splitlines()[1:]
    assert newest.split()[:5] == [broken.run.id, "failed", "(quarantined)", "demo", "Ada"]
    assert oldest.split()[:3] == [waiting.run.id, "input_required", "demo"]
    _, out, err = await crewdeck("list", "--status", "failed", "--crew", "demo")
    assert broken.run.id in out
    assert waiting.run.id not in out
    _, out, err = await crewdeck("list", "--limit", "1")
    assert "There are more" in err
    _, out, _ = await crewdeck("list", "--active")
    assert broken.run.id not in out


async def test_it_shows_a_run(store: RedisStore, crewdeck: Crewdeck) -> None:
    claim = await claimed(store, place=PLACE)
    first = await store.questions.ask(claim, approval(claim, "one"))
    await store.questions.respond(claim.run.id, first.id, response(Action.RESPOND, comment="Not yet"))
    await store.questions.ask(claim, approval(claim, "two"))
    await store.journal.put_if_absent(claim, "t1/model/x/0", '{"result": "what a model said"}')
    status, out, _ = await crewdeck("show", claim.run.id[:8])
    assert status == 0
    for words in (
        f"Run:       {claim.run.id}",
        "Waits for: 1 answer",
        "Journal:   1 step, 43 bytes",
        "Requester: Ada (slack:T1:U1)",
        "Asked:     Publish it? (approval",
        f"Question:  {first.id}",
        "Answer:    Not yet (Ada)",
        "Answer:    open. Deciders: slack:T1:U1",
    ):
        assert words in out
    assert "what a model said" not in out


async def test_it_tries_again(store: RedisStore, crewdeck: Crewdeck) -> None:
    claim = await failed(store)
    status, out, err = await crewdeck("retry", claim.run.id[:6])
    assert status == 0
    assert "from where it was" in err
    new = await store.runs.get(out.strip())
    assert (new.retry_of, new.status, new.place) == (claim.run.id, RunStatus.QUEUED, PLACE)
    _, out, _ = await crewdeck("retry", claim.run.id)
    assert out.strip() != new.id, "whoever says it twice means it"
    await compose(store.connection, ClockSettings(journal=0.0)).clock.apply_due(RunError(code="", message=""))
    status, out, err = await crewdeck("retry", claim.run.id)
    assert (status, out) == (2, "")
    assert "CREWDECK_JOURNAL_DAYS" in err


async def test_it_deletes(store: RedisStore, crewdeck: Crewdeck) -> None:
    over, live = await failed(store), await started(store)
    status, _, err = await crewdeck("delete", over.run.id)
    assert (status, "add --yes" in err) == (2, True)
    status, _, err = await crewdeck("delete", over.run.id, live.id, "--yes")
    assert (status, "add --cancel" in err) == (2, True)
    assert len(await store.runs.list(RunFilter())) == 2
    status, out, _ = await crewdeck("delete", over.run.id, live.id, "--yes", "--cancel")
    assert (status, out.splitlines()) == (0, [f"{each} is deleted." for each in (over.run.id, live.id)])
    assert await store.runs.list(RunFilter()) == []


async def test_on_a_terminal_it_asks(store: RedisStore, redis_url: str, data_dir: Path) -> None:
    claim = await failed(store)
    for answer, left in ((b"n\n", 1), (b"y\n", 0)):
        ours, theirs = os.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "runs", "delete", claim.run.id),
            env=environment(data_dir) | {"CREWDECK_REDIS_URL": redis_url},
            cwd=data_dir,
            stdin=theirs,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        os.write(ours, answer)
        _, err = await process.communicate()
        os.close(ours)
        os.close(theirs)
        assert process.returncode == 0
        assert b"Sure? [y/N]" in err
        assert len(await store.runs.list(RunFilter())) == left


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("show", "ab"), "There is no run ab. Write at least 4 characters"),
        (("retry", "abcdef"), "There is no run abcdef."),
        (("list", "--status", "broken"), "--status: 'broken' is none; there are queued,"),
        (("list", "--limit", "0"), "--limit: it is 1 to 1000."),
        (("retry", "{live}"), "This run is not over."),
    ],
)
async def test_a_mistake_is_one_line(
    store: RedisStore, crewdeck: Crewdeck, words: tuple[str, ...], why: str
) -> None:
    live = (await started(store)).id if "{live}" in words else ""
    status, out, err = await crewdeck(*(word.format(live=live) for word in words))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"crewdeck: {why}")


async def test_an_encrypted_journal_needs_its_key(
    store: RedisStore, redis_url: str, crewdeck: Crewdeck, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = bytes(32)
    claim = await claimed(store)
    async with open_store(redis_url, journal_keys=[key]) as sealing:
        await sealing.journal.put_if_absent(claim, "t1/tool/x/0", '{"result": "secret"}')
        await store.runs.cancel(claim.run.id, ADA)
        status, _, err = await crewdeck("retry", claim.run.id)
        assert status == 2
        assert "CREWDECK_JOURNAL_KEY" in err
        monkeypatch.setenv("CREWDECK_JOURNAL_KEY", base64.b64encode(key).decode())
        status, out, _ = await crewdeck("retry", claim.run.id)
        assert status == 0
        assert await sealing.journal.read(out.strip()) == {"kept/t1/tool/x/0": '{"result": "secret"}'}


async def test_files_are_listed_and_saved_and_overwrite_nothing(
    store: RedisStore, crewdeck: Crewdeck, tmp_path: Path
) -> None:
    claim = await claimed(store)
    for name, content in (("report.md", b"# Tides"), ("report.md", b"# Wind"), ("Makefile", b"all:")):
        await store.files.attach(claim, stored_file(name, content), content)
    status, out, _ = await crewdeck("files", claim.run.id[:8])
    assert (status, out.count("report.md")) == (0, 2)
    assert "7 bytes" in out
    folder = tmp_path / "saved"
    for _ in range(2):
        assert (await crewdeck("files", claim.run.id, "--save", str(folder)))[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "Makefile", "Makefile (2)", "report (2).md", "report (3).md", "report (4).md", "report.md",
    ]  # fmt: skip
    assert {path.read_bytes() for path in folder.glob("report*")} == {b"# Tides", b"# Wind"}
    status, _, err = await crewdeck("files", claim.run.id, "--save", str(folder / "Makefile"))
    assert (status, "--save" in err) == (2, True)
    other = await claimed(store)
    assert "no files" in (await crewdeck("files", other.run.id))[2]
