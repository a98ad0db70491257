"""response_url: answers whoever acted in private, good for five posts in thirty minutes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from aiohttp import web

from tests.loopback.slack.calls import Changes
from tests.loopback.slack.methods.chat import content, from_bot, in_thread
from tests.loopback.slack.shown import Message
from tests.loopback.slack.state import Workspace
from tests.loopback.slack.wire import Body, SlackError

USES = 5
SECONDS = 30 * 60


@dataclass
class ResponseUrl:
    """Where posts to one response_url go."""

    workspace: Workspace
    user: str
    channel: str
    issued: float
    original: Message | None = None
    posts: list[Body] = field(default_factory=list)

    def say(self, body: Body) -> None:
        """A post to the response_url, or the body of an acknowledgement; raises what Slack refuses."""
        if body.get("delete_original"):
            self._remove_original()
        elif body.get("replace_original") and self.original is not None:
            self._replace_original(content(self.workspace, body))
        else:
            self._post(body)

    def _post(self, body: Body) -> None:
        workspace = self.workspace
        message = {**from_bot(workspace, workspace.next_ts()), **content(workspace, body)}
        channel = workspace.channels[self.channel]
        in_thread(channel, message, body.get("thread_ts"))
        if body.get("response_type") == "in_channel":
            channel.messages[message["ts"]] = message
        else:
            workspace.ephemerals.append((self.user, {**message, "channel": channel.id, "is_ephemeral": True}))

    def _replace_original(self, new: Body) -> None:
        stored = self._stored_original()
        if stored is not None:
            stored.pop("blocks", None)
            stored.update(new)

    def _remove_original(self) -> None:
        stored = self._stored_original()
        ephemerals = self.workspace.ephemerals
        ephemerals[:] = [(user, body) for user, body in ephemerals if body is not stored]
        if self.original is not None:
            self.workspace.channels[self.channel].messages.pop(self.original.ts, None)

    def _stored_original(self) -> Body | None:
        if self.original is None:
            return None
        if self.original.ephemeral:
            found = (body for _, body in self.workspace.ephemerals if body["ts"] == self.original.ts)
            return next(found, None)
        return self.workspace.channels[self.channel].messages.get(self.original.ts)


class ResponseUrls:
    """Issues response_urls and takes what is posted to them."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._urls: dict[str, ResponseUrl] = {}
        self.base_url = ""

    def issue(self, workspace: Workspace, user: str, channel: str, original: Message | None = None) -> str:
        key = workspace.next_id("R")
        self._urls[key] = ResponseUrl(workspace, user, channel, workspace.clock(), original)
        return f"{self.base_url}/response/{key}"

    def find(self, url: str) -> ResponseUrl:
        return self._urls[url.rpartition("/")[2]]

    async def handle(self, request: web.Request) -> web.Response:
        url = self._urls.get(request.match_info["key"])
        if url is None:
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        refusal = _spent(url)
        if refusal:
            return web.json_response({"ok": False, "error": refusal}, status=404)
        try:
            body = await request.json()
            url.posts.append(body)
            url.say(body)
        except json.JSONDecodeError:
            return web.Response(text="invalid_payload", status=400)
        except SlackError as error:
            return web.Response(text=error.code, status=400)
        finally:
            self._changes.notify()
        return web.Response(text="ok")


def _spent(url: ResponseUrl) -> str | None:
    if url.workspace.clock() > url.issued + SECONDS:
        return "expired_url"
    return "used_url" if len(url.posts) >= USES else None
