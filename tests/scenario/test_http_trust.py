"""Whom a server without API keys trusts: this machine, and only its user where others can reach it."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from bot import local_token
from bot.core.addresses import is_loopback
from bot.core.people.api_keys import ApiKey, Scope, digest, new_secret
from bot.store.redis import open_store
from tests.scenario.browser import chromium, window
from tests.scenario.server import Server, environment
from tests.waiting import WITHIN, eventually

WEB_ONLY = {"CREWDECK_WORKERS": "0"}
EXPOSED = {
    "request url": {"SLACK_SIGNING_SECRET": "0123456789abcdef0123456789abcdef"},
    "public url": {"CREWDECK_PUBLIC_URL": "https://crews.example"},
    "every address": {"HOST": "0.0.0.0"},  # noqa: S104
    "every address of both kinds": {"HOST": "::"},
}
LINK = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):\d+/console/local#(\S+)")
PRIVATE = (
    "/runs",
    "/crews",
    "/me",
    "/questions",
    "/metrics",
    "/events/human-input",
    "/docs",
    "/openapi.json",
)
START = b'{"crew": "demo"}'


@pytest.fixture(scope="module", params=EXPOSED)
def exposed(request: pytest.FixtureRequest) -> Iterator[Server]:
    if EXPOSED[request.param].get("HOST") == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with Server.started(env=WEB_ONLY | EXPOSED[request.param], wait="announced") as server:
        yield server


@pytest.fixture(scope="module")
def token(exposed: Server) -> str:
    return local_token.read(exposed.data_dir)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


def call(
    server: Server, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> tuple[int, str]:
    """The status and the code that this request gets, with these headers and no others but its own."""
    where = urlsplit(server.url)
    connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=WITHIN)
    typed = {"Content-Type": "application/json"} if body else {}
    connection.request("POST" if body else "GET", path, body, {**typed, **(headers or {})})
    answer = connection.getresponse()
    text = b"" if answer.status == 200 else answer.read()
    answer.close()
    connection.close()
    return answer.status, json.loads(text).get("code", "") if text.startswith(b"{") else ""


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_where_others_can_reach_it_a_caller_without_the_token_gets_nothing(exposed: Server) -> None:
    """As through a stock reverse proxy, which says in no way that it forwards."""
    for path in PRIVATE:
        assert call(exposed, path) == (403, "keys_required"), path
    assert call(exposed, "/runs", bearer("cdl_" + "x" * 43)) == (403, "keys_required")
    assert call(exposed, "/crew/start", body=START) == (403, "keys_required")
    assert call(exposed, "/ws/human-input?token=" + "x" * 47)[0] == 403
    assert call(exposed, "/health")[0] == 200


def test_its_user_has_all_rights_by_the_token(exposed: Server, token: str) -> None:
    for path in PRIVATE:
        assert call(exposed, path, bearer(token))[0] == 200, path
    assert call(exposed, "/crew/start", bearer(token), START) == (503, "no_worker")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "203.0.113.7"},
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_the_token_is_of_use_at_this_machine_only(
    exposed: Server, token: str, headers: dict[str, str]
) -> None:
    assert call(exposed, "/runs", bearer(token) | headers) == (403, "keys_required")


def test_only_its_user_can_read_the_token_and_it_is_in_no_log(exposed: Server, token: str) -> None:
    path = local_token.path_in(exposed.data_dir)
    assert path.stat().st_mode & 0o777 == 0o600
    assert token not in exposed.errors
    assert len(token) > 40


def test_the_start_up_says_who_is_trusted_and_why(exposed: Server, token: str) -> None:
    [names] = [each for each in EXPOSED.values() if each.items() <= exposed.env.items()]
    [trusted] = [line for line in exposed.output.splitlines() if line.strip().startswith("Trusted")]
    assert "this user at this machine" in trusted
    assert next(iter(names)) in trusted
    link = LINK.search(exposed.output)
    assert link
    assert link[1] == token


def test_commands_at_the_terminal_use_the_token_by_themselves(exposed: Server, tmp_path: Path) -> None:
    assert _inbox(exposed, exposed.data_dir).returncode == 0
    stranger = _inbox(exposed, tmp_path)
    assert stranger.returncode == 2
    assert "crewdeck keys add" in stranger.stderr


def _inbox(server: Server, data_dir: Path) -> subprocess.CompletedProcess[str]:
    where = {"CREWDECK_URL": server.url, "CREWDECK_DATA_DIR": str(data_dir)}
    return subprocess.run(
        [Server.python(), "-m", "bot", "inbox"],
        env=environment(server.folder) | where,
        cwd=server.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_the_printed_link_opens_the_console(exposed: Server, browser: Browser) -> None:
    link = LINK.search(exposed.output)
    assert link
    async with window(browser, exposed.url, calm=False) as ada:
        await expect(ada.page.get_by_role("alert")).to_contain_text("crewdeck serve")
        await ada.page.goto(link[0])
        await expect(ada.page.get_by_role("heading", name="Waiting for you")).to_be_visible()
        await expect(ada.page.get_by_text("local", exact=True)).to_be_visible()
        assert link[1] not in ada.page.url
        assert link[1] not in str(await ada.page.evaluate("performance.getEntries().map((e) => e.name)"))
        await ada.page.goto(f"{exposed.url}/#/start")
        await expect(ada.page.get_by_role("heading", name="Start")).to_be_visible()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_link_says_which_one_is_right(exposed: Server, browser: Browser) -> None:
    async with window(browser, exposed.url, calm=False) as eve:
        await expect(eve.page.get_by_role("alert")).to_contain_text("crewdeck serve")
        await eve.page.goto(f"{exposed.url}/console/local#cdl_{'x' * 43}")
        await expect(eve.page.get_by_role("alert")).to_contain_text("crewdeck serve")


def test_plainly_local_it_needs_nothing_and_makes_no_token(bare_server: Server) -> None:
    assert call(bare_server, "/runs")[0] == 200
    assert not local_token.path_in(bare_server.data_dir).exists()
    assert "everybody at this machine, without a key" in bare_server.output


def test_socket_mode_needs_no_request_from_outside() -> None:
    env = WEB_ONLY | {"SLACK_SIGNING_SECRET": "s" * 32, "SLACK_APP_TOKEN": "xapp-1-A-1-b"}
    with Server.started(env=env, wait="announced") as server:
        assert call(server, "/runs")[0] == 200


def test_on_another_address_only_nobody_is_trusted_and_it_says_so() -> None:
    own = [
        each.address
        for found in psutil.net_if_addrs().values()
        for each in found
        if each.family is socket.AF_INET and not is_loopback(each.address)
    ]
    if not own:
        pytest.skip("this machine has no address but its own loopback")
    with Server.started(env=WEB_ONLY | {"HOST": own[0]}, wait="announced") as server:
        assert "nobody: HOST" in server.output
        assert "crewdeck keys add" in server.output
        assert "/console/local" not in server.output
        assert not local_token.path_in(server.data_dir).exists()


async def test_the_token_and_its_sessions_end_when_there_is_a_key() -> None:
    env = WEB_ONLY | EXPOSED["public url"]
    async with Server.start(env=env, wait="announced") as server, open_store(server.store_url) as store:
        token = local_token.read(server.data_dir)
        origin = {"Origin": server.url, "Content-Type": "application/x-www-form-urlencoded"}
        cookie = await asyncio.to_thread(_signed_in, server, token, origin)
        assert (await asyncio.to_thread(call, server, "/runs", {"Cookie": cookie}))[0] == 200
        secret = new_secret()
        await store.api_keys.add(ApiKey(name="ci", scopes=(Scope.READ,), digest=digest(secret)))
        for headers in (bearer(token), {"Cookie": cookie}):
            await eventually(partial(_refused, server, headers))
        assert (await asyncio.to_thread(call, server, "/runs", bearer(secret)))[0] == 200


async def _refused(server: Server, headers: dict[str, str]) -> bool:
    return await asyncio.to_thread(call, server, "/runs", headers) == (401, "unauthenticated")


def _signed_in(server: Server, token: str, headers: dict[str, str]) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=WITHIN)
    connection.request("POST", "/console/local", f"token={token}".encode(), headers)
    answer = connection.getresponse()
    connection.close()
    assert answer.status == 303
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


def test_a_token_that_others_can_read_is_refused_in_one_line(data_dir: Path) -> None:
    token = local_token.read_or_create(data_dir)
    assert local_token.read_or_create(data_dir) == token
    path = local_token.path_in(data_dir)
    path.chmod(0o644)
    env = environment(data_dir) | {"CREWDECK_DATA_DIR": str(data_dir)}
    command = [Server.python(), "-m", "bot", "inbox"]
    done = subprocess.run(command, env=env, cwd=data_dir, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr


def test_processes_that_start_together_make_one_token(data_dir: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from bot import local_token; "
        "print(local_token.read_or_create(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", program, str(data_dir)]
    together = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(data_dir)) for _ in range(6)
    ]
    made = {process.communicate(timeout=WITHIN)[0] for process in together}
    assert len(made) == 1
    assert [path.name for path in data_dir.iterdir()] == [local_token.FILE_NAME]
