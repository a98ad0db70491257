"""Drives a server through Microsoft's Agents Playground, without a browser: start, press, reply in words.

    python -m tests.scenario.playground CLI

`CLI` is the Playground's script. It listens on all interfaces, so this runs in a network namespace of its
own. It signs nothing and verifies nothing: a proxy between it and the server signs what it sends, with the
keys of the loopback Teams. What was seen is printed as one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.loopback.teams import LoopbackTeams, Message
from tests.scenario.server import Server
from tests.scenario.slack_deployment import CREWS
from tests.waiting import WITHIN

Json = dict[str, Any]

PORT = 56150
CHAT = "a:personal"
PEOPLE = ("Ada", "Bob", "Cyd", "Dan", "Eve", "Fay")
"""The Playground wants one who uses it and five others."""


def _object_id(number: int) -> str:
    return f"00000000-0000-4000-8000-00000000002{number}"


ADA = _object_id(0)


def config(teams: LoopbackTeams) -> Json:
    """Who and what is there."""
    ada, *others = (
        {
            # The Playground finds members by this id alone; Teams also by object id.
            "id": _object_id(number),
            "name": name,
            "userPrincipleName": f"{name}@example.com",
            "aadObjectId": _object_id(number),
            "givenName": name,
            "surname": "X",
            "email": f"{name}@example.com",
        }
        for number, name in enumerate(PEOPLE)
    )
    channels = [{"id": "19:side@thread.tacv2", "name": "Side"}]
    group = "00000000-0000-4000-8000-000000000031"
    return {
        "version": "0.1.1",
        "tenantId": teams.tenant.id,
        "bot": {"id": f"28:{teams.app_id}", "name": "Crewdeck"},
        "currentUser": ada,
        "users": others,
        "personalChat": {"id": CHAT},
        "groupChat": {"id": "19:group@thread.v2", "name": "Group"},
        "team": {"id": "19:general@thread.tacv2", "name": "Team", "aadGroupId": group, "channels": channels},
    }


class Playground:
    """The Playground's own API, as its page uses it."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._url = f"http://localhost:{PORT}"
        #: Messages of the bot as they are now, by id.
        self.messages: dict[str, Json] = {}
        self._changed = asyncio.Event()

    async def connect(self) -> None:
        """Wait until it is up, and follow what it shows."""
        async with asyncio.timeout(WITHIN):
            while True:
                try:
                    stream = f"{self._url}/_ws_conversation/v1/conversations/stream"
                    self._socket = await self._http.ws_connect(stream, max_msg_size=0)
                except aiohttp.ClientError:
                    await asyncio.sleep(0.2)
                else:
                    break
        self._following = asyncio.create_task(self._follow())
        # The page asks for this first; the Playground then looks whether the bot is there.
        async with self._http.get(f"{self._url}/_internal/v1/config") as answer:
            answer.raise_for_status()

    async def _follow(self) -> None:
        async for event in self._socket:
            said = json.loads(event.data)
            message = said.get("message") if isinstance(said, dict) else None
            if isinstance(message, dict) and message.get("messageId"):
                self.messages[str(message["messageId"])] = message
                self._changed.set()

    async def say(self, text: str) -> None:
        body = {"from": {"id": ADA}, "text": text, "textFormat": "plain"}
        await self._post(f"_conversation/v1/conversations/{CHAT}/messages", body)

    async def press(self, message_id: str, action: Json) -> Json:
        body = {
            "name": "adaptiveCard/action",
            "value": {"action": {**action, "fallback": None}, "trigger": "manual"},
            "from": {"id": ADA},
            "conversation": {"id": CHAT},
            "replyToId": message_id,
        }
        found: Json = json.loads(await self._post("_conversation/v1/invoke", body) or "{}")
        return found

    async def _post(self, path: str, body: Json) -> str:
        async with self._http.post(f"{self._url}/{path}", json=body) as answer:
            text = await answer.text()
            if not answer.ok:
                raise AssertionError(f"{path}: {answer.status} {text[:500]}")
            return text

    async def until(self, there: Callable[[Json], bool], seconds: float = WITHIN) -> Json:
        """The first message that is so."""
        async with asyncio.timeout(seconds):
            while True:
                self._changed.clear()
                for message in self.messages.values():
                    if there(message):
                        return message
                await self._changed.wait()


def shown(message: Json) -> Message:
    return Message(CHAT, None, message)


def words(message: Json) -> str:
    return shown(message).words


def action_of(message: Json, title: str) -> Json:
    return next(each for each in shown(message).actions if each.get("title") == title)


def offers(title: str) -> Callable[[Json], bool]:
    return lambda message: title in shown(message).labels


def says(text: str) -> Callable[[Json], bool]:
    return lambda message: text in words(message)


@asynccontextmanager
async def signing(teams: LoopbackTeams, server: Server) -> AsyncIterator[str]:
    """The address of a proxy that signs what it passes on."""

    async def pass_on(request: web.Request) -> web.Response:
        body = await request.read()
        token = teams.token(serviceurl=json.loads(body).get("serviceUrl"))
        receipt = await teams.send_raw(body, {"Authorization": f"Bearer {token}"})
        return web.json_response(receipt.body, status=receipt.status or 502)

    teams.connect(f"{server.url}/api/messages")
    application = web.Application()
    application.router.add_post("/api/messages", pass_on)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/messages"
    await runner.cleanup()


@asynccontextmanager
async def played(cli: str, teams: LoopbackTeams, endpoint: str) -> AsyncIterator[Playground]:
    """The Playground, connected to this endpoint."""
    with tempfile.TemporaryDirectory(prefix="crewdeck-playground-") as folder:
        _write(folder, config(teams))
        process = await asyncio.create_subprocess_exec(
            "node", cli, "start", "-e", endpoint, "-c", "msteams", "-p", str(PORT), "--dt", "true",
            cwd=folder, stdout=sys.stderr,
            env={**os.environ, "HOME": folder, "TEAMSAPPTESTER_BROWSER": "none"},
        )  # fmt: skip
        try:
            async with aiohttp.ClientSession() as http:
                playground = Playground(http)
                await playground.connect()
                yield playground
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def _write(folder: str, values: Json) -> None:
    """The configuration is YAML, of which JSON is a part."""
    Path(folder, ".m365agentsplayground.yml").write_text(json.dumps(values))


def settings(teams: LoopbackTeams) -> dict[str, str]:
    return {
        "TEAMS_APP_ID": teams.app_id,
        "TEAMS_TENANT_ID": teams.tenant.id,
        "TEAMS_OUTBOUND_TOKEN": "the-playground-takes-any",
        "TEAMS_OPENID_METADATA_URL": teams.openid_metadata_url,
        "TEAMS_TOKEN_ISSUER": teams.token_issuer,
        "CREWDECK_CONFIG_DIR": str(CREWS),
    }


async def play(cli: str) -> Json:
    """Everything, from a command to a result: with a button, and in words."""
    async with (
        LoopbackTeams() as teams,
        Server.start(settings(teams)) as server,
        signing(teams, server) as endpoint,
        played(cli, teams, endpoint) as playground,
    ):
        try:
            return await _play(playground)
        except BaseException:
            print(server.story(), json.dumps(playground.messages)[:8000], file=sys.stderr)  # noqa: T201
            raise


async def _play(playground: Playground) -> Json:
    seen: Json = {}
    await playground.say("start ask tides")
    question = await playground.until(offers("Approve"))
    seen["asked"] = words(question)
    answer = await playground.press(str(question["messageId"]), action_of(question, "Approve"))
    seen["press"] = answer
    seen["settled"] = words(await playground.until(says("Approved")))
    seen["result"] = words(await playground.until(says("The crew heard: Ada approved")))
    await playground.say("start tell tides")
    await playground.until(offers("Answer..."))
    await playground.say("They go out at noon")
    seen["answered"] = words(
        await playground.until(says("The crew heard: Ada answered: They go out at noon"))
    )
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(sys.argv[1]))))  # noqa: T201
