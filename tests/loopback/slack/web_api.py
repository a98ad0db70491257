"""The Web API over HTTP: reads a request, applies faults and budgets, checks the token, runs the method."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web

from tests.loopback.slack.calls import Call, Changes
from tests.loopback.slack.exchange import Emit, Entry, Exchange
from tests.loopback.slack.faults import Budget, Fault, Faults, Meter
from tests.loopback.slack.methods import METHODS
from tests.loopback.slack.state import Workspace
from tests.loopback.slack.wire import Body, Json, SlackError

#: Arguments that a form carries as JSON strings.
JSON_ARGUMENTS = ("attachments", "blocks", "files", "metadata", "view")


@dataclass(frozen=True)
class Answer:
    body: Body
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class WebApi:
    """Everything under /api/. Each request is a `Call` in `calls`."""

    def __init__(
        self, app_token: str, changes: Changes, emit: Emit, new_socket_url: Callable[[], str]
    ) -> None:
        self.app_token = app_token
        self.workspaces: dict[str, Workspace] = {}
        self.calls: list[Call] = []
        self.faults = Faults()
        self.budgets: dict[str, Budget] = {}
        self._meter = Meter()
        self._changes = changes
        self._emit = emit
        self._new_socket_url = new_socket_url

    async def handle(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        arguments, token = await read(request)
        call = Call(method, arguments, token, time.monotonic())
        self.calls.append(call)
        self._changes.notify()
        await asyncio.sleep(self.faults.next_delay(method))
        fault = self.faults.next_fault(method)
        answer = self._faulty(call, fault, request) if fault else self._answer(call, request)
        if fault is not None and fault.dropped:
            return self._hang_up(request)
        call.response, call.status = answer.body, answer.status
        self._changes.notify()
        await self.faults.may_answer(method)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)

    def _faulty(self, call: Call, fault: Fault, request: web.Request) -> Answer:
        if fault.applied:
            self._answer(call, request)
        error = fault.error or "internal_error"
        return Answer({"ok": False, "error": error, **fault.details}, fault.status, fault.headers)

    def _hang_up(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        self._changes.notify()
        return web.Response()

    def _answer(self, call: Call, request: web.Request) -> Answer:
        try:
            entry = _entry(call.method)
            workspace = self._authorized(call, entry)
            wait = self._over_budget(call, workspace)
            if wait:
                seconds = str(max(1, math.ceil(wait)))
                return Answer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": seconds})
            result = entry.run(self._exchange(call, workspace, request))
        except SlackError as refusal:
            return Answer(refusal.body())
        scopes = {"X-OAuth-Scopes": ",".join(sorted(workspace.scopes))}
        return Answer({"ok": True, **result}, headers=scopes)

    def _authorized(self, call: Call, entry: Entry) -> Workspace:
        if entry.token == "app":
            if call.token != self.app_token:
                raise SlackError(
                    "not_allowed_token_type" if call.token in self.workspaces else "invalid_auth"
                )
            return next(iter(self.workspaces.values()))
        if not call.token:
            raise SlackError("not_authed")
        workspace = self.workspaces.get(call.token)
        if workspace is None:
            raise SlackError("invalid_auth")
        if workspace.revoked:
            raise SlackError("token_revoked")
        if entry.scope and entry.scope not in workspace.scopes:
            provided = ",".join(sorted(workspace.scopes))
            raise SlackError("missing_scope", needed=entry.scope, provided=provided)
        return workspace

    def _over_budget(self, call: Call, workspace: Workspace) -> float:
        channel = str(call.arguments.get("channel", ""))
        return self._meter.wait(call.method, workspace.team_id, channel, self.budgets)

    def _exchange(self, call: Call, workspace: Workspace, request: web.Request) -> Exchange:
        http_url = f"http://{request.host}"
        return Exchange(workspace, call.arguments, http_url, self._emit, self._new_socket_url)


def _entry(method: str) -> Entry:
    if method not in METHODS:
        raise SlackError("unknown_method", req_method=method)
    return METHODS[method]


async def read(request: web.Request) -> tuple[Body, str]:
    """A request's arguments (query, form or JSON body, merged) and its token."""
    arguments: Body = dict(request.query)
    if request.content_type == "application/json":
        with suppress(json.JSONDecodeError):
            arguments.update(await request.json())
    else:
        arguments.update(await request.post())
    for name in JSON_ARGUMENTS:
        arguments.update(_decoded(name, arguments.get(name)))
    header = request.headers.get("Authorization", "")
    token = header.removeprefix("Bearer ") or str(arguments.get("token", ""))
    arguments.pop("token", None)
    return arguments, token


def _decoded(name: str, value: Json) -> Body:
    if isinstance(value, str):
        # What is no JSON stays a string, and the method refuses it.
        with suppress(json.JSONDecodeError):
            return {name: json.loads(value)}
    return {}
