"""The Bot Connector's REST API, the token endpoint and the OpenID metadata over HTTP."""

from __future__ import annotations

import asyncio
import html
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.loopback.slack.calls import Changes
from tests.loopback.slack.faults import Fault, Faults
from tests.loopback.slack.wire import Body
from tests.loopback.teams import cards
from tests.loopback.teams.keys import ISSUER, Keys
from tests.loopback.teams.state import ConnectorError, Conversation, Message, OAuthError, Tenant

BOT_TOKEN = "token-of-the-loopback"
REGION = "/emea"
GROUP = "77777777-1111-4222-8333-444444444444"
"""What Graph calls every team here."""
SCOPES = frozenset({"https://api.botframework.com/.default", "https://graph.microsoft.com/.default"})


@dataclass
class Call:
    """One request: logged on arrival, completed when it is answered."""

    operation: str
    conversation: str
    body: Body
    #: The Authorization header.
    authorization: str
    #: time.monotonic() of the arrival.
    time: float
    status: int | None = None
    response: Any = None


class Connector:
    """Everything that the bot can call. `operation`s are the names of the handlers below."""

    def __init__(self, tenant: Tenant, keys: Keys, password: str, changes: Changes) -> None:
        self.tenant = tenant
        self.keys = keys
        self.password = password
        self.faults = Faults()
        self.calls: list[Call] = []
        #: Tokens that are accepted: those that were issued, and one that needs no issuing.
        self.tokens = {BOT_TOKEN}
        #: What was uploaded to a file's address, by its path.
        self.uploads: dict[str, bytes] = {}
        #: The app was added with consent to read messages (resource-specific consent).
        self.consent = False
        self._changes = changes

    def routes(self) -> list[web.RouteDef]:
        at = f"{REGION}/v3/conversations"
        one, activity = f"{at}/{{conversation}}", f"{at}/{{conversation}}/activities"
        in_channel = "/graph/v1.0/teams/{group}/channels/{conversation}/messages"
        routes: list[tuple[str, str, Callable[[web.Request, Body], Awaitable[Any]]]] = [
            ("POST", at, self.create_conversation),
            ("POST", activity, self.post),
            ("POST", f"{activity}/{{activity}}", self.reply),
            ("PUT", f"{activity}/{{activity}}", self.update),
            ("DELETE", f"{activity}/{{activity}}", self.delete),
            ("GET", f"{one}/members/{{member}}", self.member),
            ("GET", f"{one}/pagedmembers", self.members),
            ("GET", f"{REGION}/v3/teams/{{team}}", self.team),
            ("GET", f"{REGION}/v3/teams/{{team}}/conversations", self.channels),
            ("GET", in_channel, self.history),
            ("GET", f"{in_channel}/{{thread}}/replies", self.history),
            ("GET", "/graph/v1.0/chats/{conversation}/messages", self.history),
            ("POST", "/login/{tenant}/oauth2/v2.0/token", self.issue_token),
            ("GET", "/v1/.well-known/openidconfiguration", self.metadata),
            ("GET", "/v1/.well-known/keys", self.published_keys),
        ]
        made = [web.route(verb, path, self._serve(handler)) for verb, path, handler in routes]
        return [*made, web.put("/files/{name}", self._take_file)]

    def _serve(
        self, handler: Callable[[web.Request, Body], Awaitable[Any]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        operation = handler.__name__

        async def serve(request: web.Request) -> web.StreamResponse:
            body = await _read(request)
            where = request.match_info.get("conversation", "")
            call = Call(operation, where, body, request.headers.get("Authorization", ""), time.monotonic())
            self.calls.append(call)
            self._changes.notify()
            await asyncio.sleep(self.faults.next_delay(operation))
            fault = self.faults.next_fault(operation)
            answer = await self._answer(handler, request, call, fault)
            self._changes.notify()
            await self.faults.may_answer(operation)
            return answer

        return serve

    async def _answer(
        self,
        handler: Callable[[web.Request, Body], Awaitable[Any]],
        request: web.Request,
        call: Call,
        fault: Fault | None,
    ) -> web.StreamResponse:
        if fault is None or fault.applied:
            try:
                self._authorize(request, call)
                call.response, call.status = await handler(request, call.body), 200
            except ConnectorError as refused:
                call.response, call.status = refused.body, refused.status
        if fault is not None:
            return self._faulty(request, call, fault)
        return web.json_response(call.response, status=call.status or 200)

    def _faulty(self, request: web.Request, call: Call, fault: Fault) -> web.StreamResponse:
        if fault.dropped:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        body = {"error": {"code": fault.error or "ServiceError", "message": "scripted"}}
        call.response, call.status = body, fault.status
        return web.json_response(body, status=fault.status, headers=fault.headers)

    def _authorize(self, request: web.Request, call: Call) -> None:
        accepted = {f"Bearer {token}" for token in self.tokens}
        if request.path.startswith((REGION, "/graph")) and call.authorization not in accepted:
            raise ConnectorError(401, "Unauthorized", "Authorization has been denied")

    # ── conversations ───────────────────────────────────────────────────────────────────────────────────

    async def create_conversation(self, request: web.Request, body: Body) -> Body:
        """A personal chat, or a reply chain in a channel if it says which."""
        tenant = (body.get("channelData") or {}).get("tenant", {}).get("id") or body.get("tenantId")
        if tenant != self.tenant.id:
            raise ConnectorError(403, "ForbiddenOperationException", "The bot is not installed there")
        channel = (body.get("channelData") or {}).get("channel", {}).get("id")
        if channel:
            message = self._posted(channel, body["activity"])
            return {"id": f"{channel};messageid={message.id}", "activityId": message.id}
        [member] = body["members"]
        user = next(
            (each for each in self.tenant.users.values() if member["id"] in (each.id, each.object_id)), None
        )
        if user is None:
            raise ConnectorError(403, "BotNotInConversationRoster", "The user is not there")
        chat = self._open(self.tenant.personal(user).id)
        return {"id": chat.id, "serviceUrl": f"{request.url.origin()}{REGION}/"}

    async def post(self, request: web.Request, body: Body) -> Body:
        return {"id": self._posted(request.match_info["conversation"], body).id}

    async def reply(self, request: web.Request, body: Body) -> Body:
        where, _ = self.tenant.find(request.match_info["conversation"])
        if request.match_info["activity"] not in where.messages:
            raise ConnectorError(404, "ActivityNotFoundInConversation")
        return await self.post(request, body)

    async def update(self, request: web.Request, body: Body) -> Body:
        where = self._open(request.match_info["conversation"])
        there = self._own(where, request.match_info["activity"])
        _check(body)
        kept = {name: there[name] for name in ("id", "from", "thread", "createdDateTime")}
        edited = {"lastEditedDateTime": self.tenant.clock().isoformat()}
        where.messages[there["id"]] = {**body, **kept, **edited}
        return {"id": there["id"]}

    async def delete(self, request: web.Request, _body: Body) -> Body:
        where = self._open(request.match_info["conversation"])
        del where.messages[self._own(where, request.match_info["activity"])["id"]]
        return {}

    async def member(self, request: web.Request, _body: Body) -> Body:
        where = self._open(request.match_info["conversation"])
        return where.member(request.match_info["member"]).member()

    async def members(self, request: web.Request, _body: Body) -> Body:
        where = self._open(request.match_info["conversation"])
        return {"members": [each.member() for each in where.members.values()]}

    async def team(self, request: web.Request, _body: Body) -> Body:
        team = request.match_info["team"]
        if not any(each.kind == "channel" and team == (each.team or each.id) for each in self._channels()):
            raise ConnectorError(404, "TeamNotFound")
        return {"id": team, "name": "A team", "aadGroupId": GROUP}

    async def channels(self, request: web.Request, _body: Body) -> Body:
        """The channels of a team: the first one has no name."""
        team = request.match_info["team"]
        found = [each for each in self._channels() if team == (each.team or each.id)]
        if not found:
            raise ConnectorError(404, "TeamNotFound")
        return {"conversations": [{"id": each.id, "name": each.name or None} for each in found]}

    async def history(self, request: web.Request, _body: Body) -> Body:
        """Microsoft Graph: the newest messages, the last one first."""
        if not self.consent or request.match_info.get("group", GROUP) != GROUP:
            raise ConnectorError(403, "Forbidden")
        where, thread = self._open(request.match_info["conversation"]), request.match_info.get("thread")
        found = [each for each in where.messages.values() if each["thread"] == thread]
        size, start = int(request.query["$top"]), int(request.query.get("$skiptoken", 0))
        page = found[::-1][start : start + size]
        listed: Body = {"value": [self._as_graph(each) for each in page]}
        if start + size < len(found):
            listed["@odata.nextLink"] = str(request.url.update_query({"$skiptoken": start + size}))
        return listed

    def _as_graph(self, message: Body) -> Body:
        bot = message["from"]["id"] == self.tenant.bot["id"]
        by = message["from"]
        sender = (
            {"application": {"id": self.keys.app_id}}
            if bot
            else {"user": {"id": by.get("aadObjectId"), "displayName": by.get("name")}}
        )
        cards = [
            {"contentType": each["contentType"], "content": json.dumps(each["content"])}
            for each in message.get("attachments") or ()
        ]
        return {
            "id": message["id"],
            "messageType": "message",
            "createdDateTime": message["createdDateTime"],
            "lastEditedDateTime": message.get("lastEditedDateTime"),
            "deletedDateTime": message.get("deletedDateTime"),
            "from": sender,
            "attachments": cards,
            **self._body_as_graph(str(message.get("text") or "")),
        }

    def _body_as_graph(self, text: str) -> Body:
        """The text as HTML, with the mentions of those whom it names as activities do."""
        accounts = [self.tenant.bot, *(user.account() for user in self.tenant.users.values())]
        content, mentions = html.escape(text, quote=False), []
        for number, each in enumerate(accounts):
            name = html.escape(each["name"])
            if f"&lt;at&gt;{name}&lt;/at&gt;" not in content:
                continue
            content = content.replace(f"&lt;at&gt;{name}&lt;/at&gt;", f'<at id="{number}">{name}</at>', 1)
            kind = "user" if each.get("aadObjectId") else "application"
            known = {"id": each.get("aadObjectId") or self.keys.app_id}
            mentions.append({"id": number, "mentionText": each["name"], "mentioned": {kind: known}})
        return {"body": {"contentType": "html", "content": f"<p>{content}</p>"}, "mentions": mentions}

    def _channels(self) -> list[Conversation]:
        return list(self.tenant.conversations.values())

    def _posted(self, where: str, activity: Body) -> Message:
        self._open(where)
        _check(activity)
        return self.tenant.post(where, self.tenant.bot, activity)

    def _open(self, full_id: str) -> Conversation:
        where, _ = self.tenant.find(full_id)
        if where.closed:
            raise ConnectorError(403, where.closed)
        return where

    def _own(self, where: Conversation, activity_id: str) -> Body:
        there = where.messages.get(activity_id)
        if there is None:
            raise ConnectorError(404, "ActivityNotFoundInConversation")
        if there["from"]["id"] != self.tenant.bot["id"]:
            raise ConnectorError(403, "ForbiddenOperationException", "Not the bot's message")
        return there

    # ── tokens and keys ─────────────────────────────────────────────────────────────────────────────────

    async def issue_token(self, request: web.Request, body: Body) -> Body:
        secret = (body.get("client_id"), body.get("client_secret"))
        if request.match_info["tenant"] != self.tenant.id:
            raise OAuthError(400, "invalid_request")
        if secret != (self.keys.app_id, self.password) or body.get("grant_type") != "client_credentials":
            raise OAuthError(401, "invalid_client")
        if body.get("scope") not in SCOPES:
            raise OAuthError(400, "invalid_scope")
        token = f"issued-{len(self.tokens)}"
        self.tokens.add(token)
        return {"token_type": "Bearer", "expires_in": 3599, "access_token": token}

    async def metadata(self, request: web.Request, _body: Body) -> Body:
        return {
            "issuer": ISSUER,
            "jwks_uri": f"{request.url.origin()}/v1/.well-known/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    async def published_keys(self, _request: web.Request, _body: Body) -> Body:
        return {"keys": [each.published() for each in self.keys.published]}

    async def _take_file(self, request: web.Request) -> web.Response:
        self.uploads[request.match_info["name"]] = await request.read()
        self._changes.notify()
        return web.json_response({}, status=201)


async def _read(request: web.Request) -> Body:
    if request.content_type == "application/x-www-form-urlencoded":
        return dict(await request.post())
    raw = await request.read()
    return json.loads(raw) if raw else {}


def _check(activity: Body) -> None:
    """What Teams refuses whatever the conversation. Raises ConnectorError."""
    if cards.size(activity) > cards.MAX_MESSAGE_BYTES:
        raise ConnectorError(413, "MessageSizeTooBig")
    if activity.get("type") != "message":
        raise ConnectorError(400, "BadSyntax", "only messages are known here")
    if not activity.get("text") and not activity.get("attachments"):
        raise ConnectorError(400, "BadSyntax", "Activity must include non empty 'text' or 'attachments'")
    for each in activity.get("attachments") or []:
        if each["contentType"] == "application/vnd.microsoft.card.adaptive" and (
            why := cards.problem(each["content"])
        ):
            raise ConnectorError(400, "BadArgument", why)
