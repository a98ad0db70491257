"""`crewdeck serve` as its operator meets it: starting, saying so, stopping, and what it survives."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from bot.core import starting
from bot.core.people.actor import Actor
from bot.core.questions.question import Action
from bot.core.questions.response import make_response
from bot.core.runs.run import Run, RunStatus
from bot.store.embedded import Embedded
from bot.store.redis import RedisStore, open_store
from tests.scenario.server import ExecutedServer, ExecutedWebServer, Server, alive, environment
from tests.waiting import WITHIN

ADA = Actor(surface="slack", tenant="T0", user_id="U0ADA", name="Ada")
LOOKS_INSIDE = pytest.mark.skipif(
    sys.platform == "linux" and os.geteuid() != 0,
    reason="processes of the same user can't see what is mapped into ours, nor their variables",
)
WEB_ONLY = {"CREWDECK_WORKERS": "0"}


@pytest.fixture(scope="module")
def working_server() -> Iterator[ExecutedWebServer]:
    """A server with one worker, whose tests kill this and that: it has to come back each time."""
    with ExecutedWebServer.started(env={"CREWDECK_DRAIN": "0"}) as server:
        yield server


@pytest.fixture
async def store(working_server: ExecutedWebServer) -> AsyncIterator[RedisStore]:
    async with open_store(working_server.store_url) as opened:
        yield opened


async def start_demo(store: RedisStore, key: str) -> Run:
    crew = await starting.crew_named(store.catalogue, "demo")
    run, _ = await store.runs.start(starting.plan(crew, {"topic": "tide mills", "pace": 0}, ADA, key=key))
    return run


async def reaches(store: RedisStore, run: Run, status: RunStatus, server: ExecutedServer) -> Run:
    deadline = time.monotonic() + WITHIN
    while (found := await store.runs.get(run.id)).status is not status:
        assert time.monotonic() < deadline, f"It is {found.status}.\n{server.story()}"
        await asyncio.sleep(0.05)
    return found


def run_command(
    folder: Path, *arguments: str, python: str = "", **extra: str
) -> subprocess.CompletedProcess[str]:
    """One `crewdeck` command from start to end; it is forked unless a Python interpreter is named."""
    return subprocess.run(
        [python or Server.python(), "-m", "bot", *arguments],
        cwd=folder,
        env=environment(folder) | extra,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )


# ── what it says ────────────────────────────────────────────────────────────────────────────────────────


def test_it_says_where_it_is_and_how_to_turn_on_what_is_off(bare_server: ExecutedServer) -> None:
    said = bare_server.output
    assert f"is up: {bare_server.url}" in said
    assert "Slack    off  set SLACK_BOT_TOKEN and SLACK_APP_TOKEN" in said
    assert f"embedded Valkey in {bare_server.data_dir}" in said
    assert len(said.splitlines()) < 12


def test_a_free_port_is_picked_and_named(bare_server: ExecutedServer) -> None:
    assert bare_server.env["PORT"] == "0"
    assert not bare_server.url.endswith(":0")
    assert bare_server.get("/health")[0] == 200


def test_nobody_else_can_read_what_it_keeps(bare_server: ExecutedServer) -> None:
    assert bare_server.data_dir.stat().st_mode & 0o077 == 0


@LOOKS_INSIDE
def test_the_web_process_never_loads_crewai(working_server: ExecutedWebServer) -> None:
    mapped = " ".join(each.path for each in working_server.process.memory_maps())
    assert "pydantic_core" in mapped
    for only_crewai_needs in ("numpy", "chromadb", "onnxruntime", "lancedb", "tokenizers"):
        assert only_crewai_needs not in mapped
    assert working_server.process.memory_info().rss < 150 * 1024 * 1024


# ── mistakes ────────────────────────────────────────────────────────────────────────────────────────────


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("crewdeck: ")
    for word in words:
        assert word in last
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_one_line(
            run_command(tmp_path, "serve", python=sys.executable, PORT=port),
            *("PORT (in the environment)", port, "in use"),
        )
    assert not (tmp_path / "data").exists()


def test_an_address_of_another_machine_is_one_line(tmp_path: Path) -> None:
    assert_one_line(
        run_command(tmp_path, "serve", HOST="192.0.2.1"), "HOST (in the environment)", "192.0.2.1"
    )


def test_a_redis_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    url = "redis://ada:lovelace@127.0.0.1:1/0"
    done = run_command(tmp_path, "serve", CREWDECK_REDIS_URL=url)
    assert_one_line(done, "CREWDECK_REDIS_URL")
    assert "lovelace" not in done.stderr


def test_a_redis_url_that_is_none_is_one_line(tmp_path: Path) -> None:
    done = run_command(tmp_path, "serve", REDIS_URL="localhost:6379")
    assert_one_line(done, "crewdeck: REDIS_URL (in the environment): this is no address")
    (tmp_path / ".env").write_text("CREWDECK_REDIS_URL=redis://127.0.0.1:1\n")
    done = run_command(tmp_path, "serve", REDIS_URL="localhost:6379")
    assert_one_line(done, f"CREWDECK_REDIS_URL (in {tmp_path / '.env'}): Redis can't be reached")


@pytest.mark.parametrize("command", ["serve", "worker"])
@pytest.mark.parametrize("setting", ["CREWDECK_DATA_DIR", "CREWDECK_CONFIG_DIR"])
def test_a_folder_that_can_not_be_used_is_one_line(setting: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_command(tmp_path, command, **{setting: str(tmp_path / "file" / "below")})
    assert_one_line(done, f"{setting} (in the environment)", str(tmp_path / "file" / "below"))


def test_a_data_folder_is_needed_without_workers(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_command(tmp_path, "serve", CREWDECK_DATA_DIR=str(tmp_path / "file"), CREWDECK_WORKERS="0")
    assert_one_line(done, "CREWDECK_DATA_DIR (in the environment)", str(tmp_path / "file"))


@pytest.mark.parametrize("command", ["crews", "check"])
def test_a_folder_of_crews_that_is_not_there_is_told_by_commands(command: str, tmp_path: Path) -> None:
    done = run_command(tmp_path, command, CREWDECK_CONFIG_DIR="/nowhere")
    assert_one_line(done, "CREWDECK_CONFIG_DIR (in the environment): /nowhere: there is no such folder")


@pytest.mark.parametrize("command", ["serve", "worker", "crews"])
def test_a_wrong_setting_is_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CREWDECK_WORKERS=many\n")
    assert_one_line(run_command(tmp_path, command), "CREWDECK_WORKERS", str(tmp_path / ".env"))


def test_help_is_there_at_once(tmp_path: Path) -> None:
    script = """if True:
        import sys
        from bot.commands.main import main
        try:
            main(["--help"])
        finally:
            print(*sys.modules, file=sys.stderr)
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=WITHIN,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1  # it takes a fifth
    for command in ("serve", "worker", "doctor", "crews"):
        assert command in done.stdout
    assert set(done.stderr.split()).isdisjoint({"pydantic", "asyncio", "aiohttp", "redis", "crewai", "yaml"})


# ── stopping ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def hangups() -> Iterator[None]:
    """Those who run the tests may have had them ignore that their terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_it_stops_when_asked_and_takes_everything_along(how: signal.Signals) -> None:
    async with ExecutedServer.start(env=WEB_ONLY) as server:
        valkey = valkey_of(server)
        server.stop(how)
        assert not alive(valkey)
        assert "Traceback" not in server.errors


@LOOKS_INSIDE
async def test_it_stops_while_its_worker_is_still_starting() -> None:
    """It knows how long it may drain, and is gone before `serve` has to be, however patient it would be."""
    env = WEB_ONLY | {"CREWDECK_WORKERS": "2", "CREWDECK_DRAIN": "60"}
    async with ExecutedServer.start(env=env, wait="announced") as server:
        server.wait_for(lambda: len(server.workers) == 2)
        assert [float(each.environ()["CREWDECK_DRAIN"]) for each in server.workers] == [5, 5]
        server.stop(signal.SIGINT)
        assert "Traceback" not in server.errors


async def test_ctrl_c_twice_leaves_nothing_behind() -> None:
    async with ExecutedServer.start(wait="announced") as server:
        server.wait_for(lambda: len(server.workers) == 1)
        started = [server.process, *server.workers]
        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGINT)
        assert server.wait() == 0
        assert not any(alive(each) for each in started)


async def test_a_stop_during_the_start_is_a_stop(tmp_path: Path) -> None:
    server = ExecutedServer(tmp_path, WEB_ONLY)
    try:
        server.wait_for((tmp_path / "data" / "valkey").exists)
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        with pytest.raises(psutil.NoSuchProcess):
            valkey_of(server)
    finally:
        server.sweep()


# ── what it survives ────────────────────────────────────────────────────────────────────────────────────


def valkey_of(server: ExecutedServer) -> psutil.Process:
    home = str(server.data_dir / "valkey")
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "valkey-server" and process.cwd() == home:
                return process
    raise psutil.NoSuchProcess(0)


async def test_a_killed_worker_is_replaced_and_its_run_goes_on(
    working_server: ExecutedWebServer, store: RedisStore
) -> None:
    run = await start_demo(store, "killed worker")
    await reaches(store, run, RunStatus.INPUT_REQUIRED, working_server)
    [question] = await store.questions.list(run.id)
    [worker] = working_server.workers
    working_server.kill_worker(worker)
    working_server.wait_for(lambda: [w for w in working_server.workers if w != worker])
    assert "crewdeck_worker_restarts_total 1.0" in working_server.get("/metrics")[1]
    await store.questions.respond(
        run.id, question.id, make_response(Action.APPROVE, run.requester, key="press")
    )
    await reaches(store, run, RunStatus.COMPLETED, working_server)
    again = await start_demo(store, "after the killed worker")
    await reaches(store, again, RunStatus.INPUT_REQUIRED, working_server)


async def test_a_killed_valkey_is_back_by_itself_with_everything_in_it(
    working_server: ExecutedWebServer, store: RedisStore
) -> None:
    run = await start_demo(store, "killed valkey")
    await reaches(store, run, RunStatus.INPUT_REQUIRED, working_server)
    killed = valkey_of(working_server)
    killed.kill()
    working_server.wait_for(lambda: not alive(killed))
    working_server.wait_for(lambda: working_server.get("/ready")[0] == 200)
    assert valkey_of(working_server) != killed
    anew = "The embedded Valkey had stopped and was started again"
    working_server.wait_for(lambda: any(record["message"] == anew for record in working_server.log))
    said = next(record for record in working_server.log if record["message"] == anew)
    assert (said["level"], "valkey.log: " in said["reason"]) == ("error", True)
    [question] = await store.questions.list(run.id)
    assert question.open
    assert alive(working_server.process)


async def test_killed_itself_it_leaves_no_orphan() -> None:
    async with ExecutedServer.start(
        env={"CREWDECK_WORKERS": "2", "CREWDECK_DRAIN": "1"}, wait="announced"
    ) as server:
        server.wait_for(lambda: len(server.workers) == 2)
        # Long enough for them to be at work; they notice in any state.
        started = [*server.workers, valkey_of(server)]
        await asyncio.sleep(2)
        server.kill()
        deadline = time.monotonic() + WITHIN
        while left := [each for each in started if alive(each)]:
            assert time.monotonic() < deadline, f"Left behind: {left}\n{server.story()}"
            await asyncio.sleep(0.05)


async def test_what_it_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (None, "yes"):
        async with (
            ExecutedServer.start(env=WEB_ONLY, folder=tmp_path) as server,
            open_store(server.store_url) as store,
        ):
            assert await store.key_values.get("kept") == expected
            await store.key_values.set("kept", "yes", ttl=60)


NOT_READY = {"ready": False, "redis": False, "worker": False, "surfaces": {}}


async def test_without_its_redis_it_waits_and_says_so(data_dir: Path) -> None:
    with contextlib.ExitStack() as stack:
        theirs = Embedded.attach(data_dir)
        stack.callback(theirs.detach)
        async with ExecutedServer.start(env=WEB_ONLY | {"CREWDECK_REDIS_URL": theirs.url}) as server:
            theirs.detach()
            server.wait_for(lambda: server.get("/me")[0] == 503)  # the keys that it knows are old by now
            assert server.get("/ready") == (503, NOT_READY)
            assert server.get("/health")[0] == 200
            assert server.get("/")[0] == 200
            assert "crewdeck_store_up 0.0" in server.get("/metrics")[1]
            server.wait_for(lambda: "Redis is away; waiting for it" in server.errors)
            back = Embedded.attach(data_dir)
            stack.callback(back.detach)
            server.wait_for(lambda: server.get("/ready")[1]["redis"] is True)
            server.wait_for(lambda: "Redis is back" in server.errors)
            (away,) = (
                record for record in server.log if record["message"] == "Redis is away; waiting for it"
            )
            assert away["level"] == "error"
            assert away["reason"].startswith("Redis can't be reached")


async def test_a_redis_that_hangs_keeps_no_monitoring_waiting(data_dir: Path) -> None:
    """Prometheus waits for 10 s. Without a limit of their own, figures would take several times as long."""
    theirs = Embedded.attach(data_dir)
    with contextlib.ExitStack() as stack, redis.Redis.from_url(theirs.url) as asked:
        stack.callback(theirs.detach)
        process = psutil.Process(int(asked.info("server")["process_id"]))
        env = WEB_ONLY | {"CREWDECK_REDIS_URL": theirs.url, "CREWDECK_API_KEYS": f"probe:{'p' * 40}:read"}
        async with ExecutedServer.start(env=env, wait="announced") as server:
            with_key = {"Authorization": f"Bearer {'p' * 40}"}
            server.wait_for(lambda: server.get("/ready", with_key)[0] == 200)
            stack.callback(process.resume)
            process.suspend()
            server.wait_for(lambda: server.get("/me", with_key)[0] == 503)
            began = time.monotonic()
            assert "crewdeck_store_up 0.0" in server.get("/metrics", with_key)[1]
            assert server.get("/ready", with_key) == (503, NOT_READY)
            assert time.monotonic() - began < 25
            assert server.get("/metrics")[0] == 401
            process.resume()
            server.wait_for(lambda: server.get("/ready", with_key)[0] == 200)
